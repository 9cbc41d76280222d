//! [`Facts`]: what is seen at the seams, and what must never be seen there.
//!
//! The journal's wrapper tells what is truly on disk, the network what truly leaves the host. What
//! breaks a promise is kept as a [`Broken`] and ends the seed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use hotpit::desk::Record;
use hotpit::desk::record::{Decision, FillBooked, Intent};
use hotpit::model::{AgentId, OrderState};
use hotpit_units::{Price, Quantity, Side};

/// Which promise was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    /// An order of ours is accounted for nowhere, or was sent without a record.
    Lost,
    /// One intent, more than one order; one fill, more than one booking.
    Doubled,
    /// More can be lost than the desk counts.
    Uncounted,
    /// The books of desk and exchange differ, or an order left when none may.
    Mismatched,
}

/// A promise that was broken, and how.
#[derive(Debug, Clone)]
pub struct Broken {
    pub promise: Promise,
    pub how: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.promise, self.how)
    }
}

/// An order on its way to the exchange.
#[derive(Debug, Clone)]
pub struct InFlight {
    pub name: String,
    pub ticker: String,
    pub side: Side,
    pub price: Price,
    pub quantity: Quantity,
}

/// Everything seen so far, over all lives of the host.
#[derive(Debug, Default)]
pub struct Facts {
    /// Approved intents whose records are on disk, by the name of their order.
    pub intents: BTreeMap<String, Intent>,
    wishes: BTreeMap<(AgentId, u64), String>,
    pub fills: BTreeMap<Arc<str>, FillBooked>,
    /// The orders whose outcome was unknown at some time.
    pub unknown: BTreeSet<String>,
    /// Requests that are out and may still arrive.
    pub in_flight: BTreeMap<u64, InFlight>,
    pub orders_sent: u64,
    /// The desk of this life said last that it may trade.
    pub ready: bool,
    /// An operator was told that orders are stopped.
    pub halted: bool,
    pub broken: Option<Broken>,
    /// A hash over everything that happened and when.
    pub trace: u64,
    /// Things that passed a seam.
    pub steps: u64,
    /// Prints what happens, where one seed is looked at.
    pub is_told: bool,
}

impl Facts {
    /// Nothing was seen yet.
    pub fn told(is_told: bool) -> Self {
        Self { is_told, ..Self::default() }
    }

    /// Something passed a seam.
    pub fn saw(&mut self, at_nanos: u64, what: &dyn fmt::Display) {
        let text = what.to_string();
        self.steps += 1;
        for byte in at_nanos.to_le_bytes().into_iter().chain(text.bytes()) {
            self.trace = (self.trace ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        if self.is_told {
            println!("{:>12.6} {text}", at_nanos as f64 / 1e9);
        }
    }

    /// A promise was broken; the first is kept.
    pub fn breaks(&mut self, promise: Promise, how: impl Into<String>) {
        let how = how.into();
        if self.is_told {
            println!("BROKEN {promise:?}: {how}");
        }
        self.broken.get_or_insert(Broken { promise, how });
    }

    /// These records are on disk.
    pub fn committed(&mut self, records: &[Record]) {
        for record in records {
            match record {
                Record::Intent(intent) => self.intent(intent),
                Record::Fill(fill) => self.fill(fill),
                Record::Ready(ready) => self.ready = ready.not_ready.is_none(),
                Record::Order(event) => {
                    if event.state == OrderState::Unknown
                        && let Some(name) = &event.client_order_id
                    {
                        self.unknown.insert(name.as_str().to_owned());
                    }
                }
                Record::Started(_)
                | Record::Holding(_)
                | Record::Command(_)
                | Record::Halt(_)
                | Record::Agent(_)
                | Record::Equity(_)
                | Record::Group(_)
                | Record::Difference(_) => {}
            }
        }
    }

    fn intent(&mut self, intent: &Intent) {
        match &intent.decision {
            Decision::Denied { reason } => {
                let code = reason.split(':').next().unwrap_or_default();
                let is_code = code.len() > 2
                    && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
                if !is_code {
                    self.breaks(Promise::Mismatched, format!("a denial without a code: {reason}"));
                }
            }
            Decision::Approved { client_order_id, .. } => {
                let name = client_order_id.as_str().to_owned();
                let wish = (intent.agent.clone(), intent.order.0);
                if let Some(other) = self.wishes.insert(wish, name.clone()) {
                    let how = format!("one wish is the orders {other} and {name}");
                    self.breaks(Promise::Doubled, how);
                }
                if self.intents.insert(name.clone(), intent.clone()).is_some() {
                    self.breaks(Promise::Doubled, format!("two intents have the name {name}"));
                }
            }
        }
    }

    fn fill(&mut self, fill: &FillBooked) {
        if self.fills.insert(Arc::clone(&fill.fill_id), fill.clone()).is_some() {
            self.breaks(Promise::Doubled, format!("fill {} was booked twice", fill.fill_id));
        }
    }

    /// A request for an order leaves the host.
    pub fn leaves(&mut self, order: &InFlight, book_is_good: bool) {
        self.orders_sent += 1;
        let name = &order.name;
        if !self.intents.contains_key(name) {
            let alike = |intent: &Intent| {
                let is_of = intent.ticker.as_deref() == Some(&*order.ticker);
                let terms = (intent.side, intent.price, intent.quantity);
                is_of && terms == (order.side, order.price, order.quantity)
            };
            // The same again under another name, or something that nobody wrote down.
            let is_again = self.intents.values().any(alike);
            let promise = if is_again { Promise::Doubled } else { Promise::Lost };
            self.breaks(promise, format!("{name} left and its record is not on disk"));
        }
        if self.halted {
            self.breaks(Promise::Mismatched, format!("{name} left while orders are stopped"));
        }
        if !self.ready {
            let how = format!("{name} left while the desk says that it may not trade");
            self.breaks(Promise::Mismatched, how);
        }
        if !book_is_good {
            let how = format!("{name} left on a book that is not synced or old");
            self.breaks(Promise::Mismatched, how);
        }
    }
}
