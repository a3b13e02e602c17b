//! Decomposes a span into whole months, days and hours of the tenant's time zone.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::range::Span;
use crate::calendar::Granularity;

/// A part of a decomposed span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RangePart {
    /// Granularity of the stored sums that cover this part: a run of whole hours, days or months.
    /// `None` for less than an hour of the tenant's zone, which is summed from individual calls.
    pub grain: Option<Granularity>,
    /// Start (inclusive) and end (exclusive).
    pub span: Span,
}

/// Decomposes a span into the fewest parts: months in the middle, then days, then hours, and a
/// fraction of an hour at either end. No granularity coarser than `coarsest` is used.
#[must_use]
pub fn decompose(span: Span, zone: Tz, coarsest: Granularity) -> Vec<RangePart> {
    let grains = [Granularity::Month, Granularity::Day, Granularity::Hour];
    let first = grains.iter().position(|grain| *grain <= coarsest).unwrap_or(grains.len());
    let mut segments = Vec::new();
    cut(span, zone, &grains[first..], &mut segments);
    segments
}

fn cut(span: Span, zone: Tz, grains: &[Granularity], segments: &mut Vec<RangePart>) {
    if span.is_empty() {
        return;
    }
    let Some((&grain, finer)) = grains.split_first() else {
        segments.push(RangePart { grain: None, span });
        return;
    };
    let (first, last) = (start_from(grain, zone, span.from), grain.start(zone, span.to));
    if first >= last {
        return cut(span, zone, finer, segments);
    }
    cut(Span::new(span.from, first), zone, finer, segments);
    segments.push(RangePart { grain: Some(grain), span: Span::new(first, last) });
    cut(Span::new(last, span.to), zone, finer, segments);
}

/// Returns the first start of a unit that is not before `at`.
fn start_from(grain: Granularity, zone: Tz, at: DateTime<Utc>) -> DateTime<Utc> {
    if grain.start(zone, at) == at { at } else { grain.next(zone, at) }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use chrono_tz::{Africa, America, Asia, Australia, Europe, Pacific};
    use proptest::prelude::*;

    use super::super::clock::split_at_offset_changes;
    use super::super::range::Range;
    use super::*;

    const ZONES: [Tz; 10] = [
        Tz::UTC,
        America::New_York,
        America::Santiago,
        America::St_Johns,
        Africa::Casablanca,
        Asia::Kathmandu,
        Asia::Kolkata,
        Australia::Lord_Howe,
        Europe::Dublin,
        Pacific::Chatham,
    ];

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    fn shown(zone: Tz, from: &str, to: &str) -> Vec<String> {
        let parts = decompose(Span::new(at(from), at(to)), zone, Granularity::Month);
        let shown = |segment: &RangePart| {
            let local = |at: DateTime<Utc>| at.with_timezone(&zone).format("%m-%dT%H:%M");
            let grain = segment.grain.map_or("call", Granularity::as_str);
            format!("{grain} {} {}", local(segment.span.from), local(segment.span.to))
        };
        parts.iter().map(shown).collect()
    }

    #[test]
    fn a_range_is_months_in_the_middle_and_finer_towards_its_ends() {
        assert_eq!(
            shown(Tz::UTC, "2026-01-30T22:15:00Z", "2026-04-02T01:30:00Z"),
            [
                "call 01-30T22:15 01-30T23:00",
                "hour 01-30T23:00 01-31T00:00",
                "day 01-31T00:00 02-01T00:00",
                "month 02-01T00:00 04-01T00:00",
                "day 04-01T00:00 04-02T00:00",
                "hour 04-02T00:00 04-02T01:00",
                "call 04-02T01:00 04-02T01:30",
            ]
        );
    }

    #[test]
    fn whole_days_of_another_zone_are_hours_or_less_of_the_tenants() {
        assert_eq!(
            shown(America::New_York, "2026-03-08T00:00:00Z", "2026-03-09T00:00:00Z"),
            ["hour 03-07T19:00 03-08T20:00"]
        );
        assert_eq!(
            shown(Asia::Kolkata, "2026-03-08T00:00:00Z", "2026-03-09T00:00:00Z"),
            [
                "call 03-08T05:30 03-08T06:00",
                "hour 03-08T06:00 03-09T05:00",
                "call 03-09T05:00 03-09T05:30",
            ]
        );
    }

    #[test]
    fn all_the_time_there_is_takes_a_handful_of_parts() {
        for zone in ZONES {
            let parts = decompose(Range::always(), zone, Granularity::Month);
            assert!(parts.len() <= 7, "{zone}: {parts:?}");
            assert!(parts.iter().any(|part| part.grain == Some(Granularity::Month)));
        }
    }

    /// Asserts that the parts are adjacent, that each consists of whole units, and that none could
    /// use a coarser unit.
    fn assert_covers(span: Span, zone: Tz, coarsest: Granularity) {
        let parts = decompose(span, zone, coarsest);
        let mut end = span.from;
        for part in &parts {
            assert_eq!(part.span.from, end, "{zone} {span:?}");
            assert!(part.span.from < part.span.to);
            end = part.span.to;
            if let Some(grain) = part.grain {
                assert_eq!(grain.start(zone, part.span.from), part.span.from, "{zone} {part:?}");
                assert_eq!(grain.start(zone, part.span.to), part.span.to, "{zone} {part:?}");
            }
            for coarser in Granularity::ALL {
                if coarser <= coarsest && part.grain.is_none_or(|grain| coarser > grain) {
                    let first = start_from(coarser, zone, part.span.from);
                    assert!(coarser.next(zone, first) > part.span.to, "{zone} {part:?}");
                }
            }
        }
        assert_eq!(end, span.to, "{zone} {span:?}");
        assert!(parts.len() <= 7, "{zone} {parts:?}");
    }

    /// Instants near offset changes or anywhere else, at several step widths.
    fn instant() -> impl Strategy<Value = DateTime<Utc>> {
        let (first, last) = (at("2024-12-15T00:00:00Z"), at("2027-02-01T00:00:00Z"));
        let seconds = (last - first).num_seconds();
        let step = prop::sample::select(vec![1_000_000, 900_000_000, 1_800_000_000, 3_600_000_000]);
        (0..seconds, step, 0..3_i64).prop_map(move |(second, step, micros): (i64, i64, i64)| {
            let whole = (first.timestamp() + second) * 1_000_000 / step * step;
            DateTime::from_timestamp_micros(whole + micros / 2).expect("a time")
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn parts_are_disjoint_and_cover_exactly_and_prefer_the_coarse(
            (one, other) in (instant(), instant()),
            zone in prop::sample::select(ZONES.to_vec()),
            coarsest in prop::sample::select(Granularity::ALL.to_vec()),
        ) {
            assert_covers(Span::new(one.min(other), one.max(other)), zone, coarsest);
        }
    }

    #[test]
    fn days_and_months_consist_of_whole_hours_around_every_turn_of_every_clock() {
        let years = Span::new(at("2020-01-01T00:00:00Z"), at("2031-01-01T00:00:00Z"));
        for zone in chrono_tz::TZ_VARIANTS {
            for run in split_at_offset_changes(years, zone, Tz::UTC) {
                for quarters in -12..12 {
                    let near = run.span.to + TimeDelta::minutes(15 * quarters);
                    for grain in [Granularity::Day, Granularity::Month] {
                        let (start, next) = (grain.start(zone, near), grain.next(zone, near));
                        assert!(start <= near && near < next, "{zone} {grain:?} {near}");
                        assert_eq!(grain.start(zone, next), next, "{zone} {grain:?} {near}");
                        assert_eq!(Granularity::Hour.start(zone, start), start, "{zone} {near}");
                    }
                }
            }
        }
    }
}
