//! The life of an order as a table: (state, event) → state.
//!
//! Answers of REST and reports of the WebSocket come in any order, twice, or never, so the table
//! has a row for each pair. Three rules made the rows:
//!
//! - Evidence that the exchange has the order beats evidence that it has not: a refusal can come
//!   from something in between, and a read can be too early.
//! - An order that has ended does not work again; a report that says so is late. It may still
//!   become *filled*, by fills that were on their way.
//! - What was filled decides between two words for the same end: canceled with everything filled
//!   is filled.
//!
//! A pair that no order of events can explain is a [`Contradiction`]: the order stays as it is
//! and the exchange is asked.

use hotpit_units::Quantity;

use crate::model::OrderState;

/// What was heard of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// The exchange accepted it, or lists it as resting.
    Acknowledged,
    /// The exchange canceled what was left of it.
    Canceled,
    /// The exchange canceled it at its expiry.
    Expired,
    /// The exchange says that it is filled.
    Executed,
    /// The exchange refused it.
    Refused,
    /// It never left this machine.
    NotSent,
    /// The exchange's answer is missing or says nothing.
    Lost,
    /// It traded.
    Filled,
    /// The exchange, asked late enough, knows no such order.
    Absent,
}

impl Event {
    /// The stable word for it in the journal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledged",
            Self::Canceled => "canceled",
            Self::Expired => "expired",
            Self::Executed => "executed",
            Self::Refused => "refused",
            Self::NotSent => "not_sent",
            Self::Lost => "lost",
            Self::Filled => "fill",
            Self::Absent => "absent",
        }
    }
}

/// How much of an order is filled, by everything that is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Progress {
    /// Nothing.
    None,
    /// Something.
    Part,
    /// All of it, or more.
    All,
}

impl Progress {
    /// The progress of an order of `quantity` of which `filled` is filled.
    #[must_use]
    pub fn of(filled: Quantity, quantity: Quantity) -> Self {
        if !filled.is_positive() {
            Self::None
        } else if filled < quantity {
            Self::Part
        } else {
            Self::All
        }
    }

    const fn working(self) -> OrderState {
        match self {
            Self::None => OrderState::Resting,
            Self::Part => OrderState::PartlyFilled,
            Self::All => OrderState::Filled,
        }
    }

    const fn ended(self, end: OrderState) -> OrderState {
        match self {
            Self::None | Self::Part => end,
            Self::All => OrderState::Filled,
        }
    }

    const fn untouched(self, end: OrderState) -> Result<OrderState, Contradiction> {
        match self {
            Self::None => Ok(end),
            Self::Part | Self::All => Err(Contradiction::FilledButNeverThere),
        }
    }
}

/// Two words of the exchange that cannot both be true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// It has fills, and is said never to have existed.
    #[error("it has fills, and is said never to have been in the book")]
    FilledButNeverThere,
    /// It was acknowledged, and is said to have been refused.
    #[error("it was acknowledged, and is said to have been refused or never sent")]
    RefusedAfterAcknowledged,
}

/// The state of an order after an event.
///
/// # Errors
/// When the event contradicts what is known.
pub const fn next(
    state: OrderState,
    event: Event,
    progress: Progress,
) -> Result<OrderState, Contradiction> {
    use Event as E;
    use OrderState as S;
    match (state, event) {
        // Nothing is known yet, or nothing certain: every word is news.
        (S::Sent | S::Unknown, E::Acknowledged | E::Filled) => Ok(progress.working()),
        (S::Sent | S::Unknown, E::Canceled) => Ok(progress.ended(S::Canceled)),
        (S::Sent | S::Unknown, E::Expired) => Ok(progress.ended(S::Expired)),
        (S::Sent | S::Unknown, E::Executed) => Ok(S::Filled),
        (S::Sent | S::Unknown, E::Refused | E::Absent) => progress.untouched(S::Rejected),
        (S::Sent | S::Unknown, E::NotSent) => progress.untouched(S::Denied),
        (S::Sent | S::Unknown, E::Lost) => Ok(S::Unknown),

        // The exchange has it: a missing answer takes nothing away.
        (S::Resting | S::PartlyFilled, E::Acknowledged | E::Filled | E::Lost) => {
            Ok(progress.working())
        }
        (S::Resting | S::PartlyFilled, E::Canceled | E::Absent) => Ok(progress.ended(S::Canceled)),
        (S::Resting | S::PartlyFilled, E::Expired) => Ok(progress.ended(S::Expired)),
        (S::Resting | S::PartlyFilled, E::Executed) => Ok(S::Filled),

        // It has ended: what comes late may complete it, never revive it.
        (
            S::Filled,
            E::Acknowledged
            | E::Canceled
            | E::Expired
            | E::Executed
            | E::Lost
            | E::Filled
            | E::Absent,
        ) => Ok(S::Filled),
        (
            S::Canceled | S::Expired,
            E::Acknowledged | E::Canceled | E::Expired | E::Lost | E::Filled | E::Absent,
        ) => Ok(progress.ended(state)),
        (S::Canceled | S::Expired, E::Executed) => Ok(S::Filled),
        (
            S::Resting | S::PartlyFilled | S::Filled | S::Canceled | S::Expired,
            E::Refused | E::NotSent,
        ) => Err(Contradiction::RefusedAfterAcknowledged),

        // It was taken for refused, or for never sent, and exists all the same.
        (S::Denied | S::Rejected, E::Acknowledged | E::Filled) => Ok(progress.working()),
        (S::Denied | S::Rejected, E::Canceled) => Ok(progress.ended(S::Canceled)),
        (S::Denied | S::Rejected, E::Expired) => Ok(progress.ended(S::Expired)),
        (S::Denied | S::Rejected, E::Executed) => Ok(S::Filled),
        (S::Denied | S::Rejected, E::Refused | E::NotSent | E::Lost | E::Absent) => Ok(state),
    }
}

#[cfg(test)]
mod tests {
    use super::Event as E;
    use super::OrderState as S;
    use super::Progress as P;
    use super::*;

    const STATES: [S; 9] = [
        S::Denied,
        S::Sent,
        S::Resting,
        S::PartlyFilled,
        S::Filled,
        S::Canceled,
        S::Expired,
        S::Rejected,
        S::Unknown,
    ];
    const EVENTS: [E; 9] = [
        E::Acknowledged,
        E::Canceled,
        E::Expired,
        E::Executed,
        E::Refused,
        E::NotSent,
        E::Lost,
        E::Filled,
        E::Absent,
    ];

    #[test]
    fn every_row_is_as_written_down() {
        let never_there = Err(Contradiction::FilledButNeverThere);
        let refused = Err(Contradiction::RefusedAfterAcknowledged);
        let cases = [
            (S::Sent, E::Acknowledged, P::None, Ok(S::Resting)),
            (S::Sent, E::Acknowledged, P::Part, Ok(S::PartlyFilled)),
            (S::Sent, E::Acknowledged, P::All, Ok(S::Filled)),
            (S::Sent, E::Filled, P::Part, Ok(S::PartlyFilled)),
            (S::Sent, E::Filled, P::All, Ok(S::Filled)),
            (S::Sent, E::Canceled, P::Part, Ok(S::Canceled)),
            (S::Sent, E::Canceled, P::All, Ok(S::Filled)),
            (S::Sent, E::Refused, P::None, Ok(S::Rejected)),
            (S::Sent, E::Refused, P::Part, never_there),
            (S::Sent, E::NotSent, P::None, Ok(S::Denied)),
            (S::Sent, E::NotSent, P::All, never_there),
            (S::Sent, E::Lost, P::None, Ok(S::Unknown)),
            (S::Unknown, E::Lost, P::None, Ok(S::Unknown)),
            (S::Unknown, E::Absent, P::None, Ok(S::Rejected)),
            (S::Unknown, E::Absent, P::Part, never_there),
            (S::Unknown, E::Executed, P::None, Ok(S::Filled)),
            (S::Unknown, E::Expired, P::None, Ok(S::Expired)),
            (S::Resting, E::Lost, P::None, Ok(S::Resting)),
            (S::Resting, E::Filled, P::Part, Ok(S::PartlyFilled)),
            (S::Resting, E::Refused, P::None, refused),
            (S::Resting, E::Absent, P::None, Ok(S::Canceled)),
            (S::PartlyFilled, E::Acknowledged, P::Part, Ok(S::PartlyFilled)),
            (S::PartlyFilled, E::Canceled, P::Part, Ok(S::Canceled)),
            (S::PartlyFilled, E::Expired, P::Part, Ok(S::Expired)),
            (S::Filled, E::Canceled, P::All, Ok(S::Filled)),
            (S::Filled, E::NotSent, P::All, refused),
            (S::Canceled, E::Acknowledged, P::None, Ok(S::Canceled)),
            (S::Canceled, E::Filled, P::Part, Ok(S::Canceled)),
            (S::Canceled, E::Filled, P::All, Ok(S::Filled)),
            (S::Canceled, E::Executed, P::None, Ok(S::Filled)),
            (S::Expired, E::Filled, P::All, Ok(S::Filled)),
            (S::Rejected, E::Acknowledged, P::None, Ok(S::Resting)),
            (S::Rejected, E::Filled, P::Part, Ok(S::PartlyFilled)),
            (S::Rejected, E::Lost, P::None, Ok(S::Rejected)),
            (S::Denied, E::Canceled, P::None, Ok(S::Canceled)),
        ];
        for (state, event, progress, expected) in cases {
            assert_eq!(next(state, event, progress), expected, "{state:?} {event:?} {progress:?}");
        }
    }

    #[test]
    fn an_order_that_existed_and_ended_never_works_again() {
        for state in [S::Filled, S::Canceled, S::Expired] {
            for event in EVENTS {
                for progress in [P::None, P::Part, P::All] {
                    if let Ok(after) = next(state, event, progress) {
                        assert!(after.is_final(), "{state:?} {event:?} {progress:?} -> {after:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn hearing_a_thing_twice_changes_nothing() {
        for state in STATES {
            for event in EVENTS {
                for progress in [P::None, P::Part, P::All] {
                    if let Ok(once) = next(state, event, progress) {
                        let twice = next(once, event, progress);
                        assert_eq!(twice, Ok(once), "{state:?} {event:?} {progress:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_missing_answer_never_ends_an_order() {
        for state in STATES.into_iter().filter(|state| !state.is_final()) {
            let after = next(state, E::Lost, P::None).unwrap();
            assert!(!after.is_final(), "{state:?} -> {after:?}");
        }
    }
}
