//! [`Track`]: the place reached in one channel, and what the next place means.

use super::envelope::Place;

/// The place reached in one channel.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Track(Option<Place>);

/// What a place means after the ones before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The one that was due, or the first.
    Next,
    /// One that was there before, or one of an earlier epoch.
    Old,
    /// Some are missing before this one.
    Gap {
        /// How many.
        missed: u64,
    },
    /// The publisher is another one: what was before does not count.
    NewEpoch,
}

impl Track {
    /// A track that has reached this place.
    pub(super) fn at(place: Place) -> Self {
        Self(Some(place))
    }

    /// The epoch that is followed, once there is one.
    pub(super) fn epoch(&self) -> Option<u64> {
        self.0.map(|place| place.epoch)
    }

    /// A message is at this place.
    pub(super) fn message(&mut self, place: Place) -> Step {
        self.step(place, 1)
    }

    /// A heartbeat says that this was the place of the last message.
    pub(super) fn heartbeat(&mut self, place: Place) -> Step {
        self.step(place, 0)
    }

    fn step(&mut self, place: Place, ahead: u64) -> Step {
        let Some(at) = self.0 else {
            self.0 = Some(place);
            return Step::Next;
        };
        if place.epoch < at.epoch {
            return Step::Old;
        }
        if place.epoch > at.epoch {
            self.0 = Some(place);
            return Step::NewEpoch;
        }
        let due = at.seq.saturating_add(ahead);
        if place.seq < due {
            return Step::Old;
        }
        self.0 = Some(place);
        match place.seq - due {
            0 => Step::Next,
            missed => Step::Gap { missed },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(epoch: u64, seq: u64) -> Place {
        Place { epoch, seq }
    }

    #[test]
    fn each_place_is_judged_by_the_one_before() {
        let cases = [
            (true, at(1, 5), Step::Next),
            (true, at(1, 6), Step::Next),
            (true, at(1, 6), Step::Old),
            (false, at(1, 6), Step::Next),
            (false, at(1, 5), Step::Old),
            (true, at(1, 9), Step::Gap { missed: 2 }),
            (false, at(1, 12), Step::Gap { missed: 3 }),
            (true, at(1, 13), Step::Next),
            (true, at(2, 1), Step::NewEpoch),
            (true, at(1, 14), Step::Old),
            (true, at(2, 2), Step::Next),
        ];
        let mut track = Track::default();
        for (is_message, place, expected) in cases {
            let step = if is_message { track.message(place) } else { track.heartbeat(place) };
            assert_eq!(step, expected, "{place:?}");
        }
    }
}
