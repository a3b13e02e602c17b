//! `GET /v1/tasks`: tasks by filter, the latest due time first.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use ledger_store::read;
use projections::due::{AfterTask, Task, TaskFilter, tasks};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::texts::{Texts, open_texts};
use super::view::TaskView;
use crate::api::appointments::list::id;
use crate::api::words::TaskStatusName;
use crate::app::App;
use crate::auth::Scope;
use crate::http::consistency::{begin_consistent_read, begin_joined_read};
use crate::http::operation::{Authorized, operation};
use crate::http::page::page_params;
use crate::http::params::Params;
use crate::http::response::with_read_position;
use crate::http::times::is_rfc3339;
use crate::problem::{ApiError, Problem};

/// A page of tasks, the latest due time first.
#[derive(Debug, Serialize, ToSchema)]
pub struct TaskPage {
    /// Tasks ordered by due time, then id.
    data: Vec<TaskView>,
    /// Value of `cursor` for the next page; null on the last.
    next_cursor: Option<String>,
}

/// Cursor of the page: due time and id of its last task.
#[derive(Serialize, Deserialize)]
#[serde(tag = "list")]
struct TaskCursor {
    d: DateTime<Utc>,
    t: Uuid,
}

operation! {
    ListTasks {
        id: "list_tasks",
        action: "tasks.list",
        access: Read,
        audit: ReadsPersonalData,
    }
}

/// Lists tasks that match a filter, the latest due time first.
///
/// # Errors
/// 400 for an unknown or malformed parameter, named in the answer.
#[utoipa::path(
    get, path = "/v1/tasks", tag = "due work",
    params(
        ("status" = Option<TaskStatusName>, Query, description = "open, done or cancelled"),
        ("due_from" = Option<String>, Query, format = DateTime, description = "Due at or after (RFC 3339)"),
        ("due_to" = Option<String>, Query, format = DateTime, description = "Due before (RFC 3339), not before `due_from`"),
        ("contact_id" = Option<Uuid>, Query, description = "About this contact, or one that was merged into it"),
        ("call_id" = Option<Uuid>, Query, description = "About this call"),
        ("appointment_id" = Option<Uuid>, Query, description = "About this appointment"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "1 to 200, default 50"),
        ("cursor" = Option<String>, Query, pattern = "^[A-Za-z0-9_-]*$", description = "next_cursor of the page before"),
        ("min_position" = Option<i64>, Query, description = "Wait until the read model has reached this position"),
    ),
    responses(
        (status = 200, body = TaskPage),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.tasks.list", skip_all)]
pub async fn handler(
    caller: Authorized<ListTasks>,
    State(app): State<App>,
    mut params: Params,
) -> Result<Response, ApiError> {
    let is_possible = |last: &TaskCursor| is_rfc3339(last.d);
    let (limit, cursor) = page_params(&mut params, is_possible)?;
    let after = cursor.map(|last| AfterTask { due_at: last.d, task_id: last.t });
    let min_position = params.number("min_position")?;
    let filter = filter(&mut params)?;
    params.reject_unknown()?;

    // The contacts that were merged into the one of the filter count too.
    let (mut tx, reached) = if filter.contact_id.is_some() {
        begin_joined_read(&app, &caller, ["due", "contacts"], min_position).await?
    } else {
        begin_consistent_read(&app, &caller, "due", min_position).await?
    };
    let mut rows = tasks(&mut tx, &filter, after, limit.rows_to_read()).await?;
    let next_cursor = limit.cut(&mut rows, |task| TaskCursor { d: task.due_at, t: task.task_id });
    let events = if caller.has(Scope::Personal) && !rows.is_empty() {
        let positions: Vec<i64> = rows.iter().map(|task| task.created_position).collect();
        read::at_positions(&mut tx, &positions).await?
    } else {
        Vec::new()
    };
    drop(tx);
    let Texts { mut by_position, subjects } =
        open_texts(&app.vault_of(&caller), caller.tenant_id(), &events).await?;
    if !subjects.is_empty() {
        caller.audit_personal_read(&app, "tasks.list", None, by_position.len(), subjects).await?;
    }
    let view = |task: &Task| {
        let text = by_position.remove(&task.created_position);
        TaskView::of(task, text)
    };
    let data = rows.iter().map(view).collect();
    Ok(with_read_position(TaskPage { data, next_cursor }, reached))
}

fn filter(params: &mut Params) -> Result<TaskFilter, ApiError> {
    let (due_from, due_to) = (params.time_not_empty("due_from")?, params.time_not_empty("due_to")?);
    if due_from.zip(due_to).is_some_and(|(from, to)| from > to) {
        return Err(ApiError::parameter("due_from", "it lies after due_to"));
    }
    Ok(TaskFilter {
        status: params.one_of("status", TaskStatusName::ALL)?,
        due_from,
        due_to,
        contact_id: id(params, "contact_id", "the id of a contact")?,
        call_id: id(params, "call_id", "the id of a call")?,
        appointment_id: id(params, "appointment_id", "the id of an appointment")?,
    })
}
