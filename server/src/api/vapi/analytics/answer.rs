//! Answers of `POST /analytics` in Vapi's form: one row for each step and group.

use std::borrow::Cow;

use projections::analytics::{AnalyticsQuery, AnalyticsRow, Dimension, MinMax, Sums};
use projections::calls::measurements;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

use super::range::TimeRange;
use super::request::{Column, Group, Operation, Query, Verb};
use crate::api::vapi::number::DecimalNumber;
use crate::api::vapi::time::Time;
use crate::api::vapi::view::{status_of, type_of};
use crate::api::words::VapiStep;

/// Vapi's only currency; costs in others are left out.
const USD: &str = "USD";

/// Answer to one query.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct VapiAnalyticsResult {
    /// Name of the query.
    name: String,
    /// Time range of the rows.
    time_range: VapiTimeRange,
    /// One row for each step and group that has calls.
    #[schema(value_type = Vec<HashMap<String, VapiFigure>>)]
    result: Vec<ResultRow>,
}

/// Time range of an answer.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct VapiTimeRange {
    /// Start of the range, inclusive.
    #[schema(value_type = String, format = DateTime)]
    start: Time,
    /// End of the range, exclusive.
    #[schema(value_type = String, format = DateTime)]
    end: Time,
    /// Vapi's name of the step; absent without steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<VapiStep>)]
    step: Option<&'static str>,
    /// Time zone of the steps.
    timezone: &'static str,
}

/// A value in a row: counts, keys and dates are text, sums and averages are numbers, unknown values
/// are null.
pub(super) struct VapiFigure;

impl PartialSchema for VapiFigure {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::String, Type::Number, Type::Null]))
            .description(Some(
                "Counts, keys and dates are text, sums and averages numbers, what is not known null.",
            ))
            .into()
    }
}

impl ToSchema for VapiFigure {
    fn name() -> Cow<'static, str> {
        "VapiFigure".into()
    }
}

/// Names and values, in the order of the query's operations.
#[derive(Debug)]
pub(super) struct ResultRow(Vec<(String, Value)>);

#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
enum Value {
    None,
    Text(String),
    Time(Time),
    DecimalNumber(DecimalNumber),
}

impl Serialize for ResultRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl VapiAnalyticsResult {
    /// The answer to a query, from its rows.
    pub(super) fn of(query: Query, result: Vec<ResultRow>) -> Self {
        let TimeRange { span, zone, steps } = query.range;
        let time_range = VapiTimeRange {
            start: Time(span.from),
            end: Time(span.to),
            step: steps.map(|steps| steps.word),
            timezone: zone.name(),
        };
        Self { name: query.name, time_range, result }
    }
}

/// The query over call sums that answers everything but `history`.
pub(super) fn question(query: &Query) -> AnalyticsQuery {
    let buckets = match &query.range.steps {
        Some(steps) => steps.slices.iter().map(|slice| slice.span).collect(),
        None => vec![query.range.span],
    };
    AnalyticsQuery {
        buckets,
        filter: projections::analytics::AnalyticsFilter {
            is_test: query.is_test,
            ..projections::analytics::AnalyticsFilter::default()
        },
        group_by: dimensions(query),
        clock: query.range.zone,
        percentiles: query.asks(|verb| matches!(verb, Verb::Percentile(_))),
        extremes: query.asks(|verb| matches!(verb, Verb::Min | Verb::Max)),
    }
}

fn dimensions(query: &Query) -> Vec<Dimension> {
    query.group_by.iter().map(|(_, dimension)| *dimension).collect()
}

/// The query over single calls that answers `history`.
pub(super) fn history_question(query: &Query) -> measurements::MeasurementQuery {
    let measure = |operation: &Operation| match operation.column {
        Column::Id | Column::Minutes => measurements::Measure::DurationMs,
        Column::Cost => measurements::Measure::CostNanos,
        Column::Transport => measurements::Measure::TransportNanos,
        Column::Stt => measurements::Measure::SttNanos,
        Column::Llm => measurements::Measure::LlmNanos,
        Column::Tts => measurements::Measure::TtsNanos,
        Column::Vapi => measurements::Measure::PlatformNanos,
    };
    measurements::MeasurementQuery {
        span: query.range.span,
        is_test: query.is_test,
        keys: dimensions(query),
        measures: query.operations.iter().map(measure).collect(),
    }
}

/// Converts sums to rows, ordered by time and then by group. A whole range without groups has exactly one
/// row, even without calls.
pub(super) fn rows(query: &Query, mut answers: Vec<AnalyticsRow>) -> Vec<ResultRow> {
    let is_whole = query.range.steps.is_none() && query.group_by.is_empty();
    if is_whole && answers.is_empty() {
        answers.push(AnalyticsRow { bucket: 0, keys: Vec::new(), sums: Sums::default() });
    }
    answers.sort_by(|one, other| (one.bucket, &one.keys).cmp(&(other.bucket, &other.keys)));
    let row = |answer: AnalyticsRow| {
        let steps = query.range.steps.as_ref();
        let slice = steps.and_then(|steps| steps.slices.get(answer.bucket));
        let mut row = ResultRow(Vec::new());
        row.0.extend(slice.map(|slice| ("date".to_owned(), Value::Time(Time(slice.starts_at)))));
        row.push_keys(&query.group_by, answer.keys);
        for operation in &query.operations {
            row.0.push((operation.alias.clone(), figure(operation, &answer.sums)));
        }
        row
    };
    answers.into_iter().map(row).collect()
}

/// Converts single calls to rows.
pub(super) fn history_rows(
    query: &Query,
    measurements: Vec<measurements::Measurement>,
) -> Vec<ResultRow> {
    let row = |measurement: measurements::Measurement| {
        let mut row =
            ResultRow(vec![("date".to_owned(), Value::Time(Time(measurement.started_at)))]);
        row.push_keys(&query.group_by, measurement.keys);
        for (operation, value) in query.operations.iter().zip(measurement.values) {
            row.0.push((operation.alias.clone(), number(operation.column, value.map(i128::from))));
        }
        row
    };
    measurements.into_iter().map(row).collect()
}

impl ResultRow {
    fn push_keys(&mut self, group_by: &[Group], keys: Vec<Option<String>>) {
        for ((word, dimension), key) in group_by.iter().zip(keys) {
            let key = key.map(|key| match dimension {
                Dimension::Direction => type_of(&key).to_owned(),
                Dimension::Status => status_of(&key).to_owned(),
                _ => key,
            });
            self.0.push(((*word).to_owned(), key.map_or(Value::None, Value::Text)));
        }
    }
}

/// Value of an operation. Counts are text, as in Vapi's API.
fn figure(operation: &Operation, sums: &Sums) -> Value {
    let (known, sum) = total(operation.column, sums);
    match operation.verb {
        Verb::Count => Value::Text(known.to_string()),
        Verb::Sum => number(operation.column, Some(sum)),
        Verb::Avg => {
            scaled(operation.column, sum).shared_by(known).map_or(Value::None, Value::DecimalNumber)
        }
        Verb::Min => number(operation.column, extreme(operation.column, sums, |(min, _)| min)),
        Verb::Max => number(operation.column, extreme(operation.column, sums, |(_, max)| max)),
        Verb::Percentile(percent) => {
            number(operation.column, sums.durations.percentile(percent).map(i128::from))
        }
        // A query with `history` has no other operation, and [`history_rows`] answers it.
        Verb::History => Value::None,
    }
}

/// Counts the calls with a value in the column, and adds the values up.
fn total(column: Column, sums: &Sums) -> (i64, i128) {
    let cost = sums.costs.get(USD).copied().unwrap_or_default();
    match column {
        Column::Id => (sums.calls, sums.calls.into()),
        Column::Minutes => (sums.timed_calls, sums.duration_ms),
        Column::Cost => (cost.calls, cost.total_nanos),
        Column::Transport => (cost.calls, cost.transport_nanos),
        Column::Stt => (cost.calls, cost.stt_nanos),
        Column::Llm => (cost.calls, cost.llm_nanos),
        Column::Tts => (cost.calls, cost.tts_nanos),
        Column::Vapi => (cost.calls, cost.platform_nanos),
    }
}

/// Minimum or maximum of a column; `None` for money unless all costs are in USD.
fn extreme(column: Column, sums: &Sums, pick: impl Fn((i64, i64)) -> i64) -> Option<i128> {
    let MinMax {
        duration_ms, total_nanos, transport_nanos, stt_nanos, llm_nanos, tts_nanos, ..
    } = sums.extremes?;
    let platform_nanos = sums.extremes?.platform_nanos;
    let of_money = |extremes: Option<(i64, i64)>| extremes.filter(|_| sums.currency() == Some(USD));
    let extremes = match column {
        Column::Id => None,
        Column::Minutes => duration_ms,
        Column::Cost => of_money(total_nanos),
        Column::Transport => of_money(transport_nanos),
        Column::Stt => of_money(stt_nanos),
        Column::Llm => of_money(llm_nanos),
        Column::Tts => of_money(tts_nanos),
        Column::Vapi => of_money(platform_nanos),
    };
    extremes.map(pick).map(i128::from)
}

fn number(column: Column, value: Option<i128>) -> Value {
    value.map_or(Value::None, |value| Value::DecimalNumber(scaled(column, value)))
}

/// Converts a value to Vapi's unit of the column: minutes or dollars.
fn scaled(column: Column, value: i128) -> DecimalNumber {
    match column {
        Column::Id => DecimalNumber::whole(value),
        Column::Minutes => DecimalNumber::minutes(value),
        _ => DecimalNumber::dollars(value),
    }
}
