//! The exchange's word on cash against ours, shard by shard.

use std::collections::{BTreeMap, BTreeSet};

use hotpit_units::{Dollars, Timestamp};

use super::io::Outputs;
use super::reconcile::{self, Cash};
use super::reports::difference;
use super::state::Desk;
use super::venue::AccountSnapshot;

/// Where the comparison of cash stands.
#[derive(Debug, Default)]
pub(super) struct CashSync {
    word: CashWord,
    /// What the orders hold is estimated when the cash of a shard is taken over, and may be wrong by
    /// this at most.
    slack: BTreeMap<i32, Dollars>,
    /// By how much the exchange's cash was more than ours in the last comparison, where nothing
    /// explained it.
    suspects: BTreeMap<i32, Dollars>,
}

/// How far the exchange's word on cash is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum CashWord {
    /// It was not read yet.
    #[default]
    Unread,
    /// It was read while something was under way: the next quiet read replaces it.
    Early,
    /// It was read.
    Read,
}

impl Desk {
    /// The exchange's balance is what is free: what resting orders hold is off it already, and
    /// our cash counts it, but for the fees that are held, which nothing tells. The first word is
    /// taken. Later a difference is taken over if nothing explains it, neither fills nor positions
    /// nor what orders may have taken since the balance was asked for, and two reads in a row show
    /// the same, as far as what is held can be told. (Cash that is moved from one shard to another
    /// shows as a difference of both.)
    pub(super) fn compare_cash(
        &mut self,
        snapshot: &AccountSnapshot,
        now: Timestamp,
        out: &mut Outputs,
    ) {
        let held = reconcile::held(snapshot);
        let shards: BTreeSet<i32> = self
            .ledger
            .shards()
            .map(|(shard, _)| shard)
            .chain(snapshot.balances.keys().copied())
            .chain(held.keys().copied())
            .collect();
        let quiet = self.is_quiet(snapshot);
        let before = std::mem::take(&mut self.sync.cash.suspects);
        let first = match self.sync.cash.word {
            CashWord::Early if !quiet => return,
            CashWord::Unread | CashWord::Early => true,
            CashWord::Read => false,
        };
        for shard in shards {
            let of = |cash: &BTreeMap<i32, Dollars>| cash.get(&shard).copied().unwrap_or_default();
            let (free, held) = (of(&snapshot.balances), of(&held));
            if first {
                let reserved = self.ledger.shard(shard).most_reserved;
                self.ledger.set_cash(shard, free + held);
                self.sync.cash.slack.insert(shard, reserved.max(held));
            } else {
                let before = before.get(&shard).copied();
                self.compare_shard(shard, free, held, quiet, before, now, out);
            }
        }
        if first {
            self.sync.cash.word = if quiet { CashWord::Read } else { CashWord::Early };
        }
    }

    /// Whether nothing is under way that would move cash.
    fn is_quiet(&self, snapshot: &AccountSnapshot) -> bool {
        let lag = self.settings.timing.read_lag();
        self.sync.last_booked + lag <= snapshot.requested_at
            && self.parked.is_empty()
            && !self.orders.open().any(|(_, order)| order.missing().is_positive())
            && !self.sync.undecided
            && self.sync.drift.is_empty()
    }

    #[expect(clippy::too_many_arguments, reason = "both sides of a comparison, and the outputs")]
    fn compare_shard(
        &mut self,
        shard: i32,
        free: Dollars,
        held: Dollars,
        quiet: bool,
        before: Option<Dollars>,
        now: Timestamp,
        out: &mut Outputs,
    ) {
        let of = self.ledger.shard(shard);
        let (ours, theirs) = (of.cash, free + held);
        // Orders may hold more than they cost: their fees, and what they would close.
        let unsure = of.most_reserved.saturating_sub(held).max(Dollars::ZERO);
        let is_as_before =
            before.is_some_and(|before| (theirs - ours).saturating_sub(before).abs() <= unsure);
        match reconcile::cash(ours, free, of.most_reserved, quiet) {
            Cash::Agrees | Cash::Undecided => {}
            Cash::Differs if is_as_before => {
                // Within the slack it is the estimate of the last time that was wrong.
                let slack = self.sync.cash.slack.insert(shard, unsure).unwrap_or_default();
                if (theirs - ours).abs() > slack {
                    let detail = format!("shard={shard} ours={ours} theirs={theirs}: taken over");
                    out.records.push(difference("cash", None, detail, now));
                }
                self.ledger.set_cash(shard, theirs);
            }
            Cash::Differs => {
                self.sync.cash.suspects.insert(shard, theirs - ours);
                if before.is_none() {
                    self.sync.read_by(now + self.settings.timing.read_lag());
                }
            }
        }
    }
}
