//! `GET /v1/analytics/summary`.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use projections::analytics::{self, Question, Range, Sums};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Asked, CostView, Reading, SumParams, minutes};
use crate::api::words::ComparedWith;
use crate::api::{Params, positioned};
use crate::app::App;
use crate::auth::{Caller, Scope};
use crate::problem::{ApiError, Problem};

/// Sums over the calls of a range. What is not known is null.
#[derive(Debug, Serialize, ToSchema)]
pub struct CallSummary {
    #[serde(flatten)]
    figures: CallFigures,
    /// On the line now, whenever they began: no end was told, and something was told within two hours.
    live_calls: i64,
    /// The same of the range before; with `compare=previous` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<PreviousFigures>,
    /// The zone that the range before was found in.
    timezone: &'static str,
    /// When the sums were read.
    as_of: DateTime<Utc>,
}

/// The range before: as many whole months or days of the zone when the range is of these, else as
/// much time.
#[derive(Debug, Serialize, ToSchema)]
pub struct PreviousFigures {
    /// Where it begins; null when nothing lies before.
    from: Option<DateTime<Utc>>,
    /// Where it ends.
    to: Option<DateTime<Utc>>,
    #[serde(flatten)]
    figures: CallFigures,
}

/// The figures of a range.
#[derive(Debug, Serialize, ToSchema)]
pub struct CallFigures {
    /// How many began in it.
    calls: i64,
    /// Their durations together, in minutes.
    minutes: f64,
    /// The same in milliseconds, exactly.
    #[schema(value_type = i64)]
    duration_ms: i128,
    /// Calls whose duration is known.
    timed_calls: i64,
    /// Their stated costs together in 1e-9 of the currency, exactly; null when there are several
    /// currencies.
    #[schema(value_type = Option<i64>)]
    cost_nanos: Option<i128>,
    /// The currency, when there is one.
    currency: Option<String>,
    /// By currency.
    costs: Vec<CostView>,
    /// Calls whose cost is known.
    priced_calls: i64,
    /// The cost of a call whose cost is known, on average.
    #[schema(value_type = Option<i64>)]
    cost_per_call_nanos: Option<i128>,
    /// The duration of a call whose duration is known, on average.
    #[schema(value_type = Option<i64>)]
    avg_duration_ms: Option<i128>,
    /// What half of the durations do not exceed, at most 1.6 % off.
    p50_duration_ms: Option<i64>,
    /// What nine tenths of the durations do not exceed, at most 1.6 % off.
    p90_duration_ms: Option<i64>,
    /// Of the calls the platform judged, how many it judged a success.
    success_rate: Option<f64>,
    /// Calls that went on to somebody else.
    transfers: i64,
    /// Calls an appointment is linked to.
    booked: i64,
    /// The same as a part of all calls.
    conversion_rate: Option<f64>,
    /// All costs by what was booked.
    #[schema(value_type = Option<i64>)]
    cost_per_booking_nanos: Option<i128>,
    /// What the appointments are worth; not kept yet.
    revenue_cents: Option<i64>,
    /// Worth less cost; not kept yet.
    margin_nanos: Option<i64>,
    /// How many people called or were called. A call that names nobody counts as somebody.
    unique_contacts: i64,
}

impl CallFigures {
    fn of(sums: &Sums, unique_contacts: i64) -> Self {
        Self {
            calls: sums.calls,
            minutes: minutes(sums.duration_ms),
            duration_ms: sums.duration_ms,
            timed_calls: sums.timed_calls,
            cost_nanos: sums.cost_nanos(),
            currency: sums.currency().map(str::to_owned),
            costs: CostView::all_of(sums),
            priced_calls: sums.priced_calls(),
            cost_per_call_nanos: sums.avg_cost_nanos(),
            avg_duration_ms: sums.avg_duration_ms(),
            p50_duration_ms: sums.durations.percentile(50),
            p90_duration_ms: sums.durations.percentile(90),
            success_rate: sums.success_rate(),
            transfers: sums.transfers,
            booked: sums.booked,
            conversion_rate: sums.booking_rate(),
            cost_per_booking_nanos: sums.cost_per_booking_nanos(),
            revenue_cents: None,
            margin_nanos: None,
            unique_contacts,
        }
    }
}

/// Sums over all calls of a range.
///
/// # Errors
/// 400 for a parameter that is unknown or not of its form, by name.
#[utoipa::path(
    get, path = "/v1/analytics/summary", operation_id = "get_analytics_summary", tag = "analytics", security(("api_key" = [])),
    params(
        SumParams,
        ("compare" = Option<ComparedWith>, Query, description = "previous: the same of the range before as well"),
    ),
    responses(
        (status = 200, body = CallSummary),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 429, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.analytics.summary", skip_all)]
pub async fn handler(
    caller: Caller,
    State(app): State<App>,
    mut params: Params,
) -> Result<Response, ApiError> {
    caller.require(&app, Scope::Read, "analytics.summary").await?;
    let compare = params.one_of("compare", &["previous"])?;
    let asked = Asked::take(&app, &caller, &mut params).await?;
    params.finish()?;

    let mut reading = asked.begin(&app, &caller).await?;
    let range = reading.range;
    let figures = figures(&mut reading, range).await?;
    let previous = match compare {
        Some(_) => Some(previous(&mut reading).await?),
        None => None,
    };
    let live_calls = analytics::live_calls(&mut reading.tx, &reading.filter, reading.as_of).await?;
    let summary = CallSummary {
        figures,
        live_calls,
        previous,
        timezone: reading.zone.name(),
        as_of: reading.as_of,
    };
    Ok(positioned(summary, reading.reached))
}

async fn figures(reading: &mut Reading, range: Range) -> Result<CallFigures, ApiError> {
    let question = Question { percentiles: true, ..reading.question(vec![range.span()]) };
    let mut sums = Sums::default();
    for answer in reading.ask(&question).await? {
        sums += &answer.sums;
    }
    let contacts = analytics::contacts(&mut reading.tx, range, &reading.filter).await?;
    Ok(CallFigures::of(&sums, contacts))
}

/// What has no beginning has nothing before it.
async fn previous(reading: &mut Reading) -> Result<PreviousFigures, ApiError> {
    let Some(span) = reading.range.previous(reading.zone, reading.as_of) else {
        let figures = CallFigures::of(&Sums::default(), 0);
        return Ok(PreviousFigures { from: None, to: None, figures });
    };
    let range = Range { from: Some(span.from), to: Some(span.to) };
    let figures = figures(reading, range).await?;
    Ok(PreviousFigures { from: range.from, to: range.to, figures })
}
