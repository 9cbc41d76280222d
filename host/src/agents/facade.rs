//! [`Agents`]: everything about agents behind one door.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hotpit_rt::Clock;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinHandle as TaskHandle};
use tokio::time::timeout;
use tracing::{error, warn};

use super::engine::{AgentEngine, EngineError};
use super::instance::World;
use super::jobs::write_states;
use super::loader::Loader;
use super::router::Router;
use super::run_queue::RunQueue;
use super::settings::Settings;
use super::state_files::StateFiles;
use super::status::{AgentStatus, Board};
use super::supervisor::{Inbox, Supervisor};
use super::timers::Timers;
use super::watcher::Watch;
use super::worker::{Surroundings, Workers};
use crate::cache::Cache;
use crate::desk::DeskSender;
use crate::feeds::Wanted;

/// Folder events, faults and states that may wait, each; who finds more waits.
const QUEUE: usize = 1_024;

/// How long an orderly end may take: agents save their states.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);

/// Why the agents cannot be run at all.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// There is no folder for agents, and it cannot be made.
    #[error("the agents' folder {folder} cannot be made: {error}")]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The machine gave no thread.
    #[error("no thread for agents: {0}")]
    Thread(io::Error),
}

/// What the agents work with.
#[derive(Clone)]
pub struct Resources {
    /// Books, markets and games.
    pub cache: Arc<Cache>,
    /// Where actions go.
    pub desk: DeskSender,
    /// What the feeds are to follow.
    pub wanted: Wanted,
    /// The time.
    pub clock: Clock,
}

/// The agents of this host.
pub struct Agents {
    router: Arc<Router>,
    board: Board,
    clock: Clock,
    shutdown: oneshot::Sender<()>,
    supervisor: TaskHandle<()>,
    states: TaskHandle<()>,
    background: Vec<AbortHandle>,
    workers: Arc<Workers>,
    // Last: nothing may run when it stops ticking.
    _engine: Arc<AgentEngine>,
}

impl Agents {
    /// Starts the worker threads and begins to watch the folder. Call it within a tokio runtime.
    ///
    /// # Errors
    /// When this machine cannot run agents. What is wrong with a single agent is no error here.
    pub fn start(settings: Settings, resources: Resources) -> Result<Self, StartError> {
        let Resources { cache, desk, wanted, clock } = resources;
        make_folder(&settings.folder)?;
        let engine = Arc::new(AgentEngine::new()?);
        let loader = Loader::new(Arc::clone(&engine), settings.file_bytes_max())
            .with_cache(&settings.state_folder);
        let loader = Arc::new(loader);
        let router = Arc::new(Router::new(Arc::clone(&cache), clock, wanted));
        let timers = Arc::new(Timers::default());
        let board = Board::default();
        let (fault_sender, faults) = mpsc::channel(QUEUE);
        let (found_sender, found) = mpsc::channel(QUEUE);
        let (state_sender, states) = mpsc::channel(QUEUE);
        let (shutdown_sender, shutdown) = oneshot::channel();
        let around = Surroundings {
            cache: Arc::clone(&cache),
            desk: desk.clone(),
            clock,
            timers: Arc::clone(&timers),
            faults: fault_sender,
            batch_events_max: usize::try_from(settings.batch_events_max).unwrap_or(usize::MAX),
            desk_wait: Duration::from_millis(settings.desk_wait_ms),
        };
        let count = settings.worker_count();
        let runs = Arc::new(RunQueue::new(count));
        let workers =
            Workers::start(Arc::clone(&runs), around, count).map_err(StartError::Thread)?;
        let files = StateFiles::new(&settings.state_folder);
        let watch = Watch {
            folder: settings.folder.clone(),
            settle: settings.settle(),
            rescan: Duration::from_millis(settings.rescan_ms),
            bytes_max: settings.file_bytes_max(),
        };
        let supervisor = Supervisor {
            world: World { cache, clock, state_bytes_max: settings.state_bytes_max() },
            settings,
            loader,
            router: Arc::clone(&router),
            desk,
            runs,
            files: files.clone(),
            states: state_sender,
            board: board.clone(),
        };
        let states = tokio::spawn(write_states(files, states));
        let supervisor = tokio::spawn(supervisor.run(Inbox { found, faults, shutdown }));
        let background = vec![
            tokio::spawn(watch.run(clock, found_sender)).abort_handle(),
            tokio::spawn(async move { timers.run(clock).await }).abort_handle(),
        ];
        Ok(Self {
            router,
            board,
            clock,
            shutdown: shutdown_sender,
            supervisor,
            states,
            background,
            workers,
            _engine: engine,
        })
    }

    /// Where changes of the cache and notices of the desk go in.
    #[must_use]
    pub fn router(&self) -> Arc<Router> {
        Arc::clone(&self.router)
    }

    /// What is known of each agent, by name.
    #[must_use]
    pub fn status(&self) -> Vec<AgentStatus> {
        self.board.read(self.clock.now())
    }

    /// Reads the status at any later time, also after a shutdown.
    pub fn status_reader(&self) -> impl Fn() -> Vec<AgentStatus> + Send + Sync + Clone + 'static {
        let (board, clock) = (self.board.clone(), self.clock);
        move || board.read(clock.now())
    }

    /// Saves every agent's state and ends the worker threads. Orders are left to the desk.
    pub async fn shutdown(self) {
        for task in &self.background {
            task.abort();
        }
        // The supervisor may have ended already, with a panic that was reported.
        let _ = self.shutdown.send(());
        let supervisor = self.supervisor.abort_handle();
        let is_late = timeout(SHUTDOWN_TIMEOUT, self.supervisor).await.is_err();
        if is_late {
            error!("the agents' supervisor does not end");
            // With it goes what sends states: those that it sent are still written.
            supervisor.abort();
        }
        if timeout(SHUTDOWN_TIMEOUT, self.states).await.is_err() {
            warn!("saved states are not all on disk");
        }
        let workers = self.workers;
        let joined = tokio::task::spawn_blocking(move || workers.join());
        match timeout(SHUTDOWN_TIMEOUT, joined).await {
            Ok(Ok(0)) => {}
            Ok(_) => error!("an agent worker had panicked"),
            Err(_) => error!("an agent worker does not end"),
        }
    }
}

fn make_folder(folder: &Path) -> Result<(), StartError> {
    std::fs::create_dir_all(folder)
        .map_err(|error| StartError::Folder { folder: folder.to_owned(), error })
}
