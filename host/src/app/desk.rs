//! [`DeskThread`]: the desk with its journal and its connection to the exchange, on a thread of
//! its own.

use std::rc::Rc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use hotpit_rt::{Clock, Entropy};
use tokio::sync::{mpsc, oneshot};
use tracing::error;

use super::floor::Floor;
use crate::desk::shell::run;
use crate::desk::{
    Command, Desk, DeskSender, DryRun, Input, Journal, Outputs, Recovered, Report, Settings,
    ToDesk, run_nonce,
};
use crate::kalshi::{Client, HttpTransport};
use crate::units::{Dollars, Quantity};

/// How long the thread may take to end once the desk has drained.
const JOIN_TIMEOUT: Duration = Duration::from_secs(5);

/// The cash on each shard to decide with where there is no account to read.
const PRETENDED_CASH: Dollars = Dollars::from_dollars(1_000);

/// What the desk starts with.
pub(super) struct DeskParts {
    pub(super) settings: Settings,
    pub(super) recovered: Recovered,
    pub(super) journal: Box<dyn Journal + Send>,
    pub(super) inbox: mpsc::Receiver<ToDesk>,
    /// The account's client over connections that live on the desk's thread.
    pub(super) client: Client<HttpTransport>,
    /// Whether orders go to the exchange.
    pub(super) sends_orders: bool,
    pub(super) floor: Floor,
}

/// The running desk.
pub(super) struct DeskThread {
    sender: DeskSender,
    thread: JoinHandle<Report>,
    drain: Duration,
}

impl DeskThread {
    /// Starts the desk's thread.
    pub(super) fn start(
        parts: DeskParts,
        sender: DeskSender,
        clock: Clock,
        entropy: Entropy,
    ) -> anyhow::Result<Self> {
        let DeskParts { mut settings, recovered, journal, inbox, client, sends_orders, floor } =
            parts;
        if !sends_orders {
            // What is not sent needs no group.
            settings.limits.group_contracts = Quantity::ZERO;
        }
        let nonce = run_nonce(recovered.runs, &mut entropy.rng("client order ids"));
        let drain = Duration::from_millis(settings.timing.drain_ms);
        let used = !recovered.is_flat();
        let work = move || async move {
            let mut started = Outputs::default();
            let mut desk = Desk::new(settings, nonce, recovered, clock.now(), &mut started);
            if !client.has_key() {
                // Nobody will subscribe the private channels: there is nothing to wait for.
                desk.apply(Input::Connected, clock.now(), &mut started);
            }
            let client = Rc::new(client);
            let warm = Rc::clone(&client);
            let keep_warm = tokio::task::spawn_local(async move { warm.keep_warm().await });
            let views = floor.clone();
            let report = if sends_orders {
                run(desk, started, inbox, client, journal, views, floor, clock).await
            } else {
                let account = client.has_key().then_some(client);
                let venue = Rc::new(DryRun::new(account, clock, PRETENDED_CASH).with_used(used));
                run(desk, started, inbox, venue, journal, views, floor, clock).await
            };
            keep_warm.abort();
            report
        };
        let thread = hotpit_rt::dedicated("desk", work).context("no thread for the desk")?;
        Ok(Self { sender, thread, drain })
    }

    /// Cancels every working order, waits for it as long as the settings say, and returns what
    /// the desk knew at the end.
    pub(super) async fn stop(self) -> Option<Report> {
        let (done, drained) = oneshot::channel();
        let asked = self.sender.send(ToDesk::Command(Command::Shutdown { done }));
        let patience = self.drain + JOIN_TIMEOUT;
        // A desk that is gone has nothing to drain; joining it tells why.
        let _ =
            tokio::time::timeout(patience, async { asked.await.is_ok() && drained.await.is_ok() })
                .await;
        let joined = tokio::task::spawn_blocking(move || self.thread.join());
        match tokio::time::timeout(patience, joined).await {
            Ok(Ok(Ok(report))) => Some(report),
            Ok(_) => {
                error!("the desk had panicked: look at its orders at the exchange");
                None
            }
            Err(_) => {
                error!("the desk does not end: look at its orders at the exchange");
                None
            }
        }
    }
}
