//! [`ScopeLimits`]: stricter limits for the markets of a series, of an event, or for one market.

use std::collections::BTreeMap;
use std::sync::Arc;

use hotpit_units::{Dollars, Quantity};
use serde::Deserialize;

use super::Limits;
use super::size::tighter;
use crate::model::Market;

/// Limits by the name of what they hold for.
pub type Scopes = BTreeMap<Arc<str>, ScopeLimits>;

/// Limits for a series, an event or a market. What is not said is as it is for all; nothing here
/// can be looser than that.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScopeLimits {
    /// The largest single order, in contracts.
    pub order_quantity: Option<Quantity>,
    /// The most that a single order may cost on its own leg, in dollars.
    pub order_cost: Option<Dollars>,
    /// The largest position in one market, in contracts.
    pub position_per_market: Option<Quantity>,
    /// The most that all agents together can lose in it, in dollars.
    pub exposure: Option<Dollars>,
    /// Orders of all agents in one market that may trade at the same time.
    pub open_orders_per_market: Option<u32>,
}

impl ScopeLimits {
    /// Says everything that is wrong.
    pub(super) fn validate(&self, kind: &str, name: &str, problems: &mut Vec<String>) {
        let is_zero = [
            ("order_quantity", self.order_quantity.is_some_and(|it| !it.is_positive())),
            ("order_cost", self.order_cost.is_some_and(|it| !it.is_positive())),
            ("position_per_market", self.position_per_market.is_some_and(|it| !it.is_positive())),
            ("exposure", self.exposure.is_some_and(|it| !it.is_positive())),
            ("open_orders_per_market", self.open_orders_per_market == Some(0)),
        ];
        for (key, _) in is_zero.into_iter().filter(|(_, is_zero)| *is_zero) {
            problems.push(format!("desk.limits.{kind}.{name}.{key}: must be more than zero"));
        }
    }
}

/// The limits that hold in one market.
#[derive(Debug, Clone, Copy)]
pub(super) struct InMarket {
    pub(super) order_quantity: Quantity,
    pub(super) order_cost: Dollars,
    pub(super) position: Quantity,
    pub(super) open_orders: u32,
    pub(super) exposure_of_event: Dollars,
    pub(super) exposure_of_series: Dollars,
    /// None: no other than that of its event.
    pub(super) exposure: Option<Dollars>,
}

impl InMarket {
    pub(super) fn of(limits: &Limits, market: &Market) -> Self {
        let mut held = Self {
            order_quantity: limits.order_quantity,
            order_cost: limits.order_cost,
            position: limits.position_per_market,
            open_orders: limits.open_orders_per_market,
            exposure_of_event: limits.exposure_per_event,
            exposure_of_series: limits.exposure_per_series,
            exposure: None,
        };
        if let Some(series) = limits.series.get(&market.series_ticker) {
            held.narrow(series);
            held.exposure_of_series = tighter(series.exposure, held.exposure_of_series);
        }
        if let Some(event) = limits.event.get(&market.event_ticker) {
            held.narrow(event);
            held.exposure_of_event = tighter(event.exposure, held.exposure_of_event);
        }
        if let Some(market) = limits.market.get(&market.ticker) {
            held.narrow(market);
            held.exposure = market.exposure;
        }
        held
    }

    fn narrow(&mut self, by: &ScopeLimits) {
        self.order_quantity = tighter(by.order_quantity, self.order_quantity);
        self.order_cost = tighter(by.order_cost, self.order_cost);
        self.position = tighter(by.position_per_market, self.position);
        self.open_orders = tighter(by.open_orders_per_market, self.open_orders);
    }
}

#[cfg(test)]
mod tests {
    use hotpit_units::Side;

    use super::*;
    use crate::desk::record::{Holding, RecoveredHolding};
    use crate::desk::tests::{Floor, TICKER, agent, ask, bid, cents, contracts, held, lenient};
    use crate::desk::{AgentLimits, Input, Recovered, Settings};

    fn limits(text: &str) -> Limits {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn the_strictest_of_all_that_hold_for_a_market_holds() {
        let limits = limits(
            r#"
            order_quantity = "20"
            [series.KXS]
            order_quantity = "10"
            position_per_market = "400"
            exposure = "30"
            [event.KX]
            order_quantity = "15"
            exposure = "1000"
            [market.KX-1]
            order_cost = "3"
            open_orders_per_market = 2
            [market.KX-2]
            order_quantity = "1"
            "#,
        );
        let market = crate::desk::tests::view(crate::desk::tests::START).market;
        let held = InMarket::of(&limits, &market);
        assert_eq!(held.order_quantity, contracts(10));
        assert_eq!(held.position, limits.position_per_market);
        assert_eq!(held.exposure_of_series, Dollars::from_dollars(30));
        assert_eq!(held.exposure_of_event, limits.exposure_per_event);
        assert_eq!((held.order_cost, held.open_orders), (Dollars::from_dollars(3), 2));
        assert_eq!(held.exposure, None);
    }

    #[test]
    fn each_kind_of_limit_denies_in_its_scope() {
        let scope = |change: fn(&mut ScopeLimits)| {
            let mut limits = ScopeLimits::default();
            change(&mut limits);
            limits
        };
        for (change, expected) in [
            (
                (|it: &mut ScopeLimits| it.order_quantity = Some(contracts(1))) as fn(&mut _),
                "ORDER_LIMIT: order=2.00 limit=1.00",
            ),
            (
                |it| it.order_cost = Some(Dollars::from_raw(500_000)),
                "COST_LIMIT: cost=0.800000 limit=0.500000",
            ),
            (
                |it| it.position_per_market = Some(contracts(1)),
                "POSITION_LIMIT: market=KX-1 position=0.00 order=2.00 limit=1.00 scope=agent",
            ),
            (|it| it.exposure = Some(Dollars::from_raw(500_000)), "EXPOSURE_LIMIT: exposure=0"),
        ] {
            for kind in ["series", "event", "market"] {
                let mut limits = lenient();
                let scopes = match kind {
                    "series" => (&mut limits.series, "KXS"),
                    "event" => (&mut limits.event, "KX"),
                    _ => (&mut limits.market, TICKER),
                };
                scopes.0.insert(scopes.1.into(), scope(change));
                let mut floor = Floor::with_limits(limits);
                let denied = floor.denied(bid(1, 40, 2));
                assert!(denied.starts_with(expected), "{kind}: {denied}");
                if expected.starts_with("EXPOSURE") {
                    assert!(denied.ends_with(&format!("scope={kind}")), "{denied}");
                }
            }
        }
        let mut limits = lenient();
        let one = scope(|it| it.open_orders_per_market = Some(1));
        limits.event.insert("KX".into(), one);
        let mut floor = Floor::with_limits(limits);
        floor.rest(bid(1, 40, 1));
        assert!(floor.denied(bid(2, 41, 1)).starts_with("OPEN_ORDERS_LIMIT: scope=market open=1"));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let mut problems = Vec::new();
        limits("[series.KXS]\nexposure = \"0\"\n[market.A]\nopen_orders_per_market = 0")
            .validate(&mut problems);
        assert_eq!(
            problems,
            [
                "desk.limits.series.KXS.exposure: must be more than zero",
                "desk.limits.market.A.open_orders_per_market: must be more than zero",
            ]
        );
        problems.clear();
        limits("[series.kxs]\nexposure = \"5\"").validate(&mut problems);
        assert!(problems[0].contains("no ticker of Kalshi"), "{problems:?}");
        assert!(toml::from_str::<Limits>("[series.KXS]\nexposures = \"5\"").is_err());
    }

    #[test]
    fn what_is_held_can_be_closed_whatever_the_scope_allows() {
        let mut limits = lenient();
        let scope = ScopeLimits {
            order_quantity: Some(contracts(1)),
            order_cost: Some(Dollars::from_raw(500_000)),
            position_per_market: Some(contracts(1)),
            exposure: Some(Dollars::from_raw(1)),
            open_orders_per_market: Some(1),
        };
        limits.market.insert(TICKER.into(), scope);
        let mut holding = Holding::default();
        holding.trade(Side::Bid, cents(40), contracts(20), Dollars::ZERO);
        let held_before = RecoveredHolding { agent: Some(agent()), ticker: TICKER.into(), holding };
        let recovered = Recovered { runs: 1, holdings: vec![held_before], ..Recovered::default() };
        let mut floor = Floor::cold(Settings { limits, ..Settings::default() }, recovered);
        floor.apply(Input::Connected);
        let mut snapshot = floor.snapshot();
        snapshot.positions = vec![held(TICKER, 20)];
        floor.apply(Input::Account(Ok(snapshot)));
        floor.apply(Input::AgentUp { agent: agent(), limits: AgentLimits::default() });
        floor.rest(ask(1, 45, 12));
        floor.rest(ask(2, 46, 8));
        let denied = floor.denied(ask(3, 47, 1));
        assert!(denied.starts_with("COST_LIMIT: cost=0.530000 limit=0.500000"), "{denied}");
    }
}
