//! What an agent wants. Actions are returned when the batch is done: a batch that traps has
//! done nothing.

use hotpit_units::{Price, Quantity, Side, Timestamp};

use crate::ids::{MarketId, OrderId};

/// What an agent wants. [`Context`](crate::Context) collects them; tests compare them.
///
/// ```
/// # use hotpit_agent::{prelude::*, testing::*};
/// # #[derive(Default, serde::Serialize, serde::Deserialize)]
/// # struct Mine;
/// # impl Agent for Mine {
/// #     type Params = ();
/// fn on_gap(&mut self, ctx: &mut Context, _: &Gap) {
///     ctx.cancel_all();
/// }
/// # }
/// # let mut harness = Harness::<Mine>::new().market("KX-1");
/// assert_eq!(harness.gap(None), [Action::CancelAll(None)]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Place an order.
    Place(NewOrder),
    /// Cancel one of the agent's own orders.
    Cancel(OrderId),
    /// Cancel all of the agent's orders in a market, or everywhere.
    CancelAll(Option<MarketId>),
    /// Send a timer event at this time.
    WakeAt(Timestamp),
}

/// How long an order works.
///
/// ```
/// # use hotpit_agent::{prelude::*, testing::*};
/// # #[derive(Default, serde::Serialize, serde::Deserialize)]
/// # struct Mine;
/// # impl Agent for Mine {
/// #     type Params = ();
/// # fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
/// let one = Quantity::from_contracts(1);
/// ctx.buy(quote.market, Price::from_cents(40), one).send();
/// ctx.buy(quote.market, Price::from_cents(42), one).immediate_or_cancel().send();
/// # }
/// # }
/// # let mut harness = Harness::<Mine>::new().market("KX-1");
/// # let orders = placed(&harness.quote("KX-1", cents(40), cents(42)));
/// // What a test sees of them:
/// assert_eq!(orders[0].time_in_force, TimeInForce::GoodTillCanceled);
/// assert_eq!(orders[1].time_in_force, TimeInForce::ImmediateOrCancel);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeInForce {
    /// Until it is filled or canceled.
    GoodTillCanceled,
    /// What can be filled at once; the rest is canceled.
    ImmediateOrCancel,
    /// All of it at once, or nothing.
    FillOrKill,
}

/// An order intent: it becomes an order when the host's risk manager approves it.
///
/// ```
/// # use hotpit_agent::{prelude::*, testing::*};
/// # #[derive(Default, serde::Serialize, serde::Deserialize)]
/// # struct Mine;
/// # impl Agent for Mine {
/// #     type Params = ();
/// fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
///     let five = Quantity::from_contracts(5);
///     ctx.sell(quote.market, Price::from_cents(60), five).post_only().send();
/// }
/// # }
/// # let mut harness = Harness::<Mine>::new().market("KX-1");
/// let order = placed(&harness.quote("KX-1", cents(40), cents(42)))[0];
/// assert_eq!((order.side, order.price, order.quantity), (Side::Ask, cents(60), contracts(5)));
/// assert!(order.post_only);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewOrder {
    /// The agent's number for it.
    pub order: OrderId,
    /// The market.
    pub market: MarketId,
    /// Buy ([`Side::Bid`]) or sell YES.
    pub side: Side,
    /// The limit, price of the YES leg.
    pub price: Price,
    /// How much; more than zero.
    pub quantity: Quantity,
    /// How long it works.
    pub time_in_force: TimeInForce,
    /// Never take liquidity: the exchange cancels the order if it would.
    pub post_only: bool,
    /// With [`TimeInForce::GoodTillCanceled`]: when the exchange shall cancel it, in whole seconds
    /// of this time.
    pub expires: Option<Timestamp>,
}
