//! The answer to a booking or change: the appointment as the log has it after the command.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ledger_app::bookings::{BookingCommands, Changed};
use ledger_core::ids::{AppointmentId, Position, StreamId, TenantId};
use ledger_store::{StoreError, TenantTx};
use projections::appointments::{ListedAppointment, up_to};

use super::customers::open_customers;
use super::refused::{not_found, outcome_unknown};
use super::view::AppointmentView;
use crate::api::calls::customer::Customer;
use crate::api::calls::personal::Parties;
use crate::api::contacts::names::add_current_party;
use crate::app::App;
use crate::auth::{Caller, Scope};
use crate::http::response::with_write_position;
use crate::problem::ApiError;

/// The commands of the caller, by the use cases that every entrance shares. Commands have a queue of their own,
/// so the permit of the read is released.
pub(super) fn commands<'a>(app: &'a App, caller: &Caller) -> BookingCommands<'a> {
    caller.read_permit.release();
    BookingCommands {
        store: &app.store,
        admission: &app.command_admission,
        tenant_id: caller.tenant_id(),
        by: caller.actor(),
    }
}

/// Answers with the appointment after the command. It is folded from the log, so the answer does not wait for
/// the read model, and a repeated command gets the same one.
pub(super) async fn answer(
    app: &App,
    caller: &Caller,
    action: &'static str,
    (status, changed): (StatusCode, Changed),
) -> Result<Response, ApiError> {
    let Changed { appointment_id: id, position } = changed;
    let listed = match read(app, caller, id, position).await {
        Ok(listed) => listed.ok_or_else(not_found)?,
        // The change is in the log.
        Err(error) => {
            tracing::warn!(error = %error, "appointment.answer_not_read");
            return Err(outcome_unknown());
        }
    };
    let tenant_id = caller.tenant_id();
    let mut parties = customer(app, tenant_id, &listed).await.unwrap_or_default();
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

/// The person of the appointment: as the booking tells it, else as its contact has it now.
async fn customer(
    app: &App,
    tenant_id: TenantId,
    listed: &ListedAppointment,
) -> Result<Parties, ApiError> {
    let all = std::slice::from_ref(listed);
    let opened = open_customers(app.store.vault(), tenant_id, all, None).await?;
    let mut parties = opened.into_iter().next().unwrap_or_default();
    let contact_id = listed.appointment.contact_id;
    add_current_party(app, tenant_id, contact_id, &mut parties).await?;
    Ok(parties)
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
