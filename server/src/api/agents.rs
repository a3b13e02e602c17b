//! `GET /v1/agents`: call sums for each assistant.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use projections::analytics::{Dimension, Sums};
use serde::Serialize;
use utoipa::ToSchema;

use super::analytics::{AnalyticsRequest, CostView, SumParams};
use super::words::AgentKind;
use crate::app::App;
use crate::http::operation::{Authorized, operation};
use crate::http::params::Params;
use crate::http::response::with_read_position;
use crate::problem::{ApiError, Problem};

/// Agents with their call sums, most calls first. Human agents are not included, since no platform reports
/// their identity yet.
#[derive(Debug, Serialize, ToSchema)]
pub struct Agents {
    /// Agents with at least one call in the range.
    data: Vec<Agent>,
    /// Time at which the sums were read.
    as_of: DateTime<Utc>,
}

/// Call sums of one agent. A field without data is null.
#[derive(Debug, Serialize, ToSchema)]
pub struct Agent {
    /// The platform's id of the agent.
    agent_id: String,
    /// Kind of the agent, always `assistant` today.
    #[schema(value_type = AgentKind)]
    kind: &'static str,
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
    /// Share of successful calls among those the platform evaluated, 0 to 1.
    success_rate: Option<f64>,
    /// Calls in which an appointment was booked, whatever became of it.
    booked: i64,
    /// Share of calls in which an appointment was booked, 0 to 1.
    booking_rate: Option<f64>,
    /// Average cost over the calls with a cost, in 1e-9 of the currency.
    #[schema(value_type = Option<i64>)]
    avg_cost_nanos: Option<i128>,
    /// Average duration over the calls with a duration, in milliseconds.
    #[schema(value_type = Option<i64>)]
    avg_duration_ms: Option<i128>,
    /// Median duration in milliseconds, at most 1.6 % off.
    p50_duration_ms: Option<i64>,
    /// 90th percentile of the durations in milliseconds, at most 1.6 % off.
    p90_duration_ms: Option<i64>,
    /// Calls that were transferred.
    transfers: i64,
    /// Interruptions of the user; null if no call reported its turns.
    #[schema(value_type = Option<i64>)]
    user_interruptions: Option<i128>,
    /// Interruptions of the assistant; null if no call reported its turns.
    #[schema(value_type = Option<i64>)]
    assistant_interruptions: Option<i128>,
    /// Average turn latency in milliseconds: the mean of the calls' own averages.
    #[schema(value_type = Option<i64>)]
    avg_turn_latency_ms: Option<i128>,
}

impl Agent {
    fn of(agent_id: String, sums: &Sums) -> Self {
        let counted = [sums.user_interruptions, sums.assistant_interruptions];
        let has_turns = sums.latency_calls > 0 || counted.iter().any(|count| *count > 0);
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
            user_interruptions: Some(sums.user_interruptions).filter(|_| has_turns),
            assistant_interruptions: Some(sums.assistant_interruptions).filter(|_| has_turns),
            avg_turn_latency_ms: sums.avg_latency_ms(),
        }
    }
}

operation! {
    ListAgents { id: "list_agents", action: "agents.list", access: Read, audit: ReadsFacts }
}

/// Lists the agents with their call sums.
///
/// # Errors
/// 400 for an unknown or malformed parameter, named in the answer.
#[utoipa::path(
    get, path = "/v1/agents", tag = "analytics",
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
    caller: Authorized<ListAgents>,
    State(app): State<App>,
    mut params: Params,
) -> Result<Response, ApiError> {
    let request = AnalyticsRequest::take(&app, &caller, &mut params).await?;
    params.reject_unknown()?;

    let mut session = request.begin(&app, &caller).await?;
    let groups = session.groups(Dimension::AgentId, true).await?;
    let agent = |(id, sums): (Option<String>, Sums)| id.map(|id| Agent::of(id, &sums));
    let data = groups.into_iter().filter_map(agent).collect();
    Ok(with_read_position(Agents { data, as_of: session.as_of }, session.reached))
}
