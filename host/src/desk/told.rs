//! Positions that the exchange tells of as they change. They are compared with ours at once, and
//! not only when the whole account is: a fill that nobody reported shows within seconds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hotpit_units::{Quantity, Timestamp};

use super::state::Desk;
use crate::model::VenuePosition;

/// How long a position may differ from what was told of it before the account is read: the fill
/// that it comes from has a report of its own.
const FILL_WAIT: Duration = Duration::from_secs(1);

/// What the exchange told last of positions that were not ours then, and when. At most one for
/// each market.
#[derive(Debug, Default)]
pub(super) struct Told(BTreeMap<Arc<str>, (Quantity, Timestamp)>);

impl Desk {
    pub(super) fn position_told(&mut self, position: VenuePosition, now: Timestamp) {
        let VenuePosition { ticker, quantity } = position;
        self.told.0.insert(ticker, (quantity, now));
    }

    /// Reads the account if what was told of a position is not ours for too long.
    pub(super) fn check_told(&mut self, now: Timestamp) {
        if self.told.0.is_empty() {
            return;
        }
        let ours: BTreeMap<_, _> =
            self.ledger.markets.iter().map(|(_, market)| (&*market.ticker, market.held)).collect();
        let mut must_read = false;
        self.told.0.retain(|ticker, (quantity, since)| {
            let held = ours.get(&**ticker).copied().unwrap_or(Quantity::ZERO);
            let is_late = *since + FILL_WAIT <= now;
            must_read |= held != *quantity && is_late;
            held != *quantity && !is_late
        });
        if must_read {
            self.sync.read_for_fills(now, self.settings.timing.read_lag());
        }
    }
}
