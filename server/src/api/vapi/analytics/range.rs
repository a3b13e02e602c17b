//! Parser for `timeRange` of an analytics query.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use projections::analytics::{MAX_BUCKETS, Span};
use projections::calendar;
use serde_json::{Map, Value};

use super::fields::ObjectFields;
use super::step::{INTERVALS, Slice, VapiInterval};

/// Default length of a range that ends now, in days.
const DEFAULT_DAYS: i64 = 7;
/// Ranges of this length, a century, are rejected.
const TOO_LONG: TimeDelta = TimeDelta::days(36_524);

/// Time range of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TimeRange {
    pub(super) span: Span,
    pub(super) zone: Tz,
    pub(super) steps: Option<Steps>,
}

/// Steps that divide a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Steps {
    /// Vapi's name of the step length.
    pub(super) word: &'static str,
    pub(super) slices: Vec<Slice>,
}

impl TimeRange {
    /// Parses `timeRange`; absent fields have Vapi's defaults. Faults are reported to `outer`.
    pub(super) fn take(outer: &mut ObjectFields<'_>, now: DateTime<Utc>) -> Option<Self> {
        let path = outer.path_of("timeRange");
        let value = outer.take("timeRange").unwrap_or_else(|| Value::Object(Map::new()));
        let mut fields = ObjectFields::of(value, &path, outer.faults)?;
        let before = fields.faults.len();
        let end = fields.time("end").unwrap_or(now);
        let week_ago = now - TimeDelta::days(DEFAULT_DAYS);
        let start = fields.time("start").unwrap_or(week_ago.min(end));
        if start > end {
            fields.fault("start", "must not be after end");
        } else if end - start >= TOO_LONG {
            fields.fault("start", "must be less than a century before end");
        }
        let zone = match fields.take("timezone") {
            None => Some(Tz::UTC),
            Some(name) => name.as_str().and_then(calendar::zone),
        };
        if zone.is_none() {
            fields.fault("timezone", "must be the name of a time zone, as America/New_York is");
        }
        let step = take_step(&mut fields);
        let is_well = fields.faults.len() == before;
        let span = Span::new(start, end);
        let steps = zone.zip(step).filter(|_| is_well).and_then(|(zone, (word, step))| {
            let slices = step.slices(span, zone, MAX_BUCKETS);
            if slices.is_none() {
                let fault =
                    format!("makes more than {MAX_BUCKETS} steps of the time; choose a longer one");
                fields.fault("step", &fault);
            }
            slices.map(|slices| Steps { word, slices })
        });
        fields.reject_unknown();
        Some(Self { span, zone: zone?, steps })
    }
}

fn take_step(fields: &mut ObjectFields<'_>) -> Option<(&'static str, VapiInterval)> {
    let word = fields.take("step")?;
    let found = INTERVALS.iter().find(|(known, _)| word.as_str() == Some(known)).copied();
    if found.is_none() {
        fields.fault("step", &super::fields::one_of(&INTERVALS));
    }
    found
}
