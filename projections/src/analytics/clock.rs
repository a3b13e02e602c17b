//! Splits a span for grouping by hour of the day or day of the week: each part has one constant UTC
//! offset in both time zones.

use chrono::{DateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use super::range::Span;

const HOUR: i32 = 3_600;

/// A part of a span in which neither time zone changes its UTC offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OffsetPart {
    /// Start (inclusive) and end (exclusive).
    pub(super) span: Span,
    /// UTC offset of the query's time zone, in seconds.
    pub(super) offset_s: i32,
    /// True if full hours begin at the same instants in both time zones, so that each hour of the
    /// tenant's zone is within one hour of the query's zone.
    pub(super) is_aligned: bool,
}

/// Splits a span at every offset change of either time zone.
pub(super) fn split_at_offset_changes(span: Span, query_zone: Tz, tenant: Tz) -> Vec<OffsetPart> {
    let offsets = |at: DateTime<Utc>| (offset_s(query_zone, at), offset_s(tenant, at));
    let mut runs = Vec::new();
    let mut from = span.from;
    while from < span.to {
        let now = offsets(from);
        let to = next_offset_change(from, span.to, |at| offsets(at) != now);
        let is_aligned = (now.0 - now.1) % HOUR == 0;
        runs.push(OffsetPart { span: Span::new(from, to), offset_s: now.0, is_aligned });
        from = to;
    }
    runs
}

fn offset_s(zone: Tz, at: DateTime<Utc>) -> i32 {
    zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc()
}

/// Returns the first offset change after `from`, or `to` if there is none. Finds it by bisection
/// within a day: offsets change at full seconds, and no zone changes back within the same day.
fn next_offset_change(
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    is_changed: impl Fn(DateTime<Utc>) -> bool,
) -> DateTime<Utc> {
    let mut before = from;
    while before < to {
        let after = (before + TimeDelta::days(1)).min(to);
        if is_changed(after) {
            let at = |second| DateTime::from_timestamp(second, 0).unwrap_or(after);
            let (mut low, mut high) = (before.timestamp(), after.timestamp() + 1);
            while high - low > 1 {
                let middle = low.midpoint(high);
                if is_changed(at(middle)) { high = middle } else { low = middle }
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

    fn shown(query_zone: Tz, tenant: Tz) -> Vec<String> {
        let shown = |run: &OffsetPart| {
            format!("{} {} {}", run.span.to.format("%m-%dT%H"), run.offset_s / 60, run.is_aligned)
        };
        split_at_offset_changes(year(), query_zone, tenant).iter().map(shown).collect()
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
