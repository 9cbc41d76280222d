//! [`watch`]: what stands when the desk does not: a desk that answers nothing any more cancels
//! nothing either, so its orders are canceled past it.

use std::time::Duration;

use hotpit_rt::Clock;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};
use tracing::{error, warn};

use crate::desk::{CancelOutcome, CancelRequest, Command, DeskSender, ToDesk, Venue, is_our_form};
use crate::units::Timestamp;

/// How patient the watchdog is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// How often the desk is asked.
    pub(super) ask_every: Duration,
    /// How long it may take to answer before it counts as stalled.
    pub(super) stalled_after: Duration,
    /// How long to wait before the exchange is asked again.
    pub(super) try_again: Duration,
}

impl Default for Patience {
    /// Far longer than any disk or burst takes.
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { ask_every: seconds(2), stalled_after: seconds(15), try_again: seconds(1) }
    }
}

/// How often the orders of a stalled desk are tried to be canceled.
const TRIES: u32 = 5;

/// Asks the desk again and again. Gives true when it does not answer, after its orders were canceled
/// as far as the exchange could be reached; false when the host ends in order (`ending`), which is
/// the desk's own affair.
pub(super) async fn watch(
    desk: DeskSender,
    venue: impl Venue,
    clock: Clock,
    patience: Patience,
    mut ending: oneshot::Receiver<()>,
) -> bool {
    loop {
        tokio::select! {
            biased;
            _ = &mut ending => return false,
            answers = answers(&desk, patience.stalled_after) => if !answers { break },
        }
        tokio::select! {
            biased;
            _ = &mut ending => return false,
            () = sleep(patience.ask_every) => {}
        }
    }
    // A desk that has ended in order is said to have within a moment.
    if timeout(patience.try_again, &mut ending).await.is_ok() {
        return false;
    }
    error!("the desk answers nothing any more: its orders are canceled past it");
    for attempt in 1..=TRIES {
        match cancel_ours(&venue, clock.now()).await {
            Ok(0) => return true,
            Ok(left) => warn!(attempt, left, "orders of a stalled desk"),
            Err(reason) => warn!(attempt, reason, "orders of a stalled desk"),
        }
        sleep(patience.try_again).await;
    }
    error!("orders may still work at the exchange: look there");
    true
}

/// Whether the desk still does what it is told.
async fn answers(desk: &DeskSender, patience: Duration) -> bool {
    let (reply, answer) = oneshot::channel();
    let ask = async {
        desk.send(ToDesk::Command(Command::Ping { reply })).await.is_ok() && answer.await.is_ok()
    };
    timeout(patience, ask).await.unwrap_or(false)
}

/// Cancels what rests under names of this host; how many orders there were.
async fn cancel_ours(venue: &impl Venue, now: Timestamp) -> Result<usize, String> {
    let account = venue.account(now).await.map_err(|error| error.to_string())?;
    let ours = account
        .resting
        .into_iter()
        .filter(|order| order.client_order_id.as_ref().is_some_and(is_our_form));
    let mut count = 0;
    for order in ours {
        count += 1;
        let request = CancelRequest {
            venue_order_id: order.venue_order_id,
            ticker: order.ticker,
            exchange_index: order.exchange_index,
        };
        if let outcome @ (CancelOutcome::Refused { .. } | CancelOutcome::Unknown { .. }) =
            venue.cancel(request).await
        {
            warn!(?outcome, "a stalled desk's order");
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeMap;
    use std::rc::Rc;
    use std::sync::Arc;

    use tokio::sync::mpsc;

    use super::*;
    use crate::desk::{AccountSnapshot, PlaceOutcome, PlaceRequest, ReadError};
    use crate::model::{ClientOrderId, VenueOrder, VenueOrderStatus};
    use crate::units::{Price, Quantity, Side};

    /// An exchange with these resting orders.
    #[derive(Clone, Default)]
    struct Exchange(Rc<RefCell<Vec<VenueOrder>>>);

    impl Venue for Exchange {
        async fn place(&self, _: PlaceRequest) -> PlaceOutcome {
            unreachable!("a watchdog places nothing")
        }

        async fn make_group(&self, _: Quantity, _: i32) -> Result<Arc<str>, String> {
            unreachable!("a watchdog makes no groups")
        }

        async fn cancel(&self, request: CancelRequest) -> CancelOutcome {
            self.0.borrow_mut().retain(|order| order.venue_order_id != request.venue_order_id);
            CancelOutcome::Canceled { reduced_by: Quantity::from_contracts(1) }
        }

        async fn find(
            &self,
            _: &ClientOrderId,
            _: &str,
            _: Timestamp,
        ) -> Result<Option<VenueOrder>, ReadError> {
            Ok(None)
        }

        async fn account(&self, _: Timestamp) -> Result<AccountSnapshot, ReadError> {
            Ok(AccountSnapshot {
                requested_at: Timestamp::EPOCH,
                resting: self.0.borrow().clone(),
                fills: vec![],
                positions: vec![],
                settlements: Vec::new(),
                balances: BTreeMap::new(),
            })
        }
    }

    fn order(name: &str) -> VenueOrder {
        VenueOrder {
            venue_order_id: format!("v-{name}").into(),
            client_order_id: Some(name.into()),
            ticker: "KX-1".into(),
            side: Side::Bid,
            price: Price::from_cents(40),
            status: VenueOrderStatus::Resting,
            filled: Quantity::ZERO,
            remaining: Quantity::from_contracts(1),
            reason: None,
            exchange_index: 0,
            ts: None,
        }
    }

    #[tokio::test]
    async fn the_orders_of_a_desk_that_answers_nothing_are_canceled_and_no_others() {
        let exchange = Exchange::default();
        let theirs = order("by-hand");
        let ours = order("hp3-0123456789abcdef-17");
        exchange.0.borrow_mut().extend([ours, theirs.clone()]);
        let (desk, mut inbox) = mpsc::channel(4);
        let ms = Duration::from_millis;
        let patience = Patience { ask_every: ms(1), stalled_after: ms(200), try_again: ms(1) };
        let (_running, ending) = oneshot::channel();
        let watching = watch(desk, exchange.clone(), Clock::system(), patience, ending);
        tokio::pin!(watching);
        // As long as it answers, nothing happens.
        for _ in 0..3 {
            let message = tokio::select! {
                _ = &mut watching => panic!("it gave up on a desk that answers"),
                message = inbox.recv() => message,
            };
            let Some(ToDesk::Command(Command::Ping { reply })) = message else { panic!() };
            reply.send(()).unwrap();
        }
        assert_eq!(exchange.0.borrow().len(), 2);
        // Nobody reads the inbox any more.
        assert!(watching.await);
        assert_eq!(*exchange.0.borrow(), [theirs]);
    }

    #[tokio::test]
    async fn a_host_that_ends_in_order_leaves_what_its_desk_left() {
        let exchange = Exchange::default();
        exchange.0.borrow_mut().push(order("hp3-0123456789abcdef-17"));
        let (desk, inbox) = mpsc::channel(4);
        let (end, ending) = oneshot::channel();
        drop(end);
        drop(inbox);
        let patience = Patience::default();
        assert!(!watch(desk, exchange.clone(), Clock::system(), patience, ending).await);
        assert_eq!(exchange.0.borrow().len(), 1);
    }
}
