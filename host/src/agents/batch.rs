//! From what waited in a mailbox to the events of one call: quotes and states are read out of the
//! cache now, so that an agent sees one moment.

use hotpit_units::Timestamp;

use super::bindings::types;
use super::convert;
use super::items::Item;
use crate::cache::Cache;
use crate::model::{MarketId, Notice};

/// Turns items into events, in order. The items are used up. Tells when the newest of the books that
/// their quotes are of was heard of; none: there are no quotes among them.
pub(crate) fn build(
    items: &mut Vec<Item>,
    timers: &[Timestamp],
    cache: &Cache,
    now: Timestamp,
    events: &mut Vec<types::Event>,
) -> Option<Timestamp> {
    let mut newest = None;
    let mut quote = |market, events: &mut Vec<types::Event>| {
        let Some((quote, received)) = quote(market, cache) else { return };
        events.push(quote);
        newest = newest.max(Some(received));
    };
    for item in items.drain(..) {
        match item {
            Item::Quote(market) => quote(market, events),
            Item::MarketState(market) => {
                let known = cache.market(market);
                events.extend(known.map(|known| convert::market_change(market, &known, now)));
                quote(market, events);
            }
            Item::GameState(game) => {
                events.extend(cache.game(game).map(|state| convert::game(game, &state)));
            }
            Item::Trade(market, trade) => events.push(convert::trade(market, &trade)),
            Item::Market(id, market, ts) => events.push(convert::market_change(id, &market, ts)),
            Item::Game(id, game) => events.push(convert::game(id, &game)),
            Item::Notice(notice) => events.push(match *notice {
                Notice::Order(update) => convert::order_update(update),
                Notice::Fill(fill) => convert::fill(&fill),
            }),
            Item::Gap(market, cause, dropped) => {
                events.push(convert::gap(market, cause as u16, dropped));
            }
        }
    }
    events.extend(timers.iter().map(|at| types::Event::Timer(at.as_nanos())));
    newest
}

/// The quote of a market, and when it was heard of. None while its book is not the exchange's: when it is again, the market
/// is marked again.
fn quote(market: MarketId, cache: &Cache) -> Option<(types::Event, Timestamp)> {
    let view = cache.view(market).filter(|view| view.synced)?;
    Some((convert::quote(market, &view.quote, view.ts), view.received))
}
