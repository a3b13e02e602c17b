//! What the changes of a status share.

use axum::http::StatusCode;
use axum::response::Response;
use ledger_core::booking::Action;
use ledger_core::booking::command::Change;
use ledger_core::ids::AppointmentId;
use ledger_core::section::Sections;
use serde::Deserialize;
use uuid::Uuid;

use super::answer::{answer, execute};
use super::refused::not_found;
use crate::api::tenant;
use crate::app::App;
use crate::auth::Caller;
use crate::problem::ApiError;

/// The body of a change of a status: an object without fields, or none.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoFields {}

/// Changes the status of an appointment.
pub(super) async fn change(
    app: &App,
    caller: &Caller,
    appointment_id: Option<Uuid>,
    action: fn(Change) -> Action,
) -> Result<Response, ApiError> {
    // Commands have a queue of their own.
    caller.read_permit.release();
    let appointment_id = AppointmentId(appointment_id.ok_or_else(not_found)?);
    let settings = app.store.booking_settings(caller.tenant_id()).await?;
    let settings = settings.ok_or_else(tenant::not_found)?;
    let change = Change { appointment_id, call_id: None, sections: Sections::default() };
    let executed = execute(app, caller, settings, None, action(change)).await?;
    tracing::info!(%appointment_id, change = caller.action, "appointment.changed");
    answer(app, caller, caller.action, appointment_id, (StatusCode::OK, executed.position)).await
}
