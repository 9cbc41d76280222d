//! Commands and their answers: how the subscriptions of a connection come to be what is wanted.

use std::collections::BTreeSet;

use hotpit_units::Timestamp;

use super::Core;
use crate::feeds::Publish;
use crate::feeds::kalshi::session::Restart;
use crate::feeds::kalshi::session::books::AskOutcome;
use crate::feeds::kalshi::session::channel::Change;
use crate::feeds::kalshi::wire::{Channel, Command, Failure, Header, UpdateAction};

impl<P: Publish> Core<P> {
    pub(super) fn subscribed(&mut self, name: &str, sid: u64, now: Timestamp) {
        let Some(channel) = Channel::named(name) else { return };
        tracing::info!(channel = name, sid, "subscribed");
        self.tracker.forget(sid);
        self.subscription_mut(channel).subscribed(sid, now);
        if channel == Channel::Trades {
            self.trades_heard = self.trades_heard.max(self.venue_time);
        }
        let is_up = |channel| self.subscription(channel).sid().is_some();
        match channel {
            Channel::Books | Channel::Positions | Channel::Groups | Channel::Statistics => {}
            Channel::Trades => self.trades.resubscribed(now + self.trade_delay()),
            // What happened until now was not seen.
            Channel::Lifecycle => self.catalog.missed(),
            Channel::Fills | Channel::Orders => {
                if is_up(Channel::Fills) && is_up(Channel::Orders) {
                    self.desk.connected();
                }
            }
        }
        self.advance(now);
    }

    pub(super) fn command_done(
        &mut self,
        header: Header,
        listed: Option<&BTreeSet<&str>>,
        now: Timestamp,
    ) {
        let Some(id) = header.id else { return };
        let Some(channel) = self.channel_awaiting(id) else { return };
        let adding = self.subscription(channel).adding();
        let subscription = self.subscription_mut(channel);
        if subscription.sid().is_none()
            && let Some(sid) = header.sid
        {
            // A second subscribe is merged into the first, and answered with ok.
            subscription.subscribed(sid, now);
        } else {
            subscription.done(listed, now);
        }
        let refusals = subscription.refusals();
        if refusals > 0 {
            tracing::error!(?channel, refusals, "markets are not let in");
        }
        if channel == Channel::Books {
            let held = self.subscription(channel).held();
            let not_in: Vec<_> = adding.into_iter().filter(|it| !held.contains(it)).collect();
            self.forget_books(&not_in, "the exchange does not let it in", now);
            self.hold_books(now);
        }
        self.advance(now);
    }

    pub(super) fn unsubscribed(&mut self, header: Header, now: Timestamp) {
        if let Some(channel) = header.id.and_then(|id| self.channel_awaiting(id)) {
            self.subscription_mut(channel).done(None, now);
        } else if let Some(channel) = header.sid.and_then(|sid| self.channel_of(sid)) {
            self.ended(channel, "the exchange ended the subscription", now);
        }
        if let Some(sid) = header.sid {
            self.tracker.forget(sid);
        }
        self.advance(now);
    }

    /// A subscription ended, and not because we ended it.
    fn ended(&mut self, channel: Channel, reason: &str, now: Timestamp) {
        let Some(sid) = self.subscription(channel).sid() else { return };
        match channel {
            Channel::Books => {
                // Those too whose snapshot came before the answer to their command.
                let trusted = self.books.clear();
                self.publish_stale(trusted, reason, now);
            }
            Channel::Trades => self.lose_trades(now),
            Channel::Fills | Channel::Orders => self.desk.disconnected(reason),
            Channel::Positions | Channel::Groups => self.desk.lost(reason),
            Channel::Lifecycle | Channel::Statistics => {}
        }
        self.tracker.forget(sid);
        self.subscription_mut(channel).ended(now);
    }

    pub(super) fn failure(
        &mut self,
        header: Header,
        failure: &Failure<'_>,
        now: Timestamp,
    ) -> Result<(), Restart> {
        self.stats.command_errors.bump();
        let (code, text) = (failure.code, failure.text());
        tracing::warn!(
            code,
            text,
            id = header.id,
            sid = header.sid,
            "the exchange reports an error"
        );
        let reason = || format!("error {code}: {text}");
        let is_ask = header.id.is_some_and(|id| self.books.awaits(id));
        let named = header.id.and_then(|id| self.channel_awaiting(id));
        let channel = named
            .or(is_ask.then_some(Channel::Books))
            .or_else(|| header.sid.and_then(|sid| self.channel_of(sid)));
        match (code, channel) {
            // Authentication required: this connection will never do.
            (9, _) => return Err(Restart(reason())),
            // Channel error, buffer overflow, unknown subscription: it is dead.
            (7 | 10 | 25, Some(channel)) if self.subscription(channel).sid().is_some() => {
                self.ended(channel, &reason(), now);
            }
            (7 | 10 | 25, None) => return Err(Restart(reason())),
            (_, _) if is_ask => self.books.end_ask(now, self.settings.snapshot_timeout()),
            (_, Some(channel)) if named.is_some() => {
                let adding = self.subscription(channel).adding();
                self.subscription_mut(channel).failed(code, failure.tickers(), now);
                if channel == Channel::Books {
                    // Whether they are followed is not known: a snapshot that came proves nothing.
                    self.forget_books(&adding, &reason(), now);
                    self.hold_books(now);
                }
            }
            (_, _) => {}
        }
        self.advance(now);
        Ok(())
    }

    pub(super) fn check_books(&mut self, now: Timestamp) -> Result<(), Restart> {
        match self.books.check_ask(now, self.settings.snapshot_timeout()) {
            AskOutcome::Fine => Ok(()),
            AskOutcome::Hopeless => Err(Restart("lost books did not come".to_owned())),
        }
    }

    /// Sends what can be sent next.
    pub(super) fn advance(&mut self, now: Timestamp) {
        for channel in self.channels.iter().copied() {
            let id = self.last_id + 1;
            let subscription = &mut self.subscriptions[channel as usize];
            let Some((change, command)) = subscription.next(&self.wanted, id, now) else {
                continue;
            };
            if channel == Channel::Books {
                self.books.expect(change.added(), now, self.settings.snapshot_timeout());
                self.leave_books(&change, now);
            }
            self.send(&command);
        }
        self.ask_for_books(now);
    }

    /// Books that are no longer followed are no longer true.
    fn leave_books(&mut self, change: &Change, now: Timestamp) {
        let left: Vec<_> = match change {
            Change::Subscribe(_) | Change::Add(_) => return,
            Change::Remove(tickers) => tickers.clone(),
            Change::End => self.subscription(Channel::Books).held().iter().cloned().collect(),
        };
        let trusted = self.books.forget(&left);
        self.publish_stale(trusted, "no longer followed", now);
    }

    pub(super) fn ask_for_books(&mut self, now: Timestamp) {
        let id = self.last_id + 1;
        let subscription = &self.subscriptions[Channel::Books as usize];
        let Some(sid) = subscription.sid() else { return };
        let most = self.settings.markets_per_command;
        let Some(tickers) = self.books.next_ask(subscription.held(), most, id, now) else { return };
        self.stats.recoveries.add(tickers.len() as u64);
        tracing::info!(sid, books = tickers.len(), "books asked for again");
        let action = UpdateAction::GetSnapshot;
        self.send(&Command::UpdateSubscription { sids: [sid], market_tickers: tickers, action });
    }

    pub(super) fn send(&mut self, command: &Command) {
        self.last_id += 1;
        self.commands.push(command.text(self.last_id));
    }
}
