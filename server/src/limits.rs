//! What one sender, and all of them together, may take of this process. Everything that could grow
//! with the number of senders, or wait for a slow one, is bounded here.

use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Files this process needs for other things than connections: the database, the keyring, logs.
const OTHER_FILES: u64 = 256;

/// The bounds of a server.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The largest webhook body taken, in bytes.
    pub max_body: usize,
    /// Kilobytes of webhook bodies under way together, of senders who showed their secret. Strangers
    /// have a third of it, and each has a reserve beside it: see [`crate::ingest::Rooms`].
    pub room: usize,
    /// How long a large body waits for room, before it is read and answered 503.
    pub room_patience: Duration,
    /// Open connections; one beyond them is answered 503, or takes the place of a silent one. Of those
    /// that have proved nothing each address has a quarter.
    pub connections: usize,
    /// How long the head of a request may take to arrive, and a connection stays open without one.
    pub head_patience: Duration,
    /// How long a webhook's body may take to arrive.
    pub body_patience: Duration,
    /// How long a client may take nothing of its answer.
    pub answer_patience: Duration,
    /// How long a request may take in all, but for what streams afterwards.
    pub request_patience: Duration,
    /// How many searches by number or e-mail address one key may make in a minute.
    pub lookups: u32,
    /// How long requests have to finish when the server is told to stop, before they are answered
    /// 503. A container is usually killed 30 seconds after it was told.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body: 5_000_000,
            // Three of the largest, thousands of usual ones: a body takes about seven times its length until
            // it is stored, and others wait for it.
            room: 16 << 10,
            // Platforms wait 20 seconds for an answer.
            room_patience: Duration::from_secs(10),
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
    /// The usual bounds around bodies of at most `max_body` bytes. A sender that has proved nothing finds
    /// room for one of them, too.
    #[must_use]
    pub fn with_max_body(max_body: usize) -> Self {
        let usual = Self::default();
        let room = usual.room.max(3 * (max_body / 1024 + 1));
        Self { max_body, room, ..usual }
    }

    /// These bounds, with no more connections than the system lets us have files open: one that
    /// cannot be accepted would get no answer at all. Raises the soft limit to what is allowed.
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
    fn a_third_of_the_room_holds_the_largest_body() {
        for max_body in [1_000, 5_000_000, 16_000_000] {
            let limits = Limits::with_max_body(max_body);
            assert!(limits.room / 3 * 1024 >= max_body, "{limits:?}");
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
