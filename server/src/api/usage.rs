//! `GET /v1/usage`: usage of a billing month and the plan's limits.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, NaiveDate, Utc};
use ledger_store::tenants::{Limit, PlanLimits, plan_limits};
use projections::analytics::usage::{PlanUsage, Warning, minutes_begun, warnings};
use projections::analytics::{self, AnalyticsFilter, AnalyticsQuery, Sums};
use projections::calendar::first_of_month;
use projections::event_counts::events_of;
use serde::Serialize;
use utoipa::ToSchema;

use super::analytics::{CostView, parse_is_test};
use super::words::{LimitLevel, PlanLimitName, TestCalls};
use crate::app::App;
use crate::http::consistency::begin_analytics_read;
use crate::http::operation::{Authorized, operation};
use crate::http::params::Params;
use crate::http::response::with_read_position;
use crate::http::times::is_rfc3339;
use crate::problem::{ApiError, Problem};

/// Usage of a billing month, which begins and ends in the first time zone of the tenant.
#[derive(Debug, Serialize, ToSchema)]
pub struct Usage {
    /// Year and month, such as `2026-11`.
    month: String,
    /// Start of the month in UTC.
    from: DateTime<Utc>,
    /// End of the month in UTC, exclusive.
    to: DateTime<Utc>,
    /// The time zone that the months are counted in: the first one of the tenant.
    timezone: &'static str,
    /// Calls that began in the month.
    calls: i64,
    /// Sum of the call durations in minutes, rounded up once.
    #[schema(value_type = i64)]
    minutes: i128,
    /// Sum of the call durations, in milliseconds.
    #[schema(value_type = i64)]
    duration_ms: i128,
    /// Sum of the reported costs in 1e-9 of the currency, exact; null with several currencies.
    #[schema(value_type = Option<i64>)]
    cost_nanos: Option<i128>,
    /// Sum of the reported costs by currency.
    costs: Vec<CostView>,
    /// Events of every type recorded in the month.
    events: i64,
    /// Events recorded in the month, by type.
    events_by_type: Vec<EventsOfType>,
    /// Monthly limits of the plan.
    limits: LimitsView,
    /// Limits with a usage of 80 % or more.
    warnings: Vec<WarningView>,
    /// Time at which the sums were read.
    as_of: DateTime<Utc>,
}

/// Number of events of one type.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventsOfType {
    /// Event type, such as `call.ended`.
    r#type: String,
    /// Number of events.
    events: i64,
}

/// Monthly limits of a plan; null means unlimited.
#[derive(Debug, Serialize, ToSchema)]
pub struct LimitsView {
    /// Maximum number of calls.
    calls: Option<i64>,
    /// Maximum number of minutes.
    minutes: Option<i64>,
    /// Maximum cost in 1e-9 of the currency.
    cost_nanos: Option<i64>,
    /// Maximum number of recorded events.
    events: Option<i64>,
}

/// A limit with a usage of 80 % or more.
#[derive(Debug, Serialize, ToSchema)]
pub struct WarningView {
    /// `calls`, `minutes`, `cost_nanos` or `events`.
    #[schema(value_type = PlanLimitName)]
    limit: &'static str,
    /// `near` from 80 % of the limit, `reached` from 100 %.
    #[schema(value_type = LimitLevel)]
    level: &'static str,
    /// Current usage, in the unit of the limit.
    #[schema(value_type = i64)]
    used: i128,
    /// Value of the limit.
    allowed: i64,
}

operation! {
    GetUsage { id: "get_usage", action: "usage.show", access: Read, audit: ReadsFacts }
}

/// Returns the usage of a billing month and the plan's limits.
///
/// # Errors
/// 400 for an unknown or malformed parameter, named in the answer.
#[utoipa::path(
    get, path = "/v1/usage", tag = "analytics",
    params(
        ("month" = Option<String>, Query, pattern = "^([0-9]{4}-(0[1-9]|1[0-2]))?$", description = "The month, such as 2026-11; the current one in the first time zone of the tenant when nothing is said"),
        ("is_test" = Option<TestCalls>, Query, description = "true: only calls marked as tests; false: none of them, as when nothing is said; any: both"),
        ("min_position" = Option<i64>, Query, description = "Wait until the read model has reached this position"),
    ),
    responses(
        (status = 200, body = Usage),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.usage", skip_all)]
pub async fn handler(
    caller: Authorized<GetUsage>,
    State(app): State<App>,
    mut params: Params,
) -> Result<Response, ApiError> {
    let month = params.optional("month")?.map(|month| parse_month(&month)).transpose()?;
    let is_test = parse_is_test(&mut params)?;
    let min_position = params.number("min_position")?;
    params.reject_unknown()?;

    let (mut tx, reached) =
        begin_analytics_read(&app, &caller, &["calls", "usage"], min_position).await?;
    let as_of = app.store.clock().now_micros();
    let zone = analytics::zone_of_sums(&mut tx).await?;
    let today = as_of.with_timezone(&zone).date_naive();
    let month = month.unwrap_or_else(|| first_of_month(today));
    let span = analytics::month(month, zone);
    let question =
        AnalyticsQuery::of(span, AnalyticsFilter { is_test, ..AnalyticsFilter::default() });
    let mut sums = Sums::default();
    for answer in analytics::run_query(&mut tx, &question).await?.unwrap_or_default() {
        sums += &answer.sums;
    }
    let events_by_type = events_of(&mut tx, month).await?;
    let used = PlanUsage {
        calls: sums.calls.into(),
        minutes: minutes_begun(sums.duration_ms),
        cost_nanos: sums.cost_nanos(),
        events: events_by_type.iter().map(|(_, events)| i128::from(*events)).sum(),
    };
    let limits = plan_limits(&mut tx).await?;
    let usage = Usage {
        month: month.format("%Y-%m").to_string(),
        from: span.from,
        to: span.to,
        timezone: zone.name(),
        calls: sums.calls,
        minutes: used.minutes,
        duration_ms: sums.duration_ms,
        cost_nanos: used.cost_nanos,
        costs: CostView::all_of(&sums),
        events: events_by_type.iter().map(|(_, events)| events).sum(),
        events_by_type: event_views(events_by_type),
        limits: LimitsView::of(limits),
        warnings: warnings(&used, &limits).iter().map(WarningView::of).collect(),
        as_of,
    };
    Ok(with_read_position(usage, reached))
}

impl LimitsView {
    fn of(limits: PlanLimits) -> Self {
        Self {
            calls: limits.calls.map(Limit::get),
            minutes: limits.minutes.map(Limit::get),
            cost_nanos: limits.cost_nanos.map(Limit::get),
            events: limits.events.map(Limit::get),
        }
    }
}

impl WarningView {
    fn of(warning: &Warning) -> Self {
        Self {
            limit: warning.limit,
            level: warning.closeness.as_str(),
            used: warning.used,
            allowed: warning.allowed,
        }
    }
}

fn event_views(events_by_type: Vec<(String, i64)>) -> Vec<EventsOfType> {
    let of_type = |(r#type, events)| EventsOfType { r#type, events };
    events_by_type.into_iter().map(of_type).collect()
}

/// Parses a month written as `YYYY-MM` and returns its first day.
fn parse_month(text: &str) -> Result<NaiveDate, ApiError> {
    let refused = || ApiError::parameter("month", "it is not a month such as 2026-11");
    // chrono would also accept a signed year of any length.
    let is_spelt = text.bytes().take_while(u8::is_ascii_digit).count() == 4 && text.len() == 7;
    let first = format!("{text}-01").parse::<NaiveDate>().ok().filter(|_| is_spelt);
    let first = first.ok_or_else(refused)?;
    let is_known = is_rfc3339(first.and_time(chrono::NaiveTime::MIN).and_utc());
    if is_known { Ok(first) } else { Err(refused()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_written_with_all_its_digits() {
        let parsed = parse_month("2026-11").expect("a month");
        assert_eq!(parsed.to_string(), "2026-11-01");
        for text in ["", "2026", "2026-13", "2026-1", "26-11", "2026-11-01", "+026-11", "-026-11"] {
            assert!(parse_month(text).is_err(), "{text}");
        }
    }
}
