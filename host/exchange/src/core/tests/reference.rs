//! The matching engine in the plainest way there is: a list of orders, searched from end to end.

use super::*;

#[derive(Debug, Clone)]
struct Resting {
    number: usize,
    account: usize,
    side: Side,
    cents: u32,
    left: i64,
}

/// What a plain engine keeps. Quantities are in 0.01 contracts.
#[derive(Debug, Default)]
pub(super) struct Reference {
    resting: Vec<Resting>,
    positions: BTreeMap<usize, i64>,
    orders: usize,
}

/// An order for the plain engine.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plain {
    pub(super) account: usize,
    pub(super) side: Side,
    pub(super) cents: u32,
    pub(super) count: i64,
    pub(super) time_in_force: TimeInForce,
    pub(super) prevention: SelfTradePrevention,
    pub(super) post_only: bool,
}

impl Reference {
    /// The number that the next order gets.
    pub(super) const fn next_number(&self) -> usize {
        self.orders
    }

    /// What a new order does: how much is filled and how much rests. `None`: it is refused.
    pub(super) fn create(&mut self, order: Plain) -> Option<(i64, i64)> {
        if order.time_in_force == TimeInForce::FillOrKill && self.kills(order) {
            return None;
        }
        let number = self.orders;
        self.orders += 1;
        if order.post_only && self.best_against(order).is_some() {
            return Some((0, 0));
        }
        let mut left = order.count;
        let mut gave_way = false;
        while left > 0 {
            let Some(at) = self.best_against(order) else { break };
            if self.resting[at].account == order.account {
                match order.prevention {
                    SelfTradePrevention::TakerAtCross => {
                        gave_way = true;
                        break;
                    }
                    SelfTradePrevention::Maker => {
                        self.resting.remove(at);
                        continue;
                    }
                }
            }
            let traded = left.min(self.resting[at].left);
            left -= traded;
            self.resting[at].left -= traded;
            let signed = if order.side == Side::Bid { traded } else { -traded };
            *self.positions.entry(order.account).or_default() += signed;
            *self.positions.entry(self.resting[at].account).or_default() -= signed;
            if self.resting[at].left == 0 {
                self.resting.remove(at);
            }
        }
        let rests = left > 0 && !gave_way && order.time_in_force == TimeInForce::GoodTillCanceled;
        if rests {
            let Plain { account, side, cents, .. } = order;
            self.resting.push(Resting { number, account, side, cents, left });
        }
        Some((order.count - left, if rests { left } else { 0 }))
    }

    /// What a cancel takes out of the book; `None` if the order does not rest.
    pub(super) fn cancel(&mut self, number: usize) -> Option<i64> {
        let at = self.resting.iter().position(|order| order.number == number)?;
        Some(self.resting.remove(at).left)
    }

    pub(super) fn position(&self, account: usize) -> i64 {
        self.positions.get(&account).copied().unwrap_or(0)
    }

    pub(super) fn levels(&self, side: Side) -> BTreeMap<u32, i64> {
        let mut levels = BTreeMap::new();
        for order in self.resting.iter().filter(|order| order.side == side) {
            *levels.entry(order.cents).or_default() += order.left;
        }
        levels
    }

    /// Where the order is that this one trades with first: the best price, then the first come.
    fn best_against(&self, order: Plain) -> Option<usize> {
        let mut best: Option<usize> = None;
        for (at, resting) in self.resting.iter().enumerate() {
            let crosses = resting.side == order.side.opposite()
                && match order.side {
                    Side::Bid => resting.cents <= order.cents,
                    Side::Ask => resting.cents >= order.cents,
                };
            let better = best.is_none_or(|best| match order.side {
                Side::Bid => resting.cents < self.resting[best].cents,
                Side::Ask => resting.cents > self.resting[best].cents,
            });
            if crosses && better {
                best = Some(at);
            }
        }
        best
    }

    /// Whether a fill-or-kill order is refused: too little rests before it meets its own.
    fn kills(&self, order: Plain) -> bool {
        let mut rest = Self { resting: self.resting.clone(), ..Self::default() };
        let mut wanted = order.count;
        while let Some(at) = rest.best_against(order) {
            let found = rest.resting.remove(at);
            if found.account == order.account {
                return false;
            }
            wanted -= found.left;
            if wanted <= 0 {
                return false;
            }
        }
        true
    }
}
