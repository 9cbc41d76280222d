//! What agents log, for tests that ask an agent what it was told.

#![allow(unreachable_pub, reason = "each test that includes this uses its own part")]

use std::io::{self, Write};
use std::sync::{Arc, Mutex, OnceLock};

use tracing_subscriber::EnvFilter;

/// All that was logged in this process.
#[derive(Clone, Default)]
struct Logs(Arc<Mutex<Vec<u8>>>);

static LOGS: OnceLock<Logs> = OnceLock::new();

impl Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Keeps the lines of agents from now on.
pub fn keep() {
    LOGS.get_or_init(|| {
        let logs = Logs::default();
        let writer = logs.clone();
        let _ = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new("off,agent=info"))
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .try_init();
        logs
    });
}

/// The lines of an agent so far, without time and level. Its name must be of one test alone.
pub fn lines_of(agent: &str) -> Vec<String> {
    let logs = LOGS.get().expect("logs are kept");
    let text = String::from_utf8(logs.0.lock().unwrap().clone()).unwrap();
    let name = format!(" agent={agent}");
    let own = |line: &str| {
        let (_, message) = line.split_once(" agent: ")?;
        message.strip_suffix(&name).map(str::to_owned)
    };
    text.lines().filter_map(own).collect()
}
