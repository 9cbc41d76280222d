//! What markets pay: told by their result, at which positions are closed, and by the account.

use std::sync::Arc;

use hotpit_units::{Price, Timestamp};

use super::io::Outputs;
use super::market_table::MarketSlot;
use super::record::{HoldingCause, HoldingChanged, Record};
use super::reports::difference;
use super::state::Desk;
use super::venue::AccountSnapshot;

/// The account's word is to the cent.
const CENT: Price = Price::from_cents(1);

impl Desk {
    /// A market paid out.
    pub(super) fn settle(
        &mut self,
        slot: MarketSlot,
        price: Price,
        now: Timestamp,
        out: &mut Outputs,
    ) {
        let closed = self.ledger.settle(slot, price);
        if closed.is_empty() {
            return;
        }
        self.sync.booked(now);
        self.ledger.markets.get_mut(slot).closed_at = Some(price);
        for (agent, holding) in closed {
            out.records.push(Record::Holding(HoldingChanged {
                ts: now,
                agent: self.agent_name(agent),
                ticker: Arc::clone(&self.ledger.markets.get(slot).ticker),
                cause: HoldingCause::Settled { price },
                holding,
            }));
        }
    }

    /// Compares what positions were closed at with what the account was paid. A market of which the
    /// account alone tells is settled where its position is seen to be gone.
    pub(super) fn compare_settlements(
        &mut self,
        snapshot: &AccountSnapshot,
        now: Timestamp,
        out: &mut Outputs,
    ) {
        for settlement in &snapshot.settlements {
            let Some(slot) = self.ledger.markets.find(&settlement.ticker) else { continue };
            self.settle_what_cancels_out(slot, settlement.price, snapshot, now, out);
            let market = self.ledger.markets.get_mut(slot);
            let Some(ours) = market.closed_at else { continue };
            let theirs = settlement.price;
            if ours.raw().abs_diff(theirs.raw()) >= CENT.raw() {
                // Told once: cash is compared by itself, and taken from the exchange.
                market.closed_at = Some(theirs);
                let detail = format!("closed at {ours}, and the account was paid {theirs}");
                let ticker = Some(Arc::clone(&settlement.ticker));
                out.records.push(difference("settlement", ticker, detail, now));
            }
        }
    }

    /// The account has no position where what agents hold cancels out, whether the market has paid or
    /// not: there its listing alone tells.
    fn settle_what_cancels_out(
        &mut self,
        slot: MarketSlot,
        price: Price,
        snapshot: &AccountSnapshot,
        now: Timestamp,
        out: &mut Outputs,
    ) {
        let market = self.ledger.markets.get(slot);
        let is_old = market.traded + self.settings.timing.read_lag() <= snapshot.requested_at;
        if market.held.is_zero() && is_old {
            self.settle(slot, price, now, out);
        }
    }
}
