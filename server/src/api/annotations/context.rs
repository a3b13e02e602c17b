//! `PUT /v1/calls/{call_id}/context`: sets the context of a call.

use std::collections::BTreeMap;

use axum::extract::{FromRequest, Request, State};
use axum::response::Response;
use ledger_core::annotation::command::Action;
use ledger_core::annotation::numbers::has_changed_number;
use ledger_core::ids::StreamId;
use ledger_core::json::without_bom;
use ledger_core::personal::Personal;
use ledger_core::text::{HIDDEN, TextFault, check_line, has_hidden};
use serde_json::Value;
use serde_json::value::RawValue;

use super::change::change;
use super::refused::not_found;
use super::view::AnnotatedCallView;
use crate::app::App;
use crate::http::body::read_body;
use crate::http::json_body::{MAX_BODY, TIMEOUT, parse};
use crate::http::operation::{Authorized, operation};
use crate::http::params::{NoQuery, PathId};
use crate::problem::{ApiError, Problem};

/// Largest context, in bytes of JSON text.
const MAX_BYTES: usize = 8 << 10;
/// Deepest nesting of a context; the context itself is the first level.
const MAX_DEPTH: usize = 8;
/// Most fields of a context.
const MAX_FIELDS: usize = 200;
/// Longest name of a field, in characters.
const MAX_NAME: usize = 64;

/// The body of the request: an object of the tenant's fields, each number of which is kept as it is written.
pub struct ContextBody(BTreeMap<String, Value>);

impl<S: Send + Sync> FromRequest<S> for ContextBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let body = read_body(request.into_body(), MAX_BODY, TIMEOUT).await?;
        let fields = parse(&body)?;
        let written: BTreeMap<String, &RawValue> = serde_json::from_slice(without_bom(&body))
            .map_err(|error| ApiError::internal(&error))?;
        match written.iter().find(|(_, value)| has_changed_number(value.get())) {
            None => Ok(Self(fields)),
            Some((name, _)) => {
                let detail =
                    "a number is too large or has more digits than are kept; send it as a text";
                Err(ApiError::field(shown(name), detail))
            }
        }
    }
}

/// The name of a field for a fault; empty if it does not look like a name, because it may be personal.
fn shown(name: &str) -> &str {
    let is_part = |b: u8| b.is_ascii_lowercase() || b == b'_';
    if name.len() <= 40 && name.bytes().all(is_part) { name } else { "" }
}

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
/// 404 `call-not-found`, the same for an unknown call and for another tenant's; 409 `subject-erased`; 422 for a
/// document that is too large or too deep, for a name that is empty or too long, for hidden characters, and for a
/// number that would not be kept as it is written.
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
        (status = 409, body = Problem, content_type = "application/problem+json", description = "subject-erased"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "The document is too large or too deep, or a name, a text or a number is malformed"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "call-busy, or the database does not answer"),
    ),
)]
#[tracing::instrument(name = "api.calls.context.set", skip_all)]
pub async fn handler(
    caller: Authorized<SetCallContext>,
    State(app): State<App>,
    PathId(call_id): PathId,
    _: NoQuery,
    ContextBody(fields): ContextBody,
) -> Result<Response, ApiError> {
    let call_id = StreamId(call_id.ok_or_else(not_found)?);
    let fields = checked(fields)?;
    change(&app, &caller, call_id, Action::SetContext { fields }).await
}

/// Checks the bounds of a context. Its fields are named by the tenant, so faults are about the whole document.
fn checked(fields: BTreeMap<String, Value>) -> Result<Personal<BTreeMap<String, Value>>, ApiError> {
    let bytes = serde_json::to_vec(&fields).map_err(|error| ApiError::internal(&error))?.len();
    if let Some((name, _)) = fields.iter().find(|(_, value)| has_hidden_text(value)) {
        return Err(ApiError::field(shown(name), HIDDEN));
    }
    let fault = if bytes > MAX_BYTES {
        "the context is larger than 8 KiB"
    } else if fields.len() > MAX_FIELDS {
        "the context has more than 200 fields"
    } else if let Some(fault) = fields.keys().find_map(|name| check_line(name, MAX_NAME).err()) {
        match fault {
            TextFault::Empty => "the name of a field is empty",
            TextFault::TooLong(_) => "a name is longer than 64 characters",
            TextFault::Hidden => {
                "a name is wrong: it holds a control character, an invisible character or a mark of direction"
            }
        }
    } else if !fields.values().all(|value| fits(value, MAX_DEPTH - 1)) {
        "the context is nested more than 8 levels deep, of which it is the first itself"
    } else {
        return Ok(Personal::new(fields));
    };
    Err(ApiError::field("", fault))
}

/// Whether a text or a name in a value has a hidden character.
fn has_hidden_text(value: &Value) -> bool {
    match value {
        Value::String(text) => has_hidden(text),
        Value::Array(values) => values.iter().any(has_hidden_text),
        Value::Object(fields) => {
            fields.iter().any(|(name, value)| has_hidden(name) || has_hidden_text(value))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether a value has at most `levels` levels of lists and objects.
fn fits(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(values) => levels > 0 && values.iter().all(|value| fits(value, levels - 1)),
        Value::Object(fields) => levels > 0 && fields.values().all(|value| fits(value, levels - 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}
