//! A guest that misbehaves, in the way that its parameter `mode` names: what the host must survive.
//!
//! Each mode breaks one promise of the contract. Those that happen before the host can give a
//! parameter are features of the crate instead: `loop-in-describe`, `trap-in-describe`.

use std::hint::black_box;
use std::str::FromStr;

use hotpit_agent::prelude::*;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Ways to misbehave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Behaves: counts its batches, and logs the count as `batches=N`.
    #[default]
    None,
    /// Behaves: counts trades, and logs each as `trades=N price=P quantity=Q`; and every gap.
    CountTrades,
    /// Behaves: logs the numbers of a market's trading with each quote, as
    /// `TICKER volume=V open_interest=O`, and what goes on in a game with each of its states, as
    /// `possession=P down=N distance=N`.
    TellStatistics,
    /// Never returns from `on-events`.
    Loop,
    /// Never returns from `start`.
    LoopInStart,
    /// Never returns from `save`.
    LoopInSave,
    /// Takes memory until there is none.
    MemoryBomb,
    /// Panics in `on-events`, with a message.
    Panic,
    /// Traps in `start`, without a message.
    TrapInStart,
    /// Returns an error from `start`.
    ErrorFromStart,
    /// Recurses without end.
    Recursion,
    /// Returns `amount` orders from one batch; 200,000 make more than ten million bytes.
    Flood,
    /// Logs `amount` lines in one batch.
    LogFlood,
    /// Saves `amount` bytes.
    HugeState,
    /// Panics while it reads its state back: the first start works, a swap or restart does not.
    PanicOnRestore,
    /// Refuses its state: the first start works, a swap or restart does not.
    ErrorOnRestore,
    /// Burns `amount` rounds of arithmetic in each batch: about 1 ns each.
    Slow,
    /// Places one order in each batch, then traps in the same batch: no order may come of it.
    OrderThenTrap,
    /// Places orders that no host may accept: no quantity, an unknown market, a price above $1.
    NonsenseOrders,
    /// Behaves: answers each quote with one order that trades nothing, and logs nothing. What a
    /// host's way from a frame to an order is measured with.
    OrderPerQuote,
}

/// The modes by their names in the settings.
const MODES: [(&str, Mode); 20] = [
    ("none", Mode::None),
    ("loop", Mode::Loop),
    ("count-trades", Mode::CountTrades),
    ("tell-statistics", Mode::TellStatistics),
    ("loop-in-start", Mode::LoopInStart),
    ("loop-in-save", Mode::LoopInSave),
    ("memory-bomb", Mode::MemoryBomb),
    ("panic", Mode::Panic),
    ("trap-in-start", Mode::TrapInStart),
    ("error-from-start", Mode::ErrorFromStart),
    ("recursion", Mode::Recursion),
    ("flood", Mode::Flood),
    ("log-flood", Mode::LogFlood),
    ("huge-state", Mode::HugeState),
    ("panic-on-restore", Mode::PanicOnRestore),
    ("error-on-restore", Mode::ErrorOnRestore),
    ("slow", Mode::Slow),
    ("order-then-trap", Mode::OrderThenTrap),
    ("nonsense-orders", Mode::NonsenseOrders),
    ("order-per-quote", Mode::OrderPerQuote),
];

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = MODES.iter().find(|(name, _)| *name == text);
        found.map(|(_, mode)| *mode).ok_or_else(|| {
            format!("no such mode (known: {})", MODES.map(|(name, _)| name).join(", "))
        })
    }
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let found = MODES.iter().find(|(_, mode)| mode == self);
        f.write_str(found.map_or("none", |(name, _)| name))
    }
}

parameters! {
    /// What the operator can set.
    pub struct Params {
        /// How it misbehaves.
        pub mode: Mode = Mode::None,
        /// How much of it: orders, lines, bytes, rounds.
        pub amount: u64 = 200_000,
        /// The market it trades and hears of, by ticker; empty: the first one it is subscribed to.
        pub ticker: String = String::new(),
    }
}

/// The agent.
#[derive(Debug, Default)]
pub struct Hostile {
    batches: u64,
    trades: u64,
    params: Params,
}

/// What is saved.
#[derive(Serialize, Deserialize)]
struct State {
    batches: u64,
    trades: u64,
    mode: String,
    padding: String,
}

impl Serialize for Hostile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.params.mode == Mode::LoopInSave {
            never_return();
        }
        let padding = match self.params.mode {
            Mode::HugeState => {
                "x".repeat(usize::try_from(self.params.amount).unwrap_or(usize::MAX))
            }
            _ => String::new(),
        };
        let mode = self.params.mode.to_string();
        State { batches: self.batches, trades: self.trades, mode, padding }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Hostile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let state = State::deserialize(deserializer)?;
        match state.mode.parse().map_err(D::Error::custom)? {
            Mode::PanicOnRestore => panic_as_asked("hostile: panic on restore"),
            Mode::ErrorOnRestore => Err(D::Error::custom("hostile: refused on purpose")),
            _ => {
                let State { batches, trades, .. } = state;
                Ok(Self { batches, trades, params: Params::default() })
            }
        }
    }
}

impl Agent for Hostile {
    type Params = Params;

    fn subscriptions() -> Vec<Subscription> {
        if cfg!(feature = "loop-in-describe") {
            never_return();
        }
        if cfg!(feature = "trap-in-describe") {
            trap();
        }
        vec![Subscription::League("nfl".into())]
    }

    fn configure(&mut self, params: Params) -> Result<(), String> {
        match params.mode {
            Mode::LoopInStart => never_return(),
            Mode::TrapInStart => trap(),
            Mode::ErrorFromStart => return Err("hostile: does not want to start".into()),
            _ => {}
        }
        self.params = params;
        Ok(())
    }

    fn on_events(&mut self, ctx: &mut Context, events: &[Event]) {
        self.batches += 1;
        if self.params.mode == Mode::OrderPerQuote {
            return order_per_quote(ctx, events);
        }
        info!("batches={}", self.batches);
        let amount = self.params.amount;
        match self.params.mode {
            Mode::None
            | Mode::OrderPerQuote
            | Mode::LoopInStart
            | Mode::LoopInSave
            | Mode::TrapInStart
            | Mode::ErrorFromStart
            | Mode::HugeState
            | Mode::PanicOnRestore
            | Mode::ErrorOnRestore => {}
            Mode::CountTrades => self.count_trades(events),
            Mode::TellStatistics => tell_statistics(ctx, events),
            Mode::Loop => never_return(),
            Mode::MemoryBomb => eat_memory(),
            Mode::Panic => panic_as_asked("hostile: panic in on-events"),
            Mode::Recursion => {
                black_box(recurse(amount));
            }
            Mode::Flood => {
                let market = self.market(ctx);
                (0..amount).for_each(|_| buy(ctx, market));
            }
            Mode::LogFlood => (0..amount).for_each(|line| warn!("flood line {line}")),
            Mode::Slow => burn(amount),
            Mode::OrderThenTrap => {
                buy(ctx, self.market(ctx));
                trap();
            }
            Mode::NonsenseOrders => self.place_nonsense(ctx),
        }
    }
}

impl Hostile {
    fn count_trades(&mut self, events: &[Event]) {
        for event in events {
            match event {
                Event::Trade(Trade { price, quantity, .. }) => {
                    self.trades += 1;
                    let (price, quantity) = (price.raw(), quantity.raw());
                    info!("trades={} price={price} quantity={quantity}", self.trades);
                }
                Event::Gap(_) => info!("gap"),
                _ => {}
            }
        }
    }

    fn market(&self, ctx: &Context) -> MarketId {
        let named = ctx.market_id(&self.params.ticker);
        named.or_else(|| ctx.markets().first().copied()).unwrap_or(MarketId(0))
    }

    fn place_nonsense(&self, ctx: &mut Context) {
        let (market, unknown) = (self.market(ctx), MarketId(u32::MAX));
        let (cent, one) = (Price::from_cents(1), Quantity::from_contracts(1));
        ctx.buy(market, cent, Quantity::ZERO).send();
        ctx.buy(market, cent, Quantity::from_raw(i64::MIN)).send();
        ctx.buy(market, Price::from_raw(u32::MAX), one).send();
        ctx.sell(market, Price::ZERO, Quantity::MAX).send();
        ctx.buy(unknown, cent, one).send();
        ctx.buy(market, cent, one).fill_or_kill().post_only().expires_at(Timestamp::EPOCH).send();
        ctx.cancel(OrderId(u64::MAX));
        ctx.cancel_all_in(unknown);
        ctx.wake_at(Timestamp::EPOCH);
        ctx.wake_at(Timestamp::from_nanos(u64::MAX));
    }
}

hotpit_agent::export!(Hostile);

fn buy(ctx: &mut Context, market: MarketId) {
    ctx.buy(market, Price::from_cents(1), Quantity::from_contracts(1)).post_only().send();
}

/// A bid at one cent that is gone at once.
fn order_per_quote(ctx: &mut Context, events: &[Event]) {
    for event in events {
        if let Event::Quote(quote) = event {
            let (cent, one) = (Price::from_cents(1), Quantity::from_contracts(1));
            ctx.buy(quote.market, cent, one).immediate_or_cancel().send();
        }
    }
}

fn tell_statistics(ctx: &Context, events: &[Event]) {
    for event in events {
        if let Event::Game(game) = event
            && let Some(Situation { possession, down, distance, .. }) = ctx.situation(game.game)
        {
            info!("possession={possession:?} down={down:?} distance={distance:?}");
        }
        let Event::Quote(quote) = event else { continue };
        if let (Some(market), Some(known)) =
            (ctx.market(quote.market), ctx.statistics(quote.market))
        {
            let Statistics { volume, open_interest, .. } = known;
            info!("{} volume={volume} open_interest={open_interest}", market.ticker);
        }
    }
}

/// Runs for ever, and is not empty: an empty loop could be compiled to nothing.
fn never_return() -> ! {
    let mut rounds = 0_u64;
    loop {
        rounds = black_box(rounds.wrapping_add(1));
    }
}

/// Ends the instance without a word: a bare `unreachable` in wasm.
fn trap() -> ! {
    std::process::abort()
}

#[expect(clippy::panic, reason = "what this mode is for")]
fn panic_as_asked(message: &str) -> ! {
    panic!("{message}")
}

fn eat_memory() {
    let mut eaten: Vec<Vec<u8>> = Vec::new();
    loop {
        eaten.push(black_box(vec![1; 1 << 20]));
    }
}

/// Recurses; every frame is needed after the call, so that it is no loop.
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    if depth == u64::MAX {
        return 0;
    }
    recurse(black_box(depth.wrapping_add(1))).wrapping_add(frame[7])
}

fn burn(rounds: u64) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..rounds {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    black_box(state);
}

#[cfg(test)]
mod tests {
    use hotpit_agent::testing::{Harness, cents, placed};

    use super::*;

    fn harness(mode: &str) -> Harness<Hostile> {
        Harness::new().market("KX-1").param("mode", mode)
    }

    #[test]
    fn every_mode_has_a_name_that_reads_back() {
        for (name, mode) in MODES {
            assert_eq!(name.parse(), Ok(mode));
            assert_eq!(mode.to_string(), name);
        }
        assert!("nice".parse::<Mode>().unwrap_err().contains("known: none, loop,"));
    }

    #[test]
    fn without_a_mode_it_counts_its_batches_over_a_swap() {
        let mut harness = harness("none");
        harness.quote("KX-1", cents(40), cents(42));
        harness.swap();
        assert_eq!(harness.quote("KX-1", cents(40), cents(42)), []);
        assert_eq!(harness.logs().last().unwrap().1, "batches=2");
    }

    #[test]
    fn trades_are_counted_over_a_swap() {
        let mut harness = harness("count-trades");
        harness.trade("KX-1", cents(41), Quantity::from_contracts(1), Side::Bid);
        harness.swap();
        harness.trade("KX-1", cents(41), Quantity::from_contracts(1), Side::Bid);
        assert_eq!(harness.logs().last().unwrap().1, "trades=2 price=4100 quantity=100");
    }

    #[test]
    fn statistics_and_situations_are_told() {
        let mut harness = harness("tell-statistics");
        harness.quote("KX-1", cents(40), cents(42));
        let statistics = Statistics {
            last_price: Some(cents(41)),
            volume: Quantity::from_contracts(7),
            open_interest: Quantity::from_contracts(3),
            ts: Timestamp::EPOCH,
        };
        harness.set_statistics("KX-1", statistics);
        harness.quote("KX-1", cents(40), cents(43));
        let told = harness.logs().iter().map(|(_, line)| line.clone());
        let logs: Vec<_> = told.filter(|line| line.contains("volume")).collect();
        assert_eq!(logs, ["KX-1 volume=7.00 open_interest=3.00"]);

        let mut harness = self::harness("tell-statistics").market("KX-2").game("KX-1", "KX-2");
        harness.score(1, std::time::Duration::from_secs(600), 0, 0);
        harness.set_situation(Situation { down: Some(2), ..Situation::default() });
        harness.score(1, std::time::Duration::from_secs(590), 0, 0);
        let told: Vec<_> = harness.logs().iter().map(|(_, line)| line.clone()).collect();
        let told: Vec<_> = told.into_iter().filter(|line| line.contains("down")).collect();
        assert_eq!(told, ["possession=None down=Some(2) distance=None"]);
    }

    #[test]
    fn a_flood_is_as_large_as_asked() {
        let mut harness = harness("flood").param("amount", "5000");
        assert_eq!(placed(&harness.quote("KX-1", cents(40), cents(42))).len(), 5_000);
    }

    #[test]
    fn a_quote_is_answered_with_one_order() {
        let mut harness = harness("order-per-quote");
        assert_eq!(placed(&harness.quote("KX-1", cents(40), cents(42))).len(), 1);
        assert_eq!(harness.logs().len(), 0);
    }

    #[test]
    fn refusals_say_so() {
        assert_eq!(
            harness("error-from-start").start().unwrap_err(),
            "hostile: does not want to start"
        );
        let mut harness = harness("error-on-restore");
        harness.start().unwrap();
        let saved = harness.save();
        assert!(harness.start_from(Some(&saved)).unwrap_err().contains("refused on purpose"));
    }

    #[test]
    #[should_panic = "hostile: panic in on-events"]
    fn a_panic_has_its_message() {
        harness("panic").quote("KX-1", cents(40), cents(42));
    }

    #[test]
    #[should_panic = "hostile: panic on restore"]
    fn a_panic_on_restore_is_one() {
        let mut harness = harness("panic-on-restore");
        harness.quote("KX-1", cents(40), cents(42));
        harness.swap();
    }

    #[test]
    fn a_huge_state_is_as_large_as_asked() {
        let mut harness = harness("huge-state").param("amount", "1000000");
        harness.start().unwrap();
        assert!(harness.save().len() > 1_000_000);
    }
}
