//! `POST /v1/calls/{call_id}/disposition`: sets the disposition of a call.

use axum::extract::State;
use axum::response::Response;
use ledger_core::annotation::command::Action;
use ledger_core::annotation::words::Word;
use ledger_core::ids::StreamId;
use serde::Deserialize;
use utoipa::ToSchema;

use super::body;
use super::change::change;
use super::refused::not_found;
use super::view::AnnotatedCallView;
use crate::app::App;
use crate::http::json_body::JsonBody;
use crate::http::operation::{Authorized, operation};
use crate::http::params::{NoQuery, PathId};
use crate::problem::{ApiError, Problem};

/// A disposition.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DispositionRequest {
    /// An id of the setting `dispositions`; null takes the disposition away.
    #[serde(deserialize_with = "body::word")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 40)]
    disposition: Option<Word>,
}

operation! {
    SetCallDisposition {
        id: "set_call_disposition",
        action: "calls.disposition.set",
        access: Write,
        audit: Changes,
    }
}

/// Sets the disposition of a call. An entry of the catalogue may also escalate the call or mark it as a test.
///
/// # Errors
/// 404 `call-not-found`, the same for an unknown call and for another tenant's; 422 `unknown-disposition` for one
/// that is not in the catalogue.
#[utoipa::path(
    post, path = "/v1/calls/{call_id}/disposition", tag = "calls",
    params(
        ("call_id" = String, Path, description = "The call"),
    ),
    request_body(content = DispositionRequest, content_type = "application/json"),
    responses(
        (status = 200, body = AnnotatedCallView, headers(("ledger-position" = i64, description = "Where it is recorded, when something changed"))),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "The key lacks scope write, or the tenant takes no events"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "No such call, the same for another tenant's"),
        (status = 408, body = Problem, content_type = "application/problem+json"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "The disposition is malformed, or not in the catalogue"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "call-busy, or the database does not answer"),
    ),
)]
#[tracing::instrument(name = "api.calls.disposition.set", skip_all)]
pub async fn handler(
    caller: Authorized<SetCallDisposition>,
    State(app): State<App>,
    PathId(call_id): PathId,
    _: NoQuery,
    JsonBody(request): JsonBody<DispositionRequest>,
) -> Result<Response, ApiError> {
    let call_id = StreamId(call_id.ok_or_else(not_found)?);
    let DispositionRequest { disposition } = request;
    change(&app, &caller, call_id, Action::Dispose { disposition }).await
}
