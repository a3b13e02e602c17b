//! Captures everything the servers of this process log, at the finest level, for tests to search.

use std::io::Write;
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;

static LINES: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Sink;

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LINES.lock().expect("nothing panics while holding it").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Installs the subscriber that keeps the log lines in memory.
pub(crate) fn capture() {
    let filter = EnvFilter::new(
        "debug,server=trace,ledger_store=trace,projections=trace,hyper=info,h2=info,reqwest=info",
    );
    let started =
        tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(|| Sink).try_init();
    drop(started);
}

/// Returns everything logged so far.
///
/// # Panics
/// Never: no code panics while the lock is held.
#[must_use]
pub fn logged() -> String {
    let lines = LINES.lock().expect("nothing panics while holding it");
    String::from_utf8_lossy(&lines).into_owned()
}
