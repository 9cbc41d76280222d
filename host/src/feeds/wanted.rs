//! [`Wanted`]: what the feeds are to follow, as a value that they watch.

use std::collections::BTreeSet;

use tokio::sync::watch;

use crate::model::Subscription;

/// What is wanted, and by whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wants {
    /// What the loaded agents subscribe to.
    pub agents: BTreeSet<Subscription>,
    /// The events of games that agents subscribe to by league, once a game is mapped.
    pub games: BTreeSet<Subscription>,
    /// Markets in which the desk has a position or an order.
    pub desk: BTreeSet<Subscription>,
}

impl Wants {
    /// Everything that is wanted by anybody.
    pub fn all(&self) -> BTreeSet<Subscription> {
        self.agents.iter().chain(&self.games).chain(&self.desk).cloned().collect()
    }
}

/// The shared set of wants. Writers change their own part; feeds watch the whole.
#[derive(Debug, Clone, Default)]
pub struct Wanted(watch::Sender<Wants>);

impl Wanted {
    /// Changes a part of the wants; watchers wake only if something did change.
    pub fn update(&self, change: impl FnOnce(&mut Wants)) {
        self.0.send_if_modified(|wants| {
            let before = wants.clone();
            change(wants);
            *wants != before
        });
    }

    /// A receiver that sees the wants now and every change.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Wants> {
        self.0.subscribe()
    }
}
