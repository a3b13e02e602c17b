//! `POST /analytics`: figures over calls, as Vapi's API is asked for them.

mod answer;
mod fields;
mod range;
mod request;
mod step;

use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use ledger_store::TenantTx;
use ledger_store::compute::compute;
use projections::analytics::ask;
use projections::calls::history::history;
use serde::Deserialize;
use utoipa::ToSchema;

use self::answer::{Row, VapiAnalyticsResult, history_question, history_rows, question, rows};
use self::request::{Query, parse};
use super::error::{VapiError, refused};
use super::query::Params;
use crate::api::words::{AllCalls, VapiColumn, VapiGroup, VapiOperation, VapiStep, VapiTable};
use crate::api::{begin_sums, positioned};
use crate::app::App;
use crate::auth::{Caller, Scope};
use crate::ingest::read_body;
use crate::problem::ApiError;

/// More than any dashboard asks at once.
const MAX_BODY: usize = 256 << 10;
/// A question is sent in one piece.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most calls that are told one by one.
const MAX_HISTORY: i64 = 10_000;

/// Figures over calls.
///
/// # Errors
/// 400 with every fault by its path.
#[utoipa::path(
    post, path = "/analytics", operation_id = "vapi_query_analytics", tag = "vapi dialect", security(("api_key" = [])),
    params(
        ("min_position" = Option<i64>, Query, description = "Not Vapi's: wait until the read model has reached this position"),
    ),
    request_body = VapiAnalyticsRequest,
    responses(
        (status = 201, body = Vec<VapiAnalyticsResult>),
        (status = 400, body = VapiError),
        (status = 401, body = VapiError),
        (status = 403, body = VapiError),
        (status = 408, body = VapiError),
        (status = 413, body = VapiError),
        (status = 503, body = VapiError),
    ),
)]
#[tracing::instrument(name = "api.vapi.analytics", skip_all)]
pub async fn handler(
    caller: Caller,
    State(app): State<App>,
    uri: Uri,
    body: Body,
) -> Result<Response, ApiError> {
    caller.require(&app, Scope::Read, "vapi.analytics").await?;
    let mut params = Params::of(&uri);
    let min_position = params.number("min_position");
    params.finish().map_err(refused)?;
    let body = read_body(body, MAX_BODY, PATIENCE).await?;
    let now = app.store.clock().now();
    // Ranges are cut into steps by the clock of a zone, thousands of them for each query.
    let queries = compute(usize::MAX, || parse(&body, now)).await.map_err(refused)?;
    let (mut tx, reached) = begin_sums(&app, &caller, &["calls"], min_position).await?;
    let mut results = Vec::with_capacity(queries.len());
    for (nth, query) in queries.into_iter().enumerate() {
        let too_much = || {
            let fault = "has more rows than can be told; choose a shorter time or longer steps";
            refused(vec![format!("queries.{nth} {fault}")])
        };
        let rows = answer(&mut tx, &query).await?.ok_or_else(too_much)?;
        results.push(VapiAnalyticsResult::of(query, rows));
    }
    let mut response = positioned(results, reached);
    // What Vapi answers, and what some scripts wait for.
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// The rows of one query; `None` when there are too many.
async fn answer(tx: &mut TenantTx, query: &Query) -> Result<Option<Vec<Row>>, ApiError> {
    if query.is_history() {
        let moments = history(tx, &history_question(query), MAX_HISTORY + 1).await?;
        let is_told = i64::try_from(moments.len()).is_ok_and(|len| len <= MAX_HISTORY);
        return Ok(is_told.then(|| history_rows(query, moments)));
    }
    let answers = ask(tx, &question(query)).await?;
    Ok(answers.map(|answers| rows(query, answers)))
}

/// What is asked.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "for the contract alone: it is read field by field, to tell every fault"
)]
pub struct VapiAnalyticsRequest {
    /// At most 50.
    #[schema(max_items = 50)]
    queries: Vec<VapiAnalyticsQuery>,
}

/// One query.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "for the contract alone")]
struct VapiAnalyticsQuery {
    /// `call`.
    #[schema(value_type = VapiTable)]
    table: String,
    /// Names the answer.
    #[schema(max_length = 40)]
    name: String,
    /// `type`, `assistantId`, `endedReason`, `analysis.successEvaluation`, `status`; not Vapi's:
    /// `outcome`, `tool`, `phoneNumberId`, `durationClass`.
    #[schema(value_type = Option<Vec<VapiGroup>>)]
    group_by: Option<Vec<String>>,
    /// The time it is about.
    time_range: Option<VapiAnalyticsTime>,
    /// At most 50.
    #[schema(max_items = 50)]
    operations: Vec<VapiAnalyticsOperation>,
    /// Not Vapi's: `true` for calls marked as tests, `false` (as when nothing is said) for the others,
    /// `"any"` for both.
    is_test: Option<IsTest>,
}

/// Which calls count.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "for the contract alone")]
enum IsTest {
    /// Those marked as tests, or the others.
    Marked(bool),
    /// `any`: both.
    #[schema(value_type = AllCalls)]
    Any(String),
}

/// The time a query is about.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "for the contract alone")]
struct VapiAnalyticsTime {
    /// `second` to `millennium`; without it all of the time is one.
    #[schema(value_type = Option<VapiStep>)]
    step: Option<String>,
    /// ISO 8601; without it seven days ago.
    start: Option<String>,
    /// ISO 8601; without it now.
    end: Option<String>,
    /// IANA; without it UTC.
    timezone: Option<String>,
}

/// One figure of a query.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "for the contract alone")]
struct VapiAnalyticsOperation {
    /// `sum`, `avg`, `count`, `min`, `max`, `history`; not Vapi's: `p50`, `p90`, `p95`.
    #[schema(value_type = VapiOperation)]
    operation: String,
    /// `id`, `duration` and `minutesUsed` (both in minutes), `cost` and its parts.
    #[schema(value_type = VapiColumn)]
    column: String,
    /// Names the figure; without it the operation and the column do.
    #[schema(max_length = 40)]
    alias: Option<String>,
}
