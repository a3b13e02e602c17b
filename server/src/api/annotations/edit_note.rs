//! `PATCH /v1/calls/{call_id}/notes/{note_id}`: changes a note.

use axum::extract::State;
use axum::response::Response;
use ledger_core::annotation::command::Action;
use ledger_core::annotation::words::{NoteKind, Visibility};
use ledger_core::personal::Personal;
use serde::Deserialize;
use utoipa::ToSchema;

use super::body;
use super::change::change;
use super::path::CallPath;
use super::view::AnnotatedCallView;
use crate::api::words::{NoteKindName, NoteVisibility};
use crate::app::App;
use crate::http::json_body::JsonBody;
use crate::http::operation::{Authorized, operation};
use crate::http::params::NoQuery;
use crate::problem::{ApiError, Problem};

/// A change of a note. Absent fields stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoteChange {
    /// The new text; stored sealed.
    #[serde(default, deserialize_with = "body::note_text")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 4000)]
    text: Option<Personal<String>>,
    /// The new kind.
    #[serde(default, deserialize_with = "body::kind")]
    #[schema(value_type = Option<NoteKindName>)]
    kind: Option<NoteKind>,
    /// The new readers.
    #[serde(default, deserialize_with = "body::visibility")]
    #[schema(value_type = Option<NoteVisibility>)]
    visibility: Option<Visibility>,
}

operation! {
    UpdateCallNote {
        id: "update_call_note",
        action: "calls.notes.edit",
        access: Write,
        audit: Changes,
    }
}

/// Changes a note. The earlier text stays in the log, sealed. Answers to changes have no texts;
/// `GET /v1/calls/{call_id}` shows them.
///
/// # Errors
/// 404 `call-not-found`, the same for an unknown call and for another tenant's; 404 `note-not-found` for an
/// unknown and a removed note; 409 `subject-erased`; 422 for an unknown or malformed field.
#[utoipa::path(
    patch, path = "/v1/calls/{call_id}/notes/{note_id}", tag = "calls",
    params(
        ("call_id" = String, Path, description = "The call"),
        ("note_id" = String, Path, description = "The note"),
    ),
    request_body(content = NoteChange, content_type = "application/json"),
    responses(
        (status = 200, body = AnnotatedCallView, headers(("ledger-position" = i64, description = "Where it is recorded, when something changed"))),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "The key lacks scope write, or the tenant takes no events"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "No such call or note, the same for another tenant's"),
        (status = 408, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "subject-erased"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "A field is unknown or malformed"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "call-busy, or the database does not answer"),
    ),
)]
#[tracing::instrument(name = "api.calls.notes.edit", skip_all)]
pub async fn handler(
    caller: Authorized<UpdateCallNote>,
    State(app): State<App>,
    path: CallPath,
    _: NoQuery,
    JsonBody(request): JsonBody<NoteChange>,
) -> Result<Response, ApiError> {
    let call_id = path.call_id()?;
    let NoteChange { text, kind, visibility } = request;
    let action = Action::EditNote { note_id: path.note_id()?, kind, visibility, text };
    change(&app, &caller, call_id, action).await
}
