//! Open-ended kinds travel as numbers, so that a newer host can add one without breaking an
//! agent that is already compiled. Here they become enums that keep the numbers they do not know.

/// Declares an enum over the codes of the contract, with a case for every other number.
macro_rules! codes {
    (
        $(#[$meta:meta])*
        pub enum $name:ident { $( $(#[$case_meta:meta])* $case:ident = $code:literal ),* $(,)? }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $( $(#[$case_meta])* $case, )*
            /// A code that this version of the SDK does not know.
            Unrecognized(u16),
        }

        impl $name {
            /// From the code of the contract.
            ///
            /// ```
            #[doc = concat!("# use hotpit_agent::", stringify!($name), ";")]
            /// // A code of a newer host:
            #[doc = concat!("let new = ", stringify!($name), "::from_code(999);")]
            #[doc = concat!("assert_eq!(new, ", stringify!($name), "::Unrecognized(999));")]
            /// ```
            #[must_use]
            pub const fn from_code(code: u16) -> Self {
                match code {
                    $( $code => Self::$case, )*
                    other => Self::Unrecognized(other),
                }
            }

            /// The code of the contract: these types have no serde form, their codes have.
            ///
            /// ```
            #[doc = concat!("# use hotpit_agent::", stringify!($name), ";")]
            #[doc = concat!("let saved: u16 = ", stringify!($name), "::from_code(1).code();")]
            #[doc = concat!("assert_eq!(", stringify!($name), "::from_code(saved).code(), 1);")]
            /// ```
            #[must_use]
            pub const fn code(self) -> u16 {
                match self {
                    $( Self::$case => $code, )*
                    Self::Unrecognized(code) => code,
                }
            }
        }
    };
}

codes! {
    /// Where a market is in its life.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// fn on_market(&mut self, ctx: &mut Context, change: &MarketChange) {
    ///     match change.status {
    ///         MarketStatus::Active => info!("open"),
    ///         // Whatever else it is, and whatever a newer host calls it: no orders.
    ///         _ => ctx.cancel_all_in(change.market),
    ///     }
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// assert!(harness.status("KX-1", MarketStatus::Active).is_empty());
    /// assert_eq!(harness.status("KX-1", MarketStatus::Unrecognized(99)).len(), 1);
    /// ```
    pub enum MarketStatus {
        /// The host does not know.
        Unknown = 0,
        /// Created, not open yet.
        Initialized = 1,
        /// Trading: orders are accepted in this status alone.
        Active = 2,
        /// Paused.
        Inactive = 3,
        /// Trading has ended.
        Closed = 4,
        /// The result is known.
        Determined = 5,
        /// The result is disputed.
        Disputed = 6,
        /// The result was changed.
        Amended = 7,
        /// Settled.
        Finalized = 8,
    }
}

codes! {
    /// Where a game is.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine { over: bool }
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// fn on_game(&mut self, _: &mut Context, game: &Game) {
    ///     self.over = matches!(game.status, GameStatus::Final | GameStatus::Canceled);
    /// }
    /// # }
    /// let mut harness = Harness::<Mine>::new().game("KX-HOM", "KX-AWY");
    /// harness.game_state(GameStatus::Final, 4, Duration::ZERO, 27, 24);
    /// assert!(harness.agent().over);
    /// ```
    pub enum GameStatus {
        /// The host does not know.
        Unknown = 0,
        /// Not started.
        Scheduled = 1,
        /// Being played.
        InProgress = 2,
        /// Halftime.
        Halftime = 3,
        /// Between two periods.
        EndOfPeriod = 4,
        /// Over, with a result.
        Final = 5,
        /// Held up.
        Delayed = 6,
        /// To be played another day.
        Postponed = 7,
        /// Not to be played.
        Canceled = 8,
        /// Broken off.
        Suspended = 9,
    }
}

impl GameStatus {
    /// Whether the game has started and goes on, pauses between periods included.
    ///
    /// ```
    /// # use hotpit_agent::GameStatus;
    /// assert!(GameStatus::Halftime.is_live());
    /// assert!(!GameStatus::Scheduled.is_live());
    /// assert!(!GameStatus::Suspended.is_live());
    /// ```
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(self, Self::InProgress | Self::Halftime | Self::EndOfPeriod)
    }
}

codes! {
    /// Where an order is.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine { resting: bool }
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// # fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// #     ctx.buy(quote.market, quote.bid.unwrap().price, contracts(5)).send();
    /// # }
    /// fn on_order(&mut self, _: &mut Context, update: &OrderUpdate) {
    ///     self.resting = matches!(update.state, OrderState::Resting | OrderState::PartlyFilled);
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// harness.quote("KX-1", cents(40), cents(42));
    /// harness.acknowledge();
    /// assert!(harness.agent().resting);
    /// ```
    pub enum OrderState {
        /// Refused by the host's risk manager: it never was an order.
        Denied = 0,
        /// On its way to the exchange.
        Sent = 1,
        /// In the book.
        Resting = 2,
        /// In the book, filled in part.
        PartlyFilled = 3,
        /// Done.
        Filled = 4,
        /// Canceled; what was filled stays.
        Canceled = 5,
        /// Canceled by the exchange at its expiry.
        Expired = 6,
        /// Refused by the exchange.
        Rejected = 7,
        /// The exchange's answer is missing: it may or may not exist, and counts as if it did.
        Unknown = 8,
    }
}

impl OrderState {
    /// Whether nothing more can happen to the order. A state that is not recognized is not final:
    /// an order counts as working until the contrary is known.
    ///
    /// ```
    /// # use hotpit_agent::OrderState;
    /// assert!(OrderState::Expired.is_final());
    /// // It may be in the book, so it counts as if it were.
    /// assert!(!OrderState::Unknown.is_final());
    /// ```
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Denied | Self::Filled | Self::Canceled | Self::Expired | Self::Rejected => true,
            Self::Sent
            | Self::Resting
            | Self::PartlyFilled
            | Self::Unknown
            | Self::Unrecognized(_) => false,
        }
    }

    /// Whether the order was refused, by the host or by the exchange.
    ///
    /// ```
    /// # use hotpit_agent::OrderState;
    /// assert!(OrderState::Denied.is_refused(), "by the host");
    /// assert!(OrderState::Rejected.is_refused(), "by the exchange");
    /// assert!(!OrderState::Canceled.is_refused());
    /// ```
    #[must_use]
    pub const fn is_refused(self) -> bool {
        matches!(self, Self::Denied | Self::Rejected)
    }
}

codes! {
    /// What made a gap.
    ///
    /// ```
    /// # use hotpit_agent::GapCause;
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine { dropped: u64 }
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// fn on_gap(&mut self, _: &mut Context, gap: &Gap) {
    ///     if gap.cause == GapCause::TooSlow {
    ///         self.dropped += gap.dropped;
    ///     }
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// harness.batch(&[Event::Gap(Gap { market: None, cause: GapCause::TooSlow, dropped: 12 })]);
    /// assert_eq!(harness.agent().dropped, 12);
    /// ```
    pub enum GapCause {
        /// The host does not know.
        Unknown = 0,
        /// The stream of market data broke.
        StreamBroke = 1,
        /// The agent was too slow and events were dropped.
        TooSlow = 2,
    }
}

codes! {
    /// What the YES of a market on a game pays for.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// /// What a market's YES is worth when the home team wins with this probability.
    /// fn fair(outcome: Outcome, home_wins: Price) -> Option<Price> {
    ///     match outcome {
    ///         Outcome::HomeWins => Some(home_wins),
    ///         Outcome::AwayWins => home_wins.complement(),
    ///         _ => None,
    ///     }
    /// }
    ///
    /// assert_eq!(fair(Outcome::AwayWins, cents(70)), Some(cents(30)));
    /// assert_eq!(fair(Outcome::Tie, cents(70)), None);
    /// ```
    pub enum Outcome {
        /// Something else about the game.
        Other = 0,
        /// The home team wins.
        HomeWins = 1,
        /// The away team wins.
        AwayWins = 2,
        /// Nobody wins.
        Tie = 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_survives_the_way_there_and_back() {
        for code in 0..20 {
            assert_eq!(MarketStatus::from_code(code).code(), code);
            assert_eq!(GameStatus::from_code(code).code(), code);
            assert_eq!(OrderState::from_code(code).code(), code);
            assert_eq!(GapCause::from_code(code).code(), code);
            assert_eq!(Outcome::from_code(code).code(), code);
        }
    }

    #[test]
    fn an_order_in_a_state_nobody_knows_may_still_trade() {
        assert!(!OrderState::from_code(77).is_final());
    }
}
