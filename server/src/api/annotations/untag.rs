//! `DELETE /v1/calls/{call_id}/tags/{tag}`: takes a tag off a call.

use axum::extract::State;
use axum::response::Response;
use ledger_core::annotation::command::Action;
use ledger_core::annotation::words::Word;

use super::change::change;
use super::path::CallPath;
use super::view::AnnotatedCallView;
use crate::app::App;
use crate::http::operation::{Authorized, operation};
use crate::http::params::NoQuery;
use crate::problem::{ApiError, Problem};

operation! {
    UntagCall {
        id: "untag_call",
        action: "calls.tags.remove",
        access: Write,
        audit: Changes,
    }
}

/// Takes a tag off a call. A tag that is not on the call changes nothing.
///
/// # Errors
/// 404 `call-not-found`, the same for an unknown call and for another tenant's; 422 for a text that is no tag.
#[utoipa::path(
    delete, path = "/v1/calls/{call_id}/tags/{tag}", tag = "calls",
    params(
        ("call_id" = String, Path, description = "The call"),
        ("tag" = String, Path, description = "The tag"),
    ),
    responses(
        (status = 200, body = AnnotatedCallView, headers(("ledger-position" = i64, description = "Where it is recorded, when something changed"))),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "The key lacks scope write, or the tenant takes no events"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "No such call, the same for another tenant's"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "It is no tag"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "call-busy, or the database does not answer"),
    ),
)]
#[tracing::instrument(name = "api.calls.tags.remove", skip_all)]
pub async fn handler(
    caller: Authorized<UntagCall>,
    State(app): State<App>,
    path: CallPath,
    _: NoQuery,
) -> Result<Response, ApiError> {
    let call_id = path.call_id()?;
    // Earlier releases recorded words that this one does not.
    let tag = Word::parse_recorded(path.name());
    let tag = tag.ok_or_else(|| ApiError::field("tag", "it is no word that a tag can be"))?;
    change(&app, &caller, call_id, Action::Untag { tag }).await
}
