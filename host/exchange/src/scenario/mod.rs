//! A small world for the exchange: a football game that is played while its markets trade, and
//! basketball markets on another shard that just trade. Everything comes from a seed.
//!
//! [`Scenario`] lists its markets on an [`Exchange`] and opens accounts of its own, which trade
//! through the ordinary commands. [`Scenario::step`] does everything that is due; nothing here
//! knows a clock or a socket. Win probability and the traders' opinions are floats: a price is
//! made of them by rounding to the grid, an amount of money never is.

mod football;
mod game;
mod listing;
#[cfg(test)]
mod tests;
mod traders;

use std::time::Duration;

use hotpit_rt::{Entropy, Rng};
use hotpit_units::Timestamp;
use rand::RngExt as _;
use serde::Deserialize;

use self::football::Football;
pub use self::game::{Game, GameStatus, HomeAway, Situation, Team};
use self::traders::{CHANGES_PER_ACT_TENTHS, Crowd};
use crate::core::{Exchange, ListingError, Outcome};

/// How often opinions drift.
const DRIFT: Duration = Duration::from_millis(250);

/// From the start of the exchange to the basketball game, which never starts.
const BASKETBALL_AFTER: Duration = Duration::from_secs(24 * 3_600);

/// How the world is made.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Milliseconds from the start of the exchange to kickoff.
    pub kickoff_after_ms: u64,
    /// How long the whole game takes, in milliseconds of the exchange's clock, halftime and
    /// breaks included. A real one takes about three hours: 10800000.
    pub game_ms: u64,
    /// Book changes a second over all markets, about.
    pub book_changes_per_second: u32,
    /// Milliseconds from the final whistle until the game's markets are determined; they are
    /// settled after twice that time.
    pub settle_after_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            kickoff_after_ms: 5_000,
            game_ms: 600_000,
            book_changes_per_second: 300,
            settle_after_ms: 2_000,
        }
    }
}

impl Settings {
    /// Reports every value that cannot be used, each with its key.
    pub fn validate(&self, problems: &mut Vec<String>) {
        if self.game_ms < 1_000 {
            problems.push(format!("scenario.game_ms: {} is less than 1000", self.game_ms));
        }
        if !(1..=1_000_000).contains(&self.book_changes_per_second) {
            problems.push(format!(
                "scenario.book_changes_per_second: {} is not between 1 and 1000000",
                self.book_changes_per_second
            ));
        }
    }
}

/// What is next after the final whistle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// State the results.
    Determine,
    /// Pay.
    Settle,
}

/// The world.
#[derive(Debug)]
pub struct Scenario {
    settings: Settings,
    game: Game,
    football: Football,
    rng: Rng,
    /// The football markets, home first, then the basketball markets.
    crowds: [Crowd; 4],
    /// What traders add to the home team's chance: a line that moves without news.
    mood: f64,
    /// The chance of the basketball home team.
    basketball: f64,
    next_play: Option<Timestamp>,
    next_act: Timestamp,
    next_drift: Timestamp,
    next_verdict: Option<(Timestamp, Verdict)>,
}

impl Scenario {
    /// Makes a world of the seed in `entropy`: lists its series, events, markets and milestone,
    /// opens its accounts, and fills the books.
    ///
    /// # Errors
    /// When the exchange has listings of the same names.
    pub fn build(
        settings: Settings,
        entropy: Entropy,
        now: Timestamp,
        exchange: &mut Exchange,
    ) -> Result<Self, ListingError> {
        let mut setup = entropy.rng("scenario.setup");
        let mut rng = entropy.rng("scenario.traders");
        let kickoff = now + Duration::from_millis(settings.kickoff_after_ms);
        let mut game = listing::football(&mut setup, now, kickoff, exchange)?;
        let basketball = listing::basketball(&mut setup, now, now + BASKETBALL_AFTER, exchange)?;
        let football = Football::new(entropy.rng("scenario.football"), settings.game_ms);
        game.home_win_probability = football.home_win_probability(&game);
        let markets =
            [game.home_market, game.away_market, basketball.home_market, basketball.away_market];
        let crowds = markets.map(|market| Crowd::new(&mut rng, market, exchange));
        let mut scenario = Self {
            settings,
            game,
            football,
            rng,
            crowds,
            mood: 0.0,
            basketball: setup.random_range(0.35..0.65),
            next_play: Some(kickoff),
            next_act: now,
            next_drift: now + DRIFT,
            next_verdict: None,
        };
        for number in 0..scenario.crowds.len() {
            let fair = scenario.fair(number);
            scenario.crowds[number].fill_book(now, &mut scenario.rng, fair, exchange);
        }
        scenario.next_act = now + scenario.pause();
        Ok(scenario)
    }

    /// Does everything that is due by `now`, each thing at its own time, and the exchange's
    /// [`advance`](Exchange::advance). The effects are in the exchange. One long step and many
    /// short ones come to the same.
    pub fn step(&mut self, now: Timestamp, exchange: &mut Exchange) {
        loop {
            let due = self.next_due();
            if due > now {
                break;
            }
            if self.next_play == Some(due) {
                self.play(due, exchange);
            } else if let Some((at, verdict)) = self.next_verdict
                && at == due
            {
                self.resolve(due, verdict, exchange);
            } else if self.next_drift == due {
                self.drift();
                self.next_drift = due + DRIFT;
            } else {
                self.act(due, exchange);
                self.next_act = due + self.pause();
            }
        }
        exchange.advance(now);
    }

    /// When [`Scenario::step`] has something to do next.
    #[must_use]
    pub fn next_due(&self) -> Timestamp {
        let result = self.next_verdict.map(|(at, _)| at);
        let news = self.next_play.into_iter().chain(result);
        news.fold(self.next_act.min(self.next_drift), Timestamp::min)
    }

    /// The games, as a scoreboard shows them now.
    #[must_use]
    pub const fn games(&self) -> &[Game] {
        std::slice::from_ref(&self.game)
    }

    /// How the world was made.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    fn play(&mut self, now: Timestamp, exchange: &mut Exchange) {
        let before = self.game.status;
        let wait = self.football.advance(now, &mut self.game);
        self.next_play = wait.map(|wait| now + wait);
        if self.game.status != before {
            listing::update_milestone(&self.game, now, exchange);
        }
        if self.game.status == GameStatus::Final {
            for market in [self.game.home_market, self.game.away_market] {
                // An operator may have closed it before.
                let _ = exchange.set_close_time(now, market, now);
            }
            self.next_verdict = Some((now + self.settle_after(), Verdict::Determine));
        }
    }

    fn resolve(&mut self, now: Timestamp, verdict: Verdict, exchange: &mut Exchange) {
        let home_won = self.game.home_score() > self.game.away_score();
        let markets = [(self.game.home_market, home_won), (self.game.away_market, !home_won)];
        for (market, won) in markets {
            // An operator may have been faster.
            let _ = match verdict {
                Verdict::Determine => {
                    exchange.determine(now, market, if won { Outcome::Yes } else { Outcome::No })
                }
                Verdict::Settle => exchange.settle(now, market),
            };
        }
        self.next_verdict = match verdict {
            Verdict::Determine => Some((now + self.settle_after(), Verdict::Settle)),
            Verdict::Settle => None,
        };
    }

    fn act(&mut self, now: Timestamp, exchange: &mut Exchange) {
        let open = |number: &usize| self.crowds[*number].is_open(exchange);
        let open: Vec<usize> = (0..self.crowds.len()).filter(open).collect();
        if open.is_empty() {
            return;
        }
        let number = open[self.rng.random_range(0..open.len())];
        let fair = self.fair(number);
        self.crowds[number].act(now, &mut self.rng, fair, exchange);
    }

    fn drift(&mut self) {
        self.mood = (self.mood + self.rng.random_range(-0.002..0.002)) * 0.98;
        let walked = self.basketball + self.rng.random_range(-0.004..0.004);
        self.basketball = walked.clamp(0.1, 0.9);
    }

    /// What YES of a market is held to be worth.
    fn fair(&self, number: usize) -> f64 {
        let home = (self.game.home_win_probability + self.mood).clamp(0.005, 0.995);
        match number {
            0 => home,
            1 => 1.0 - home,
            2 => self.basketball,
            _ => 1.0 - self.basketball,
        }
    }

    /// How long it is to the traders' next action.
    fn pause(&mut self) -> Duration {
        let rate = u64::from(self.settings.book_changes_per_second).max(1);
        let mean = 100_000_000 * CHANGES_PER_ACT_TENTHS / rate;
        Duration::from_nanos(mean / 2 + self.rng.random_range(0..=mean))
    }

    const fn settle_after(&self) -> Duration {
        Duration::from_millis(self.settings.settle_after_ms)
    }
}
