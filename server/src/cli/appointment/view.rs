//! Appointments as the API shows them, without the person.

use anyhow::{Context, bail};
use ledger_app::bookings::{BookingCommands, BookingError, Changed, CommandAdmission};
use ledger_core::ids::{Position, StreamId, TenantId};
use ledger_store::{Store, TenantTx};
use projections::appointments::{HistoryEntry, ListedAppointment, up_to};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::cli::exit::{ExitStatus, UsageError};
use crate::cli::output;
use crate::config::Config;
use crate::instance::Instance;

/// Runs a command of the operator, and prints the appointment as the log has it after the command.
pub(super) async fn run_command(
    config: &Config,
    tenant: &str,
    command: impl AsyncFnOnce(BookingCommands<'_>) -> Result<Changed, BookingError>,
) -> anyhow::Result<ExitStatus> {
    let shown = Instance::run(config, async |instance| {
        let store = &instance.store;
        let tenant_id = output::find_tenant(store, tenant).await?.tenant_id;
        let admission = CommandAdmission::new(config.connections);
        let by = store.operator();
        let commands = BookingCommands { store, admission: &admission, tenant_id, by };
        let changed = command(commands).await.map_err(|error| refused(&error))?;
        let Changed { appointment_id, position } = changed;
        let read = read(store, tenant_id, appointment_id.0, position).await;
        read.with_context(|| format!("{appointment_id} was changed and cannot be shown"))
    })
    .await?;
    output::object(config.output, &shown)?;
    Ok(ExitStatus::Success)
}

/// Returns an appointment, folded from the log up to a position.
pub(super) async fn read(
    store: &Store,
    tenant_id: TenantId,
    appointment_id: Uuid,
    until: Option<Position>,
) -> anyhow::Result<Value> {
    let mut tx = TenantTx::begin(store.app(), tenant_id).await?;
    match up_to(&mut tx, StreamId(appointment_id), until).await? {
        Some(listed) => Ok(view(listed)),
        None => bail!(
            "there is no appointment {appointment_id}; call-ledger appointment list shows those there are"
        ),
    }
}

/// The fields of `GET /v1/appointments`, except `customer`.
pub(super) fn view(listed: ListedAppointment) -> Value {
    let ListedAppointment { appointment, provider_call_id } = listed;
    let history: Vec<Value> = appointment.history.iter().map(change).collect();
    json!({
        "appointment_id": appointment.appointment_id,
        "contact_id": appointment.contact_id,
        "booked_by_contact_id": appointment.booked_by_contact_id,
        "service_type": appointment.service,
        "resource": appointment.resource,
        "scheduled_at": appointment.scheduled_at,
        "ends_at": appointment.ends_at,
        "duration_minutes": appointment.minutes(),
        "status": appointment.status.as_str(),
        "call_id": appointment.call_id,
        "provider_call_id": provider_call_id,
        "price_cents": appointment.price_cents,
        "currency": appointment.currency,
        "settings_version": appointment.settings_version,
        "history": history,
        "position": appointment.position,
    })
}

fn change(entry: &HistoryEntry) -> Value {
    json!({
        "change": entry.change,
        "status": entry.status.as_str(),
        "at": entry.at,
        "actor": entry.actor,
        "scheduled_at": entry.scheduled_at,
        "call_id": entry.call_id,
    })
}

/// A refusal with its code; a field that cannot be is an invalid option.
pub(crate) fn refused(error: &BookingError) -> anyhow::Error {
    let BookingError::Invalid(invalid) = error else {
        return anyhow::anyhow!("{error} ({})", error.code());
    };
    let option = match invalid.field {
        "contact/name" => "--name",
        "contact/phone" => "--phone",
        "contact/email" => "--email",
        "booked_by_contact_id" => "--booked-by",
        "call_id" => "--call-id",
        _ => "--contact-id",
    };
    UsageError(format!("{option}: {}", invalid.detail)).into()
}
