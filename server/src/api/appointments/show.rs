//! `GET /v1/appointments/{appointment_id}`: an appointment with its notes.

use axum::extract::State;
use axum::response::Response;
use ledger_core::ids::{EventId, TenantId};
use ledger_core::personal::AppointmentDetails;
use ledger_store::read::{self, StoredEvent};
use ledger_store::seal::{Opened, SectionName};
use ledger_store::vault::{SectionColumn, Vault, VaultError};
use projections::appointments::find;

use super::customers::{booking_events, open_customers};
use super::refused::not_found;
use super::view::{AppointmentDetail, AppointmentView};
use crate::api::calls::customer::Customer;
use crate::api::calls::personal::report_corrupt_section;
use crate::api::contacts::names::add_current_party;
use crate::app::App;
use crate::auth::Scope;
use crate::http::consistency::begin_joined_read;
use crate::http::operation::{Authorized, operation};
use crate::http::params::{Params, PathId};
use crate::http::response::with_read_position;
use crate::problem::{ApiError, Problem};

operation! {
    GetAppointment {
        id: "get_appointment",
        action: "appointments.show",
        access: Read,
        audit: ReadsPersonalData,
    }
}

/// Returns an appointment.
///
/// # Errors
/// 404 `appointment-not-found`, the same for an unknown appointment and for another tenant's.
#[utoipa::path(
    get, path = "/v1/appointments/{appointment_id}", tag = "appointments",
    params(
        ("appointment_id" = String, Path, description = "The appointment"),
        ("min_position" = Option<i64>, Query, description = "Wait until the read model has reached this position"),
    ),
    responses(
        (status = 200, body = AppointmentDetail),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.appointments.show", skip_all)]
pub async fn handler(
    caller: Authorized<GetAppointment>,
    State(app): State<App>,
    PathId(appointment_id): PathId,
    mut params: Params,
) -> Result<Response, ApiError> {
    let min_position = params.number("min_position")?;
    params.reject_unknown()?;
    let appointment_id = appointment_id.ok_or_else(not_found)?;
    let models = ["appointments", "calls"];
    let (mut tx, reached) = begin_joined_read(&app, &caller, models, min_position).await?;
    let listed = find(&mut tx, appointment_id).await?.ok_or_else(not_found)?;
    let is_personal = caller.has(Scope::Personal);
    let events = read::at_positions(&mut tx, &[listed.appointment.booked_position]).await?;
    drop(tx);
    let (vault, tenant_id) = (&app.vault_of(&caller), caller.tenant_id());
    let bookings = booking_events(&events);
    let all = std::slice::from_ref(&listed);
    let opened = open_customers(vault, tenant_id, all, Some(&bookings)).await?;
    let mut parties = opened.into_iter().next().unwrap_or_default();
    let contact_id = listed.appointment.contact_id;
    add_current_party(&app, tenant_id, contact_id, &mut parties).await?;
    let booking = events.first().filter(|_| is_personal);
    let details = match booking {
        Some(event) => open_details(vault, tenant_id, event).await?,
        None => AppointmentDetails::default(),
    };
    if is_personal {
        let mut subjects = parties.subjects.clone();
        subjects.extend(booking.and_then(StoredEvent::subject));
        subjects.sort_unstable();
        subjects.dedup();
        let action = "appointments.show";
        caller.audit_personal_read(&app, action, Some(appointment_id), 1, subjects).await?;
    }
    let customer = Customer::known(Some(contact_id), &parties, is_personal);
    let detail = AppointmentDetail {
        appointment: AppointmentView::of(listed, customer),
        notes: details.notes,
        reason: details.reason,
    };
    Ok(with_read_position(detail, reached))
}

/// Opens what was said at the booking. After an erasure there is nothing to open.
async fn open_details(
    vault: &Vault,
    tenant_id: TenantId,
    event: &StoredEvent,
) -> Result<AppointmentDetails, VaultError> {
    let column = SectionColumn::Sections(EventId(event.event_id));
    let sections = event.sections.as_deref().unwrap_or_default();
    let opened = vault.open(tenant_id, &[(column, sections)]).await?;
    let mut details = AppointmentDetails::default();
    for section in opened.into_iter().flatten() {
        if section.name != SectionName::Details {
            continue;
        }
        match section.plain.parse(|plain| serde_json::from_slice(plain.as_revealed()).ok()) {
            Opened::Clear(clear) => details = clear,
            Opened::Erased | Opened::Restricted => {}
            Opened::Corrupt => report_corrupt_section("details"),
        }
    }
    Ok(details)
}
