//! A football game, play by play.

use std::time::Duration;

use hotpit_rt::Rng;
use hotpit_units::Timestamp;
use rand::RngExt as _;

use super::game::{Game, GameStatus, HomeAway, Situation};

/// A quarter on the game clock.
pub(super) const QUARTER_MS: u32 = 15 * 60_000;

/// An overtime period on the game clock.
const OVERTIME_MS: u32 = 10 * 60_000;

/// Yards to the goal after a kickoff that is not returned.
const TOUCHBACK: u8 = 75;

/// Shares of the whole game in thousandths: four quarters, halftime, and two breaks make 1000.
const QUARTER_SHARE: u64 = 225;
const HALFTIME_SHARE: u64 = 60;
const BREAK_SHARE: u64 = 20;

/// Plays a game.
#[derive(Debug)]
pub(super) struct Football {
    rng: Rng,
    game_ms: u64,
    /// By how many points the home team is the better one over a whole game.
    edge: f64,
    opening_kick_to: HomeAway,
    next: Next,
}

#[derive(Debug, Clone, Copy)]
enum Next {
    Period,
    Play(Play),
}

/// What comes of a play that is under way.
#[derive(Debug, Clone, Copy)]
struct Play {
    kind: Kind,
    duration_ms: u32,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Run { yards: i16 },
    Pass { yards: i16 },
    Incomplete,
    Turnover { yards: i16 },
    Punt { yards: i16 },
    FieldGoal { good: bool },
}

impl Football {
    pub(super) fn new(mut rng: Rng, game_ms: u64) -> Self {
        let edge = rng.random_range(-6.0..8.0);
        let home_receives = rng.random_bool(0.5);
        let opening_kick_to = if home_receives { HomeAway::Home } else { HomeAway::Away };
        Self { rng, game_ms, edge, opening_kick_to, next: Next::Period }
    }

    /// Does what is next in the game: the start of a period, or the end of a play. Returns how
    /// long it is to what comes then; `None` after the end.
    pub(super) fn advance(&mut self, now: Timestamp, game: &mut Game) -> Option<Duration> {
        game.updated = now;
        match self.next {
            Next::Period => self.start_period(game),
            Next::Play(play) => {
                game.clock_ms -= play.duration_ms.min(game.clock_ms);
                self.finish_play(game, play);
            }
        }
        let decided = game.home_score() != game.away_score();
        let over = decided && (game.period > 4 || (game.period == 4 && game.clock_ms == 0));
        let wait = if over {
            self.end(game);
            None
        } else if game.clock_ms == 0 {
            Some(self.end_period(game))
        } else {
            let play = self.call(game);
            self.next = Next::Play(play);
            let played_ms = self.game_ms * QUARTER_SHARE / 1_000;
            let share = u64::from(play.duration_ms.min(game.clock_ms)) * played_ms;
            Some(Duration::from_nanos(share * 1_000_000 / u64::from(QUARTER_MS)))
        };
        game.home_win_probability = self.home_win_probability(game);
        wait
    }

    fn start_period(&mut self, game: &mut Game) {
        game.status = GameStatus::InProgress;
        game.period += 1;
        game.clock_ms = if game.period > 4 { OVERTIME_MS } else { QUARTER_MS };
        game.home_points.push(0);
        game.away_points.push(0);
        let receiver = match game.period {
            1 => Some(self.opening_kick_to),
            3 => Some(self.opening_kick_to.other()),
            2 | 4 => None,
            _ => Some(if self.rng.random_bool(0.5) { HomeAway::Home } else { HomeAway::Away }),
        };
        if let Some(receiver) = receiver {
            game.last_play = Some(format!("Kickoff to {}", game.team(receiver).abbreviation));
            game.situation = Some(first_down(receiver, TOUCHBACK));
        }
    }

    fn end_period(&mut self, game: &mut Game) -> Duration {
        self.next = Next::Period;
        let share = if game.period == 2 {
            game.status = GameStatus::Halftime;
            game.situation = None;
            HALFTIME_SHARE
        } else {
            game.status = GameStatus::EndOfPeriod;
            BREAK_SHARE
        };
        Duration::from_millis(self.game_ms * share / 1_000)
    }

    fn end(&mut self, game: &mut Game) {
        self.next = Next::Period;
        game.status = GameStatus::Final;
        game.clock_ms = 0;
        game.situation = None;
        game.last_play = Some("End of game".into());
    }

    /// Chooses the next play and what will come of it.
    fn call(&mut self, game: &Game) -> Play {
        let ball = game.situation.unwrap_or(first_down(HomeAway::Home, TOUCHBACK));
        let short = ball.distance <= 1 && (5..50).contains(&ball.yards_to_goal);
        let kind = if ball.down == 4 && !short {
            if ball.yards_to_goal <= 38 {
                let good = self.rng.random_range(0..70) >= u32::from(ball.yards_to_goal);
                Kind::FieldGoal { good }
            } else {
                Kind::Punt { yards: self.rng.random_range(35..50) }
            }
        } else {
            self.snap(ball.possession)
        };
        let seconds = match kind {
            Kind::Run { .. } => 30..44,
            Kind::Pass { .. } => 24..40,
            Kind::Incomplete => 5..8,
            Kind::Turnover { .. } => 6..12,
            Kind::Punt { .. } => 8..14,
            Kind::FieldGoal { .. } => 4..7,
        };
        Play { kind, duration_ms: self.rng.random_range(seconds) * 1_000 }
    }

    fn snap(&mut self, offense: HomeAway) -> Kind {
        // A point of difference over a game is about a percent of the yards gained.
        let edge = match offense {
            HomeAway::Home => self.edge,
            HomeAway::Away => -self.edge,
        };
        let stretch = 1.0 + edge * 0.012;
        let mut yards = |range: std::ops::Range<f64>| {
            // Rounded to whole yards; the ranges are far inside the integer.
            (self.rng.random_range(range) * stretch).round() as i16
        };
        let (run, pass, long, sack) =
            (yards(-2.0..10.0), yards(2.0..16.0), yards(18.0..55.0), yards(-9.0..-4.0));
        match self.rng.random_range(0..1_000) {
            0..420 => Kind::Run { yards: run },
            420..430 => Kind::Turnover { yards: run },
            430..455 => Kind::Turnover { yards: pass },
            455..490 => Kind::Pass { yards: sack },
            490..690 => Kind::Incomplete,
            690..945 => Kind::Pass { yards: pass },
            _ => Kind::Pass { yards: long },
        }
    }

    fn finish_play(&mut self, game: &mut Game, play: Play) {
        let Some(ball) = game.situation else { return };
        let team = game.team(ball.possession).abbreviation.clone();
        let opponent = ball.possession.other();
        let (text, after) = match play.kind {
            Kind::Run { yards } | Kind::Pass { yards }
                if yards >= i16::from(ball.yards_to_goal) =>
            {
                let kicked = self.rng.random_range(0..100) < 94;
                game.add_points(ball.possession, if kicked { 7 } else { 6 });
                (format!("{team} touchdown"), first_down(opponent, TOUCHBACK))
            }
            Kind::Run { yards } => (format!("{team} run for {yards} yards"), gain(ball, yards)),
            Kind::Pass { yards } if yards < 0 => {
                (format!("{team} sacked for a loss of {} yards", -yards), gain(ball, yards))
            }
            Kind::Pass { yards } => (format!("{team} pass for {yards} yards"), gain(ball, yards)),
            Kind::Incomplete => (format!("{team} pass incomplete"), gain(ball, 0)),
            Kind::Turnover { yards } => {
                let spot = moved(ball.yards_to_goal, yards);
                (format!("{team} turnover"), first_down(opponent, 100 - spot))
            }
            Kind::Punt { yards } => {
                let spot = moved(ball.yards_to_goal, yards).max(20);
                (format!("{team} punt"), first_down(opponent, 100 - spot))
            }
            Kind::FieldGoal { good: true } => {
                game.add_points(ball.possession, 3);
                (format!("{team} field goal is good"), first_down(opponent, TOUCHBACK))
            }
            Kind::FieldGoal { good: false } => {
                let spot = ball.yards_to_goal.max(20);
                (format!("{team} field goal is no good"), first_down(opponent, 100 - spot))
            }
        };
        game.last_play = Some(text);
        game.situation = Some(after);
    }

    /// The chance of the home team: score, ball and strength against what can still happen. Made
    /// of basic arithmetic and square roots alone, whose results are the same on every machine,
    /// as those of a logistic are not.
    pub(super) fn home_win_probability(&self, game: &Game) -> f64 {
        let lead = f64::from(game.home_score()) - f64::from(game.away_score());
        match game.status {
            GameStatus::Final => {
                return if lead > 0.0 { 1.0 } else { 0.0 };
            }
            GameStatus::Scheduled
            | GameStatus::InProgress
            | GameStatus::EndOfPeriod
            | GameStatus::Halftime => {}
        }
        let quarters_to_come = 4_u8.saturating_sub(game.period);
        let left_ms =
            f64::from(quarters_to_come) * f64::from(QUARTER_MS) + f64::from(game.clock_ms);
        let left = (left_ms / (4.0 * f64::from(QUARTER_MS))).min(1.0);
        let ball = game.situation.map_or(0.0, |ball| {
            let worth = 2.5 - f64::from(ball.yards_to_goal) / 25.0 + 1.0;
            match ball.possession {
                HomeAway::Home => worth,
                HomeAway::Away => -worth,
            }
        });
        let expected = lead + ball * left.sqrt().max(0.3) + self.edge * left;
        let deviations = expected / (13.0 * (left + 0.004).sqrt());
        let steep = deviations * 0.9;
        0.5 + 0.5 * steep / (1.0 + steep * steep).sqrt()
    }
}

fn first_down(possession: HomeAway, yards_to_goal: u8) -> Situation {
    let yards_to_goal = yards_to_goal.clamp(1, 99);
    Situation { possession, down: 1, distance: yards_to_goal.min(10), yards_to_goal }
}

/// The spot after so many yards, kept on the field.
fn moved(yards_to_goal: u8, yards: i16) -> u8 {
    let spot = (i16::from(yards_to_goal) - yards).clamp(1, 99);
    u8::try_from(spot).unwrap_or(1)
}

/// The situation after a play that neither scores nor loses the ball.
fn gain(ball: Situation, yards: i16) -> Situation {
    let spot = moved(ball.yards_to_goal, yards);
    if yards >= i16::from(ball.distance) {
        first_down(ball.possession, spot)
    } else if ball.down == 4 {
        first_down(ball.possession.other(), 100 - spot)
    } else {
        let distance = (i16::from(ball.distance) - yards).clamp(1, 99);
        let distance = u8::try_from(distance).unwrap_or(1).min(spot);
        Situation { down: ball.down + 1, distance, yards_to_goal: spot, ..ball }
    }
}
