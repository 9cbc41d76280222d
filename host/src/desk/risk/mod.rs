//! The risk manager: decides whether an intent becomes an order.
//!
//! What lives here: the checks, one file per concern, in a fixed order, and [`Approved`], the
//! proof that all of them passed. What never lives here: state (a check reads a [`Question`] and
//! changes nothing), sockets, clocks. Cancels never come through here: they always pass.
//!
//! | file | checks |
//! | --- | --- |
//! | `trading` | halted, agent halted, agent live, desk ready, clock |
//! | `market` | exchange and market open, book synced and fresh, game fresh |
//! | `form` | order number unused, price on the grid, quantity, expiry, post-only |
//! | `repeat` | the same order again, an unusual size, fills that follow too fast |
//! | `size` | order limit, cost of an order, cash on the shard with fees, open orders |
//! | `collar` | the distance of the price from the market |
//! | `matching` | self-match, post-only crossing |
//! | `position` | position of the agent and of the account; reducing only, where that is asked |
//! | `exposure` | what can be lost: in the event, in the series, by the agent, by all |
//! | `rate` | orders per second |
//!
//! Promise: fails closed. What is missing, zero or stale is a denial with a code of its own, and
//! there is no way to an [`Approved`] but through every check.

mod collar;
mod denial;
mod exposure;
mod form;
mod limits;
mod market;
mod matching;
mod position;
pub(super) mod rate;
mod repeat;
mod scopes;
mod size;
mod trading;

use std::sync::Arc;

use hotpit_units::{Dollars, Side, Timestamp};

pub use denial::Denial;
pub use limits::Limits;
pub use scopes::{ScopeLimits, Scopes};
pub(super) use size::tighter;

use self::scopes::InMarket;
use super::agent_table::AgentState;
use super::exposure::Working;
use super::fees;
use super::groups::GroupRisk;
use super::inbox::Leave;
use super::io::ExchangeState;
use super::market_table::{MarketSlot, MarketState, MarketView};
use super::record::{Halted, Holding};
use super::venue::PlaceRequest;
use crate::model::{ClientOrderId, NewOrder, OrderId};

/// A request that passed every check. Only [`decide`] makes one, so what holds one may send it; and
/// it cannot be copied, so that it is sent once.
#[derive(Debug, PartialEq, Eq)]
pub struct Approved {
    request: PlaceRequest,
}

impl Approved {
    /// What was approved.
    #[must_use]
    pub const fn request(&self) -> &PlaceRequest {
        &self.request
    }

    /// The same in an order group of the exchange.
    pub(super) fn in_group(mut self, id: &Arc<str>) -> Self {
        self.request.order_group_id = Some(Arc::clone(id));
        self
    }

    /// Gives the request to the exchange's client.
    #[must_use]
    pub fn into_request(self) -> PlaceRequest {
        self.request
    }
}

/// An intent, with everything that decides about it.
pub(super) struct Question<'a> {
    pub(super) now: Timestamp,
    pub(super) order: &'a NewOrder,
    pub(super) limits: &'a Limits,
    /// Why the desk itself takes no orders: it is shutting down, or its journal does not write.
    pub(super) stopping: Option<&'a str>,
    /// Why new orders are stopped, or all but those that reduce, if they are.
    pub(super) halted: Option<&'a Halted>,
    /// How the exchange itself stands.
    pub(super) exchange: &'a ExchangeState,
    /// Why the desk does not know the exchange's state, if it does not.
    pub(super) not_ready: Option<&'a str>,
    /// Whose intent it is; none: an agent that the desk never heard of.
    pub(super) agent: Option<&'a AgentState>,
    /// The market that it names; none: the handle stands for nothing.
    pub(super) market: Option<&'a MarketState>,
    /// What the agent holds in the market.
    pub(super) holding: Holding,
    /// What the agent's orders in the market may still trade.
    pub(super) working: Working,
    /// The market's slot.
    pub(super) slot: Option<MarketSlot>,
    /// What can be lost in the market, its event and series now, and with the order.
    pub(super) group_risk: Option<[GroupRisk; 2]>,
    /// The agent's order that this one repeats.
    pub(super) duplicate: Option<OrderId>,
    /// What all agents together can lose.
    pub(super) exposure: Dollars,
    /// Orders of all agents that may trade.
    pub(super) open_orders: u32,
    /// Cash on the market's shard, less what working orders of its markets take.
    pub(super) free_cash: Dollars,
}

/// A question whose agent and market are known: what most checks look at.
pub(super) struct Case<'a> {
    question: &'a Question<'a>,
    agent: &'a AgentState,
    market: &'a MarketState,
    slot: MarketSlot,
    view: &'a MarketView,
    /// The most that the order costs in fees.
    fees: Dollars,
    /// The limits that hold in the market.
    limits: InMarket,
}

impl Case<'_> {
    /// Whether the order only brings the agent's position nearer to zero, with everything that works
    /// on that side, and never beyond.
    fn reduces(&self) -> bool {
        let Question { holding, working, order, .. } = self.question;
        let left = match order.side {
            Side::Bid => -(holding.quantity + working.buy),
            Side::Ask => holding.quantity - working.sell,
        };
        order.quantity <= left
    }

    fn ticker(&self) -> Arc<str> {
        Arc::clone(&self.market.ticker)
    }
}

/// Decides about an intent; `name` gives its client order id if it becomes an order.
///
/// # Errors
/// The first check that fails.
pub(super) fn decide(
    question: &Question<'_>,
    name: impl FnOnce() -> ClientOrderId,
) -> Result<Approved, Denial> {
    let view = check(question)?;
    let order = question.order;
    Ok(Approved {
        request: PlaceRequest {
            client_order_id: name(),
            ticker: Arc::clone(&view.market.ticker),
            exchange_index: view.market.exchange_index,
            side: order.side,
            price: order.price,
            quantity: order.quantity,
            time_in_force: order.time_in_force,
            post_only: order.post_only,
            expires: order.expires,
            cancel_on_pause: question
                .agent
                .is_none_or(|agent| agent.limits.on.pause == Leave::Cancel),
            order_group_id: None,
        },
    })
}

/// Every check, in order. Gives the view of the market that they were made on.
///
/// # Errors
/// The first check that fails.
pub(super) fn check<'a>(question: &Question<'a>) -> Result<&'a MarketView, Denial> {
    let order = question.order;
    trading::not_halted(question)?;
    let agent = trading::agent(question)?;
    let (slot, market, view) = market::open(question)?;
    let fees = fees::worst(view.market.fees, order.price, order.quantity);
    let limits = InMarket::of(question.limits, &view.market);
    let case = Case { question, agent, market, slot, view, fees, limits };
    market::book(&case)?;
    market::game(&case)?;
    trading::ready(question)?;
    form::order_id(&case)?;
    repeat::duplicate(&case)?;
    form::price(&case)?;
    size::quantity(&case)?;
    form::lifetime(&case)?;
    size::cost(&case)?;
    size::cash(&case)?;
    collar::price(&case)?;
    repeat::size(&case)?;
    matching::own_orders(&case)?;
    size::open_orders(&case)?;
    position::worst_case(&case)?;
    exposure::of_groups(&case)?;
    exposure::worst_case(&case)?;
    position::reduces(&case)?;
    rate::within(&case)?;
    repeat::fills(&case)?;
    trading::clock(question)?;
    matching::post_only(&case)?;
    Ok(view)
}
