//! `GET /v1/agents`.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use projections::analytics::{Dimension, Sums};
use serde::Serialize;
use utoipa::ToSchema;

use super::analytics::{Asked, CostView, SumParams};
use super::words::AgentKind;
use super::{Params, positioned};
use crate::app::App;
use crate::auth::{Caller, Scope};
use crate::problem::{ApiError, Problem};

/// Everyone who took calls, the most calls first. Human agents are not among them: no platform tells
/// who they are yet.
#[derive(Debug, Serialize, ToSchema)]
pub struct Agents {
    /// Who is known.
    data: Vec<Agent>,
    /// When the sums were read.
    as_of: DateTime<Utc>,
}

/// One who took calls. What is not known is null.
#[derive(Debug, Serialize, ToSchema)]
pub struct Agent {
    /// The platform's id.
    agent_id: String,
    /// `assistant`.
    #[schema(value_type = AgentKind)]
    kind: &'static str,
    /// How many calls.
    calls: i64,
    /// Their durations together.
    #[schema(value_type = i64)]
    duration_ms: i128,
    /// Their stated costs together in 1e-9 of the currency, exactly; null when there are several
    /// currencies.
    #[schema(value_type = Option<i64>)]
    cost_nanos: Option<i128>,
    /// By currency.
    costs: Vec<CostView>,
    /// Of the calls the platform judged, how many it judged a success.
    success_rate: Option<f64>,
    /// Calls an appointment is linked to.
    booked: i64,
    /// The same as a part of all calls.
    booking_rate: Option<f64>,
    /// The cost of a call whose cost is known, on average.
    #[schema(value_type = Option<i64>)]
    avg_cost_nanos: Option<i128>,
    /// The duration of a call whose duration is known, on average.
    #[schema(value_type = Option<i64>)]
    avg_duration_ms: Option<i128>,
    /// What half of the durations do not exceed, at most 1.6 % off.
    p50_duration_ms: Option<i64>,
    /// What nine tenths of the durations do not exceed, at most 1.6 % off.
    p90_duration_ms: Option<i64>,
    /// Calls that went on to somebody else.
    transfers: i64,
    /// How often people were interrupted; null when no call told of its turns.
    #[schema(value_type = Option<i64>)]
    user_interruptions: Option<i128>,
    /// How often the assistant was interrupted; null when no call told of its turns.
    #[schema(value_type = Option<i64>)]
    assistant_interruptions: Option<i128>,
    /// The latency of turns: the average of the calls' averages.
    #[schema(value_type = Option<i64>)]
    avg_turn_latency_ms: Option<i128>,
}

impl Agent {
    fn of(agent_id: String, sums: &Sums) -> Self {
        let counted = [sums.user_interruptions, sums.assistant_interruptions];
        let is_told = sums.latency_calls > 0 || counted.iter().any(|count| *count > 0);
        Self {
            agent_id,
            kind: "assistant",
            calls: sums.calls,
            duration_ms: sums.duration_ms,
            cost_nanos: sums.cost_nanos(),
            costs: CostView::all_of(sums),
            success_rate: sums.success_rate(),
            booked: sums.booked,
            booking_rate: sums.booking_rate(),
            avg_cost_nanos: sums.avg_cost_nanos(),
            avg_duration_ms: sums.avg_duration_ms(),
            p50_duration_ms: sums.durations.percentile(50),
            p90_duration_ms: sums.durations.percentile(90),
            transfers: sums.transfers,
            user_interruptions: Some(sums.user_interruptions).filter(|_| is_told),
            assistant_interruptions: Some(sums.assistant_interruptions).filter(|_| is_told),
            avg_turn_latency_ms: sums.avg_latency_ms(),
        }
    }
}

/// Everyone who took calls, with what came of them.
///
/// # Errors
/// 400 for a parameter that is unknown or not of its form, by name.
#[utoipa::path(
    get, path = "/v1/agents", operation_id = "list_agents", tag = "analytics", security(("api_key" = [])),
    params(SumParams),
    responses(
        (status = 200, body = Agents),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 429, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.agents", skip_all)]
pub async fn handler(
    caller: Caller,
    State(app): State<App>,
    mut params: Params,
) -> Result<Response, ApiError> {
    caller.require(&app, Scope::Read, "agents.list").await?;
    let asked = Asked::take(&app, &caller, &mut params).await?;
    params.finish()?;

    let mut reading = asked.begin(&app, &caller).await?;
    let groups = reading.groups(Dimension::AgentId, true).await?;
    let agent = |(id, sums): (Option<String>, Sums)| id.map(|id| Agent::of(id, &sums));
    let data = groups.into_iter().filter_map(agent).collect();
    Ok(positioned(Agents { data, as_of: reading.as_of }, reading.reached))
}
