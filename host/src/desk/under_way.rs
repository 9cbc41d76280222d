//! [`UnderWay`]: the requests to the exchange, each with a bound on its time, so many of a kind at
//! once.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hotpit_rt::Clock;
use hotpit_units::{Quantity, Timestamp};
use tokio::time::timeout;

use super::io::Input;
use super::orders::OrderKey;
use super::pool::Pool;
use super::record::OrderGroup;
use super::risk::Approved;
use super::venue::{CancelOutcome, CancelRequest, PlaceOutcome, ReadError, Venue};
use crate::model::{AgentId, ClientOrderId};

/// Orders under way to the exchange at the same time.
const PLACES_MAX: usize = 16;
/// Orders that may wait for their turn; beyond it they are not sent.
const PLACES_WAITING_MAX: usize = 64;
/// Cancels under way at the same time. As many as orders may wait: each order has one at most.
const CANCELS_MAX: usize = 16;
/// Reads under way at the same time. As many as there are questions may wait: each order has one
/// at most, and the account one.
const READS_MAX: usize = 4;
/// Order groups that are made at the same time. As many as agents on shards may wait.
const GROUPS_MAX: usize = 4;
/// The longest that a request may take. The exchange's client has bounds of its own, far below;
/// this one is for a client that has lost itself.
const REQUEST_MAX: Duration = Duration::from_secs(30);

const LATE: &str = "no answer in time";

/// An order that waits for its turn.
pub(super) struct WaitingPlace {
    pub(super) order: OrderKey,
    pub(super) approved: Approved,
    pub(super) since: Timestamp,
}

/// When an order leaves that was taken.
pub(super) enum Leaves {
    Now,
    Later,
}

/// A question about an order or the account.
pub(super) enum Read {
    Find { order: OrderKey, client_order_id: ClientOrderId, ticker: Arc<str>, placed_at: Timestamp },
    Account { since: Timestamp },
}

/// An order group that is to be made.
pub(super) struct WantedGroup {
    pub(super) agent: AgentId,
    pub(super) exchange_index: i32,
    pub(super) limit: Quantity,
}

/// What was asked of the exchange and is not answered yet.
pub(super) struct UnderWay<V> {
    venue: Rc<V>,
    clock: Clock,
    places: Pool<WaitingPlace>,
    cancels: Pool<(OrderKey, CancelRequest)>,
    reads: Pool<Read>,
    groups: Pool<WantedGroup>,
}

impl<V: Venue> UnderWay<V> {
    pub(super) fn new(venue: Rc<V>, clock: Clock) -> Self {
        Self {
            venue,
            clock,
            places: Pool::new(PLACES_MAX),
            cancels: Pool::new(CANCELS_MAX),
            reads: Pool::new(READS_MAX),
            groups: Pool::new(GROUPS_MAX),
        }
    }

    /// The next answer. Those to cancels come first: they free what new orders need.
    pub(super) async fn ended(&mut self) -> Input {
        tokio::select! {
            biased;
            input = self.cancels.ended() => input,
            input = self.places.ended() => input,
            input = self.reads.ended() => input,
            input = self.groups.ended() => input,
        }
    }

    /// Brings what was started onto the wire, without waiting. Gives what has ended at once, one by
    /// one.
    pub(super) fn push_on(&mut self) -> Option<Input> {
        self.cancels
            .push_on()
            .or_else(|| self.places.push_on())
            .or_else(|| self.reads.push_on())
            .or_else(|| self.groups.push_on())
    }

    /// Whether no order and no cancel is on its way, or waits.
    pub(super) fn is_quiet(&self) -> bool {
        self.places.is_idle() && self.cancels.is_idle()
    }

    /// Sends an order, at once or when it is its turn; gives it back if too many wait already.
    ///
    /// # Errors
    /// The order, when it has no room.
    pub(super) fn place(
        &mut self,
        order: OrderKey,
        approved: Approved,
    ) -> Result<Leaves, OrderKey> {
        if self.places.has_room() && self.places.waiting() == 0 {
            self.start_place(order, approved);
            Ok(Leaves::Now)
        } else if self.places.waiting() < PLACES_WAITING_MAX {
            self.places.wait(WaitingPlace { order, approved, since: self.clock.now() });
            Ok(Leaves::Later)
        } else {
            Err(order)
        }
    }

    /// An order whose turn has come, to be started or not.
    pub(super) fn next_place(&mut self) -> Option<WaitingPlace> {
        self.places.next_waiting()
    }

    pub(super) fn start_place(&mut self, order: OrderKey, approved: Approved) {
        let venue = Rc::clone(&self.venue);
        self.places.start(async move {
            let request = approved.into_request();
            let late = PlaceOutcome::Unknown { reason: LATE.to_owned() };
            let outcome = timeout(REQUEST_MAX, venue.place(request)).await.unwrap_or(late);
            Input::Placed { order, outcome }
        });
    }

    pub(super) fn cancel(&mut self, order: OrderKey, request: CancelRequest) {
        self.cancels.wait((order, request));
        self.start_cancels();
    }

    pub(super) fn read(&mut self, read: Read) {
        self.reads.wait(read);
        self.start_reads();
    }

    pub(super) fn group(&mut self, wanted: WantedGroup) {
        self.groups.wait(wanted);
        self.start_groups();
    }

    /// Starts what waits for a place, orders apart.
    pub(super) fn start_waiting(&mut self) {
        self.start_cancels();
        self.start_reads();
        self.start_groups();
    }

    fn start_cancels(&mut self) {
        while let Some((order, request)) = self.cancels.next_waiting() {
            let venue = Rc::clone(&self.venue);
            self.cancels.start(async move {
                let late = CancelOutcome::Unknown { reason: LATE.to_owned() };
                let outcome = timeout(REQUEST_MAX, venue.cancel(request)).await.unwrap_or(late);
                Input::Canceled { order, outcome }
            });
        }
    }

    fn start_groups(&mut self) {
        while let Some(WantedGroup { agent, exchange_index, limit }) = self.groups.next_waiting() {
            let venue = Rc::clone(&self.venue);
            self.groups.start(async move {
                let made = timeout(REQUEST_MAX, venue.make_group(limit, exchange_index)).await;
                let made = made.unwrap_or_else(|_| Err(LATE.to_owned()));
                let result = made.map(|id| OrderGroup { id, limit });
                Input::Grouped { agent, exchange_index, result }
            });
        }
    }

    fn start_reads(&mut self) {
        while let Some(read) = self.reads.next_waiting() {
            let venue = Rc::clone(&self.venue);
            let clock = self.clock;
            self.reads.start(async move {
                let late = |call| ReadError { call, reason: LATE.to_owned() };
                match read {
                    Read::Find { order, client_order_id, ticker, placed_at } => {
                        let asked_at = clock.now();
                        let find = venue.find(&client_order_id, &ticker, placed_at);
                        let result = timeout(REQUEST_MAX, find)
                            .await
                            .unwrap_or_else(|_| Err(late("find an order")));
                        Input::Found { order, asked_at, result }
                    }
                    Read::Account { since } => {
                        let read = venue.account(since);
                        let result = timeout(REQUEST_MAX, read)
                            .await
                            .unwrap_or_else(|_| Err(late("read the account")));
                        Input::Account(result)
                    }
                }
            });
        }
    }
}
