//! `POST /v1/tasks`: makes a task.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use ledger_core::event::{TaskKind, TaskOrigin};
use ledger_core::ids::{AppointmentId, StreamId, SubjectId, TaskId};
use ledger_core::personal::TaskText;
use ledger_core::task::{NewTask, TaskAction};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;
use uuid::Uuid;

use super::about::Named;
use super::answer::{answer, execute};
use super::view::TaskView;
use crate::api::words::TaskKindName;
use crate::app::App;
use crate::auth::Caller;
use crate::http::fields;
use crate::http::json_body::JsonBody;
use crate::http::operation::{Authorized, operation};
use crate::http::params::NoQuery;
use crate::problem::{ApiError, Problem};

/// Longest text, in characters.
const MAX_TEXT: usize = 4_000;

/// A new task.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTaskRequest {
    /// What it asks for.
    #[serde(deserialize_with = "kind")]
    #[schema(value_type = TaskKindName)]
    kind: TaskKind,
    /// Time at which it is due, from 31 days ago to 1826 days ahead.
    #[serde(deserialize_with = "fields::required_time")]
    due_at: DateTime<Utc>,
    /// The person that it is about; that of the appointment or the call by default. Its survivor if it was merged.
    #[serde(default, deserialize_with = "fields::id")]
    contact_id: Option<Uuid>,
    /// The call that it is about.
    #[serde(default, deserialize_with = "fields::id")]
    call_id: Option<Uuid>,
    /// The appointment that it is about.
    #[serde(default, deserialize_with = "fields::id")]
    appointment_id: Option<Uuid>,
    /// What is to be done; stored sealed.
    #[serde(default, deserialize_with = "text")]
    #[schema(min_length = 1, max_length = 4000)]
    text: Option<String>,
}

fn kind<'de, D: Deserializer<'de>>(field: D) -> Result<TaskKind, D::Error> {
    let known = TaskKindName::ALL.join(", ");
    let word = fields::required_text(field)?;
    TaskKind::parse(&word).ok_or_else(|| D::Error::custom(format!("choose one of {known}")))
}

fn text<'de, D: Deserializer<'de>>(field: D) -> Result<Option<String>, D::Error> {
    fields::long_text(field, MAX_TEXT)
}

operation! {
    CreateTask {
        id: "create_task",
        action: "tasks.create",
        access: Write,
        audit: Changes,
    }
}

/// Makes a task.
///
/// # Errors
/// 422 for an unknown, missing or malformed field, and for a contact, call or appointment that the tenant does
/// not have, named in the answer; 409 `subject-erased` for a text about an erased or restricted person, and for
/// such a contact.
#[utoipa::path(
    post, path = "/v1/tasks", tag = "due work",
    request_body(content = CreateTaskRequest, content_type = "application/json"),
    responses(
        (status = 201, body = TaskView, headers(("ledger-position" = i64, description = "Where it is recorded"))),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "The key lacks scope write, or the tenant takes no events"),
        (status = 408, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "subject-erased"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "A field is unknown, missing or not possible"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "schedule-busy, or the database does not answer"),
    ),
)]
#[tracing::instrument(name = "api.tasks.create", skip_all)]
pub async fn handler(
    caller: Authorized<CreateTask>,
    State(app): State<App>,
    _: NoQuery,
    JsonBody(request): JsonBody<CreateTaskRequest>,
) -> Result<Response, ApiError> {
    // Commands have a queue of their own.
    caller.read_permit.release();
    if !app.store.accepts_events(caller.tenant_id()).await? {
        return Err(ApiError::tenant_not_active());
    }
    let named = Named {
        contact_id: request.contact_id.map(SubjectId),
        call_id: request.call_id.map(StreamId),
        appointment_id: request.appointment_id.map(AppointmentId),
    };
    let task_id = new_id(&app, &caller);
    let about = named.resolve(&app, &caller, task_id, request.text.is_some()).await?;
    let text = request.text.map(|text| TaskText { text });
    let task = NewTask {
        kind: request.kind,
        due_at: request.due_at,
        contact_id: about.contact_id,
        call_id: named.call_id,
        appointment_id: named.appointment_id,
        origin: TaskOrigin::Person,
        text,
    };
    let executed = execute(&app, &caller, about.subject, task_id, TaskAction::Create(task)).await?;
    tracing::info!(%task_id, "task.created");
    let created = (StatusCode::CREATED, executed.position);
    answer(&app, &caller, "tasks.create", task_id, created).await
}

/// The id of the new task: the same one if the same command runs again.
fn new_id(app: &App, caller: &Caller) -> TaskId {
    let derive = |command: &crate::idempotency::RunningCommand| {
        caller.tenant_id().derive(&[b"task".as_slice(), command.id().0.as_bytes()])
    };
    TaskId(caller.command.as_ref().map_or_else(|| app.store.ids().random(), derive))
}
