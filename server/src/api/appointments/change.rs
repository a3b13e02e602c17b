//! What the changes of a status share.

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;
use ledger_core::booking::Action;
use ledger_core::booking::command::Change;
use ledger_core::ids::AppointmentId;
use ledger_core::section::Sections;
use uuid::Uuid;

use super::answer::{answer, execute};
use super::refused::not_found;
use crate::api::tenant;
use crate::app::App;
use crate::auth::Caller;
use crate::http::fields::BodyFields;
use crate::problem::ApiError;

/// Changes the status of an appointment, after the check of the scope. The body has no fields.
pub(super) async fn change(
    app: &App,
    caller: &Caller,
    name: &'static str,
    (appointment_id, body): (Option<Uuid>, Body),
    action: fn(Change) -> Action,
) -> Result<Response, ApiError> {
    BodyFields::read_any(body).await?.reject_unknown()?;
    // Commands have a queue of their own.
    caller.read_permit.release();
    let appointment_id = AppointmentId(appointment_id.ok_or_else(not_found)?);
    let settings = app.store.booking_settings(caller.tenant_id()).await?;
    let settings = settings.ok_or_else(tenant::not_found)?;
    let change = Change { appointment_id, call_id: None, sections: Sections::default() };
    let executed = execute(app, caller, settings, None, action(change)).await?;
    tracing::info!(%appointment_id, change = name, "appointment.changed");
    answer(app, caller, name, appointment_id, (StatusCode::OK, executed.position)).await
}
