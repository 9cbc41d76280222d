//! [`MarketMap`]: state per market that survives a restart of the host.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ids::MarketId;
use crate::sorted::Sorted;
use crate::{Context, Market};

/// A map from markets to an agent's state for them. It is used by handle and saved by ticker,
/// because a handle means another market in another run of the host.
///
/// ```
/// use hotpit_agent::prelude::*;
/// use hotpit_agent::testing::{Harness, cents};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Default, Serialize, Deserialize)]
/// struct Counter { quotes: MarketMap<u32> }
///
/// impl Agent for Counter {
///     type Params = ();
///     fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
///         *self.quotes.entry(ctx, quote.market) += 1;
///     }
/// }
///
/// let mut harness = Harness::<Counter>::new().market("KX-1");
/// harness.quote("KX-1", cents(40), cents(42));
/// harness.restart(); // every handle is another now
/// harness.quote("KX-1", cents(41), cents(42));
/// assert_eq!(harness.agent().quotes.get(harness.market_id("KX-1")), Some(&2));
/// ```
#[derive(Debug, Clone)]
pub struct MarketMap<T> {
    live: Sorted<MarketId, Entry<T>>,
    /// What was restored and not asked for since.
    waiting: Vec<(String, T)>,
}

#[derive(Debug, Clone)]
struct Entry<T> {
    /// None where the host did not know the market: such state is not saved.
    ticker: Option<String>,
    value: T,
}

impl<T> MarketMap<T> {
    /// The state for a market that was asked for with [`MarketMap::entry`] in this run.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine { quotes: MarketMap<u32> }
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    ///     *self.quotes.entry(ctx, quote.market) += 1;
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1").market("KX-2");
    /// harness.quote("KX-1", cents(40), cents(42));
    /// let quotes = |ticker| harness.agent().quotes.get(harness.market_id(ticker));
    /// assert_eq!(quotes("KX-1"), Some(&1));
    /// assert_eq!(quotes("KX-2"), None);
    /// ```
    #[must_use]
    pub fn get(&self, market: MarketId) -> Option<&T> {
        self.live.get(market).map(|entry| &entry.value)
    }

    /// The state for a market that was asked for with [`MarketMap::entry`] in this run.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine { fresh: MarketMap<bool> }
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    ///     *self.fresh.entry(ctx, quote.market) = true;
    /// }
    /// fn on_market(&mut self, _: &mut Context, change: &MarketChange) {
    ///     if let Some(fresh) = self.fresh.get_mut(change.market) {
    ///         *fresh = false;
    ///     }
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// harness.quote("KX-1", cents(40), cents(42));
    /// harness.status("KX-1", MarketStatus::Inactive);
    /// assert_eq!(harness.agent().fresh.get(harness.market_id("KX-1")), Some(&false));
    /// ```
    pub fn get_mut(&mut self, market: MarketId) -> Option<&mut T> {
        self.live.get_mut(market).map(|entry| &mut entry.value)
    }

    /// The state for a market: what this run has, or what was restored, or the default.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine { highest: MarketMap<Price> }
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// fn on_trade(&mut self, ctx: &mut Context, trade: &Trade) {
    ///     let highest = self.highest.entry(ctx, trade.market);
    ///     *highest = trade.price.max(*highest);
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// harness.trade("KX-1", cents(44), contracts(1), Side::Bid);
    /// harness.restart();
    /// harness.trade("KX-1", cents(41), contracts(1), Side::Bid);
    /// assert_eq!(harness.agent().highest.get(harness.market_id("KX-1")), Some(&cents(44)));
    /// ```
    pub fn entry(&mut self, ctx: &Context, market: MarketId) -> &mut T
    where
        T: Default,
    {
        let waiting = &mut self.waiting;
        let entry = self.live.get_or_insert_with(market, || {
            let ticker = ctx.market(market).map(|known| known.ticker.clone());
            let restored = waiting.iter().position(|(waits, _)| Some(waits) == ticker.as_ref());
            let value = restored.map(|index| waiting.swap_remove(index).1);
            Entry { ticker, value: value.unwrap_or_default() }
        });
        &mut entry.value
    }

    /// Takes up what was restored for markets that the agent is subscribed to, so that
    /// [`MarketMap::iter_mut`] sees it. Belongs in [`Agent::on_start`](crate::Agent::on_start).
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine { bids: MarketMap<u32> }
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// # fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// #     *self.bids.entry(ctx, quote.market) += 1;
    /// # }
    /// fn on_start(&mut self, ctx: &mut Context, _: bool) {
    ///     self.bids.adopt(ctx);
    ///     info!("markets known from before: {}", self.bids.iter().count());
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// harness.quote("KX-1", cents(40), cents(42));
    /// harness.restart();
    /// harness.batch(&[]);
    /// assert_eq!(harness.logs()[1].1, "markets known from before: 1");
    /// ```
    pub fn adopt(&mut self, ctx: &Context)
    where
        T: Default,
    {
        for market in ctx.markets() {
            let known = ctx.market(market);
            let restored = |known: &Market| self.waiting.iter().any(|(it, _)| *it == known.ticker);
            if known.as_deref().is_some_and(restored) {
                self.entry(ctx, market);
            }
        }
    }

    /// Forgets a market, and gives back the state for it, be it of this run or restored: state for
    /// markets that are settled would be saved for ever.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine { bought: MarketMap<u32> }
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// # fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// #     *self.bought.entry(ctx, quote.market) += 3;
    /// # }
    /// fn on_market(&mut self, ctx: &mut Context, change: &MarketChange) {
    ///     if let (MarketStatus::Finalized, Some(bought)) =
    ///         (change.status, self.bought.remove(ctx, change.market))
    ///     {
    ///         info!("bought {bought} while it was open");
    ///     }
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// harness.quote("KX-1", cents(40), cents(42));
    /// harness.restart();
    /// harness.status("KX-1", MarketStatus::Finalized);
    /// assert_eq!(harness.logs()[0].1, "bought 3 while it was open");
    /// ```
    pub fn remove(&mut self, ctx: &Context, market: MarketId) -> Option<T> {
        let known = ctx.market(market);
        let is_it = |(waits, _): &(String, T)| known.as_ref().is_some_and(|it| it.ticker == *waits);
        let restored = self.waiting.iter().position(is_it);
        let restored = restored.map(|index| self.waiting.swap_remove(index).1);
        self.live.remove(market).map(|entry| entry.value).or(restored)
    }

    /// The markets of this run with their state, in the order of their handles.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine { bought: MarketMap<u32> }
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// # fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// #     *self.bought.entry(ctx, quote.market) += 3;
    /// # }
    /// fn after_events(&mut self, _: &mut Context) {
    ///     let in_all: u32 = self.bought.iter().map(|(_, bought)| bought).sum();
    ///     debug!("{in_all} in all");
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1").market("KX-2");
    /// harness.quote("KX-1", cents(40), cents(42)); // buys 3
    /// harness.quote("KX-2", cents(40), cents(42)); // buys 3
    /// assert_eq!(harness.logs()[1].1, "6 in all");
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = (MarketId, &T)> {
        self.live.iter().map(|(market, entry)| (market, &entry.value))
    }

    /// The markets of this run with their state, in the order of their handles.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine { fresh: MarketMap<bool> }
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    ///     *self.fresh.entry(ctx, quote.market) = true;
    /// }
    /// fn on_gap(&mut self, _: &mut Context, gap: &Gap) {
    ///     for (_, fresh) in self.fresh.iter_mut().filter(|(market, _)| gap.covers(*market)) {
    ///         *fresh = false;
    ///     }
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// harness.quote("KX-1", cents(40), cents(42));
    /// harness.gap(None);
    /// assert_eq!(harness.agent().fresh.get(harness.market_id("KX-1")), Some(&false));
    /// ```
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (MarketId, &mut T)> {
        self.live.iter_mut().map(|(market, entry)| (market, &mut entry.value))
    }
}

impl<T> Default for MarketMap<T> {
    fn default() -> Self {
        Self { live: Sorted::default(), waiting: Vec::new() }
    }
}

impl<T: Serialize> Serialize for MarketMap<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let live = self.live.iter();
        let live = live.filter_map(|(_, entry)| Some((entry.ticker.as_ref()?, &entry.value)));
        let waiting = self.waiting.iter().map(|(ticker, value)| (ticker, value));
        serializer.collect_map(live.chain(waiting))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for MarketMap<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ByTicker<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for ByTicker<T> {
            type Value = Vec<(String, T)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map from tickers")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(entries)
            }
        }

        let waiting = deserializer.deserialize_map(ByTicker(PhantomData))?;
        Ok(Self { live: Sorted::default(), waiting })
    }
}
