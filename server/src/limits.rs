//! Resource limits for each client and for the process: everything that grows with the number of clients, or
//! waits for a slow one, has a bound here.

use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// File descriptors kept free for other uses than connections: the database, the keyring, logs.
const OTHER_FILES: u64 = 256;

/// The bounds of a server.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The largest accepted webhook body, in bytes.
    pub max_body: usize,
    /// Memory budget for webhook bodies in flight from authenticated senders, in KiB. Unauthenticated senders
    /// have a third of it, and each budget has a reserve for small bodies: see [`crate::ingest::Rooms`].
    pub room: usize,
    /// Maximum number of open connections; further ones are answered 503.
    pub connections: usize,
    /// Timeout of the request head, and of an idle connection.
    pub head_patience: Duration,
    /// Timeout of a webhook's body.
    pub body_patience: Duration,
    /// Write timeout: the longest time a client may read nothing of its answer.
    pub answer_patience: Duration,
    /// Maximum time of a request, without the time to stream its answer.
    pub request_patience: Duration,
    /// Searches by number or e-mail address for each key and minute.
    pub lookups: u32,
    /// Drain time at shutdown: requests still in flight afterwards are answered 503. Containers are usually
    /// killed 30 seconds after the stop signal.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body: 5_000_000,
            // Four of the largest bodies, or thousands of usual ones. A body needs about eight times its
            // length in memory until it is stored.
            room: 20 << 10,
            connections: 4_000,
            head_patience: Duration::from_secs(30),
            body_patience: Duration::from_secs(20),
            answer_patience: Duration::from_secs(30),
            // A webhook's body and its append have 20 seconds each.
            request_patience: Duration::from_secs(45),
            lookups: 600,
            drain: Duration::from_secs(20),
        }
    }
}

impl Limits {
    /// The default bounds with bodies of at most `max_body` bytes.
    #[must_use]
    pub fn with_max_body(max_body: usize) -> Self {
        Self { max_body, ..Self::default() }
    }

    /// Reduces the number of connections to what the limit of open files allows, since a connection that
    /// cannot be accepted gets no answer. Raises the soft limit up to the hard limit first.
    #[must_use]
    pub fn within_open_files(self) -> Self {
        let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return self };
        let wanted = self.connections as u64 + OTHER_FILES;
        let raised = wanted.min(hard);
        let files = match setrlimit(Resource::RLIMIT_NOFILE, raised.max(soft), hard) {
            Ok(()) => raised.max(soft),
            Err(_) => soft,
        };
        let room = usize::try_from(files.saturating_sub(OTHER_FILES)).unwrap_or(usize::MAX);
        Self { connections: self.connections.min(room.max(1)), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_everything_else() {
        let limits = Limits { connections: usize::MAX >> 1, ..Limits::default() };
        let within = limits.within_open_files().connections as u64;
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("the system tells");
        assert!(
            soft <= hard && (within == 1 || within + OTHER_FILES <= soft),
            "{within} of {soft}"
        );
    }
}
