//! [`Replay`]: agents fed from a recording, on one thread, in the recording's own time, with a desk
//! that answers nothing.
//!
//! The same code as in a running host turns messages into books and events, and calls the agent;
//! only what a thread or a clock would decide is decided here: each message is a batch of its own,
//! and a wake time comes exactly when it is due. So the same recording and the same agents give the
//! same actions, on every machine. Nothing is filled, and nothing is refused.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use hotpit_rt::{Clock, ClockHand};
use hotpit_units::Timestamp;

use super::batch;
use super::bindings::types;
use super::check::TrialError;
use super::engine::AgentEngine;
use super::fault::Fault;
use super::instance::{Instance, View, World};
use super::items::{Item, Slot};
use super::loader::Loader;
use super::mailbox::{Bounds, Mailbox};
use super::options::Options;
use super::router::Router;
use super::scope::Scope;
use super::settings::Settings;
use super::version::{Plan, describe};
use crate::bus::Message;
use crate::cache::Cache;
use crate::feeds::Wanted;
use crate::model::{Action, AgentId};

/// How many times its usual time an agent may take: how fast this machine is must not decide what
/// comes out.
const PATIENCE: u64 = 100;

/// What an agent did.
#[derive(Debug)]
pub enum Did {
    /// It wanted this, in answer to the batch.
    Action(Action),
    /// It faulted, and hears nothing any more.
    Fault(String),
    /// It does not start.
    NotStarted(String),
}

/// Agents in the world of a recording.
pub struct Replay {
    cache: Arc<Cache>,
    router: Router,
    hand: ClockHand,
    now: Timestamp,
    loader: Loader,
    world: World,
    settings: Settings,
    players: Vec<Player>,
    /// Wake times to come, with the agent's place.
    timers: BTreeSet<(Timestamp, usize)>,
    items: Vec<Item>,
    events: Vec<types::Event>,
}

struct Player {
    agent: AgentId,
    plan: Plan,
    /// None: not started yet, or over.
    instance: Option<Instance>,
    is_started: bool,
    mailbox: Arc<Mailbox>,
}

impl Replay {
    /// An empty world, at no time.
    ///
    /// # Errors
    /// When this machine runs no wasm.
    pub fn new(settings: Settings) -> Result<Self, TrialError> {
        let (clock, hand) = Clock::settable();
        let cache = Arc::<Cache>::default();
        let engine = Arc::new(AgentEngine::new()?);
        let world =
            World { cache: Arc::clone(&cache), clock, state_bytes_max: settings.state_bytes_max() };
        Ok(Self {
            router: Router::new(Arc::clone(&cache), clock, Wanted::default()),
            cache,
            hand,
            now: Timestamp::EPOCH,
            loader: Loader::new(engine, settings.file_bytes_max())
                .with_cache_of_host(&settings.state_folder),
            world,
            settings,
            players: vec![],
            timers: BTreeSet::new(),
            items: vec![],
            events: vec![],
        })
    }

    /// Adds an agent, with the options that stand beside it. It starts with the first message.
    ///
    /// # Errors
    /// When the file is no agent, or the options do not fit it.
    pub fn add(
        &mut self,
        agent: AgentId,
        wasm: &[u8],
        options: Option<&str>,
    ) -> Result<(), TrialError> {
        let mut budget = self.settings.budget;
        for ms in [&mut budget.batch_ms, &mut budget.start_ms, &mut budget.save_ms] {
            *ms = ms.saturating_mul(PATIENCE);
        }
        if self.players.iter().any(|player| player.agent == agent) {
            let twice = format!("there are two agents `{agent}`: rename one file");
            return Err(TrialError::Start(twice));
        }
        let together = |problems: Vec<String>| TrialError::Start(problems.join("; "));
        let options = match options {
            Some(text) => Options::parse(text, budget).map_err(together)?,
            None => Options::new(budget),
        };
        let prepared = self.loader.prepare(wasm)?;
        let manifest = describe(&prepared, &agent, budget, &self.world)?;
        let plan = Plan::new(&manifest, options).map_err(together)?;
        let instance = Instance::new(&prepared, &agent, plan.budget, &self.world)?;
        let bounds = Bounds { events: usize::MAX, notices: usize::MAX, timers: usize::MAX };
        let slot = Slot(u64::try_from(self.players.len()).unwrap_or(u64::MAX));
        let mailbox = Arc::new(Mailbox::new(slot, Arc::default(), bounds));
        self.router.add(&agent, &mailbox, &plan.subscriptions);
        let instance = Some(instance);
        self.players.push(Player { agent, plan, instance, is_started: false, mailbox });
        Ok(())
    }

    /// The books, markets and games as they are now.
    #[must_use]
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Plays a message that came at this time: first what is due before it. `did` hears what each
    /// agent did, and when.
    pub fn hear(
        &mut self,
        message: &Message,
        received: Timestamp,
        did: &mut impl FnMut(Timestamp, &AgentId, Did),
    ) {
        let received = received.max(self.now);
        while let Some((due, place)) = self.timers.first().copied().filter(|it| it.0 <= received) {
            self.timers.pop_first();
            self.set(due);
            self.batch(place, did);
        }
        self.set(received);
        if let Some(change) = self.cache.apply(message, received) {
            self.router.route(&change);
        }
        for place in 0..self.players.len() {
            self.batch(place, did);
        }
    }

    fn set(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        self.hand.set(self.now);
    }

    /// Has an agent start if it has not, and hear what waits for it.
    fn batch(&mut self, place: usize, did: &mut impl FnMut(Timestamp, &AgentId, Did)) {
        let now = self.now;
        let Some(player) = self.players.get_mut(place) else { return };
        let Some(mut instance) = player.instance.take() else { return };
        let mut is_first = !player.is_started;
        if is_first {
            player.is_started = true;
            let scope = Arc::new(Scope::resolve(&player.plan.subscriptions, &self.cache));
            let view = View { now, scope, account: player.mailbox.view().1 };
            instance = match instance.start(view, &player.plan.parameters, None) {
                Ok((instance, Ok(()))) => instance,
                Ok((_, Err(reason))) => return did(now, &player.agent, Did::NotStarted(reason)),
                Err(fault) => return did(now, &player.agent, Did::Fault(fault.to_string())),
            };
            player.mailbox.present();
        }
        loop {
            let most = usize::try_from(self.settings.batch_events_max).unwrap_or(usize::MAX);
            let taken = player.mailbox.take(most, now, &mut self.items);
            batch::build(&mut self.items, &taken.timers, &self.cache, now, &mut self.events);
            if self.events.is_empty() && !is_first {
                break;
            }
            is_first = false;
            let view = View { now, scope: taken.scope, account: taken.account };
            let result: Result<_, Fault> = instance.on_events(view, &self.events);
            self.events.clear();
            let (goes_on, actions) = match result {
                Ok(result) => result,
                Err(fault) => return did(now, &player.agent, Did::Fault(fault.to_string())),
            };
            instance = goes_on;
            for action in actions {
                if let Action::WakeAt(at) = action {
                    if player.mailbox.add_timer(at) {
                        self.timers.insert((at.max(now + Duration::from_millis(1)), place));
                    }
                } else {
                    did(now, &player.agent, Did::Action(action));
                }
            }
        }
        player.instance = Some(instance);
    }
}
