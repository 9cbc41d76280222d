//! The chance that the home team wins, from the score and the time that is left.
//!
//! ```text
//! margin      = home score - away score + home advantage × left / whole
//! probability = 1 / (1 + e^-x),   x = margin / (scale × √(left / whole))
//! ```
//!
//! `whole` is the length of the game without overtime, in overtime too: an overtime of ten minutes
//! changes as much as the last ten minutes did. With little time left the same lead is worth more: what may still change shrinks with the square root of
//! the time. `scale` is the scale of the logistic distribution of the margin of a whole game; its
//! standard deviation is 1.81 times that (NFL: 13.8 points, so 7.6).
//!
//! All of it is integer arithmetic, tables included: every machine, native or wasm, comes to the
//! same price to the last 1e-4 dollar. (A float's `exp` may differ between libraries.)

use hotpit_agent::prelude::*;

/// A game is over to within this much, however little is left: keeps x finite.
const LEFT_MS_MIN: i128 = 10_000;

/// The unit of x: 1e-4.
const X_ONE: i64 = 10_000;

/// Where x is held: the table's last entry.
const X_MAX: i64 = 10 * X_ONE;

/// Fixed point of what x is made from.
const UNIT: i128 = 1_000_000;

/// The distance between two entries of the table: 1/16, in units of x.
const STEP: i64 = X_ONE / 16;

/// Entries of the table: x from 0 to 10, both included.
const ENTRIES: usize = 161;

/// What the table's values are in: 1e-8.
const TABLE_ONE: i64 = 100_000_000;

/// The logistic function at 0, 1/16, 2/16, ... 10, in 1e-8, rounded.
const TABLE: [i64; ENTRIES] = logistic_table();

/// Fills the table as it is compiled, in fixed point with 18 decimal places.
const fn logistic_table() -> [i64; ENTRIES] {
    const ONE: i128 = 1_000_000_000_000_000_000;
    // e^(-1/16) by its series; 12 terms leave less than 1e-18.
    let (mut decay, mut term, mut n) = (ONE, ONE, 1);
    while n <= 12 {
        term = -term / (16 * n);
        decay += term;
        n += 1;
    }
    let mut table = [0; ENTRIES];
    let (mut power, mut i) = (ONE, 0);
    while i < ENTRIES {
        let logistic = ONE * ONE / (ONE + power);
        // At most 1e8: fits.
        table[i] = ((logistic + 5_000_000_000) / 10_000_000_000) as i64;
        power = power * decay / ONE;
        i += 1;
    }
    table
}

/// 1 / (1 + e^-x) as a price, for x in 1e-4: the table, linear between its entries, within 1e-4 of
/// the exact value. Held at x = 10 beyond.
pub(crate) fn logistic(x: i64) -> Price {
    let magnitude = x.saturating_abs().min(X_MAX);
    let (index, beyond) = (magnitude / STEP, magnitude % STEP);
    let at = |index: i64| usize::try_from(index).ok().and_then(|index| TABLE.get(index)).copied();
    let low = at(index).unwrap_or(TABLE_ONE);
    let high = at(index + 1).unwrap_or(low);
    let upper = low + (high - low) * beyond / STEP;
    let value = if x < 0 { TABLE_ONE - upper } else { upper };
    // From 1e-8 to a price's 1e-4, rounded.
    Price::from_raw(u32::try_from((value + 5_000) / 10_000).unwrap_or(0))
}

/// The model of one league.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Model {
    /// The scale of the margin of a whole game, in tenths of a point; more than zero.
    pub(crate) scale_tenths: u32,
    /// What playing at home is worth over a whole game, in tenths of a point.
    pub(crate) home_advantage_tenths: i32,
}

impl Model {
    /// The price of the home team's win. None before the start, after the end, and in games without
    /// a clock: the model knows nothing of them.
    pub(crate) fn home_wins(&self, game: &Game, info: &GameInfo) -> Option<Price> {
        let (left_ms, whole_ms) = time_left(game, info)?;
        let left_ms = left_ms.min(whole_ms);
        let lead = i128::from(game.home_score) - i128::from(game.away_score);

        // In tenths of a point × UNIT; 128 bits, so that no score and no clock overflows.
        let advantage = i128::from(self.home_advantage_tenths) * UNIT * left_ms / whole_ms;
        let margin = lead * 10 * UNIT + advantage;
        // √(left / whole) × UNIT; more than zero, because `left` has a least value.
        let root = (left_ms * UNIT * UNIT / whole_ms).isqrt().max(1);
        let x = margin * i128::from(X_ONE) / (i128::from(self.scale_tenths.max(1)) * root);
        let held = x.clamp(i128::from(-X_MAX), i128::from(X_MAX));
        Some(logistic(i64::try_from(held).unwrap_or(0)))
    }
}

/// What is left of the game and how long it is in whole, in milliseconds.
fn time_left(game: &Game, info: &GameInfo) -> Option<(i128, i128)> {
    if !game.status.is_live() || game.period == 0 || info.periods == 0 || info.period_ms == 0 {
        return None;
    }
    let period_ms = i128::from(info.period_ms);
    let to_come = i128::from(info.periods.saturating_sub(game.period)) * period_ms;
    let whole = i128::from(info.periods) * period_ms;
    Some(((to_come + i128::from(game.clock_ms)).max(LEFT_MS_MIN), whole.max(LEFT_MS_MIN)))
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "the reference")]
mod tests {
    use hotpit_agent::testing;

    use super::*;

    const NFL: Model = Model { scale_tenths: 76, home_advantage_tenths: 0 };
    const QUARTER_MS: u32 = 15 * 60 * 1_000;

    fn live(period: u16, clock_ms: u32, home_score: u32, away_score: u32) -> Game {
        Game {
            game: GameId(0),
            status: GameStatus::InProgress,
            period,
            clock_ms,
            home_score,
            away_score,
            ts: Timestamp::EPOCH,
        }
    }

    fn price(model: Model, game: &Game) -> u32 {
        model.home_wins(game, &testing::game("nfl", "SEA", "NE")).unwrap().raw()
    }

    #[test]
    fn the_logistic_is_right_to_one_ten_thousandth() {
        for x in -110_000..=110_000_i64 {
            let held = (x as f64 / 10_000.0).clamp(-10.0, 10.0);
            let exact = 10_000.0 / (1.0 + (-held).exp());
            let off = (f64::from(logistic(x).raw()) - exact).abs();
            assert!(off < 1.0, "x = {x}: {} for {exact}", logistic(x));
        }
    }

    #[test]
    fn the_logistic_rises_and_is_symmetric() {
        for x in 0..=110_000 {
            assert!(logistic(x + 1) >= logistic(x), "{x}");
            let both = logistic(x).raw() + logistic(-x).raw();
            assert!((9_999..=10_001).contains(&both), "{x}: {both}");
        }
        assert_eq!(logistic(0), Price::from_cents(50));
        assert_eq!(logistic(i64::MIN), logistic(-100_000));
        assert_eq!(logistic(i64::MAX), logistic(100_000));
    }

    #[test]
    fn a_lead_is_worth_what_the_formula_says() {
        let cases = [
            // period, clock, home, away, 1e4 / (1 + e^-x)
            (1, QUARTER_MS, 0, 0, 5_000),
            (1, QUARTER_MS, 7, 0, 7_153), // x = 7 / 7.6
            (3, QUARTER_MS, 7, 0, 7_863), // half is left: x = 7 / (7.6 × √½)
            (4, QUARTER_MS, 7, 0, 8_632), // a quarter: x = 7 / (7.6 × ½)
            (4, QUARTER_MS, 0, 7, 1_368),
            (4, 60_000, 3, 0, 9_551), // one minute of sixty: x = 3 / (7.6 × √(1/60))
            (4, 0, 1, 0, 9_239),      // ten seconds, at least: x = 1 / (7.6 × √(1/360))
            (5, QUARTER_MS / 4, 3, 0, 8_291), // overtime: x = 3 / (7.6 × √(3.75/60))
        ];
        for (period, clock_ms, home, away, expected) in cases {
            let got = price(NFL, &live(period, clock_ms, home, away));
            assert!(got.abs_diff(expected) <= 1, "{period} {clock_ms} {home} {away}: {got}");
        }
    }

    #[test]
    fn playing_at_home_counts_less_as_time_runs_out() {
        let model = Model { home_advantage_tenths: 20, ..NFL };
        assert!(
            price(model, &live(1, QUARTER_MS, 0, 0)) > price(model, &live(4, QUARTER_MS, 0, 0))
        );
        assert!(price(model, &live(4, 0, 0, 0)) < 5_100);
    }

    #[test]
    fn games_that_are_not_played_have_no_price() {
        let info = testing::game("nfl", "SEA", "NE");
        for status in [GameStatus::Scheduled, GameStatus::Final, GameStatus::Postponed] {
            let game = Game { status, ..live(1, QUARTER_MS, 0, 0) };
            assert_eq!(NFL.home_wins(&game, &info), None, "{status:?}");
        }
        let untimed = GameInfo { period_ms: 0, periods: 9, ..info };
        assert_eq!(NFL.home_wins(&live(1, 0, 3, 0), &untimed), None);
    }

    #[test]
    fn no_score_and_no_clock_overflows() {
        let extreme = Model { scale_tenths: 0, home_advantage_tenths: i32::MIN };
        for (home, away) in [(u32::MAX, 0), (0, u32::MAX)] {
            let game = live(u16::MAX, u32::MAX, home, away);
            let info = GameInfo {
                periods: u16::MAX,
                period_ms: u32::MAX,
                ..testing::game("nfl", "SEA", "NE")
            };
            let _ = extreme.home_wins(&game, &info);
            let _ = extreme.home_wins(&live(1, 0, home, away), &info);
        }
    }
}
