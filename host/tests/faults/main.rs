//! The fault simulator: the host's desk, journal, REST client and feed against the practice
//! exchange, on a simulated network, disk and clock. One seed is one history, the same each time.
//!
//! `SEEDS` and `FIRST` say which seeds, `MUTANT` switches a promise off, `TELL` prints what
//! happens. The last line counts; a seed that breaks a promise is printed with how.
//!
//! - `world` runs a seed, `workload` is what happens in it, `auditor` what must hold;
//! - `host` is one life of the host; `network`, `socket`, `journal` are its seams;
//! - `exchange` is the other side, `facts` what was seen at the seams;
//! - `mutants` shows that the simulator can fail.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]
#![allow(unreachable_pub, reason = "modules of one test")]

mod auditor;
mod exchange;
mod facts;
mod floor;
mod host;
mod journal;
mod mutants;
mod network;
mod socket;
mod workload;
mod world;

use std::cell::Cell;
use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use facts::{Broken, Promise};
use hotpit_exchange::server::credentials::{KeyKind, generate_credentials};
use mutants::Mutant;
use world::World;

/// How many seeds `cargo test` runs.
const SEEDS: u64 = 100;

/// Within how many seeds a mutant must be found.
const MUTANT_SEEDS: u64 = 100;

/// A key pair, as text.
struct Key {
    id: String,
    private: String,
    public: String,
}

/// What was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Counts {
    seeds: u64,
    steps: u64,
    orders: u64,
    unknown: u64,
    killed: u64,
    trace: u64,
    lost: u64,
    doubled: u64,
    uncounted: u64,
    mismatched: u64,
}

impl Counts {
    fn add(&mut self, seed: Result<Self, Broken>) {
        self.seeds += 1;
        match seed {
            Ok(counts) => {
                self.steps += counts.steps;
                self.orders += counts.orders;
                self.unknown += counts.unknown;
                self.killed += counts.killed;
            }
            Err(broken) => match broken.promise {
                Promise::Lost => self.lost += 1,
                Promise::Doubled => self.doubled += 1,
                Promise::Uncounted => self.uncounted += 1,
                Promise::Mismatched => self.mismatched += 1,
            },
        }
    }

    const fn broken(&self) -> u64 {
        self.lost + self.doubled + self.uncounted + self.mismatched
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seeds, steps, orders, unknown, killed, .. } = self;
        let Self { lost, doubled, uncounted, mismatched, .. } = self;
        write!(
            f,
            "seeds={seeds} steps={steps} orders={orders} unknown={unknown} killed={killed} \
             lost={lost} doubled={doubled} uncounted={uncounted} mismatched={mismatched}"
        )
    }
}

thread_local! {
    /// A task of this thread's seed panicked: a defect, whoever notices. (What dies because its
    /// host is killed does not say so.)
    static PANICKED: Cell<bool> = const { Cell::new(false) };
}

fn main() -> ExitCode {
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICKED.set(true);
        told(panic);
    }));
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (seeds, first) = (number("SEEDS").unwrap_or(SEEDS), number("FIRST").unwrap_or(1));
    let is_told = std::env::var_os("TELL").is_some();
    let key = Arc::new(make_key());
    if let Some(name) = std::env::var("MUTANT").ok().filter(|name| !name.is_empty()) {
        let mutant = Mutant::named(&name).expect("MUTANT is write-ahead, id-reuse or unknown");
        let counts = run_seeds(first, seeds, &key, Some(mutant), is_told);
        println!("{counts}");
        return if counts.broken() > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    let counts = run_seeds(first, seeds, &key, None, is_told);
    println!("{counts}");
    let is_clean = counts.broken() == 0;
    // What `cargo test` runs beyond the seeds; whoever asks for seeds gets these alone.
    let shows_more = std::env::var_os("SEEDS").is_none();
    if is_clean && (!shows_more || (is_repeatable(&key) && finds_mutants(&key))) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn make_key() -> Key {
    let folder = tempfile::tempdir().unwrap();
    let made = generate_credentials(folder.path(), KeyKind::Ed25519).unwrap();
    let private = std::fs::read_to_string(&made.private_key).unwrap();
    let public = made.public_key_pem().unwrap();
    Key { id: "00000000-0000-4000-8000-000000000000".to_owned(), private, public }
}

/// Runs seeds on as many threads as there are processors, and prints those that break a promise.
fn run_seeds(
    first: u64,
    seeds: u64,
    key: &Arc<Key>,
    mutant: Option<Mutant>,
    is_told: bool,
) -> Counts {
    let next = AtomicU64::new(first);
    let counts = Mutex::new(Counts::default());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + seeds {
                        return;
                    }
                    let outcome = run_seed(seed, key, mutant, is_told);
                    if let Err(broken) = &outcome {
                        println!("seed {seed}: {broken}");
                    }
                    counts.lock().unwrap().add(outcome);
                }
            });
        }
    });
    counts.into_inner().unwrap()
}

fn run_seed(
    seed: u64,
    key: &Arc<Key>,
    mutant: Option<Mutant>,
    is_told: bool,
) -> Result<Counts, Broken> {
    let memory = PathBuf::from("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let folder = folder.unwrap();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    let local = tokio::task::LocalSet::new();
    let world = World::run(seed, Arc::clone(key), folder.path(), mutant, is_told);
    PANICKED.set(false);
    let outcome = local.block_on(&runtime.unwrap(), world);
    if PANICKED.get() {
        let how = "a task panicked".to_owned();
        return Err(Broken { promise: Promise::Lost, how });
    }
    outcome
}

/// The same seed twice is the same history, to the last nanosecond.
fn is_repeatable(key: &Arc<Key>) -> bool {
    let [once, again] = [(); 2].map(|()| run_seed(3, key, None, false));
    let (once, again) = (once.unwrap(), again.unwrap());
    let is_same = once == again;
    if !is_same {
        println!("seed 3 is not the same twice: {once:?}, {again:?}");
    }
    is_same
}

/// Each promise that is switched off is missed within a few seeds.
fn finds_mutants(key: &Arc<Key>) -> bool {
    Mutant::ALL.into_iter().all(|mutant| {
        let found = (1..=MUTANT_SEEDS).find_map(|seed| {
            run_seed(seed, key, Some(mutant), false).err().map(|broken| (seed, broken))
        });
        match found {
            Some((seed, broken)) => {
                println!("without {}: found at seed {seed}: {broken}", mutant.name());
                true
            }
            None => {
                println!("without {}: not found in {MUTANT_SEEDS} seeds", mutant.name());
                false
            }
        }
    })
}
