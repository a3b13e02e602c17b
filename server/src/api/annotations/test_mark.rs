//! `POST /v1/calls/{call_id}/test`: marks a call as a test.

use axum::extract::State;
use axum::response::Response;
use ledger_core::annotation::command::Action;
use ledger_core::ids::StreamId;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use super::change::change;
use super::refused::not_found;
use super::view::AnnotatedCallView;
use crate::app::App;
use crate::http::fields;
use crate::http::json_body::JsonBody;
use crate::http::operation::{Authorized, operation};
use crate::http::params::{NoQuery, PathId};
use crate::problem::{ApiError, Problem};

/// The mark of a test.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TestRequest {
    /// Whether the call is a test.
    #[serde(deserialize_with = "is_test")]
    is_test: bool,
}

fn is_test<'de, D: Deserializer<'de>>(field: D) -> Result<bool, D::Error> {
    fields::flag(field)?.ok_or_else(|| D::Error::custom("it is missing"))
}

operation! {
    MarkTestCall {
        id: "mark_test_call",
        action: "calls.test.mark",
        access: Write,
        audit: Changes,
    }
}

/// Marks a call as a test, or as none. The mark has precedence over what the platform reports.
///
/// # Errors
/// 404 `call-not-found`, the same for an unknown call and for another tenant's; 422 for a value that is neither
/// true nor false.
#[utoipa::path(
    post, path = "/v1/calls/{call_id}/test", tag = "calls",
    params(
        ("call_id" = String, Path, description = "The call"),
    ),
    request_body(content = TestRequest, content_type = "application/json"),
    responses(
        (status = 200, body = AnnotatedCallView, headers(("ledger-position" = i64, description = "Where it is recorded, when something changed"))),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "The key lacks scope write, or the tenant takes no events"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "No such call, the same for another tenant's"),
        (status = 408, body = Problem, content_type = "application/problem+json"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "The field is missing or malformed"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "call-busy, or the database does not answer"),
    ),
)]
#[tracing::instrument(name = "api.calls.test.mark", skip_all)]
pub async fn handler(
    caller: Authorized<MarkTestCall>,
    State(app): State<App>,
    PathId(call_id): PathId,
    _: NoQuery,
    JsonBody(request): JsonBody<TestRequest>,
) -> Result<Response, ApiError> {
    let call_id = StreamId(call_id.ok_or_else(not_found)?);
    change(&app, &caller, call_id, Action::MarkTest { is_test: request.is_test }).await
}
