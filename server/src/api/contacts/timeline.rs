//! `GET /v1/contacts/{contact_id}/timeline`: calls, notes, bookings, tasks and changes of a contact, newest first.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use projections::contacts::{TimelineAfter, TimelineEntry, find, timeline};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::refused::not_found;
use crate::api::words::{TaskKindName, TimelineKindName};
use crate::app::App;
use crate::http::consistency::begin_analytics_read;
use crate::http::operation::{Authorized, operation};
use crate::http::page::page_params;
use crate::http::params::{Params, PathId};
use crate::http::response::with_read_position;
use crate::http::times::is_rfc3339;
use crate::problem::{ApiError, Problem};

/// A page of a timeline, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct TimelinePage {
    /// Entries ordered by time, then id.
    data: Vec<TimelineView>,
    /// Value of `cursor` for the next page; null on the last.
    next_cursor: Option<String>,
}

/// An entry of a timeline. It has no personal data; the call, the appointment or the task shows them.
#[derive(Debug, Serialize, ToSchema)]
pub struct TimelineView {
    /// Kind of the entry.
    #[schema(value_type = TimelineKindName)]
    kind: &'static str,
    /// Start of the call; time of the booking, of the note, of the change, or of the step of the task.
    at: DateTime<Utc>,
    /// The contact of the entry: this one, or one that was merged into it.
    contact_id: Uuid,
    /// The call, the call in which the appointment was booked, or the call that the note or the task is about.
    call_id: Option<Uuid>,
    /// The appointment, or the one that the task is about.
    appointment_id: Option<Uuid>,
    /// Id of the event of the change, the note or the step of the task.
    event_id: Option<Uuid>,
    /// Type of the event of the change.
    event_type: Option<String>,
    /// Status of the call or appointment as it is now; for a task `open`, `done` or `cancelled`, as it became then.
    status: Option<String>,
    /// Direction of the call.
    direction: Option<String>,
    /// Outcome of the call.
    outcome: Option<String>,
    /// Duration of the call in milliseconds.
    duration_ms: Option<i64>,
    /// Start of the appointment.
    scheduled_at: Option<DateTime<Utc>>,
    /// Service of the appointment.
    service_type: Option<String>,
    /// The task. An entry for the making of it, and one for its end.
    task_id: Option<Uuid>,
    /// What the task asks for.
    #[schema(value_type = Option<TaskKindName>)]
    task_kind: Option<String>,
    /// Time at which the task is due.
    due_at: Option<DateTime<Utc>>,
}

impl TimelineView {
    fn of(entry: TimelineEntry) -> Self {
        use projections::contacts::TimelineKind::{Appointment, Call, Change, Note, Task};
        let id = |kind| (entry.kind == kind).then_some(entry.id);
        let is_change = entry.kind == Change;
        let (event_type, status) =
            if is_change { (entry.status, None) } else { (None, entry.status) };
        Self {
            kind: entry.kind.as_str(),
            at: entry.at,
            contact_id: entry.contact_id,
            call_id: id(Call).or(entry.call_id),
            appointment_id: id(Appointment).or(entry.appointment_id),
            event_id: id(Change).or(id(Note)).or(id(Task)),
            event_type,
            status,
            direction: entry.direction,
            outcome: entry.outcome,
            duration_ms: entry.duration_ms,
            scheduled_at: entry.scheduled_at,
            service_type: entry.service,
            task_id: entry.task.as_ref().map(|task| task.task_id),
            due_at: entry.task.as_ref().map(|task| task.due_at),
            task_kind: entry.task.map(|task| task.kind),
        }
    }
}

/// Cursor of the page: time and id of its last entry.
#[derive(Serialize, Deserialize)]
#[serde(tag = "list")]
struct TimelineCursor {
    s: DateTime<Utc>,
    i: Uuid,
}

/// The read models that entries are from.
const MODELS: &[&str] = &["contacts", "calls", "appointments", "due"];

operation! {
    GetContactTimeline {
        id: "get_contact_timeline",
        action: "contacts.timeline",
        access: Read,
        audit: ReadsFacts,
    }
}

/// Lists the calls with their notes, the bookings, the tasks and the changes of a contact and of the contacts that were
/// merged into it, newest first.
///
/// # Errors
/// 404 `contact-not-found`, the same for an unknown contact and for another tenant's.
#[utoipa::path(
    get, path = "/v1/contacts/{contact_id}/timeline", tag = "contacts",
    params(
        ("contact_id" = String, Path, description = "The contact"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "1 to 200, default 50"),
        ("cursor" = Option<String>, Query, pattern = "^[A-Za-z0-9_-]*$", description = "next_cursor of the page before"),
        ("min_position" = Option<i64>, Query, description = "Wait until the read model has reached this position"),
    ),
    responses(
        (status = 200, body = TimelinePage),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.contacts.timeline", skip_all)]
pub async fn handler(
    caller: Authorized<GetContactTimeline>,
    State(app): State<App>,
    PathId(contact_id): PathId,
    mut params: Params,
) -> Result<Response, ApiError> {
    let (limit, cursor) = page_params(&mut params, |last: &TimelineCursor| is_rfc3339(last.s))?;
    let after = cursor.map(|last| TimelineAfter { at: last.s, id: last.i });
    let min_position = params.number("min_position")?;
    params.reject_unknown()?;
    let contact_id = contact_id.ok_or_else(not_found)?;
    let (mut tx, reached) = begin_analytics_read(&app, &caller, MODELS, min_position).await?;
    let listed = find(&mut tx, contact_id).await?.ok_or_else(not_found)?;
    let members: Vec<Uuid> = listed.members().map(|member| member.contact_id).collect();
    let mut entries = timeline(&mut tx, &members, after, limit.rows_to_read()).await?;
    drop(tx);
    let next_cursor = limit.cut(&mut entries, |entry| TimelineCursor { s: entry.at, i: entry.id });
    let data = entries.into_iter().map(TimelineView::of).collect();
    Ok(with_read_position(TimelinePage { data, next_cursor }, reached))
}
