//! [`Limits`]: what the operator allows.

use std::fmt;
use std::time::Duration;

use hotpit_units::{Dollars, Price, Quantity};
use serde::Deserialize;

use super::scopes::Scopes;
use crate::desk::recent::FILLS_KEPT;

/// The largest limit that Kalshi lets an order group have.
const GROUP_CONTRACTS_MAX: Quantity = Quantity::from_contracts(1_000_000);

/// What the risk manager allows, over all agents and for each. An agent's own settings can
/// tighten what is said here, never widen it. The defaults are meant for a small account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The largest single order, in contracts.
    pub order_quantity: Quantity,
    /// The most that a single order may cost on its own leg, in dollars: price × quantity of a
    /// buy, ($1 − price) × quantity of a sell.
    pub order_cost: Dollars,
    /// The largest position in one market, either direction, working orders included, in
    /// contracts: for each agent, and for all together.
    pub position_per_market: Quantity,
    /// The most that one agent can lose over all markets, in dollars: positions and orders at
    /// their worst case.
    pub exposure_per_agent: Dollars,
    /// The most that all agents together can lose, in dollars, positions from outside this host
    /// included.
    pub exposure: Dollars,
    /// Orders of one agent that may trade at the same time.
    pub open_orders_per_agent: u32,
    /// Orders of all agents that may trade at the same time.
    pub open_orders: u32,
    /// The most that all agents together can lose in the markets of one event, in dollars. Where
    /// the outcomes exclude each other, one covers another.
    pub exposure_per_event: Dollars,
    /// The most that all agents together can lose in the events of one series, in dollars.
    pub exposure_per_series: Dollars,
    /// Orders of all agents in one market that may trade at the same time.
    pub open_orders_per_market: u32,
    /// The same order of an agent (market, side, price, quantity) is not sent again within this
    /// time while the first one may still trade, in milliseconds. 0: it is.
    pub duplicate_window_ms: u64,
    /// How far above the best ask a buy may be, and below the best bid a sell, in dollars; a whole
    /// dollar: as far as it likes, also where nothing says what a contract is worth.
    pub price_collar: Price,
    /// How many times the largest of an agent's last orders the next one may be.
    pub size_multiple_max: u32,
    /// How often an agent may trade in one market within `fills_window_ms` before its new orders
    /// there are denied.
    pub fills_per_market: u32,
    /// The time for that, in milliseconds.
    pub fills_window_ms: u64,
    /// How many orders in a row the exchange may refuse before the agent is halted.
    pub refused_in_a_row: u32,
    /// What one agent may lose from midnight UTC, in dollars, open positions at the mid and fees
    /// included: then it is halted, over restarts, until an operator resumes it.
    pub daily_loss_per_agent: Dollars,
    /// The same for all agents together.
    pub daily_loss: Dollars,
    /// What one agent may lose from its best moment on, in dollars.
    pub drawdown_per_agent: Dollars,
    /// The same for all agents together.
    pub drawdown: Dollars,
    /// How far this machine's clock and the exchange's may be apart, in milliseconds.
    pub clock_skew_ms_max: u64,
    /// Contracts that one agent may trade on a shard within 15 seconds before the exchange itself
    /// cancels its orders and takes no others (an order group), and the agent is halted; zero: there
    /// are no order groups.
    pub group_contracts: Quantity,
    /// Orders per second of one agent. A second's worth may come at once.
    pub orders_per_second: u32,
    /// How old the last proof that a book is right may be, in milliseconds.
    pub book_age_ms_max: u64,
    /// How old the state of a game may be for an agent that requires it, in milliseconds.
    pub game_age_ms_max: u64,
    /// Stricter limits in the markets of these series.
    pub series: Scopes,
    /// Stricter limits in the markets of these events.
    pub event: Scopes,
    /// Stricter limits in these markets.
    pub market: Scopes,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            order_quantity: Quantity::from_contracts(25),
            order_cost: Dollars::from_dollars(20),
            position_per_market: Quantity::from_contracts(100),
            exposure_per_agent: Dollars::from_dollars(100),
            exposure: Dollars::from_dollars(200),
            open_orders_per_agent: 40,
            open_orders: 200,
            exposure_per_event: Dollars::from_dollars(100),
            exposure_per_series: Dollars::from_dollars(150),
            open_orders_per_market: 20,
            duplicate_window_ms: 250,
            price_collar: Price::from_cents(10),
            size_multiple_max: 10,
            fills_per_market: 50,
            fills_window_ms: 10_000,
            refused_in_a_row: 10,
            daily_loss_per_agent: Dollars::from_dollars(25),
            daily_loss: Dollars::from_dollars(50),
            drawdown_per_agent: Dollars::from_dollars(35),
            drawdown: Dollars::from_dollars(70),
            // The exchange refuses signatures that are much further off.
            clock_skew_ms_max: 2_000,
            group_contracts: Quantity::from_contracts(250),
            orders_per_second: 10,
            // A quiet market is not a stale one: the stream's own watchdog is what notices a
            // dead connection. This is the bound behind it.
            book_age_ms_max: 60_000,
            // Scoreboards are read every few seconds.
            game_age_ms_max: 30_000,
            series: Scopes::new(),
            event: Scopes::new(),
            market: Scopes::new(),
        }
    }
}

impl Limits {
    /// Says everything that is wrong, each with its key under `[limits]`.
    pub fn validate(&self, problems: &mut Vec<String>) {
        let mut positive = |key: &str, positive: bool| {
            if !positive {
                problems.push(format!("desk.limits.{key}: must be more than zero"));
            }
        };
        positive("order_quantity", self.order_quantity.is_positive());
        positive("order_cost", self.order_cost.is_positive());
        positive("position_per_market", self.position_per_market.is_positive());
        positive("exposure_per_agent", self.exposure_per_agent.is_positive());
        positive("exposure", self.exposure.is_positive());
        positive("open_orders_per_agent", self.open_orders_per_agent > 0);
        positive("open_orders", self.open_orders > 0);
        positive("orders_per_second", self.orders_per_second > 0);
        positive("book_age_ms_max", self.book_age_ms_max > 0);
        positive("game_age_ms_max", self.game_age_ms_max > 0);
        positive("exposure_per_event", self.exposure_per_event.is_positive());
        positive("exposure_per_series", self.exposure_per_series.is_positive());
        positive("open_orders_per_market", self.open_orders_per_market > 0);
        positive("price_collar", self.price_collar > Price::ZERO);
        positive("size_multiple_max", self.size_multiple_max > 0);
        positive("fills_per_market", self.fills_per_market > 0);
        positive("fills_window_ms", self.fills_window_ms > 0);
        positive("refused_in_a_row", self.refused_in_a_row > 0);
        positive("daily_loss_per_agent", self.daily_loss_per_agent.is_positive());
        positive("daily_loss", self.daily_loss.is_positive());
        positive("drawdown_per_agent", self.drawdown_per_agent.is_positive());
        positive("drawdown", self.drawdown.is_positive());
        positive("clock_skew_ms_max", self.clock_skew_ms_max > 0);
        if !(0..=GROUP_CONTRACTS_MAX.raw()).contains(&self.group_contracts.raw())
            || self.group_contracts.raw() % Quantity::from_contracts(1).raw() != 0
        {
            problems.push(format!(
                "desk.limits.group_contracts: must be from 0 to {GROUP_CONTRACTS_MAX}, whole contracts"
            ));
        }
        for (kind, scopes) in
            [("series", &self.series), ("event", &self.event), ("market", &self.market)]
        {
            for (name, limits) in scopes {
                let is_odd = |it: char| it.is_lowercase() || it.is_whitespace();
                if name.is_empty() || name.chars().any(is_odd) {
                    problems.push(format!(
                        "desk.limits.{kind}.{name:?}: no ticker of Kalshi: those are in upper case"
                    ));
                }
                limits.validate(kind, name, problems);
            }
        }
        let remembered = u32::try_from(FILLS_KEPT).unwrap_or(u32::MAX);
        if self.fills_per_market > remembered {
            problems.push(format!("desk.limits.fills_per_market: must be at most {remembered}"));
        }
    }

    pub(super) fn book_age_max(&self) -> Duration {
        Duration::from_millis(self.book_age_ms_max)
    }

    pub(in crate::desk) fn duplicate_window(&self) -> Duration {
        Duration::from_millis(self.duplicate_window_ms)
    }

    pub(super) fn fills_window(&self) -> Duration {
        Duration::from_millis(self.fills_window_ms)
    }

    pub(super) fn game_age_max(&self) -> Duration {
        Duration::from_millis(self.game_age_ms_max)
    }
}

/// One line for the log at start, in contracts and dollars.
impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "order {} contracts and ${}, position {} contracts a market, at risk ${} an agent, ${} \
             an event, ${} a series and ${} in all, loss a day ${} an agent and ${} in all, open \
             orders {} an agent and {} in all, {} orders a second an agent, book at most {} ms old, \
             game at most {} ms old, {} contracts in 15 s before the exchange stops an agent",
            self.order_quantity,
            self.order_cost,
            self.position_per_market,
            self.exposure_per_agent,
            self.exposure_per_event,
            self.exposure_per_series,
            self.exposure,
            self.daily_loss_per_agent,
            self.daily_loss,
            self.open_orders_per_agent,
            self.open_orders,
            self.orders_per_second,
            self.book_age_ms_max,
            self.game_age_ms_max,
            self.group_contracts,
        )?;
        for (kind, scopes) in
            [("series", &self.series), ("event", &self.event), ("market", &self.market)]
        {
            for name in scopes.keys() {
                write!(f, ", stricter in {kind} {name}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_that_is_zero_is_named_at_once() {
        let mut problems = Vec::new();
        Limits::default().validate(&mut problems);
        assert_eq!(problems, Vec::<String>::new());
        let limits =
            Limits { order_quantity: Quantity::ZERO, orders_per_second: 0, ..Limits::default() };
        limits.validate(&mut problems);
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].starts_with("desk.limits.order_quantity"), "{problems:?}");
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(toml::from_str::<Limits>("exposure = \"50\"").is_ok());
        assert!(toml::from_str::<Limits>("exposures = \"50\"").is_err());
    }
}
