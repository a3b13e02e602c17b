//! `POST /v1/calls/{call_id}/notes`: adds a note to a call.

use axum::extract::State;
use axum::response::Response;
use ledger_core::annotation::command::Action;
use ledger_core::annotation::words::{NoteKind, Visibility};
use ledger_core::ids::{NoteId, StreamId};
use ledger_core::personal::Personal;
use serde::Deserialize;
use utoipa::ToSchema;

use super::body;
use super::change::{after, annotate};
use super::refused::{not_found, outcome_unknown};
use super::view::{NoteView, Sources};
use crate::api::words::{NoteKindName, NoteVisibility};
use crate::app::App;
use crate::auth::Caller;
use crate::http::json_body::JsonBody;
use crate::http::operation::{Authorized, operation};
use crate::http::params::{NoQuery, PathId};
use crate::http::response::created;
use crate::problem::{ApiError, Problem};

/// A new note.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoteRequest {
    /// The text; stored sealed.
    #[serde(deserialize_with = "body::required_note_text")]
    #[schema(value_type = String, min_length = 1, max_length = 4000)]
    text: Personal<String>,
    /// Kind of the note; `general` by default.
    #[serde(default, deserialize_with = "body::kind")]
    #[schema(value_type = Option<NoteKindName>)]
    kind: Option<NoteKind>,
    /// Readers that it is meant for; `internal` by default.
    #[serde(default, deserialize_with = "body::visibility")]
    #[schema(value_type = Option<NoteVisibility>)]
    visibility: Option<Visibility>,
}

operation! {
    AddCallNote {
        id: "add_call_note",
        action: "calls.notes.add",
        access: Write,
        audit: Changes,
    }
}

/// Adds a note to a call. Its author is the key. Answers to changes have no texts; `GET /v1/calls/{call_id}` shows
/// them.
///
/// # Errors
/// 404 `call-not-found`, the same for an unknown call and for another tenant's; 409 `too-many-annotations` if the
/// call ever had 200 notes; 409 `subject-erased`; 422 for an unknown, missing or malformed field.
#[utoipa::path(
    post, path = "/v1/calls/{call_id}/notes", tag = "calls",
    params(
        ("call_id" = String, Path, description = "The call"),
    ),
    request_body(content = NoteRequest, content_type = "application/json"),
    responses(
        (status = 201, body = NoteView, headers(("ledger-position" = i64, description = "Where it is recorded"))),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "The key lacks scope write, or the tenant takes no events"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "No such call, the same for another tenant's"),
        (status = 408, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "too-many-annotations, or subject-erased"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "A field is unknown, missing or malformed"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "call-busy, or the database does not answer"),
    ),
)]
#[tracing::instrument(name = "api.calls.notes.add", skip_all)]
pub async fn handler(
    caller: Authorized<AddCallNote>,
    State(app): State<App>,
    PathId(call_id): PathId,
    _: NoQuery,
    JsonBody(request): JsonBody<NoteRequest>,
) -> Result<Response, ApiError> {
    let call_id = StreamId(call_id.ok_or_else(not_found)?);
    let NoteRequest { text, kind, visibility } = request;
    let (kind, visibility) = (kind.unwrap_or_default(), visibility.unwrap_or_default());
    let note_id = new_id(&app, &caller);
    let action = Action::AddNote { note_id, kind, visibility, text };
    let position = annotate(&app, &caller, call_id, action).await?;
    let call = after(&app, &caller, call_id, position).await?;
    let note = call.notes().into_iter().find(|note| note.note_id == note_id);
    let note = note.ok_or_else(outcome_unknown)?;
    Ok(created(NoteView::of(&note, Sources::default()), position))
}

/// The id of the new note: the same one if the same command runs again.
fn new_id(app: &App, caller: &Caller) -> NoteId {
    let derive = |command: &crate::idempotency::RunningCommand| {
        caller.tenant_id().derive(&[b"note".as_slice(), command.id().0.as_bytes()])
    };
    NoteId(caller.command.as_ref().map_or_else(|| app.store.ids().random(), derive))
}
