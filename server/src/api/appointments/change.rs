//! What the changes of a status share.

use axum::http::StatusCode;
use axum::response::Response;
use ledger_core::booking::Action;
use ledger_core::booking::command::Change;
use ledger_core::ids::AppointmentId;
use serde::Deserialize;
use uuid::Uuid;

use super::answer::{answer, commands};
use super::refused::{not_executed, not_found};
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
    let commands = commands(app, caller);
    let appointment_id = AppointmentId(appointment_id.ok_or_else(not_found)?);
    let changed = commands.change(appointment_id, action).await.map_err(not_executed)?;
    tracing::info!(%appointment_id, change = caller.action, "appointment.changed");
    answer(app, caller, caller.action, (StatusCode::OK, changed)).await
}
