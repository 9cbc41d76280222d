//! [`Views`] and [`Notify`]: where the desk looks, and whom it tells.

use std::collections::BTreeSet;
use std::sync::Arc;

use hotpit_units::Timestamp;

use super::inbox::CallTimes;
use super::market_table::MarketView;
use super::record::Record;
use crate::model::{Account, AgentId, MarketId, Notice};

/// Where the desk looks at markets. Asked on the desk's thread just before it decides, so an
/// answer must take well under a microsecond.
pub trait Views {
    /// A market by its handle, as of now; none: the handle stands for nothing.
    fn view(&self, market: MarketId) -> Option<MarketView>;

    /// A market by its ticker, as of now; none: the cache does not know it (yet).
    fn find(&self, ticker: &str) -> Option<MarketView>;
}

/// Whom the desk tells. Called on the desk's thread, so it must not wait.
pub trait Notify {
    /// Tells an agent what became of its order, with its account after it.
    fn notify(&self, agent: &AgentId, notice: Notice, account: Arc<Account>);

    /// Gives an agent its account, without news.
    fn account(&self, agent: &AgentId, account: Arc<Account>);

    /// The markets in which there is a position or an order changed: the feeds are to follow them.
    fn interests(&self, tickers: &BTreeSet<Arc<str>>);

    /// Tells what the desk has carried out: the requests that follow from it are on their way.
    fn carried_out(&self, step: &Step<'_>);
}

/// What the desk has carried out at once, and when.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// The call of an agent that it follows from; none: it follows from something else.
    pub call: Option<CallTimes>,
    /// When what the agent returned was taken in; of no meaning without a call.
    pub taken: Timestamp,
    /// When it was decided.
    pub decided: Timestamp,
    /// When its records were on disk, or were known not to be.
    pub on_disk: Timestamp,
    /// What happened.
    pub records: &'a [Record],
}
