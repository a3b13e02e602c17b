//! Decides commands on tasks, and answers with the task as the log has it after the command.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ledger_core::event::TaskEvent;
use ledger_core::ids::{Position, StreamId, TaskId};
use ledger_core::task::{TaskAction, TaskCommand, TaskRefusal, Tasks};
use ledger_store::execute::{CommandContext, Executed};
use ledger_store::read::{self, StoredEvent};
use ledger_store::vault::Subject;
use ledger_store::{StoreError, TenantTx};
use projections::due::{Task, task_up_to};
use uuid::Uuid;

use super::texts::{Texts, open_texts};
use super::view::TaskView;
use crate::api::commands::{admit, not_executed, outcome_unknown};
use crate::app::App;
use crate::auth::{Caller, Scope};
use crate::http::response::with_write_position;
use crate::problem::ApiError;

/// 404, the same for a missing task and for another tenant's.
pub(super) fn not_found() -> ApiError {
    ApiError::not_found("task-not-found", "task")
}

/// Decides a command and records it, within the tenant's share of commands.
pub(super) async fn execute(
    app: &App,
    caller: &Caller,
    subject: Option<Subject>,
    task_id: TaskId,
    action: TaskAction,
) -> Result<Executed<TaskEvent>, ApiError> {
    let context = CommandContext {
        tenant_id: caller.tenant_id(),
        by: caller.actor(),
        content: None,
        subject,
    };
    let _permit = admit(app, caller.tenant_id()).await?;
    let command = TaskCommand { task_id, now: app.store.clock().now(), action };
    let executed = app.store.execute::<Tasks>(&context, &command).await;
    executed.map_err(|error| not_executed(error, refused))
}

/// The answer to a refused command.
fn refused(refusal: TaskRefusal) -> ApiError {
    match refusal {
        TaskRefusal::DueTooEarly | TaskRefusal::DueTooLate => {
            ApiError::field("due_at", refusal.to_string())
        }
        TaskRefusal::NotFound => not_found(),
        TaskRefusal::Exists => {
            ApiError::new(StatusCode::CONFLICT, "task-exists", refusal.to_string())
        }
        TaskRefusal::InvalidTransition { .. } => {
            let code = "invalid-transition";
            ApiError { code, ..ApiError::field("status", refusal.to_string()) }
        }
    }
}

/// Changes the status of a task.
pub(super) async fn change(
    app: &App,
    caller: &Caller,
    task_id: Option<Uuid>,
    action: TaskAction,
) -> Result<Response, ApiError> {
    // Commands have a queue of their own.
    caller.read_permit.release();
    let task_id = TaskId(task_id.ok_or_else(not_found)?);
    let executed = execute(app, caller, None, task_id, action).await?;
    tracing::info!(%task_id, change = caller.action, "task.changed");
    answer(app, caller, caller.action, task_id, (StatusCode::OK, executed.position)).await
}

/// Answers with the task after the command. It is folded from the log, so the answer does not wait for the
/// read model, and a repeated command gets the same one.
pub(super) async fn answer(
    app: &App,
    caller: &Caller,
    action: &'static str,
    task_id: TaskId,
    (status, position): (StatusCode, Option<Position>),
) -> Result<Response, ApiError> {
    let (task, event) = match read(app, caller, task_id, position).await {
        Ok(found) => found.ok_or_else(not_found)?,
        // The change is in the log.
        Err(error) => {
            tracing::warn!(error = %error, "task.answer_not_read");
            return Err(outcome_unknown());
        }
    };
    let texts = texts(app, caller, action, &task, &event).await;
    let text = texts.by_position.into_values().next();
    let view = TaskView::of(&task, text);
    Ok(with_write_position((status, Json(view)).into_response(), position))
}

/// The text of the task, for a key that may see it. Personal data is not shown unaudited, and the change is
/// recorded all the same.
async fn texts(
    app: &App,
    caller: &Caller,
    action: &'static str,
    task: &Task,
    event: &[StoredEvent],
) -> Texts {
    if !caller.has(Scope::Personal) {
        return Texts::default();
    }
    let opened = open_texts(&app.vault_of(caller), caller.tenant_id(), event).await;
    let opened = opened.unwrap_or_default();
    if opened.subjects.is_empty() {
        return Texts::default();
    }
    let subjects = opened.subjects.clone();
    let audit = caller.audit_personal_read(app, action, Some(task.task_id), 1, subjects).await;
    if audit.is_ok() { opened } else { Texts::default() }
}

/// The task, and the event that made it.
async fn read(
    app: &App,
    caller: &Caller,
    task_id: TaskId,
    position: Option<Position>,
) -> Result<Option<(Task, Vec<StoredEvent>)>, StoreError> {
    let mut tx = TenantTx::begin(app.store.app(), caller.tenant_id()).await?;
    let Some(task) = task_up_to(&mut tx, StreamId(task_id.0), position).await? else {
        return Ok(None);
    };
    let event = read::at_positions(&mut tx, &[task.created_position]).await?;
    Ok(Some((task, event)))
}
