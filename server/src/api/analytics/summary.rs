//! `GET /v1/analytics/summary`: totals and averages over a range.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use projections::analytics::{self, AnalyticsQuery, Range, Span, Sums};
use serde::Serialize;
use utoipa::ToSchema;

use super::{AnalyticsRequest, AnalyticsSession, CostView, RevenueView, SumParams, minutes};
use crate::api::words::ComparedWith;
use crate::app::App;
use crate::http::operation::{Authorized, operation};
use crate::http::params::Params;
use crate::http::response::with_read_position;
use crate::problem::{ApiError, Problem};

/// Sums over the calls of a range. A field without data is null.
#[derive(Debug, Serialize, ToSchema)]
pub struct CallSummary {
    #[serde(flatten)]
    figures: CallFigures,
    /// Calls in progress now, whenever they began: without a reported end, and with an event in the last two
    /// hours.
    live_calls: i64,
    /// Sums of the previous range; null without `compare=previous`, and for a range without a start.
    previous: Option<PreviousFigures>,
    /// Time zone in which the previous range was computed.
    timezone: &'static str,
    /// Time at which the sums were read.
    as_of: DateTime<Utc>,
}

/// Sums of the previous range: the same number of whole months or days of the time zone if the range consists
/// of these, otherwise the same duration.
#[derive(Debug, Serialize, ToSchema)]
pub struct PreviousFigures {
    /// Start of the previous range.
    from: DateTime<Utc>,
    /// End of the previous range.
    to: DateTime<Utc>,
    #[serde(flatten)]
    figures: CallFigures,
}

/// Totals and averages of a range.
#[derive(Debug, Serialize, ToSchema)]
pub struct CallFigures {
    /// Calls that began in the range.
    calls: i64,
    /// Sum of the call durations, in minutes.
    minutes: f64,
    /// Sum of the call durations in milliseconds, exact.
    #[schema(value_type = i64)]
    duration_ms: i128,
    /// Calls with a known duration.
    calls_with_duration: i64,
    /// Sum of the reported costs in 1e-9 of the currency, exact; null with several currencies.
    #[schema(value_type = Option<i64>)]
    cost_nanos: Option<i128>,
    /// The currency of all costs; null with several currencies or none.
    currency: Option<String>,
    /// Sum of the reported costs by currency.
    costs: Vec<CostView>,
    /// Calls with a known cost.
    calls_with_cost: i64,
    /// Average cost over the calls with a cost, in 1e-9 of the currency.
    #[schema(value_type = Option<i64>)]
    cost_per_call_nanos: Option<i128>,
    /// Average duration over the calls with a duration, in milliseconds.
    #[schema(value_type = Option<i64>)]
    avg_duration_ms: Option<i128>,
    /// Median duration in milliseconds, at most 1.6 % off.
    p50_duration_ms: Option<i64>,
    /// 90th percentile of the durations in milliseconds, at most 1.6 % off.
    p90_duration_ms: Option<i64>,
    /// Share of successful calls among those the platform evaluated, 0 to 1.
    success_rate: Option<f64>,
    /// Calls that were transferred.
    transfers: i64,
    /// Calls in which an appointment was booked, whatever became of it, answered or not; the stage `booked` of the
    /// funnel has only the answered ones.
    booked: i64,
    /// Share of calls in which an appointment was booked, 0 to 1.
    conversion_rate: Option<f64>,
    /// Sum of all costs divided by the calls in which an appointment was booked.
    #[schema(value_type = Option<i64>)]
    cost_per_booking_nanos: Option<i128>,
    /// Sum of the prices, as kept at the booking, of the appointments that are neither cancelled nor missed, in
    /// hundredths of the currency; null without a price, or with several currencies.
    #[schema(value_type = Option<i64>)]
    revenue_cents: Option<i128>,
    /// The currency of all prices; null with several currencies or none.
    revenue_currency: Option<String>,
    /// Sum of these prices by currency.
    revenues: Vec<RevenueView>,
    /// Revenue less cost in 1e-9 of the currency; null without a price, or if prices and costs have several
    /// currencies.
    #[schema(value_type = Option<i64>)]
    margin_nanos: Option<i128>,
    /// Number of people in the calls, as their messages tell them: a merge of contacts does not change it. Calls
    /// without a known person count as one contact each.
    unique_contacts: i64,
}

impl CallFigures {
    fn of(sums: &Sums, unique_contacts: i64) -> Self {
        Self {
            calls: sums.calls,
            minutes: minutes(sums.duration_ms),
            duration_ms: sums.duration_ms,
            calls_with_duration: sums.timed_calls,
            cost_nanos: sums.cost_nanos(),
            currency: sums.currency().map(str::to_owned),
            costs: CostView::all_of(sums),
            calls_with_cost: sums.priced_calls(),
            cost_per_call_nanos: sums.avg_cost_nanos(),
            avg_duration_ms: sums.avg_duration_ms(),
            p50_duration_ms: sums.durations.percentile(50),
            p90_duration_ms: sums.durations.percentile(90),
            success_rate: sums.success_rate(),
            transfers: sums.transfers,
            booked: sums.booked,
            conversion_rate: sums.booking_rate(),
            cost_per_booking_nanos: sums.cost_per_booking_nanos(),
            revenue_cents: sums.revenue_cents(),
            revenue_currency: sums.revenue_currency().map(str::to_owned),
            revenues: RevenueView::all_of(sums),
            margin_nanos: sums.margin_nanos(),
            unique_contacts,
        }
    }
}

operation! {
    GetAnalyticsSummary {
        id: "get_analytics_summary",
        action: "analytics.summary",
        access: Read,
        audit: ReadsFacts,
    }
}

/// Returns totals and averages over the calls of a range.
///
/// # Errors
/// 400 for an unknown or malformed parameter, named in the answer.
#[utoipa::path(
    get, path = "/v1/analytics/summary", tag = "analytics",
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
    caller: Authorized<GetAnalyticsSummary>,
    State(app): State<App>,
    mut params: Params,
) -> Result<Response, ApiError> {
    let compare = params.one_of("compare", &["previous"])?;
    let request = AnalyticsRequest::take(&app, &caller, &mut params).await?;
    params.reject_unknown()?;

    let mut session = request.begin(&app, &caller).await?;
    let range = session.range;
    let figures = figures(&mut session, range).await?;
    let previous = match compare {
        Some(_) => previous(&mut session).await?,
        None => None,
    };
    let live_calls = analytics::live_calls(&mut session.tx, &session.filter, session.as_of).await?;
    let summary = CallSummary {
        figures,
        live_calls,
        previous,
        timezone: session.zone.name(),
        as_of: session.as_of,
    };
    Ok(with_read_position(summary, session.reached))
}

async fn figures(session: &mut AnalyticsSession, range: Range) -> Result<CallFigures, ApiError> {
    let question = AnalyticsQuery { percentiles: true, ..session.question(vec![range.span()]) };
    let mut sums = Sums::default();
    for answer in session.ask(&question).await? {
        sums += &answer.sums;
    }
    let contacts = analytics::contacts(&mut session.tx, range, &session.filter).await?;
    Ok(CallFigures::of(&sums, contacts))
}

/// Sums of the previous range; `None` if the range has no start.
async fn previous(session: &mut AnalyticsSession) -> Result<Option<PreviousFigures>, ApiError> {
    let Some(Span { from, to }) = session.range.previous(session.zone, session.as_of) else {
        return Ok(None);
    };
    let range = Range { from: Some(from), to: Some(to) };
    let figures = figures(session, range).await?;
    Ok(Some(PreviousFigures { from, to, figures }))
}
