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
    /// have a third of it, and each budget has a reserve for small bodies: see [`crate::ingest::BodyBudgets`].
    pub body_budget_kib: usize,
    /// How long a large body waits for the budget before it is read; after that it is answered 503.
    pub body_budget_timeout: Duration,
    /// Maximum number of open connections. A further one replaces a silent connection, otherwise it
    /// is answered 503. Each address can have at most as many unauthenticated connections as are
    /// free.
    pub connections: usize,
    /// Timeout of the request head, and of an idle connection.
    pub head_timeout: Duration,
    /// Timeout of a webhook's body.
    pub body_timeout: Duration,
    /// Write timeout: the longest time a client may read nothing of its answer.
    pub write_timeout: Duration,
    /// Maximum time of a request, without the time to stream its answer.
    pub request_timeout: Duration,
    /// Searches by number or e-mail address for each key and minute.
    pub lookups: u32,
    /// Time after a tool call with an unknown outcome until it is looked up and gets a follow-up task. It is
    /// longer than an append can be under way.
    pub follow_up_delay: Duration,
    /// Drain time at shutdown: requests still in flight afterwards are answered 503. Containers are usually
    /// killed 30 seconds after the stop signal.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body: 5_000_000,
            // Three bodies of the maximum size, or thousands of the usual size. A body takes about
            // seven times its length in memory until it is stored; further bodies wait.
            body_budget_kib: 16 << 10,
            // Platforms wait 20 seconds for a response.
            body_budget_timeout: Duration::from_secs(10),
            connections: 4_000,
            head_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(20),
            write_timeout: Duration::from_secs(30),
            // A webhook's body and its append have 20 seconds each.
            request_timeout: Duration::from_secs(45),
            lookups: 600,
            // An append waits 20 seconds for the database at most.
            follow_up_delay: Duration::from_secs(30),
            drain: Duration::from_secs(20),
        }
    }
}

impl Limits {
    /// Returns the default limits with bodies of at most `max_body` bytes. The budget for
    /// unauthenticated senders holds at least one such body.
    #[must_use]
    pub fn with_max_body(max_body: usize) -> Self {
        let usual = Self::default();
        let body_budget_kib = usual.body_budget_kib.max(3 * (max_body / 1024 + 1));
        Self { max_body, body_budget_kib, ..usual }
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
        let free_files = usize::try_from(files.saturating_sub(OTHER_FILES)).unwrap_or(usize::MAX);
        Self { connections: self.connections.min(free_files.max(1)), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_third_of_the_room_holds_the_largest_body() {
        for max_body in [1_000, 5_000_000, 16_000_000] {
            let limits = Limits::with_max_body(max_body);
            assert!(limits.body_budget_kib / 3 * 1024 >= max_body, "{limits:?}");
        }
    }

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
