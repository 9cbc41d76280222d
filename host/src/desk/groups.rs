//! [`Groups`]: what can be lost over the markets of an event, and of a series.
//!
//! The outcomes of an event that exclude each other cannot all go wrong at once: at most one of
//! its markets pays $1. So its worst case is the worst of "none pays" and "this one pays and the
//! others do not", and a short in one outcome is covered by the others. The worst case of other
//! events is the sum over their markets. Sums over events and series net no further.

use std::collections::BTreeMap;
use std::sync::Arc;

use hotpit_units::Dollars;

use super::exposure::Ends;
use super::market_table::MarketSlot;
use crate::model::Market;

/// The events in which anybody has anything, and their series.
#[derive(Debug, Default)]
pub(super) struct Groups {
    events: BTreeMap<Arc<str>, Event>,
    series: BTreeMap<Arc<str>, Dollars>,
    of_market: BTreeMap<MarketSlot, Arc<str>>,
    /// What can be lost in markets that nobody has seen yet: it may be in any event.
    unseen: BTreeMap<MarketSlot, Dollars>,
}

#[derive(Debug)]
struct Event {
    series: Arc<str>,
    exclusive: bool,
    markets: BTreeMap<MarketSlot, Ends>,
    risk: Dollars,
}

impl Event {
    /// The worst case, with `more` in one of the markets.
    fn risk(&self, more: Option<(MarketSlot, Ends)>) -> Dollars {
        let ends = |(slot, ends): (&MarketSlot, &Ends)| match more {
            Some((of, more)) if of == *slot => ends.and(more),
            Some(_) | None => *ends,
        };
        let new = more.filter(|(of, _)| !self.markets.contains_key(of)).map(|(_, ends)| ends);
        let all = self.markets.iter().map(ends).chain(new);
        if !self.exclusive {
            return all.map(Ends::worst).sum();
        }
        let (mut none_pays, mut switch) = (Dollars::ZERO, Dollars::ZERO);
        for ends in all {
            none_pays += ends.pays_nothing;
            switch = switch.max(ends.pays_one - ends.pays_nothing);
        }
        none_pays.saturating_add(switch).max(Dollars::ZERO)
    }
}

/// What can be lost in a market, its event and its series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GroupRisk {
    pub(super) market: Dollars,
    pub(super) event: Dollars,
    pub(super) series: Dollars,
}

impl Groups {
    /// A market is part of an event; `ends` is what is at stake in it.
    pub(super) fn see(&mut self, slot: MarketSlot, market: &Market, ends: Ends) {
        let is_known = self.of_market.get(&slot).is_some_and(|known| {
            *known == market.event_ticker
                && self.events.get(known).is_some_and(|it| {
                    it.exclusive == market.mutually_exclusive && it.series == market.series_ticker
                })
        });
        if is_known {
            return;
        }
        self.remove(slot);
        self.unseen.remove(&slot);
        let event = self.events.entry(Arc::clone(&market.event_ticker)).or_insert_with(|| Event {
            series: Arc::clone(&market.series_ticker),
            exclusive: market.mutually_exclusive,
            markets: BTreeMap::new(),
            risk: Dollars::ZERO,
        });
        event.exclusive = market.mutually_exclusive;
        let before = std::mem::replace(&mut event.series, Arc::clone(&market.series_ticker));
        let moved = std::mem::take(&mut event.risk);
        *self.series.entry(before).or_default() -= moved;
        self.of_market.insert(slot, Arc::clone(&market.event_ticker));
        self.set(slot, ends);
    }

    /// What is at stake in a market changed.
    pub(super) fn set(&mut self, slot: MarketSlot, ends: Ends) {
        let Some(event) = self.of_market.get(&slot).and_then(|it| self.events.get_mut(it)) else {
            if ends == Ends::default() {
                self.unseen.remove(&slot);
            } else {
                self.unseen.insert(slot, ends.worst());
            }
            return;
        };
        if ends == Ends::default() {
            event.markets.remove(&slot);
        } else {
            event.markets.insert(slot, ends);
        }
        let risk = event.risk(None);
        let before = std::mem::replace(&mut event.risk, risk);
        *self.series.entry(Arc::clone(&event.series)).or_default() += risk - before;
    }

    /// A market is forgotten.
    pub(super) fn remove(&mut self, slot: MarketSlot) {
        self.set(slot, Ends::default());
        if let Some(name) = self.of_market.remove(&slot)
            && !self.of_market.values().any(|event| *event == name)
            && let Some(event) = self.events.remove(&name)
            && !self.events.values().any(|other| other.series == event.series)
        {
            self.series.remove(&event.series);
        }
    }

    /// What could be lost with `more` at stake in a market.
    pub(super) fn risk_with(&self, slot: MarketSlot, more: Ends) -> GroupRisk {
        let unseen: Dollars = self.unseen.values().copied().sum();
        let event = self.of_market.get(&slot).and_then(|name| self.events.get(name));
        let Some(event) = event else {
            let alone = unseen + more.worst();
            return GroupRisk { market: more.worst(), event: alone, series: alone };
        };
        let with = event.risk(Some((slot, more)));
        let series = self.series.get(&event.series).copied().unwrap_or_default();
        let market = event.markets.get(&slot).copied().unwrap_or_default().and(more).worst();
        GroupRisk { market, event: unseen + with, series: unseen + series - event.risk + with }
    }

    /// What can be lost now.
    pub(super) fn risk(&self, slot: MarketSlot) -> GroupRisk {
        self.risk_with(slot, Ends::default())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::desk::tests::market;
    use crate::model::MarketId;

    fn dollars(dollars: i64) -> Dollars {
        Dollars::from_dollars(dollars)
    }

    fn ends(pays_nothing: i64, pays_one: i64) -> Ends {
        Ends { pays_nothing: dollars(pays_nothing), pays_one: dollars(pays_one) }
    }

    fn slot(number: u32) -> MarketSlot {
        MarketSlot::numbered(number)
    }

    /// What can be lost in the event and the series of a market.
    fn of_groups(groups: &Groups, number: u32) -> (Dollars, Dollars) {
        let risk = groups.risk(slot(number));
        (risk.event, risk.series)
    }

    /// Two markets of one event, whose stakes are these.
    fn groups(exclusive: bool, stakes: [Ends; 2]) -> Groups {
        let mut groups = Groups::default();
        for (number, ends) in (1..).zip(stakes) {
            let of_event =
                Market { mutually_exclusive: exclusive, ..market(MarketId(number), "KX") };
            groups.see(slot(number), &of_event, ends);
        }
        groups
    }

    #[test]
    fn outcomes_that_exclude_each_other_are_netted() {
        // Short ten of both at 50 cents: one of them pays at most.
        let shorts = [ends(-5, 5), ends(-5, 5)];
        assert_eq!(groups(true, shorts).risk(slot(1)).event, dollars(0));
        assert_eq!(groups(false, shorts).risk(slot(1)).event, dollars(10));
        // Long ten of both at 40: both can pay nothing.
        let longs = [ends(4, -6), ends(4, -6)];
        assert_eq!(groups(true, longs).risk(slot(1)).event, dollars(8));
        // A third order makes it worse, and is not kept.
        let groups = groups(true, longs);
        assert_eq!(groups.risk_with(slot(1), ends(3, 0)).event, dollars(11));
        assert_eq!(of_groups(&groups, 2), (dollars(8), dollars(8)));
    }

    #[test]
    fn a_series_is_the_sum_of_its_events_and_forgets_what_is_gone() {
        let mut groups = groups(true, [ends(4, -6), ends(4, -6)]);
        let other = Market { event_ticker: "KY".into(), ..market(MarketId(9), "KY-1") };
        groups.see(slot(9), &other, ends(2, -8));
        assert_eq!(of_groups(&groups, 9), (dollars(2), dollars(10)));
        groups.set(slot(1), ends(1, -9));
        assert_eq!(groups.risk(slot(9)).series, dollars(7));
        groups.remove(slot(1));
        groups.remove(slot(2));
        assert_eq!(groups.risk(slot(9)).series, dollars(2));
        groups.remove(slot(9));
        assert!(groups.events.is_empty() && groups.series.is_empty());
    }

    #[test]
    fn an_event_that_turns_out_to_be_exclusive_is_netted_from_then_on() {
        let mut groups = groups(false, [ends(-5, 5), ends(-5, 5)]);
        for number in 1..=2 {
            let seen = Market { mutually_exclusive: true, ..market(MarketId(number), "KX") };
            groups.see(slot(number), &seen, ends(-5, 5));
        }
        assert_eq!(of_groups(&groups, 1), (dollars(0), dollars(0)));
    }

    #[test]
    fn what_nobody_has_seen_yet_may_be_in_any_event() {
        let mut groups = groups(true, [ends(4, -6), ends(4, -6)]);
        groups.set(slot(7), ends(95, -5));
        assert_eq!(of_groups(&groups, 1), (dollars(103), dollars(103)));
        let other = Market { event_ticker: "KY".into(), ..market(MarketId(7), "KY-1") };
        groups.see(slot(7), &other, ends(95, -5));
        assert_eq!(of_groups(&groups, 1), (dollars(8), dollars(103)));
    }

    proptest! {
        #[test]
        fn no_outcome_of_the_events_loses_more_than_is_reckoned(
            stakes in prop::collection::vec((0_u32..4, -50_i64..50, -50_i64..50), 1..12),
            exclusive in any::<bool>(),
            pays in prop::collection::vec(any::<bool>(), 12),
            one_pays in prop::collection::vec(0_usize..13, 4),
        ) {
            let mut groups = Groups::default();
            for (number, (event, nothing, one)) in (0..).zip(&stakes) {
                let seen = Market {
                    mutually_exclusive: exclusive,
                    event_ticker: format!("E{event}").into(),
                    ..market(MarketId(number), "KX")
                };
                groups.see(slot(number), &seen, Ends::default());
                groups.set(slot(number), ends(*nothing, *one));
            }
            // Of an event whose outcomes exclude each other one market pays at most.
            let mut lost = Dollars::ZERO;
            for (index, (event, nothing, one)) in stakes.iter().enumerate() {
                let does_pay = if exclusive {
                    one_pays[*event as usize] == index
                } else {
                    pays[index]
                };
                lost += dollars(if does_pay { *one } else { *nothing });
            }
            prop_assert!(groups.risk(slot(0)).series >= lost);
        }
    }
}
