//! `GET /v1/due`: reminders of appointments and open tasks, the earliest due time first.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use projections::due::{AfterDue, Due, DueFilter, DueKind, Work, due};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::words::{DueKindName, TaskKindName};
use crate::app::App;
use crate::http::consistency::begin_consistent_read;
use crate::http::operation::{Authorized, operation};
use crate::http::page::page_params;
use crate::http::params::Params;
use crate::http::response::with_read_position;
use crate::http::times::is_rfc3339;
use crate::problem::{ApiError, Problem};

/// A page of due work, the earliest due time first.
#[derive(Debug, Serialize, ToSchema)]
pub struct DuePage {
    /// Reminders and open tasks ordered by due time, then id.
    data: Vec<DueView>,
    /// Value of `cursor` for the next page; null on the last.
    next_cursor: Option<String>,
}

/// A reminder of an appointment, or an open task.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DueView {
    /// Kind of work.
    #[schema(value_type = DueKindName)]
    kind: &'static str,
    /// Time at which it is due.
    due_at: DateTime<Utc>,
    /// The task; null for a reminder.
    task_id: Option<Uuid>,
    /// What the task asks for; null for a reminder.
    #[schema(value_type = Option<TaskKindName>)]
    task_kind: Option<&'static str>,
    /// The appointment of the reminder, or the one that the task is about.
    appointment_id: Option<Uuid>,
    /// Start of the appointment; null for a task.
    starts_at: Option<DateTime<Utc>>,
    /// Minutes between the reminder and the start; null for a task.
    offset_minutes: Option<i32>,
    /// The person that the appointment is for, or that the task is about.
    contact_id: Option<Uuid>,
    /// The call in which the appointment was booked, or that the task is about.
    call_id: Option<Uuid>,
}

impl DueView {
    fn of(due: &Due) -> Self {
        let (task_id, task_kind, starts_at, offset_minutes) = match due.work {
            Work::Task(kind) => (Some(due.item_id), Some(kind.as_str()), None, None),
            Work::Reminder { starts_at, offset_minutes } => {
                (None, None, Some(starts_at), Some(offset_minutes))
            }
        };
        Self {
            kind: if task_id.is_some() { "task" } else { "reminder" },
            due_at: due.due_at,
            task_id,
            task_kind,
            appointment_id: due.appointment_id,
            starts_at,
            offset_minutes,
            contact_id: due.contact_id,
            call_id: due.call_id,
        }
    }
}

/// Cursor of the page: due time and id of its last row.
#[derive(Serialize, Deserialize)]
#[serde(tag = "list")]
struct DueCursor {
    d: DateTime<Utc>,
    i: Uuid,
}

operation! {
    ListDue { id: "list_due_work", action: "due.list", access: Read, audit: ReadsFacts }
}

/// Lists reminders of appointments that have not begun, and open tasks, the earliest due time first.
///
/// # Errors
/// 400 for an unknown or malformed parameter, named in the answer.
#[utoipa::path(
    get, path = "/v1/due", tag = "due work",
    params(
        ("from" = Option<String>, Query, format = DateTime, description = "Due at or after (RFC 3339); without it overdue work is listed too"),
        ("to" = Option<String>, Query, format = DateTime, description = "Due before (RFC 3339), not before `from`"),
        ("kind" = Option<DueKindName>, Query, description = "reminder or task"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "1 to 200, default 50"),
        ("cursor" = Option<String>, Query, pattern = "^[A-Za-z0-9_-]*$", description = "next_cursor of the page before"),
        ("min_position" = Option<i64>, Query, description = "Wait until the read model has reached this position"),
    ),
    responses(
        (status = 200, body = DuePage),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.due.list", skip_all)]
pub async fn handler(
    caller: Authorized<ListDue>,
    State(app): State<App>,
    mut params: Params,
) -> Result<Response, ApiError> {
    let is_possible = |last: &DueCursor| is_rfc3339(last.d);
    let (limit, cursor) = page_params(&mut params, is_possible)?;
    let after = cursor.map(|last| AfterDue { due_at: last.d, item_id: last.i });
    let min_position = params.number("min_position")?;
    let filter = filter(&mut params)?;
    params.reject_unknown()?;

    let (mut tx, reached) = begin_consistent_read(&app, &caller, "due", min_position).await?;
    let now = app.store.clock().now();
    let mut rows = due(&mut tx, filter, after, now, limit.rows_to_read()).await?;
    drop(tx);
    let next_cursor = limit.cut(&mut rows, |due| DueCursor { d: due.due_at, i: due.item_id });
    let data = rows.iter().map(DueView::of).collect();
    Ok(with_read_position(DuePage { data, next_cursor }, reached))
}

fn filter(params: &mut Params) -> Result<DueFilter, ApiError> {
    let (from, to) = (params.time_not_empty("from")?, params.time_not_empty("to")?);
    if from.zip(to).is_some_and(|(from, to)| from > to) {
        return Err(ApiError::parameter("from", "it lies after to"));
    }
    let kind = params.one_of("kind", DueKindName::ALL)?;
    let kind = kind.map(|kind| match kind.as_str() {
        "task" => DueKind::Task,
        _ => DueKind::Reminder,
    });
    Ok(DueFilter { from, to, kind })
}
