//! `GET /v1/analytics/funnel`: how many calls reached each stage.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use projections::analytics::{Dimension, Sums, ratio};
use serde::Serialize;
use utoipa::ToSchema;

use super::{AnalyticsRequest, SumParams};
use crate::app::App;
use crate::http::operation::{Authorized, operation};
use crate::http::params::Params;
use crate::http::response::with_read_position;
use crate::problem::{ApiError, Problem};

/// Outcomes of calls that no person answered, and of those with an unknown end.
const UNANSWERED: [&str; 5] = ["no_answer", "busy", "voicemail", "failed", "unknown"];

/// Number of calls in each stage of the funnel.
#[derive(Debug, Serialize, ToSchema)]
pub struct Funnel {
    /// Stages from all calls to those with a result. All stages after `answered` are subsets of it and may
    /// overlap; `showed` is a subset of `booked`.
    data: Vec<FunnelStage>,
    /// Time at which the sums were read.
    as_of: DateTime<Utc>,
}

/// A stage of the funnel.
#[derive(Debug, Serialize, ToSchema)]
pub struct FunnelStage {
    /// `calls`: all; `ended`: with a reported end; `answered`: by a person, according to the outcome;
    /// `engaged`: answered with a conversation; `successful`: answered and evaluated a success; `offered`: answered,
    /// and a tool told a time that is free or booked one; `booked`: answered, and an appointment was booked (`booked`
    /// of the summary has the calls that are not answered too); `showed`: one of these appointments took place.
    stage: &'static str,
    /// Calls that reached this stage.
    calls: i64,
    /// Share of all calls, 0 to 1; null without calls.
    rate: Option<f64>,
}

operation! {
    GetAnalyticsFunnel {
        id: "get_analytics_funnel",
        action: "analytics.funnel",
        access: Read,
        audit: ReadsFacts,
    }
}

/// Returns how many calls reached each stage.
///
/// # Errors
/// 400 for an unknown or malformed parameter, named in the answer.
#[utoipa::path(
    get, path = "/v1/analytics/funnel", tag = "analytics",
    params(SumParams),
    responses(
        (status = 200, body = Funnel),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 429, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.analytics.funnel", skip_all)]
pub async fn handler(
    caller: Authorized<GetAnalyticsFunnel>,
    State(app): State<App>,
    mut params: Params,
) -> Result<Response, ApiError> {
    let request = AnalyticsRequest::take(&app, &caller, &mut params).await?;
    params.reject_unknown()?;

    let mut session = request.begin(&app, &caller).await?;
    let (mut all, mut ended, mut answered) = (0, 0, Sums::default());
    for (outcome, sums) in session.groups(Dimension::Outcome, false).await? {
        all += sums.calls;
        let Some(outcome) = outcome else { continue };
        ended += sums.calls;
        if !UNANSWERED.contains(&outcome.as_str()) {
            answered += &sums;
        }
    }
    let stages = [
        ("calls", all),
        ("ended", ended),
        ("answered", answered.calls),
        ("engaged", answered.engaged),
        ("successful", answered.successes),
        ("offered", answered.offered),
        ("booked", answered.booked),
        ("showed", answered.attended),
    ];
    let stage = |(stage, calls)| FunnelStage { stage, calls, rate: ratio(calls, all) };
    let funnel = Funnel { data: stages.map(stage).into(), as_of: session.as_of };
    Ok(with_read_position(funnel, session.reached))
}
