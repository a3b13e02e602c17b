//! Hours of the day and days of the week: parts of a span in which two clocks run side by side.

use chrono::{DateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use super::range::Span;

const HOUR: i32 = 3_600;

/// A part of a span in which no clock is turned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// From and to.
    pub(super) span: Span,
    /// How many seconds the asked clock is ahead of UTC.
    pub(super) east: i32,
    /// Whether full hours of both clocks begin together, so that an hour of the tenant's lies within
    /// one of the asked clock.
    pub(super) is_aligned: bool,
}

/// Cuts a span where either clock is turned.
pub(super) fn runs(span: Span, asked: Tz, tenant: Tz) -> Vec<Run> {
    let offsets = |at: DateTime<Utc>| (east(asked, at), east(tenant, at));
    let mut runs = Vec::new();
    let mut from = span.from;
    while from < span.to {
        let now = offsets(from);
        let to = next_turn(from, span.to, |at| offsets(at) != now);
        let is_aligned = (now.0 - now.1) % HOUR == 0;
        runs.push(Run { span: Span::new(from, to), east: now.0, is_aligned });
        from = to;
    }
    runs
}

fn east(zone: Tz, at: DateTime<Utc>) -> i32 {
    zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc()
}

/// When it is first turned after `from`, or `to`. Clocks are turned at full seconds, and none is turned
/// forth and back within a day.
fn next_turn(
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    is_turned: impl Fn(DateTime<Utc>) -> bool,
) -> DateTime<Utc> {
    let mut before = from;
    while before < to {
        let after = (before + TimeDelta::days(1)).min(to);
        if is_turned(after) {
            let at = |second| DateTime::from_timestamp(second, 0).unwrap_or(after);
            let (mut low, mut high) = (before.timestamp(), after.timestamp() + 1);
            while high - low > 1 {
                let middle = low.midpoint(high);
                if is_turned(at(middle)) { high = middle } else { low = middle }
            }
            return at(high).min(to);
        }
        before = after;
    }
    to
}

#[cfg(test)]
mod tests {
    use chrono_tz::{America, Asia, Australia};

    use super::*;

    fn year() -> Span {
        let at = |text: &str| text.parse().expect("a time");
        Span::new(at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"))
    }

    fn shown(asked: Tz, tenant: Tz) -> Vec<String> {
        let shown = |run: &Run| {
            format!("{} {} {}", run.span.to.format("%m-%dT%H"), run.east / 60, run.is_aligned)
        };
        runs(year(), asked, tenant).iter().map(shown).collect()
    }

    #[test]
    fn a_span_is_cut_where_either_clock_is_turned() {
        assert_eq!(shown(Tz::UTC, Asia::Kolkata), ["01-01T00 0 false"]);
        assert_eq!(shown(Asia::Kolkata, Asia::Kolkata), ["01-01T00 330 true"]);
        assert_eq!(
            shown(America::New_York, Tz::UTC),
            ["03-08T07 -300 true", "11-01T06 -240 true", "01-01T00 -300 true"]
        );
        assert_eq!(
            shown(Tz::UTC, Australia::Lord_Howe),
            ["04-04T15 0 true", "10-03T15 0 false", "01-01T00 0 true"]
        );
    }
}
