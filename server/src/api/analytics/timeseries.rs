//! `GET /v1/analytics/timeseries`: call sums for each interval of a range.

use std::collections::{BTreeMap, HashMap};

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, SecondsFormat, Utc};
use projections::analytics::{AnalyticsRow, Dimension, Interval, MAX_BUCKETS, Slice, Sums, slices};
use serde::Serialize;
use utoipa::ToSchema;

use super::{AnalyticsRequest, CostView, SumParams};
use crate::api::words::{SeriesGroup, SeriesInterval};
use crate::app::App;
use crate::http::operation::{Authorized, operation};
use crate::http::params::Params;
use crate::http::response::with_read_position;
use crate::problem::{ApiError, Problem};

/// Maximum number of points in an answer, over all groups.
const MAX_POINTS: usize = 100_000;

/// Call sums over time: one point for each bucket and group, in order, empty buckets included.
#[derive(Debug, Serialize, ToSchema)]
pub struct Series {
    /// Points ordered by bucket, then by group.
    data: Vec<SeriesPoint>,
    /// hour, day, week or month.
    #[schema(value_type = SeriesInterval)]
    interval: String,
    /// Time zone of the buckets.
    timezone: &'static str,
    /// Time at which the sums were read.
    as_of: DateTime<Utc>,
}

/// Call sums of one bucket and group.
#[derive(Debug, Serialize, ToSchema)]
pub struct SeriesPoint {
    /// Start of the hour, day, week or month, also if the range starts within it.
    bucket: DateTime<Utc>,
    /// Start of the bucket as local time of the time zone, with its offset.
    bucket_local: String,
    /// Value of the grouping dimension; null without grouping, and for calls without a value.
    group: Option<String>,
    /// Number of calls.
    calls: i64,
    /// Sum of the call durations, in milliseconds.
    #[schema(value_type = i64)]
    duration_ms: i128,
    /// Sum of the reported costs in 1e-9 of the currency, exact; null with several currencies.
    #[schema(value_type = Option<i64>)]
    cost_nanos: Option<i128>,
    /// Sum of the reported costs by currency.
    costs: Vec<CostView>,
    /// Calls in which an appointment was booked, whatever became of it.
    booked: i64,
    /// Share of calls in which an appointment was booked, 0 to 1; null without calls.
    conversion_rate: Option<f64>,
}

operation! {
    GetAnalyticsTimeseries {
        id: "get_analytics_timeseries",
        action: "analytics.timeseries",
        access: Read,
        audit: ReadsFacts,
    }
}

/// Returns call sums for each interval of a range.
///
/// # Errors
/// 400 for an unknown or malformed parameter, named in the answer.
#[utoipa::path(
    get, path = "/v1/analytics/timeseries", tag = "analytics",
    params(
        SumParams,
        ("interval" = Option<SeriesInterval>, Query, description = "hour, day (as when nothing is said), week (from Monday) or month; at most 10,000 of them"),
        ("group_by" = Option<SeriesGroup>, Query, description = "direction, agent_id, ended_reason, outcome, campaign or call_type"),
    ),
    responses(
        (status = 200, body = Series),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 429, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.analytics.timeseries", skip_all)]
pub async fn handler(
    caller: Authorized<GetAnalyticsTimeseries>,
    State(app): State<App>,
    mut params: Params,
) -> Result<Response, ApiError> {
    let interval = params.one_of("interval", &Interval::NAMES)?;
    let interval = interval.and_then(|name| name.parse().ok()).unwrap_or(Interval::Day);
    let group_by = parse_group_by(&mut params)?;
    let request = AnalyticsRequest::take(&app, &caller, &mut params).await?;
    params.reject_unknown()?;

    let mut session = request.begin(&app, &caller).await?;
    let span = session.known_span().await?;
    let slices = slices(span, interval, session.zone, MAX_BUCKETS).ok_or_else(too_many)?;
    let spans = slices.iter().map(|slice| slice.span).collect();
    let question = session.question(spans).by(group_by.as_slice());
    let answers = session.ask(&question).await?;
    let groups = groups(&answers);
    if groups.len() * slices.len() > MAX_POINTS {
        return Err(too_many());
    }
    let mut sums: HashMap<(usize, Option<String>), Sums> = answers
        .into_iter()
        .map(|mut answer| ((answer.bucket, answer.keys.pop().flatten()), answer.sums))
        .collect();
    let mut data = Vec::with_capacity(groups.len() * slices.len());
    for (nth, slice) in slices.iter().enumerate() {
        for group in &groups {
            let sums = sums.remove(&(nth, group.clone())).unwrap_or_default();
            data.push(point(slice, session.zone, group.clone(), &sums));
        }
    }
    let series = Series {
        data,
        interval: interval.to_string(),
        timezone: session.zone.name(),
        as_of: session.as_of,
    };
    Ok(with_read_position(series, session.reached))
}

fn parse_group_by(params: &mut Params) -> Result<Option<Dimension>, ApiError> {
    const KNOWN: [Dimension; 6] = [
        Dimension::Direction,
        Dimension::AgentId,
        Dimension::EndedReason,
        Dimension::Outcome,
        Dimension::Campaign,
        Dimension::CallType,
    ];
    let named = params.one_of("group_by", &KNOWN.map(Dimension::as_str))?;
    Ok(named.and_then(|name| KNOWN.into_iter().find(|known| known.as_str() == name)))
}

fn too_many() -> ApiError {
    let detail = format!(
        "that makes more than {MAX_BUCKETS} buckets, or {MAX_POINTS} of all groups together; \
         choose a longer interval or a shorter range"
    );
    ApiError::parameter("interval", detail)
}

/// Returns the groups in the answers: most calls first, then by name. At least one, so that an empty range
/// has its buckets too.
fn groups(answers: &[AnalyticsRow]) -> Vec<Option<String>> {
    let mut calls: BTreeMap<Option<&String>, i64> = BTreeMap::new();
    for answer in answers {
        let group = answer.keys.first().and_then(Option::as_ref);
        *calls.entry(group).or_default() += answer.sums.calls;
    }
    let mut groups: Vec<_> = calls.into_iter().collect();
    groups.sort_by_key(|(_, calls)| std::cmp::Reverse(*calls));
    if groups.is_empty() {
        return vec![None];
    }
    groups.into_iter().map(|(group, _)| group.cloned()).collect()
}

fn point(slice: &Slice, zone: chrono_tz::Tz, group: Option<String>, sums: &Sums) -> SeriesPoint {
    let local = slice.starts_at.with_timezone(&zone);
    SeriesPoint {
        bucket: slice.starts_at,
        bucket_local: local.to_rfc3339_opts(SecondsFormat::AutoSi, false),
        group,
        calls: sums.calls,
        duration_ms: sums.duration_ms,
        cost_nanos: sums.cost_nanos(),
        costs: CostView::all_of(sums),
        booked: sums.booked,
        conversion_rate: sums.booking_rate(),
    }
}
