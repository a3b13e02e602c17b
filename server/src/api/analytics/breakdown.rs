//! `GET /v1/analytics/breakdown`: call sums by one dimension.

use std::collections::HashMap;

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use projections::analytics::{AnalyticsQuery, CostSums, Dimension, Sums};
use projections::histogram::CLASSES;
use serde::Serialize;
use utoipa::ToSchema;

use super::{AnalyticsRequest, AnalyticsSession, CostView, SumParams};
use crate::api::words::BreakdownBy;
use crate::app::App;
use crate::http::operation::{Authorized, operation};
use crate::http::params::Params;
use crate::http::response::with_read_position;
use crate::problem::{ApiError, Problem};

/// Maximum number of contacts of a breakdown.
const MAX_CONTACTS: usize = 100;
const WEEKDAYS: [&str; 7] =
    ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Dimension of the breakdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// A fact stored for each call.
    Fact(Dimension),
    Contact,
    DurationBucket,
    Hour,
    Weekday,
    Heatmap,
    CostPart,
}

impl By {
    const ALL: [(&str, Self); 14] = [
        ("ended_reason", Self::Fact(Dimension::EndedReason)),
        ("outcome", Self::Fact(Dimension::Outcome)),
        ("tool", Self::Fact(Dimension::Tool)),
        ("agent_id", Self::Fact(Dimension::AgentId)),
        ("direction", Self::Fact(Dimension::Direction)),
        ("campaign", Self::Fact(Dimension::Campaign)),
        ("call_type", Self::Fact(Dimension::CallType)),
        ("service_type", Self::Fact(Dimension::ServiceType)),
        ("contact", Self::Contact),
        ("duration_bucket", Self::DurationBucket),
        ("hour", Self::Hour),
        ("weekday", Self::Weekday),
        ("heatmap", Self::Heatmap),
        ("cost_part", Self::CostPart),
    ];

    fn take(params: &mut Params) -> Result<Self, ApiError> {
        let name = params.optional("by")?.unwrap_or_default();
        let found = Self::ALL.into_iter().find(|(known, _)| *known == name);
        found.map(|(_, by)| by).ok_or_else(|| {
            let names = Self::ALL.map(|(name, _)| name).join(", ");
            ApiError::parameter("by", format!("choose one of {names}"))
        })
    }
}

/// Call sums by one dimension. Groups are ordered by calls, most first; hours, weekdays, durations and cost
/// parts have their natural order and include empty groups.
#[derive(Debug, Serialize, ToSchema)]
pub struct Breakdown {
    /// Groups in the order of the dimension.
    data: Vec<BreakdownGroup>,
    /// Time zone of hours and weekdays.
    timezone: &'static str,
    /// Time at which the sums were read.
    as_of: DateTime<Utc>,
}

/// Call sums of one group.
#[derive(Debug, Serialize, ToSchema)]
pub struct BreakdownGroup {
    /// Value of the dimension; null for calls without one.
    key: Option<String>,
    /// Day of the week, 1 is Monday; only by weekday and heatmap.
    #[serde(skip_serializing_if = "Option::is_none")]
    weekday: Option<u8>,
    /// Hour of the day, 0 to 23; only by hour and heatmap.
    #[serde(skip_serializing_if = "Option::is_none")]
    hour: Option<u8>,
    /// Number of calls. By tool, a call counts under each tool it used; by cost part, every call counts under
    /// each part.
    calls: i64,
    /// Sum of the call durations, in milliseconds.
    #[schema(value_type = i64)]
    duration_ms: i128,
    /// Sum of the reported costs in 1e-9 of the currency, exact, or of that cost part; null with several
    /// currencies.
    #[schema(value_type = Option<i64>)]
    cost_nanos: Option<i128>,
    /// Sum of the reported costs by currency.
    costs: Vec<CostView>,
    /// Share of successful calls among those the platform evaluated, 0 to 1.
    success_rate: Option<f64>,
    /// Calls in which an appointment was booked, whatever became of it.
    booked: i64,
    /// Share of calls in which an appointment was booked, 0 to 1.
    conversion_rate: Option<f64>,
}

impl BreakdownGroup {
    fn of(key: Option<String>, sums: &Sums) -> Self {
        Self {
            key,
            weekday: None,
            hour: None,
            calls: sums.calls,
            duration_ms: sums.duration_ms,
            cost_nanos: sums.cost_nanos(),
            costs: CostView::all_of(sums),
            success_rate: sums.success_rate(),
            booked: sums.booked,
            conversion_rate: sums.booking_rate(),
        }
    }
}

operation! {
    GetAnalyticsBreakdown {
        id: "get_analytics_breakdown",
        action: "analytics.breakdown",
        access: Read,
        audit: ReadsFacts,
    }
}

/// Returns call sums by one dimension.
///
/// # Errors
/// 400 for an unknown or malformed parameter, named in the answer.
#[utoipa::path(
    get, path = "/v1/analytics/breakdown", tag = "analytics",
    params(
        ("by" = BreakdownBy, Query, description = "ended_reason, outcome, tool, agent_id, direction, campaign, call_type, service_type (of the appointment booked last; only calls with one), contact (the 100 with the most calls), duration_bucket, hour, weekday, heatmap (weekday and hour) or cost_part"),
        SumParams,
    ),
    responses(
        (status = 200, body = Breakdown),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 429, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.analytics.breakdown", skip_all)]
pub async fn handler(
    caller: Authorized<GetAnalyticsBreakdown>,
    State(app): State<App>,
    mut params: Params,
) -> Result<Response, ApiError> {
    let by = By::take(&mut params)?;
    let request = AnalyticsRequest::take(&app, &caller, &mut params).await?;
    params.reject_unknown()?;

    let mut session = request.begin(&app, &caller).await?;
    let data = match by {
        By::Fact(dimension) => {
            let groups = session.groups(dimension, false).await?;
            groups.into_iter().map(|(key, sums)| BreakdownGroup::of(key, &sums)).collect()
        }
        By::Contact => by_contact(&mut session).await?,
        By::DurationBucket => by_duration(&mut session).await?,
        By::Hour => by_clock(&mut session, &[Dimension::Hour]).await?,
        By::Weekday => by_clock(&mut session, &[Dimension::Weekday]).await?,
        By::Heatmap => by_clock(&mut session, &[Dimension::Weekday, Dimension::Hour]).await?,
        By::CostPart => by_cost_part(&mut session).await?,
    };
    let breakdown = Breakdown { data, timezone: session.zone.name(), as_of: session.as_of };
    Ok(with_read_position(breakdown, session.reached))
}

/// Groups by contact: those with the most calls. Calls without a contact are in no group.
async fn by_contact(session: &mut AnalyticsSession) -> Result<Vec<BreakdownGroup>, ApiError> {
    let groups = session.groups(Dimension::Contact, false).await?;
    let known = groups.into_iter().filter(|(key, _)| key.is_some()).take(MAX_CONTACTS);
    Ok(known.map(|(key, sums)| BreakdownGroup::of(key, &sums)).collect())
}

/// Groups by duration class, shortest first, empty classes included; calls without a duration follow.
async fn by_duration(session: &mut AnalyticsSession) -> Result<Vec<BreakdownGroup>, ApiError> {
    let groups = session.groups(Dimension::DurationClass, false).await?;
    let mut sums: HashMap<_, _> = groups.into_iter().collect();
    let mut data = Vec::new();
    for (class, _) in CLASSES {
        let sums = sums.remove(&Some(class.to_owned())).unwrap_or_default();
        data.push(BreakdownGroup::of(Some(class.to_owned()), &sums));
    }
    data.extend(sums.into_iter().map(|(key, sums)| BreakdownGroup::of(key, &sums)));
    Ok(data)
}

/// Groups by hour, by weekday, or by both, with the empty groups.
async fn by_clock(
    session: &mut AnalyticsSession,
    dimensions: &[Dimension],
) -> Result<Vec<BreakdownGroup>, ApiError> {
    let span = session.known_span().await?;
    let question: AnalyticsQuery = session.question(vec![span]).by(dimensions);
    let mut sums = HashMap::new();
    for answer in session.ask(&question).await? {
        let mut numbers = answer.keys.into_iter().map(|key| key.and_then(|key| key.parse().ok()));
        let mut next = |dimension| {
            let is_there = dimensions.contains(&dimension);
            if is_there { numbers.next().flatten() } else { None }
        };
        let place: (Option<u8>, Option<u8>) = (next(Dimension::Weekday), next(Dimension::Hour));
        sums.insert(place, answer.sums);
    }
    let weekdays = every(dimensions.contains(&Dimension::Weekday), 1..=7);
    let hours = every(dimensions.contains(&Dimension::Hour), 0..=23);
    let mut data = Vec::new();
    for weekday in weekdays {
        for hour in &hours {
            let sums = sums.remove(&(weekday, *hour)).unwrap_or_default();
            let group = BreakdownGroup::of(Some(name_of(weekday, *hour)), &sums);
            data.push(BreakdownGroup { weekday, hour: *hour, ..group });
        }
    }
    Ok(data)
}

fn every(is_wanted: bool, all: std::ops::RangeInclusive<u8>) -> Vec<Option<u8>> {
    if is_wanted { all.map(Some).collect() } else { vec![None] }
}

fn name_of(weekday: Option<u8>, hour: Option<u8>) -> String {
    let day = weekday.map(|day| WEEKDAYS[usize::from(day) - 1].to_owned());
    let parts = [day, hour.map(|hour| hour.to_string())];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

async fn by_cost_part(session: &mut AnalyticsSession) -> Result<Vec<BreakdownGroup>, ApiError> {
    type CostGetter = fn(&CostSums) -> i128;
    const PARTS: [(&str, CostGetter); 6] = [
        ("transport", |cost| cost.transport_nanos),
        ("stt", |cost| cost.stt_nanos),
        ("llm", |cost| cost.llm_nanos),
        ("tts", |cost| cost.tts_nanos),
        ("platform", |cost| cost.platform_nanos),
        ("other", |cost| cost.other_nanos),
    ];
    let question = session.question(vec![session.range.span()]);
    let mut sums = Sums::default();
    for answer in session.ask(&question).await? {
        sums += &answer.sums;
    }
    let of_part = |(name, part): (&str, CostGetter)| {
        let mut of_part = sums.clone();
        for cost in of_part.costs.values_mut() {
            cost.total_nanos = part(cost);
        }
        BreakdownGroup::of(Some(name.to_owned()), &of_part)
    };
    Ok(PARTS.into_iter().map(of_part).collect())
}
