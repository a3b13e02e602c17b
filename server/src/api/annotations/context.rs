//! `PUT /v1/calls/{call_id}/context`: sets the context of a call.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use ledger_core::annotation::command::Action;
use ledger_core::ids::StreamId;
use ledger_core::personal::Personal;
use serde_json::Value;

use super::change::change;
use super::refused::not_found;
use super::view::AnnotatedCallView;
use crate::app::App;
use crate::http::json_body::JsonBody;
use crate::http::operation::{Authorized, operation};
use crate::http::params::{NoQuery, PathId};
use crate::problem::{ApiError, Problem};

/// Largest context, in bytes of JSON text.
const MAX_BYTES: usize = 8 << 10;
/// Deepest nesting of a context.
const MAX_DEPTH: usize = 8;
/// Most fields of a context.
const MAX_FIELDS: usize = 200;
/// Longest name of a field, in characters.
const MAX_NAME: usize = 64;

operation! {
    SetCallContext {
        id: "set_call_context",
        action: "calls.context.set",
        access: Write,
        audit: Changes,
    }
}

/// Sets the context of a call: a document of the tenant, replaced as a whole. Fields on the list of the setting
/// `annotations` are stored in the clear if their values are short and plain; all others are sealed.
///
/// # Errors
/// 404 `call-not-found`, the same for an unknown call and for another tenant's; 409 `person-erased`; 422 for a
/// document that is too large or too deep, and for a name that is empty, too long or has control characters.
#[utoipa::path(
    put, path = "/v1/calls/{call_id}/context", tag = "calls",
    params(
        ("call_id" = String, Path, description = "The call"),
    ),
    request_body(content = Object, content_type = "application/json"),
    responses(
        (status = 200, body = AnnotatedCallView, headers(("ledger-position" = i64, description = "Where it is recorded, when something changed"))),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "The key lacks scope write, or the tenant takes no events"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "No such call, the same for another tenant's"),
        (status = 408, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "person-erased"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "The document is too large or too deep, or a name is malformed"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "call-busy, or the database does not answer"),
    ),
)]
#[tracing::instrument(name = "api.calls.context.set", skip_all)]
pub async fn handler(
    caller: Authorized<SetCallContext>,
    State(app): State<App>,
    PathId(call_id): PathId,
    _: NoQuery,
    JsonBody(fields): JsonBody<BTreeMap<String, Value>>,
) -> Result<Response, ApiError> {
    let call_id = StreamId(call_id.ok_or_else(not_found)?);
    let fields = checked(fields)?;
    change(&app, &caller, call_id, Action::SetContext { fields }).await
}

/// Checks the bounds of a context. Its fields are named by the tenant, so faults are about the whole document.
fn checked(fields: BTreeMap<String, Value>) -> Result<Personal<BTreeMap<String, Value>>, ApiError> {
    let bytes = serde_json::to_vec(&fields).map_err(|error| ApiError::internal(&error))?.len();
    let is_name = |name: &String| {
        !name.trim().is_empty()
            && name.chars().count() <= MAX_NAME
            && !name.chars().any(char::is_control)
    };
    let fault = if bytes > MAX_BYTES {
        "the context is larger than 8 KiB"
    } else if fields.len() > MAX_FIELDS {
        "the context has more than 200 fields"
    } else if !fields.keys().all(is_name) {
        "a name is empty, longer than 64 characters or has control characters"
    } else if !fields.values().all(|value| is_plain(value, MAX_DEPTH)) {
        "the context is nested too deeply, or a text has a NUL character"
    } else {
        return Ok(Personal::new(fields));
    };
    Err(ApiError::field("", fault))
}

/// Whether a value is nested at most `depth` deep and has no NUL character.
fn is_plain(value: &Value, depth: usize) -> bool {
    let is_text = |text: &str| !text.contains('\0');
    match value {
        Value::String(text) => is_text(text),
        Value::Array(values) => depth > 0 && values.iter().all(|value| is_plain(value, depth - 1)),
        Value::Object(fields) => {
            let is_field =
                |(name, value): (&String, &Value)| is_text(name) && is_plain(value, depth - 1);
            depth > 0 && fields.iter().all(is_field)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}
