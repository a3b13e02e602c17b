//! Time as an argument. The system clock lives in `server`, a manual one in `tests`.

use chrono::{DateTime, SubsecRound, Utc};

/// Tells the time. Everything that needs "now" takes one of these.
pub trait Clock: Send + Sync {
    /// The present moment, in UTC.
    fn now(&self) -> DateTime<Utc>;

    /// The present moment cut to microseconds, which is what PostgreSQL keeps. Anything that is
    /// hashed or compared after a round trip must be cut before.
    fn now_micros(&self) -> DateTime<Utc> {
        self.now().trunc_subsecs(6)
    }
}
