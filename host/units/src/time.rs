//! [`Timestamp`]: a point in time that was passed in, never read from a clock here.

use std::fmt;
use std::ops::Add;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Nanoseconds since the Unix epoch.
///
/// ```
/// # use std::time::Duration;
/// # use hotpit_units::Timestamp;
/// let kick_off = Timestamp::from_secs(1_788_912_000);
/// let later = kick_off + Duration::from_millis(1_500);
/// assert!(later > kick_off);
/// assert_eq!(later.as_millis(), 1_788_912_001_500);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The Unix epoch; also "never" where a time is only compared.
    ///
    /// ```
    /// # use hotpit_units::Timestamp;
    /// assert_eq!(Timestamp::EPOCH, Timestamp::default());
    /// ```
    pub const EPOCH: Self = Self(0);

    /// From nanoseconds since the epoch.
    ///
    /// ```
    /// # use hotpit_units::Timestamp;
    /// assert_eq!(Timestamp::from_nanos(1_500_000_000).as_millis(), 1_500);
    /// ```
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// From milliseconds since the epoch, as Kalshi's `ts_ms` gives them.
    ///
    /// ```
    /// # use hotpit_units::Timestamp;
    /// assert_eq!(Timestamp::from_millis(1_500).as_nanos(), 1_500_000_000);
    /// ```
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// From seconds since the epoch.
    ///
    /// ```
    /// # use hotpit_units::Timestamp;
    /// assert_eq!(Timestamp::from_secs(2), Timestamp::from_millis(2_000));
    /// ```
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }

    /// Nanoseconds since the epoch.
    ///
    /// ```
    /// # use hotpit_units::Timestamp;
    /// assert_eq!(Timestamp::from_millis(3).as_nanos(), 3_000_000);
    /// ```
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since the epoch.
    ///
    /// ```
    /// # use hotpit_units::Timestamp;
    /// assert_eq!(Timestamp::from_nanos(3_999_999).as_millis(), 3);
    /// ```
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Whole seconds since the epoch.
    ///
    /// ```
    /// # use hotpit_units::Timestamp;
    /// assert_eq!(Timestamp::from_millis(2_999).as_secs(), 2);
    /// ```
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000_000_000
    }

    /// The time that passed since `earlier`; zero if `earlier` is later.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use hotpit_units::Timestamp;
    /// let (start, end) = (Timestamp::from_secs(5), Timestamp::from_secs(8));
    /// assert_eq!(end.since(start), Duration::from_secs(3));
    /// assert_eq!(start.since(end), Duration::ZERO);
    /// ```
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timestamp({}.{:09}s)", self.as_secs(), self.0 % 1_000_000_000)
    }
}
