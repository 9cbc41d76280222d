//! [`Context`]: everything an agent can see and do while it handles a batch.

mod lookups;
mod order;

use std::cell::RefCell;
use std::fmt;
use std::time::Duration;

use hotpit_units::{Price, Quantity, Side, Timestamp};

use self::lookups::Cache;
pub use self::order::OrderBuilder;
use crate::action::{Action, NewOrder, TimeInForce};
use crate::event::Event;
use crate::host::Host;
use crate::ids::{MarketId, OrderId};

/// What an agent can see and do. Its own account is as of the batch, markets, books and games are
/// as they are when it asks; what it is asked to do is sent when the batch is done.
///
/// ```
/// # use hotpit_agent::{prelude::*, testing::*};
/// # #[derive(Default, serde::Serialize, serde::Deserialize)]
/// # struct Mine;
/// # impl Agent for Mine {
/// #     type Params = ();
/// fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
///     let flat = ctx.position(quote.market).quantity.is_zero();
///     if let Some(ask) = quote.ask && flat {
///         ctx.buy(quote.market, ask.price, Quantity::from_contracts(1)).send();
///     }
/// }
/// # }
/// # let mut harness = Harness::<Mine>::new().market("KX-1");
/// let order = placed(&harness.quote("KX-1", cents(40), cents(42)))[0].order;
/// harness.fill(order, contracts(1));
/// assert!(harness.quote("KX-1", cents(40), cents(42)).is_empty());
/// ```
pub struct Context {
    host: Box<dyn Host>,
    now: Timestamp,
    actions: Vec<Action>,
    last_order: OrderId,
    cache: RefCell<Cache>,
}

impl Context {
    pub(crate) fn new(host: Box<dyn Host>, last_order: OrderId) -> Self {
        Self {
            host,
            now: Timestamp::EPOCH,
            actions: Vec::new(),
            last_order,
            cache: RefCell::default(),
        }
    }

    pub(crate) fn begin(&mut self, now: Timestamp, events: &[Event]) {
        self.now = now;
        let cache = self.cache.get_mut();
        for event in events {
            cache.forget_what_changed(event);
        }
    }

    pub(crate) fn finish(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    pub(crate) fn last_order(&self) -> OrderId {
        self.last_order
    }

    /// When the batch was made. The only clock there is: the same events give the same actions.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// /// Does nothing on news that is a second old.
    /// fn on_trade(&mut self, ctx: &mut Context, trade: &Trade) {
    ///     if ctx.now().since(trade.ts) < Duration::from_secs(1) {
    ///         ctx.buy(trade.market, trade.price, trade.quantity).send();
    ///     }
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// # let market = harness.market_id("KX-1");
    /// # let (price, quantity, taker) = (cents(40), contracts(1), Side::Bid);
    /// # let old = Trade { market, price, quantity, taker, ts: harness.now() };
    /// assert_eq!(harness.trade("KX-1", price, quantity, taker).len(), 1);
    /// harness.advance(Duration::from_secs(1));
    /// assert!(harness.batch(&[Event::Trade(old)]).is_empty());
    /// ```
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Begins an order to buy YES. Nothing is sent before [`OrderBuilder::send`].
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// # fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// ctx.buy(quote.market, Price::from_cents(40), Quantity::from_contracts(5)).send();
    /// # }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// # let order = placed(&harness.quote("KX-1", cents(41), cents(43)))[0];
    /// // In a test:
    /// assert_eq!((order.side, order.price, order.quantity), (Side::Bid, cents(40), contracts(5)));
    /// ```
    pub fn buy(&mut self, market: MarketId, price: Price, quantity: Quantity) -> OrderBuilder<'_> {
        self.order(market, Side::Bid, price, quantity)
    }

    /// Begins an order to sell YES, which is the same as buying NO at $1 minus the price.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// # fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// // To buy NO at 30 cents is to sell YES at 70.
    /// let no_price = Price::from_cents(30);
    /// if let Some(price) = no_price.complement() {
    ///     ctx.sell(quote.market, price, Quantity::from_contracts(5)).send();
    /// }
    /// # }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// # let order = placed(&harness.quote("KX-1", cents(41), cents(43)))[0];
    /// assert_eq!((order.side, order.price), (Side::Ask, cents(70)));
    /// ```
    pub fn sell(&mut self, market: MarketId, price: Price, quantity: Quantity) -> OrderBuilder<'_> {
        self.order(market, Side::Ask, price, quantity)
    }

    /// Begins an order on a side that is known at run time alone.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// /// Closes what is held, at the price that is there.
    /// fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    ///     let held = ctx.position(quote.market).quantity;
    ///     let long = held.is_positive();
    ///     let (side, at) = if long { (Side::Ask, quote.bid) } else { (Side::Bid, quote.ask) };
    ///     if let Some(at) = at && !held.is_zero() {
    ///         ctx.order(quote.market, side, at.price, held.abs()).send();
    ///     }
    /// }
    /// # }
    /// # let harness = Harness::<Mine>::new().market("KX-1");
    /// let mut harness = harness.holding("KX-1", contracts(-3), cents(50));
    /// let order = placed(&harness.quote("KX-1", cents(40), cents(42)))[0];
    /// assert_eq!((order.side, order.price, order.quantity), (Side::Bid, cents(42), contracts(3)));
    /// ```
    pub fn order(
        &mut self,
        market: MarketId,
        side: Side,
        price: Price,
        quantity: Quantity,
    ) -> OrderBuilder<'_> {
        let order = NewOrder {
            order: self.last_order.next(self.now),
            market,
            side,
            price,
            quantity,
            time_in_force: TimeInForce::GoodTillCanceled,
            post_only: false,
            expires: None,
        };
        OrderBuilder { context: self, order }
    }

    /// Cancels an order of this agent. It may still trade until an update says that it is done.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// # fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// #     ctx.buy(quote.market, cents(40), contracts(5)).send();
    /// # }
    /// /// Cancels the rest of an order that was filled in part.
    /// fn on_fill(&mut self, ctx: &mut Context, fill: &Fill) {
    ///     ctx.cancel(fill.order);
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// let order = placed(&harness.quote("KX-1", cents(39), cents(41)))[0].order;
    /// assert_eq!(canceled(&harness.fill(order, contracts(2))), [order]);
    /// ```
    pub fn cancel(&mut self, order: OrderId) {
        self.actions.push(Action::Cancel(order));
    }

    /// Cancels all orders of this agent.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// fn on_gap(&mut self, ctx: &mut Context, gap: &Gap) {
    ///     if gap.market.is_none() {
    ///         ctx.cancel_all();
    ///     }
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// assert_eq!(harness.gap(None), [Action::CancelAll(None)]);
    /// ```
    pub fn cancel_all(&mut self) {
        self.actions.push(Action::CancelAll(None));
    }

    /// Cancels all orders of this agent in a market.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// fn on_market(&mut self, ctx: &mut Context, change: &MarketChange) {
    ///     if change.status != MarketStatus::Active {
    ///         ctx.cancel_all_in(change.market);
    ///     }
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// let actions = harness.status("KX-1", MarketStatus::Inactive);
    /// assert_eq!(actions, [Action::CancelAll(Some(harness.market_id("KX-1")))]);
    /// ```
    pub fn cancel_all_in(&mut self, market: MarketId) {
        self.actions.push(Action::CancelAll(Some(market)));
    }

    /// Asks for a timer event at a time. Each comes due once; none survives a swap or a restart.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// /// Asks to be woken a minute before trading ends.
    /// fn on_market(&mut self, ctx: &mut Context, change: &MarketChange) {
    ///     let close = ctx.market(change.market).and_then(|market| market.close_time);
    ///     if let Some(close) = close {
    ///         ctx.wake_at(Timestamp::from_secs(close.as_secs() - 60));
    ///     }
    /// }
    /// # }
    /// # let close_time = Some(Timestamp::from_secs(2_000_000_000));
    /// # let closing = Market { close_time, ..market("KX-1") };
    /// # let mut harness = Harness::<Mine>::new().market_with(closing);
    /// // Trading ends at 2,000,000,000 s.
    /// let actions = harness.status("KX-1", MarketStatus::Active);
    /// assert_eq!(actions, [Action::WakeAt(Timestamp::from_secs(1_999_999_940))]);
    /// ```
    pub fn wake_at(&mut self, at: Timestamp) {
        self.actions.push(Action::WakeAt(at));
    }

    /// Asks for a timer event after a time.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// fn on_start(&mut self, ctx: &mut Context, _: bool) {
    ///     ctx.wake_after(Duration::from_secs(5));
    /// }
    /// fn on_timer(&mut self, ctx: &mut Context, _: Timestamp) {
    ///     ctx.cancel_all();
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// # harness.batch(&[]);
    /// assert!(harness.advance(Duration::from_secs(4)).is_empty());
    /// assert_eq!(harness.advance(Duration::from_secs(1)), [Action::CancelAll(None)]);
    /// ```
    pub fn wake_after(&mut self, delay: Duration) {
        self.wake_at(self.now + delay);
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("now", &self.now)
            .field("actions", &self.actions)
            .field("last_order", &self.last_order)
            .finish_non_exhaustive()
    }
}
