//! `POST /v1/tasks/{task_id}/done`: records that a task was done.

use axum::extract::State;
use axum::response::Response;
use ledger_core::task::TaskAction;

use super::answer::change;
use super::view::TaskView;
use crate::api::appointments::NoFields;
use crate::app::App;
use crate::http::json_body::OptionalJsonBody;
use crate::http::operation::{Authorized, operation};
use crate::http::params::{NoQuery, PathId};
use crate::problem::{ApiError, Problem};

operation! {
    FinishTask {
        id: "finish_task",
        action: "tasks.finish",
        access: Write,
        audit: Changes,
    }
}

/// Records that a task was done. It is not due any more.
///
/// # Errors
/// 404 `task-not-found`, for another tenant's too; 422 `invalid-transition`.
#[utoipa::path(
    post, path = "/v1/tasks/{task_id}/done", tag = "due work",
    params(("task_id" = String, Path, description = "The task")),
    responses(
        (status = 200, body = TaskView, description = "The task after the change", headers(("ledger-position" = i64, description = "Where it is recorded, when something changed"))),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "The key lacks scope write, or the tenant takes no events"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 408, body = Problem, content_type = "application/problem+json"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "The status does not permit the change"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "schedule-busy, or the database does not answer"),
    ),
)]
#[tracing::instrument(name = "api.tasks.finish", skip_all)]
pub async fn handler(
    caller: Authorized<FinishTask>,
    State(app): State<App>,
    PathId(task_id): PathId,
    _: NoQuery,
    OptionalJsonBody(NoFields {}): OptionalJsonBody<NoFields>,
) -> Result<Response, ApiError> {
    change(&app, &caller, task_id, TaskAction::Finish).await
}
