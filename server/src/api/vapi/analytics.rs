//! `POST /analytics`: analytics over calls in the form of Vapi's API.

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
use projections::analytics::run_query;
use projections::calls::measurements::measurements;
use serde::Deserialize;
use utoipa::ToSchema;

use self::answer::{
    ResultRow, VapiAnalyticsResult, history_question, history_rows, question, rows,
};
use self::request::{Query, parse};
use super::error::{VapiError, refused};
use super::query::Params;
use crate::api::words::{AllCalls, VapiColumn, VapiGroup, VapiOperation, VapiStep, VapiTable};
use crate::app::App;
use crate::http::body::read_body;
use crate::http::consistency::begin_analytics_read;
use crate::http::operation::{Authorized, operation};
use crate::http::response::with_read_position;
use crate::problem::ApiError;

/// Maximum size of a request body, in bytes.
const MAX_BODY: usize = 256 << 10;
/// Timeout of the request body.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum number of calls in an answer to `history`.
const MAX_HISTORY: i64 = 10_000;

operation! {
    VapiQueryAnalytics {
        id: "vapi_query_analytics",
        action: "vapi.analytics",
        access: Read,
        audit: ReadsFacts,
    }
}

/// Runs analytics queries over calls.
///
/// # Errors
/// 400 with every fault, each with the path of the field.
#[utoipa::path(
    post, path = "/analytics", tag = "vapi dialect",
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
    caller: Authorized<VapiQueryAnalytics>,
    State(app): State<App>,
    uri: Uri,
    body: Body,
) -> Result<Response, ApiError> {
    let mut params = Params::of(&uri);
    let min_position = params.number("min_position");
    params.reject_unknown().map_err(refused)?;
    let body = read_body(body, MAX_BODY, TIMEOUT).await?;
    let now = app.store.clock().now();
    // Cutting ranges into steps needs time-zone arithmetic for thousands of steps in each query, so it runs
    // off the async workers.
    let queries = compute(usize::MAX, || parse(&body, now)).await.map_err(refused)?;
    let (mut tx, reached) = begin_analytics_read(&app, &caller, &["calls"], min_position).await?;
    let mut results = Vec::with_capacity(queries.len());
    for (nth, query) in queries.into_iter().enumerate() {
        let too_much = || {
            let fault = "has more rows than can be told; choose a shorter time or longer steps";
            refused(vec![format!("queries.{nth} {fault}")])
        };
        let rows = answer(&mut tx, &query).await?.ok_or_else(too_much)?;
        results.push(VapiAnalyticsResult::of(query, rows));
    }
    let mut response = with_read_position(results, reached);
    // Vapi answers 201, and some scripts check for it.
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// Returns the rows of one query; `None` if there are too many.
async fn answer(tx: &mut TenantTx, query: &Query) -> Result<Option<Vec<ResultRow>>, ApiError> {
    if query.is_history() {
        let measurements = measurements(tx, &history_question(query), MAX_HISTORY + 1).await?;
        let is_complete = i64::try_from(measurements.len()).is_ok_and(|len| len <= MAX_HISTORY);
        return Ok(is_complete.then(|| history_rows(query, measurements)));
    }
    let answers = run_query(tx, &question(query)).await?;
    Ok(answers.map(|answers| rows(query, answers)))
}

/// The request body.
///
/// Only documentation: the body is parsed field by field, to report every fault.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "for the contract alone: it is read field by field, to tell every fault"
)]
pub struct VapiAnalyticsRequest {
    /// At most 50 queries.
    #[schema(max_items = 50)]
    queries: Vec<VapiAnalyticsQuery>,
}

/// A query over calls.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "for the contract alone")]
struct VapiAnalyticsQuery {
    /// Always `call`, the only table of Vapi's that is stored here.
    #[schema(value_type = VapiTable)]
    table: String,
    /// Name of the query, repeated in the answer.
    #[schema(max_length = 40)]
    name: String,
    /// `type`, `assistantId`, `endedReason`, `analysis.successEvaluation`, `status`; not Vapi's: `outcome`,
    /// `tool`, `phoneNumberId`, `durationClass`.
    #[schema(value_type = Option<Vec<VapiGroup>>)]
    group_by: Option<Vec<String>>,
    /// Time range of the call starts.
    time_range: Option<VapiAnalyticsTime>,
    /// At most 50 operations.
    #[schema(max_items = 50)]
    operations: Vec<VapiAnalyticsOperation>,
    /// Not Vapi's: `true` for test calls, `false` (default) for other calls, `"any"` for both.
    is_test: Option<IsTest>,
}

/// Filter by the test mark of a call.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "for the contract alone")]
enum IsTest {
    /// True for test calls, false for the others.
    Marked(bool),
    /// The word `any`, for test calls and others.
    #[schema(value_type = AllCalls)]
    Any(String),
}

/// Time range of a query and its steps.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "for the contract alone")]
struct VapiAnalyticsTime {
    /// `second` to `millennium`; default: the whole range is one step.
    #[schema(value_type = Option<VapiStep>)]
    step: Option<String>,
    /// ISO 8601; default: seven days ago.
    start: Option<String>,
    /// ISO 8601; default: now.
    end: Option<String>,
    /// IANA time zone; default: UTC.
    timezone: Option<String>,
}

/// An operation on a column.
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
    /// Name of the value in each row; default: operation and column, such as `sumCost`.
    #[schema(max_length = 40)]
    alias: Option<String>,
}
