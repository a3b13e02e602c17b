//! The answer to a booking or change: the appointment as the log has it after the command.

use std::sync::Arc;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ledger_core::booking::{
    Action, BookingCommand, BookingEvent, BookingSettings, Bookings, Refusal,
};
use ledger_core::ids::{AppointmentId, Position, StreamId};
use ledger_store::execute::{CommandContext, ExecuteError, Executed};
use ledger_store::vault::Subject;
use ledger_store::{StoreError, TenantTx};
use projections::appointments::{ListedAppointment, up_to};

use super::customers::open_customers;
use super::refused::{not_executed, not_found, outcome_unknown};
use super::view::AppointmentView;
use crate::api::calls::personal::Parties;
use crate::api::calls::view::Customer;
use crate::app::App;
use crate::auth::{Caller, Scope};
use crate::http::response::with_write_position;
use crate::problem::ApiError;

/// Decides a command and records it.
pub(super) async fn execute(
    app: &App,
    caller: &Caller,
    settings: Arc<BookingSettings>,
    subject: Option<Subject>,
    action: Action,
) -> Result<Executed<BookingEvent>, ApiError> {
    decide(app, caller, settings, subject, action).await?.map_err(not_executed)
}

/// Decides a command and records it, within the tenant's share of commands.
///
/// # Errors
/// 503 `schedule-busy` if too many commands of the tenant wait. The inner error is that of the command.
pub(super) async fn decide(
    app: &App,
    caller: &Caller,
    settings: Arc<BookingSettings>,
    subject: Option<Subject>,
    action: Action,
) -> Result<Result<Executed<BookingEvent>, ExecuteError<Refusal>>, ApiError> {
    let context = CommandContext {
        tenant_id: caller.tenant_id(),
        by: caller.actor(),
        content: None,
        subject,
    };
    let _permit = app.read_admission.command(caller.tenant_id())?;
    let command = BookingCommand { settings, now: app.store.clock().now(), action };
    Ok(app.store.execute::<Bookings>(&context, &command).await)
}

/// Answers with the appointment after the command. It is folded from the log, so the answer does not wait for
/// the read model, and a repeated command gets the same one.
pub(super) async fn answer(
    app: &App,
    caller: &Caller,
    action: &'static str,
    id: AppointmentId,
    (status, position): (StatusCode, Option<Position>),
) -> Result<Response, ApiError> {
    let listed = match read(app, caller, id, position).await {
        Ok(listed) => listed.ok_or_else(not_found)?,
        // The change is in the log.
        Err(error) => {
            tracing::warn!(error = %error, "appointment.answer_not_read");
            return Err(outcome_unknown());
        }
    };
    let tenant_id = caller.tenant_id();
    let opened = open_customers(app.store.vault(), tenant_id, std::slice::from_ref(&listed)).await;
    let mut parties = opened.map_or_else(|_| Parties::default(), |mut all| all.remove(0));
    let mut is_personal = caller.has(Scope::Personal) && !parties.subjects.is_empty();
    if is_personal {
        let subjects = std::mem::take(&mut parties.subjects);
        let audit = caller.audit_personal_read(app, action, Some(id.0), 1, subjects).await;
        // Personal data is not shown unaudited, and the change is recorded all the same.
        is_personal = audit.is_ok();
    }
    let contact_id = Some(listed.appointment.contact_id);
    let customer = Customer::known(contact_id, &parties, is_personal);
    let view = AppointmentView::of(listed, customer);
    Ok(with_write_position((status, Json(view)).into_response(), position))
}

async fn read(
    app: &App,
    caller: &Caller,
    id: AppointmentId,
    position: Option<Position>,
) -> Result<Option<ListedAppointment>, StoreError> {
    let mut tx = TenantTx::begin(app.store.app(), caller.tenant_id()).await?;
    up_to(&mut tx, StreamId(id.0), position).await
}
