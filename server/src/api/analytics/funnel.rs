//! `GET /v1/analytics/funnel`.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use projections::analytics::{Dimension, Sums, ratio};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Asked, SumParams};
use crate::api::{Params, positioned};
use crate::app::App;
use crate::auth::{Caller, Scope};
use crate::problem::{ApiError, Problem};

/// Outcomes of calls that nobody answered, and of those that cannot be told.
const UNANSWERED: [&str; 5] = ["no_answer", "busy", "voicemail", "failed", "unknown"];

/// How far calls came.
#[derive(Debug, Serialize, ToSchema)]
pub struct Funnel {
    /// From all calls to those that led to something. `successful` and `booked` are parts of
    /// `answered`, and may overlap.
    data: Vec<FunnelStage>,
    /// When the sums were read.
    as_of: DateTime<Utc>,
}

/// One stage.
#[derive(Debug, Serialize, ToSchema)]
pub struct FunnelStage {
    /// `calls`: all; `ended`: their end was told; `answered`: a person answered, by their outcome;
    /// `successful`: and the platform judged them a success; `booked`: and an appointment is linked.
    stage: &'static str,
    /// How many came this far.
    calls: i64,
    /// The same as a part of all calls.
    rate: Option<f64>,
}

/// How far calls came.
///
/// # Errors
/// 400 for a parameter that is unknown or not of its form, by name.
#[utoipa::path(
    get, path = "/v1/analytics/funnel", operation_id = "get_analytics_funnel", tag = "analytics", security(("api_key" = [])),
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
    caller: Caller,
    State(app): State<App>,
    mut params: Params,
) -> Result<Response, ApiError> {
    caller.require(&app, Scope::Read, "analytics.funnel").await?;
    let asked = Asked::take(&app, &caller, &mut params).await?;
    params.finish()?;

    let mut reading = asked.begin(&app, &caller).await?;
    let (mut all, mut ended, mut answered) = (0, 0, Sums::default());
    for (outcome, sums) in reading.groups(Dimension::Outcome, false).await? {
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
        ("successful", answered.successes),
        ("booked", answered.booked),
    ];
    let stage = |(stage, calls)| FunnelStage { stage, calls, rate: ratio(calls, all) };
    let funnel = Funnel { data: stages.map(stage).into(), as_of: reading.as_of };
    Ok(positioned(funnel, reading.reached))
}
