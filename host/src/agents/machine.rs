//! [`Machine`]: the life of one agent as a pure state machine. It knows no file, no thread and no
//! wasm: inputs and the time go in, what is to be done comes out.
//!
//! ```text
//!  Loading,  version            started              version
//!  Stopped ──────────► Starting ───────► Running ◄──────────► Swapping
//!     ▲                  │   ▲              │       swapped,      │
//!     │ error from start │   │ due          │ fault  or not       │ the old one faults
//!     └──────────────────┤   │              ▼                     ▼
//!                        └─► Backoff ◄─── fault ───► Quarantined  Starting
//! ```
//!
//! What it promises: the old version goes on until the new one has started, and comes back if the
//! new one faults in its first batches; three faults without a minute of health in between end in
//! quarantine; whatever was live and is live no more had its orders canceled, restarts apart.

use std::time::Duration;

use hotpit_units::Timestamp;

/// Faults in a row that are answered with a restart; the next one is answered with quarantine.
pub(crate) const FAULTS_MAX: u32 = 3;

/// A version that faults before it had this many batches makes room for the one that it replaced.
pub(crate) const PROBATION_BATCHES: u64 = 100;

/// An agent that ran this long without a fault begins to count from none.
pub(crate) const HEALTHY_AFTER: Duration = Duration::from_secs(60);

/// The wait before the first restart; before the n-th it is n times as long.
const BACKOFF_STEP: Duration = Duration::from_millis(200);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// Where an agent is. `V` is a version: code and settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State<V> {
    /// The file is being looked at for the first time.
    Loading,
    /// Nothing runs, and nothing will until the file changes.
    Stopped { reason: String },
    /// An instance is being started; none runs.
    Starting { version: V },
    /// An instance runs.
    Running { version: V },
    /// An instance of the old version runs, one of the new is being started.
    Swapping { old: V, new: V },
    /// The instance faulted; another one is started at this time.
    Backoff { version: V, until: Timestamp },
    /// It faulted too often: nothing runs until the file changes.
    Quarantined { reason: String },
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Input<V> {
    /// The file holds this version now, and it is fit to run.
    Version(V),
    /// The file holds something that cannot be run.
    Refused(String),
    /// The operator does not let it run, and why.
    Disabled(String),
    /// The file is gone.
    Removed,
    /// The start that was asked for succeeded.
    Started,
    /// The start that was asked for was answered with an error.
    NotStarted(String),
    /// The swap that was asked for succeeded.
    Swapped,
    /// The swap that was asked for failed, and the old version goes on.
    NotSwapped(String),
    /// The instance faulted: the running one, or the one that was being started for the first
    /// time.
    Faulted {
        /// Why.
        reason: String,
        /// How many batches it had had since it was live.
        batches: u64,
    },
    /// Time has passed.
    Due,
}

/// What is to be done, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect<V> {
    /// Start an instance; report [`Input::Started`], [`Input::NotStarted`] or
    /// [`Input::Faulted`].
    Start(V),
    /// Save the running instance's state, start an instance with it, and put it in the place of
    /// the running one; report [`Input::Swapped`], [`Input::NotSwapped`], or [`Input::Faulted`]
    /// if the running one faults.
    Swap(V),
    /// Start an instance with what was saved before the last swap, because the version that it
    /// brought faulted for this reason; report as after [`Effect::Start`].
    RollBack(V, String),
    /// Forget the start or swap under way: its report is to be ignored.
    Abandon,
    /// Save and drop the instance, if there is one, and tell it nothing more.
    Unload,
    /// Have the desk cancel the agent's orders.
    CancelOrders(String),
    /// Forget the agent.
    Forget,
    /// Come back with [`Input::Due`] at this time.
    WakeAt(Timestamp),
    /// Tell the operator that the file is not what runs, and why.
    Tell(String),
}

/// The life of one agent.
#[derive(Debug)]
pub(crate) struct Machine<V> {
    state: State<V>,
    /// What to swap to as soon as what is under way is over.
    next: Option<V>,
    /// The version that ran before the last swap, until there is a fault.
    last_good: Option<V>,
    /// Faults in a row.
    strikes: u32,
    last_trouble: Timestamp,
    /// It was live since its orders were last canceled.
    was_live: bool,
}

impl<V: Clone + PartialEq> Machine<V> {
    /// An agent whose file was not read yet.
    pub(crate) fn new() -> Self {
        Self {
            state: State::Loading,
            next: None,
            last_good: None,
            strikes: 0,
            last_trouble: Timestamp::EPOCH,
            was_live: false,
        }
    }

    pub(crate) fn state(&self) -> &State<V> {
        &self.state
    }

    /// Takes in what happened.
    pub(crate) fn on(&mut self, input: Input<V>, now: Timestamp) -> Vec<Effect<V>> {
        match input {
            Input::Version(version) => self.version(version),
            Input::Refused(reason) => self.refused(reason),
            Input::Disabled(reason) => self.stop(reason, Effect::Unload),
            Input::Removed => {
                let mut effects = self.stop("its file was deleted".into(), Effect::Unload);
                effects.push(Effect::Forget);
                effects
            }
            Input::Started => self.started(now),
            Input::NotStarted(reason) => self.not_started(reason),
            Input::Swapped => self.swapped(now),
            Input::NotSwapped(reason) => self.not_swapped(reason),
            Input::Faulted { reason, batches } => self.faulted(&reason, batches, now),
            Input::Due => self.due(now),
        }
    }

    fn version(&mut self, version: V) -> Vec<Effect<V>> {
        match self.state.clone() {
            State::Starting { .. } | State::Swapping { .. } => {
                self.next = Some(version);
                vec![]
            }
            State::Running { version: old } => {
                self.strikes = 0;
                self.state = State::Swapping { old, new: version.clone() };
                vec![Effect::Swap(version)]
            }
            State::Loading
            | State::Stopped { .. }
            | State::Backoff { .. }
            | State::Quarantined { .. } => {
                self.strikes = 0;
                self.start(version)
            }
        }
    }

    fn start(&mut self, version: V) -> Vec<Effect<V>> {
        self.state = State::Starting { version: version.clone() };
        vec![Effect::Start(version)]
    }

    fn refused(&mut self, reason: String) -> Vec<Effect<V>> {
        // What was to come next was in the file that is not there any more.
        self.next = None;
        match &self.state {
            State::Loading | State::Stopped { .. } | State::Quarantined { .. } => {
                self.state = State::Stopped { reason: reason.clone() };
            }
            State::Starting { .. }
            | State::Running { .. }
            | State::Swapping { .. }
            | State::Backoff { .. } => {}
        }
        vec![Effect::Tell(reason)]
    }

    /// Ends whatever there is.
    fn stop(&mut self, reason: String, how: Effect<V>) -> Vec<Effect<V>> {
        let under_way = matches!(self.state, State::Starting { .. } | State::Swapping { .. });
        let mut effects = if under_way { vec![Effect::Abandon] } else { vec![] };
        self.next = None;
        self.last_good = None;
        self.strikes = 0;
        self.state = State::Stopped { reason: reason.clone() };
        effects.push(how);
        if std::mem::take(&mut self.was_live) {
            effects.push(Effect::CancelOrders(reason));
        }
        effects
    }

    fn started(&mut self, now: Timestamp) -> Vec<Effect<V>> {
        let State::Starting { version } = self.state.clone() else { return vec![] };
        self.live(version, now)
    }

    fn swapped(&mut self, now: Timestamp) -> Vec<Effect<V>> {
        let State::Swapping { old, new } = self.state.clone() else { return vec![] };
        self.last_good = Some(old);
        self.live(new, now)
    }

    fn live(&mut self, version: V, now: Timestamp) -> Vec<Effect<V>> {
        self.was_live = true;
        self.last_trouble = self.last_trouble.max(now);
        self.state = State::Running { version };
        self.next()
    }

    fn next(&mut self) -> Vec<Effect<V>> {
        self.next.take().map_or_else(Vec::new, |next| self.version(next))
    }

    fn not_started(&mut self, reason: String) -> Vec<Effect<V>> {
        if !matches!(self.state, State::Starting { .. }) {
            return vec![];
        }
        if let Some(next) = self.next.take() {
            self.strikes = 0;
            return self.start(next);
        }
        let mut effects = vec![Effect::Tell(reason.clone())];
        effects.extend(self.stop_started(reason));
        effects
    }

    /// Stops where no start is under way any more.
    fn stop_started(&mut self, reason: String) -> Vec<Effect<V>> {
        self.state = State::Stopped { reason: reason.clone() };
        self.stop(reason, Effect::Unload)
    }

    fn not_swapped(&mut self, reason: String) -> Vec<Effect<V>> {
        let State::Swapping { old, .. } = self.state.clone() else { return vec![] };
        self.state = State::Running { version: old };
        let mut effects = vec![Effect::Tell(reason)];
        effects.extend(self.next());
        effects
    }

    fn faulted(&mut self, reason: &str, batches: u64, now: Timestamp) -> Vec<Effect<V>> {
        // Whatever comes next is not what the swap brought, or has run for long enough.
        let last_good = self.last_good.take().filter(|_| batches < PROBATION_BATCHES);
        let version = match self.state.clone() {
            State::Starting { version } | State::Running { version } => version,
            State::Swapping { new, .. } => {
                // The old one is gone before the new one could take over from it: what was to
                // replace it starts without its last moments.
                let new = self.next.take().unwrap_or(new);
                let mut effects = vec![Effect::Abandon];
                effects.extend(self.start(new));
                return effects;
            }
            State::Loading
            | State::Stopped { .. }
            | State::Backoff { .. }
            | State::Quarantined { .. } => {
                return vec![];
            }
        };
        if let Some(next) = self.next.take() {
            self.strikes = 0;
            return self.start(next);
        }
        if let Some(old) = last_good {
            self.last_trouble = now;
            self.state = State::Starting { version: old.clone() };
            return vec![Effect::RollBack(old, reason.to_owned())];
        }
        if now.since(self.last_trouble) >= HEALTHY_AFTER {
            self.strikes = 0;
        }
        self.last_trouble = now;
        self.strikes += 1;
        if self.strikes >= FAULTS_MAX {
            let reason = format!("quarantined after {} faults, the last: {reason}", self.strikes);
            let effects = self.stop_started(reason.clone());
            self.state = State::Quarantined { reason };
            return effects;
        }
        let until = now + (BACKOFF_STEP * self.strikes).min(BACKOFF_MAX);
        self.state = State::Backoff { version, until };
        vec![Effect::WakeAt(until)]
    }

    fn due(&mut self, now: Timestamp) -> Vec<Effect<V>> {
        match self.state.clone() {
            State::Backoff { version, until } if until <= now => self.start(version),
            State::Backoff { until, .. } => vec![Effect::WakeAt(until)],
            State::Loading
            | State::Stopped { .. }
            | State::Starting { .. }
            | State::Running { .. }
            | State::Swapping { .. }
            | State::Quarantined { .. } => vec![],
        }
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
