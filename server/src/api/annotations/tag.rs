//! `POST /v1/calls/{call_id}/tags`: puts a tag on a call.

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

/// A tag, stored in the clear: a word, in lower case and with `-` for blanks.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TagRequest {
    /// The tag: letters, digits, `-`, `_`, `.` and `:`.
    #[serde(deserialize_with = "body::required_word")]
    #[schema(value_type = String, min_length = 1, max_length = 40)]
    tag: Word,
    /// Its category, one of the setting `annotations` if that has a list.
    #[serde(default, deserialize_with = "body::word")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 40)]
    category: Option<Word>,
}

operation! {
    TagCall {
        id: "tag_call",
        action: "calls.tags.add",
        access: Write,
        audit: Changes,
    }
}

/// Puts a tag on a call, or gives it another category.
///
/// # Errors
/// 404 `call-not-found`, the same for an unknown call and for another tenant's; 409 `too-many-annotations` if the
/// call has 50 tags; 422 for a malformed tag and for a category that is not on the list.
#[utoipa::path(
    post, path = "/v1/calls/{call_id}/tags", tag = "calls",
    params(
        ("call_id" = String, Path, description = "The call"),
    ),
    request_body(content = TagRequest, content_type = "application/json"),
    responses(
        (status = 200, body = AnnotatedCallView, headers(("ledger-position" = i64, description = "Where it is recorded, when something changed"))),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "The key lacks scope write, or the tenant takes no events"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "No such call, the same for another tenant's"),
        (status = 408, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "too-many-annotations"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "A field is unknown, missing or malformed"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "call-busy, or the database does not answer"),
    ),
)]
#[tracing::instrument(name = "api.calls.tags.add", skip_all)]
pub async fn handler(
    caller: Authorized<TagCall>,
    State(app): State<App>,
    PathId(call_id): PathId,
    _: NoQuery,
    JsonBody(request): JsonBody<TagRequest>,
) -> Result<Response, ApiError> {
    let call_id = StreamId(call_id.ok_or_else(not_found)?);
    let TagRequest { tag, category } = request;
    change(&app, &caller, call_id, Action::Tag { tag, category }).await
}
