//! Collateral: what resting orders may need when they are filled, and whether it is there.

use hotpit_units::{Dollars, Price, Quantity, Side};

use super::Exchange;
use super::errors::ExchangeError;
use super::fees::{self, ceil_to_step};
use super::ids::{AccountId, MarketKey, Uuid};
use super::ledger::leg_price;
use super::market::FeeSchedule;

/// The resting orders of one account in one market, each side in the order in which it would be
/// filled, and what is reserved for them.
#[derive(Debug, Default)]
pub(super) struct Resting {
    pub(super) bids: Vec<Slot>,
    pub(super) asks: Vec<Slot>,
    pub(super) reserved: Dollars,
}

/// A resting order as far as its collateral goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) id: Uuid,
    pub(super) price: Price,
    pub(super) place: u64,
    pub(super) count: Quantity,
}

/// An order that is to come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    pub(super) side: Side,
    pub(super) slot: Slot,
    /// The order that it replaces.
    pub(super) instead_of: Option<Uuid>,
}

impl Resting {
    pub(super) fn side(&self, side: Side) -> &[Slot] {
        match side {
            Side::Bid => &self.bids,
            Side::Ask => &self.asks,
        }
    }

    fn side_mut(&mut self, side: Side) -> &mut Vec<Slot> {
        match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        }
    }

    pub(super) fn insert(&mut self, side: Side, slot: Slot) {
        let slots = self.side_mut(side);
        let at = slots.partition_point(|other| fills_before(side, other, &slot));
        slots.insert(at, slot);
    }

    /// Takes quantity out of a slot; an empty slot goes.
    pub(super) fn reduce(&mut self, side: Side, id: Uuid, by: Quantity) {
        let slots = self.side_mut(side);
        if let Some(slot) = slots.iter_mut().find(|slot| slot.id == id) {
            slot.count -= by;
        }
        slots.retain(|slot| slot.count.is_positive());
    }

    /// What the resting orders may need, with a change if given: the cost of what they open with
    /// a taker's fee. What closes the position needs nothing, because it pays for itself; the
    /// orders that would be filled first close first.
    pub(super) fn required(
        &self,
        position: Quantity,
        fees: FeeSchedule,
        change: Option<Change>,
    ) -> Dollars {
        [Side::Bid, Side::Ask]
            .into_iter()
            .map(|side| {
                let change = change.filter(|change| change.side == side);
                self.required_of(side, position, fees, change)
            })
            .fold(Dollars::ZERO, Dollars::saturating_add)
    }

    fn required_of(
        &self,
        side: Side,
        position: Quantity,
        fees: FeeSchedule,
        change: Option<Change>,
    ) -> Dollars {
        let mut closable = match side {
            Side::Bid => (-position).max(Quantity::ZERO),
            Side::Ask => position.max(Quantity::ZERO),
        };
        let slots = self.side(side);
        let at = change.map_or(slots.len(), |change| {
            slots.partition_point(|other| fills_before(side, other, &change.slot))
        });
        let instead_of = change.and_then(|change| change.instead_of);
        slots[..at]
            .iter()
            .chain(change.as_ref().map(|change| &change.slot))
            .chain(&slots[at..])
            .filter(|slot| Some(slot.id) != instead_of)
            .map(|slot| {
                let closing = closable.min(slot.count);
                closable -= closing;
                cost_to_open(side, slot.price, slot.count - closing, fees)
            })
            .fold(Dollars::ZERO, Dollars::saturating_add)
    }
}

fn fills_before(side: Side, left: &Slot, right: &Slot) -> bool {
    let better = match side {
        Side::Bid => left.price > right.price,
        Side::Ask => left.price < right.price,
    };
    better || (left.price == right.price && left.place < right.place)
}

/// The most that opening this much may cost, fees included.
fn cost_to_open(side: Side, price: Price, count: Quantity, schedule: FeeSchedule) -> Dollars {
    let fee = ceil_to_step(fees::trade_fee(schedule, true, price, count));
    ceil_to_step((leg_price(side, price) * count).saturating_add(fee))
}

impl Exchange {
    /// The cash of the account covers this order, in place of one that rests if given.
    pub(super) fn check_collateral(
        &self,
        account: AccountId,
        market: MarketKey,
        side: Side,
        slot: Slot,
        instead_of: Option<Uuid>,
    ) -> Result<(), ExchangeError> {
        let listed = self.market(market);
        let account = self.account(account);
        let position = account.position(market).quantity;
        let change = Change { side, slot, instead_of };
        let (required, reserved) = match account.resting.get(&market) {
            Some(resting) => {
                (resting.required(position, listed.fees, Some(change)), resting.reserved)
            }
            None => {
                let required = Resting::default().required(position, listed.fees, Some(change));
                (required, Dollars::ZERO)
            }
        };
        let needed = required.saturating_sub(reserved);
        let available = account.balance(listed.exchange_index).available();
        if needed.is_positive() && needed > available {
            return Err(ExchangeError::InsufficientBalance { needed, available });
        }
        Ok(())
    }
}
