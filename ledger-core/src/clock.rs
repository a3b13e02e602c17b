//! Time as an argument. The system clock is in `server`, a manual clock in `tests`.

use chrono::{DateTime, DurationRound, SubsecRound, TimeDelta, Utc};

/// A source of the current time. Every function that needs "now" takes one as an argument.
pub trait Clock: Send + Sync {
    /// Returns the current time in UTC.
    fn now(&self) -> DateTime<Utc>;

    /// Returns the current time cut to microseconds, the precision of PostgreSQL. A time must be
    /// cut before it is hashed, or compared after a round trip through the database.
    fn now_micros(&self) -> DateTime<Utc> {
        self.now().trunc_subsecs(6)
    }
}

/// A monotonic time along the log of one tenant, in whole milliseconds (the precision of the API).
///
/// A server reads its clock before it seals and appends, and the clocks of servers differ, so
/// recording times are not in the order of positions. Log time is a function of the log up to a
/// position. At each position it is at least one millisecond later than at the position before, and
/// never earlier than any recording time up to there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogTime(Option<DateTime<Utc>>);

impl LogTime {
    /// Continues after a position with a known log time.
    #[must_use]
    pub const fn at(time: DateTime<Utc>) -> Self {
        Self(Some(time))
    }

    /// Returns the log time of the next position; `recorded_at` is the recording time of its event.
    pub fn advance(&mut self, recorded_at: DateTime<Utc>) -> DateTime<Utc> {
        let milli = TimeDelta::milliseconds(1);
        let recorded_at = recorded_at.duration_round_up(milli).unwrap_or(recorded_at);
        let next = self.0.and_then(|last| last.checked_add_signed(milli));
        let time = next.map_or(recorded_at, |next| next.max(recorded_at));
        self.0 = Some(time);
        time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(recorded: &[&str]) -> Vec<String> {
        let mut time = LogTime::default();
        let passed = recorded.iter().map(|at| time.advance(at.parse().expect("a time")));
        passed.map(|at| at.format("%M:%S%.f").to_string()).collect()
    }

    #[test]
    fn log_time_is_strictly_increasing() {
        let recorded = [
            "2026-03-10T15:00:05.000100Z",
            "2026-03-10T15:00:00.5Z", // another server, five seconds behind
            "2026-03-10T15:00:00.5Z",
            "2026-03-10T15:00:05.003Z", // the first server again
            "2026-03-10T15:00:09Z",
        ];
        assert_eq!(times(&recorded), ["00:05.001", "00:05.002", "00:05.003", "00:05.004", "00:09"]);
    }

    #[test]
    fn log_time_continued_from_any_position_is_the_same() {
        let at = |micros: i64| {
            DateTime::from_timestamp_micros(1_773_154_800_000_000 + micros).expect("a time")
        };
        let recorded: Vec<_> = [0, 700, 1_400, -5_000, 900, 900_000].map(at).to_vec();
        let mut whole = LogTime::default();
        let all: Vec<_> = recorded.iter().map(|at| whole.advance(*at)).collect();
        for from in 1..recorded.len() {
            let mut part = LogTime::at(all[from - 1]);
            let rest: Vec<_> = recorded[from..].iter().map(|at| part.advance(*at)).collect();
            assert_eq!(rest, all[from..]);
        }
    }
}
