//! Periods of time without their end, unlimited on either side or both.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};

/// A period that includes its beginning and not its end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Period {
    from: Option<DateTime<Utc>>,
    end: Option<DateTime<Utc>>,
}

/// An end that is not after the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the end of the period must be after its beginning")]
pub struct EmptyPeriod;

impl Period {
    /// The period of all times.
    pub const ALWAYS: Self = Self { from: None, end: None };

    /// Returns the period from `from` until just before `end`; `None` for no limit.
    ///
    /// # Errors
    /// [`EmptyPeriod`] if no time is in it.
    pub fn new(
        from: Option<DateTime<Utc>>,
        end: Option<DateTime<Utc>>,
    ) -> Result<Self, EmptyPeriod> {
        match (from, end) {
            (Some(from), Some(end)) if end <= from => Err(EmptyPeriod),
            _ => Ok(Self { from, end }),
        }
    }

    /// The first time of the period; `None` for no limit.
    #[must_use]
    pub const fn from(&self) -> Option<DateTime<Utc>> {
        self.from
    }

    /// The first time after the period; `None` for no limit.
    #[must_use]
    pub const fn end(&self) -> Option<DateTime<Utc>> {
        self.end
    }

    /// Returns whether some time is in both periods.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let begins_before = |from: Option<DateTime<Utc>>, end: Option<DateTime<Utc>>| {
            from.zip(end).is_none_or(|(from, end)| from < end)
        };
        begins_before(self.from, other.end) && begins_before(other.from, self.end)
    }

    /// Returns whether each time of the other period is in this one.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        let begins = self.from.is_none_or(|from| other.from.is_some_and(|other| from <= other));
        let ends = self.end.is_none_or(|end| other.end.is_some_and(|other| other <= end));
        begins && ends
    }

    /// Returns the part before `at`; `None` if there is no such part.
    #[must_use]
    pub fn until(&self, at: DateTime<Utc>) -> Option<Self> {
        let end = self.end.map_or(at, |end| end.min(at));
        Self::new(self.from, Some(end)).ok()
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        match (self.from, self.end) {
            (None, None) => f.write_str("without a limit"),
            (Some(from), None) => write!(f, "from {}", text(from)),
            (None, Some(end)) => write!(f, "until {}", text(end)),
            (Some(from), Some(end)) => write!(f, "from {} until {}", text(from), text(end)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).expect("a time")
    }

    fn periods() -> Vec<Period> {
        let limits = || [None].into_iter().chain((0..5).map(|second| Some(at(second))));
        let pairs = limits().flat_map(|from| limits().map(move |end| (from, end)));
        pairs.filter_map(|(from, end)| Period::new(from, end).ok()).collect()
    }

    /// Whether a time is in the period, by its definition.
    fn has(period: Period, time: DateTime<Utc>) -> bool {
        period.from.is_none_or(|from| from <= time) && period.end.is_none_or(|end| time < end)
    }

    #[test]
    fn a_period_without_a_time_is_refused() {
        assert_eq!(Period::new(Some(at(1)), Some(at(1))), Err(EmptyPeriod));
        assert_eq!(Period::new(Some(at(1)), Some(at(0))), Err(EmptyPeriod));
        assert!(Period::new(Some(at(0)), Some(at(1))).is_ok());
    }

    #[test]
    fn overlap_containment_and_parts_agree_with_the_times_in_the_periods() {
        let times = || (-1..6).map(at);
        for one in periods() {
            for other in periods() {
                let shared = times().any(|time| has(one, time) && has(other, time));
                assert_eq!(one.overlaps(&other), shared, "{one} and {other}");
                let within = times().all(|time| !has(other, time) || has(one, time));
                let is_limited = one.from.is_none() || other.from.is_some();
                let is_limited = is_limited && (one.end.is_none() || other.end.is_some());
                assert_eq!(one.contains(&other), within && is_limited, "{one} and {other}");
            }
            for end in times() {
                let part = one.until(end);
                for time in times() {
                    let expected = has(one, time) && time < end;
                    assert_eq!(part.is_some_and(|part| has(part, time)), expected, "{one}");
                }
            }
        }
    }
}
