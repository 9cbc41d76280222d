//! The exchange's account against ours: pure comparisons. What is done about a difference is
//! decided by the desk.
//!
//! Reads lag behind the exchange's engine, and the snapshot's parts are read one after the other.
//! So a thing is judged only if nothing happened to it within the lag before the snapshot was
//! asked for; what is younger is left for the next one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hotpit_units::{Dollars, Quantity, Side, Timestamp};

use super::exposure::leg_cost;
use super::orders::{Order, OrderKey};
use super::venue::AccountSnapshot;
use crate::model::{OrderState, VenueFill, VenueOrder, VenueOrderId};

/// The fills that were not booked yet, oldest first.
pub(super) fn missed_fills(
    snapshot: &AccountSnapshot,
    is_booked: impl Fn(&str) -> bool,
) -> Vec<VenueFill> {
    let mut missed: Vec<VenueFill> =
        snapshot.fills.iter().filter(|fill| !is_booked(&fill.fill_id)).cloned().collect();
    missed.sort_by(|left, right| (left.ts, &left.fill_id).cmp(&(right.ts, &right.fill_id)));
    missed.dedup_by(|left, right| left.fill_id == right.fill_id);
    missed
}

/// Orders that we take to be resting and the exchange does not list as such.
pub(super) fn gone<'a>(
    open: impl Iterator<Item = (OrderKey, &'a Order)>,
    snapshot: &AccountSnapshot,
    lag: Duration,
) -> Vec<OrderKey> {
    let resting: std::collections::BTreeSet<&VenueOrderId> =
        snapshot.resting.iter().map(|order| &order.venue_order_id).collect();
    open.filter(|(_, order)| match order.state {
        OrderState::Resting | OrderState::PartlyFilled => true,
        // These have an answer or a question under way already.
        OrderState::Sent | OrderState::Unknown => false,
        OrderState::Denied
        | OrderState::Filled
        | OrderState::Canceled
        | OrderState::Expired
        | OrderState::Rejected => false,
    })
    .filter(|(_, order)| order.heard + lag <= snapshot.requested_at)
    .filter(|(_, order)| order.venue_order_id.as_ref().is_none_or(|id| !resting.contains(id)))
    .map(|(key, _)| key)
    .collect()
}

/// What we believe of a position.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct OurPosition {
    pub(super) quantity: Quantity,
    /// When a fill was booked last.
    pub(super) traded: Timestamp,
    /// Fills are known to be missing or not attributed.
    pub(super) unsettled: bool,
}

/// A position that the exchange and we do not agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PositionDifference {
    pub(super) ticker: Arc<str>,
    pub(super) ours: Quantity,
    pub(super) theirs: Quantity,
    /// Whether nothing that is under way can explain it.
    pub(super) certain: bool,
}

/// Compares all positions, zero ones included.
pub(super) fn positions(
    ours: &BTreeMap<Arc<str>, OurPosition>,
    snapshot: &AccountSnapshot,
    lag: Duration,
) -> Vec<PositionDifference> {
    let mut theirs: BTreeMap<Arc<str>, Quantity> = BTreeMap::new();
    for position in &snapshot.positions {
        *theirs.entry(Arc::clone(&position.ticker)).or_default() += position.quantity;
    }
    let mut tickers: Vec<&Arc<str>> = ours.keys().chain(theirs.keys()).collect();
    tickers.sort_unstable();
    tickers.dedup();
    tickers
        .into_iter()
        .filter_map(|ticker| {
            let our = ours.get(ticker).copied().unwrap_or_default();
            let their = theirs.get(ticker).copied().unwrap_or_default();
            (our.quantity != their).then(|| PositionDifference {
                ticker: Arc::clone(ticker),
                ours: our.quantity,
                theirs: their,
                certain: !our.unsettled && our.traded + lag <= snapshot.requested_at,
            })
        })
        .collect()
}

/// What the exchange holds on each shard for the orders that rest in a snapshot, fees apart: what
/// they cost where they open a position. Those that trade first close first, and that needs nothing.
pub(super) fn held(snapshot: &AccountSnapshot) -> BTreeMap<i32, Dollars> {
    let mut positions: BTreeMap<&str, Quantity> = BTreeMap::new();
    for position in &snapshot.positions {
        *positions.entry(&position.ticker).or_default() += position.quantity;
    }
    let mut sides: BTreeMap<(&str, bool), Vec<&VenueOrder>> = BTreeMap::new();
    for order in &snapshot.resting {
        sides.entry((&order.ticker, order.side == Side::Bid)).or_default().push(order);
    }
    let mut held: BTreeMap<i32, Dollars> = BTreeMap::new();
    for ((ticker, buys), mut orders) in sides {
        orders.sort_by_key(|order| order.price);
        if buys {
            orders.reverse();
        }
        let position = positions.get(ticker).copied().unwrap_or_default();
        let closable = if buys { -position } else { position };
        let mut closable = closable.max(Quantity::ZERO);
        for order in orders {
            let closing = closable.min(order.remaining);
            closable -= closing;
            let cost = leg_cost(order.side, order.price, order.remaining - closing);
            *held.entry(order.exchange_index).or_default() += cost;
        }
    }
    held
}

/// What to make of the exchange's word on cash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cash {
    /// It is what we have.
    Agrees,
    /// Something is under way that may explain the difference.
    Undecided,
    /// The exchange is right: money came or went outside of our trades.
    Differs,
}

/// Compares cash. `reserved` is the most that our working orders might have taken since the
/// balance was asked for: it is not told when in that time it was made, nor whether it has them
/// taken off already, so a balance that is lower by no more than this agrees.
pub(super) fn cash(ours: Dollars, theirs: Dollars, reserved: Dollars, quiet: bool) -> Cash {
    let missing = ours.saturating_sub(theirs);
    if missing.is_zero() || (missing.is_positive() && missing <= reserved) {
        Cash::Agrees
    } else if quiet {
        Cash::Differs
    } else {
        Cash::Undecided
    }
}

#[cfg(test)]
mod tests {
    use hotpit_units::Price;

    use super::*;
    use crate::model::VenuePosition;

    const LAG: Duration = Duration::from_secs(2);

    fn snapshot(positions: &[(&str, i64)]) -> AccountSnapshot {
        AccountSnapshot {
            requested_at: Timestamp::from_secs(100),
            resting: Vec::new(),
            fills: Vec::new(),
            positions: positions
                .iter()
                .map(|(ticker, raw)| VenuePosition {
                    ticker: Arc::from(*ticker),
                    quantity: Quantity::from_raw(*raw),
                })
                .collect(),
            settlements: Vec::new(),
            balances: BTreeMap::new(),
        }
    }

    #[test]
    fn positions_are_compared_both_ways_and_young_ones_are_not_judged() {
        let our = |raw, traded, unsettled| OurPosition {
            quantity: Quantity::from_raw(raw),
            traded: Timestamp::from_secs(traded),
            unsettled,
        };
        let ours: BTreeMap<Arc<str>, OurPosition> = [
            ("AGREES", our(100, 10, false)),
            ("FLAT", our(0, 10, false)),
            ("GONE", our(50, 10, false)),
            ("YOUNG", our(50, 99, false)),
            ("UNSETTLED", our(50, 10, true)),
        ]
        .into_iter()
        .map(|(ticker, our)| (Arc::from(ticker), our))
        .collect();
        let differences = positions(&ours, &snapshot(&[("AGREES", 100), ("NEW", -20)]), LAG);
        let told: Vec<(&str, i64, i64, bool)> = differences
            .iter()
            .map(|found| (&*found.ticker, found.ours.raw(), found.theirs.raw(), found.certain))
            .collect();
        assert_eq!(
            told,
            [
                ("GONE", 50, 0, true),
                ("NEW", 0, -20, true),
                ("UNSETTLED", 50, 0, false),
                ("YOUNG", 50, 0, false),
            ]
        );
    }

    #[test]
    fn missed_fills_are_those_not_booked_once_each_in_order() {
        let fill = |id: &str, secs| VenueFill {
            fill_id: Arc::from(id),
            venue_order_id: "v".into(),
            client_order_id: None,
            ticker: Arc::from("KX"),
            side: Side::Bid,
            price: Price::from_cents(50),
            quantity: Quantity::from_contracts(1),
            fee: Dollars::ZERO,
            taker: true,
            ts: Timestamp::from_secs(secs),
        };
        let mut snapshot = snapshot(&[]);
        snapshot.fills = vec![fill("c", 3), fill("b", 2), fill("a", 1), fill("c", 3)];
        let missed = missed_fills(&snapshot, |id| id == "b");
        let ids: Vec<&str> = missed.iter().map(|fill| &*fill.fill_id).collect();
        assert_eq!(ids, ["a", "c"]);
    }

    #[test]
    fn resting_orders_hold_what_they_cost_where_they_open_a_position() {
        let order = |ticker: &str, side, cents, contracts| VenueOrder {
            venue_order_id: "v".into(),
            client_order_id: None,
            ticker: Arc::from(ticker),
            side,
            price: Price::from_cents(cents),
            status: crate::model::VenueOrderStatus::Resting,
            filled: Quantity::ZERO,
            remaining: Quantity::from_contracts(contracts),
            reason: None,
            exchange_index: 0,
            ts: None,
        };
        let (bid, ask) = (Side::Bid, Side::Ask);
        type Case<'a> = (&'a [(&'a str, i64)], Vec<VenueOrder>, u32);
        let cases: [Case<'_>; 5] = [
            (&[], vec![order("A", bid, 40, 10), order("A", ask, 60, 10)], 800),
            (&[("A", 1_000)], vec![order("A", ask, 60, 10)], 0),
            // The cheaper one closes, the other one opens three.
            (&[("A", 700)], vec![order("A", ask, 90, 5), order("A", ask, 60, 5)], 30),
            (&[("A", -700)], vec![order("A", bid, 10, 5), order("A", bid, 40, 5)], 30),
            (&[("A", 1_000)], vec![order("B", ask, 60, 10)], 400),
        ];
        for (positions, resting, cents) in cases {
            let snapshot = AccountSnapshot { resting, ..snapshot(positions) };
            let expected = Price::from_cents(1) * Quantity::from_contracts(i64::from(cents));
            assert_eq!(
                held(&snapshot).values().copied().sum::<Dollars>(),
                expected,
                "{snapshot:?}"
            );
        }
    }

    #[test]
    fn cash_that_orders_may_have_taken_agrees() {
        let dollars = Dollars::from_dollars;
        let cases = [
            (10, 10, 0, true, Cash::Agrees),
            (10, 8, 2, true, Cash::Agrees),
            (10, 7, 2, true, Cash::Differs),
            (10, 7, 2, false, Cash::Undecided),
            (10, 11, 5, true, Cash::Differs),
        ];
        for (ours, theirs, reserved, quiet, expected) in cases {
            let found = cash(dollars(ours), dollars(theirs), dollars(reserved), quiet);
            assert_eq!(found, expected, "{ours} {theirs} {reserved} {quiet}");
        }
    }
}
