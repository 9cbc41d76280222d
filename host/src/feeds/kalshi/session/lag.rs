//! [`Lag`]: how late frames are, whatever our clock shows.
//!
//! A frame says when it was sent, by the exchange's clock. What lies between that and its arrival
//! by ours is its way and the difference of the clocks, together. The difference is bounded twice:
//! the quickest frame of the last minutes cannot have been under way for less than nothing, and
//! the handshake's answer carries the exchange's time to the second. So a clock that is wrong
//! does not make a stream look late, and a stream that is late from its first frame on does not
//! look like a wrong clock.

use std::time::Duration;

use hotpit_units::Timestamp;

use crate::kalshi::http::ahead_ms;

/// How long the quickest frame is remembered: between one and two of these.
const WINDOW: Duration = Duration::from_secs(60);

/// How late frames are. In ms; a difference of clocks is positive where ours is ahead.
#[derive(Debug, Default)]
pub(super) struct Lag {
    /// What the difference of the clocks lies between, by the handshake.
    dated: Option<(i64, i64)>,
    /// The quickest frame of this window, and of the one before.
    quickest: [Option<i64>; 2],
    window_began: Timestamp,
}

impl Lag {
    /// The exchange answered the handshake with this `Date`, which is cut to the second.
    pub(super) fn dated(&mut self, date: Timestamp, asked: Timestamp, answered: Timestamp) {
        self.dated = ahead_ms(date, asked, answered);
        self.quickest = [None; 2];
    }

    /// A frame was sent at `sent` and arrived at `now`. Returns how much later than it could.
    pub(super) fn sent(&mut self, sent: Timestamp, now: Timestamp) -> u64 {
        let lag = millis(now) - millis(sent);
        if now.since(self.window_began) >= WINDOW {
            self.window_began = now;
            self.quickest = [None, self.quickest[0]];
        }
        if self.dated.is_some_and(|(least, _)| lag < least) {
            // Our clock was set back since the handshake, which bounds nothing any more.
            self.dated = None;
            self.quickest = [None; 2];
        }
        let quickest = self.quickest[0].get_or_insert(lag);
        *quickest = lag.min(*quickest);
        let skew = self.skew_ms().unwrap_or(lag);
        u64::try_from(lag - skew).unwrap_or(0)
    }

    /// By how much our clock is ahead, as far as that is known.
    pub(super) fn skew_ms(&self) -> Option<i64> {
        let quickest = self.quickest.iter().flatten().min().copied();
        match (quickest, self.dated) {
            (Some(quickest), Some((low, high))) => Some(quickest.clamp(low, high)),
            (Some(quickest), None) => Some(quickest),
            (None, Some((low, high))) => Some(low.midpoint(high)),
            (None, None) => None,
        }
    }
}

fn millis(time: Timestamp) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A day, so that clocks can be behind.
    const DAY: i64 = 86_400_000;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(u64::try_from(DAY + ms).unwrap())
    }

    /// A connection to an exchange whose clock shows `skew` less than ours. Time is the
    /// exchange's.
    struct Line {
        lag: Lag,
        skew: i64,
    }

    impl Line {
        fn open(skew: i64) -> Self {
            let mut lag = Lag::default();
            lag.dated(at(0), at(skew + 400), at(skew + 450));
            Self { lag, skew }
        }

        fn frame(&mut self, sent: i64, way: i64) -> u64 {
            self.lag.sent(at(sent), at(sent + way + self.skew))
        }
    }

    #[test]
    fn a_clock_that_is_set_back_during_the_handshake_bounds_nothing() {
        let mut lag = Lag::default();
        lag.dated(at(0), at(400), at(-60_000));
        assert_eq!(lag.skew_ms(), None);
        assert_eq!(lag.sent(at(1_000), at(-58_980)), 0);
    }

    #[test]
    fn a_clock_that_is_wrong_makes_no_frame_late() {
        for skew in [0, 30_000, -30_000, 700, -700] {
            let mut line = Line::open(skew);
            for second in 1..600 {
                assert!(line.frame(second * 1_000, 20) < 20, "{skew}");
            }
            let found = line.lag.skew_ms().unwrap();
            assert!((skew..=skew + 20).contains(&found), "{skew}: {found}");
        }
    }

    #[test]
    fn frames_that_come_later_and_later_are_late() {
        let mut line = Line::open(-30_000);
        line.frame(1_000, 20);
        for second in 2..600 {
            let late = line.frame(second * 1_000, 20 + second * 40);
            let expected = u64::try_from(second * 40).unwrap();
            assert!(late >= expected.saturating_sub(1_100), "{second}: {late}");
        }
    }

    #[test]
    fn a_stream_that_is_late_from_the_first_frame_on_is_late() {
        let mut line = Line::open(0);
        let late = line.frame(1_000, 20_000);
        assert!((19_000..=20_000).contains(&late), "{late}");
    }

    #[test]
    fn a_clock_that_is_set_is_found_out_at_the_next_handshake() {
        let mut line = Line::open(0);
        line.frame(1_000, 20);
        line.skew = 30_000;
        assert!(line.frame(2_000, 20) > 28_000);
        line.lag.dated(at(3_000), at(33_400), at(33_450));
        assert!(line.frame(4_000, 20) < 20);
    }

    #[test]
    fn a_clock_that_is_set_back_hides_no_late_frame() {
        let mut line = Line::open(0);
        line.frame(1_000, 20);
        line.skew = -30_000;
        assert_eq!(line.frame(2_000, 20), 0);
        assert_eq!(line.frame(3_000, 8_020), 8_000);
    }

    #[test]
    fn without_a_handshake_the_quickest_frame_counts() {
        let mut lag = Lag::default();
        assert_eq!(lag.sent(at(1_000), at(1_020)), 0);
        assert_eq!(lag.sent(at(2_000), at(2_120)), 100);
        assert_eq!(lag.skew_ms(), Some(20));
    }
}
