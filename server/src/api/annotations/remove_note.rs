//! `DELETE /v1/calls/{call_id}/notes/{note_id}`: removes a note.

use axum::extract::State;
use axum::response::Response;
use ledger_core::annotation::command::Action;

use super::change::change;
use super::path::CallPath;
use super::view::AnnotatedCallView;
use crate::app::App;
use crate::http::operation::{Authorized, operation};
use crate::http::params::NoQuery;
use crate::problem::{ApiError, Problem};

operation! {
    RemoveCallNote {
        id: "remove_call_note",
        action: "calls.notes.remove",
        access: Write,
        audit: Changes,
    }
}

/// Removes a note. Its text stays in the log, sealed. A note that was removed before stays removed.
///
/// # Errors
/// 404 `call-not-found`, the same for an unknown call and for another tenant's; 404 `note-not-found` for an
/// unknown note.
#[utoipa::path(
    delete, path = "/v1/calls/{call_id}/notes/{note_id}", tag = "calls",
    params(
        ("call_id" = String, Path, description = "The call"),
        ("note_id" = String, Path, description = "The note"),
    ),
    responses(
        (status = 200, body = AnnotatedCallView, headers(("ledger-position" = i64, description = "Where it is recorded, when something changed"))),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "The key lacks scope write, or the tenant takes no events"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "No such call or note, the same for another tenant's"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "call-busy, or the database does not answer"),
    ),
)]
#[tracing::instrument(name = "api.calls.notes.remove", skip_all)]
pub async fn handler(
    caller: Authorized<RemoveCallNote>,
    State(app): State<App>,
    path: CallPath,
    _: NoQuery,
) -> Result<Response, ApiError> {
    let call_id = path.call_id()?;
    let action = Action::RemoveNote { note_id: path.note_id()? };
    change(&app, &caller, call_id, action).await
}
