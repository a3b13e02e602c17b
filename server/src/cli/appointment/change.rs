//! `appointment show`, `appointment reschedule`, and the changes of a status.

use chrono::{DateTime, Utc};
use ledger_app::bookings::{BookingCommands, BookingError, resource_id};
use ledger_core::booking::command::Change;
use ledger_core::booking::{Action, Reschedule};
use ledger_core::ids;
use uuid::Uuid;

use super::book::minutes;
use super::view::{read, run_command};
use crate::cli::exit::ExitStatus;
use crate::cli::output;
use crate::cli::text::short;
use crate::config::Config;
use crate::instance::Instance;

#[derive(Debug, clap::Args)]
pub(crate) struct AppointmentId {
    /// Id of the appointment, as printed by appointment list
    #[arg(value_name = "ID")]
    appointment_id: Uuid,
    /// Slug or id of the tenant
    #[arg(long)]
    tenant: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RescheduleArgs {
    #[command(flatten)]
    of: AppointmentId,
    /// The new start, a whole minute, RFC 3339
    #[arg(long, value_name = "TIME")]
    starts_at: DateTime<Utc>,
    /// The new length in minutes [default: unchanged]
    #[arg(long, value_parser = minutes)]
    minutes: Option<u32>,
    /// Id of the new resource [default: unchanged]
    #[arg(long, value_parser = short)]
    resource: Option<String>,
}

pub(super) async fn run_show(config: &Config, id: &AppointmentId) -> anyhow::Result<ExitStatus> {
    let shown = Instance::run(config, async |instance| {
        let store = &instance.store;
        let tenant_id = output::find_tenant(store, &id.tenant).await?.tenant_id;
        read(store, tenant_id, id.appointment_id, None).await
    })
    .await?;
    output::object(config.output, &shown)?;
    Ok(ExitStatus::Success)
}

pub(super) async fn run(
    config: &Config,
    id: &AppointmentId,
    action: fn(Change) -> Action,
) -> anyhow::Result<ExitStatus> {
    let appointment_id = ids::AppointmentId(id.appointment_id);
    let change =
        async |commands: BookingCommands<'_>| commands.change(appointment_id, action).await;
    run_command(config, &id.tenant, change).await
}

pub(super) async fn run_reschedule(
    config: &Config,
    args: &RescheduleArgs,
) -> anyhow::Result<ExitStatus> {
    let reschedule = async |commands: BookingCommands<'_>| {
        let resource = args.resource.as_deref().map(resource_id).transpose();
        let reschedule = Reschedule {
            appointment_id: ids::AppointmentId(args.of.appointment_id),
            from: None,
            starts_at: args.starts_at,
            minutes: args.minutes,
            resource: resource.map_err(BookingError::Refused)?,
            call_id: None,
        };
        commands.reschedule(reschedule).await
    };
    run_command(config, &args.of.tenant, reschedule).await
}
