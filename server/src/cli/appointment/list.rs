//! `appointment list`.

use chrono::{DateTime, Utc};
use ledger_core::event::AppointmentStatus;
use ledger_store::TenantTx;
use ledger_store::read::{Page, PageSize};
use projections::appointments::{After, AppointmentFilter, ListedAppointment, list};
use uuid::Uuid;

use super::view::view;
use crate::cli::exit::{ExitStatus, usage_error};
use crate::cli::output;
use crate::cli::text::short;
use crate::config::Config;
use crate::instance::Instance;

/// Size of a page that is read at once.
const PAGE: PageSize = PageSize { rows: 200, bytes: 1 << 20 };

#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// Slug or id of the tenant
    #[arg(long)]
    tenant: String,
    /// Start at or after, RFC 3339
    #[arg(long, value_name = "TIME")]
    from: Option<DateTime<Utc>>,
    /// Start before, RFC 3339
    #[arg(long, value_name = "TIME")]
    to: Option<DateTime<Utc>>,
    /// Status, such as pending or confirmed
    #[arg(long, value_parser = status)]
    status: Option<String>,
    /// For this contact
    #[arg(long, value_name = "ID")]
    contact_id: Option<Uuid>,
    /// Id of the service
    #[arg(long, value_parser = short)]
    service: Option<String>,
    /// Id of the resource
    #[arg(long, value_parser = short)]
    resource: Option<String>,
    /// Booked in this call
    #[arg(long, value_name = "ID")]
    call_id: Option<Uuid>,
}

fn status(text: &str) -> Result<String, String> {
    let known = AppointmentStatus::ALL.map(AppointmentStatus::as_str);
    if known.contains(&text) {
        return Ok(text.to_owned());
    }
    Err(format!("choose one of {}", known.join(", ")))
}

pub(super) async fn run(config: &Config, args: &ListArgs) -> anyhow::Result<ExitStatus> {
    if args.from.zip(args.to).is_some_and(|(from, to)| from > to) {
        return usage_error("--from: it lies after --to");
    }
    let filter = AppointmentFilter {
        from: args.from,
        to: args.to,
        status: args.status.clone(),
        contact_id: args.contact_id,
        service: args.service.clone(),
        resource: args.resource.clone(),
        call_id: args.call_id,
    };
    let found = Instance::run(config, async |instance| {
        let store = &instance.store;
        let tenant_id = output::find_tenant(store, &args.tenant).await?.tenant_id;
        let mut found: Vec<ListedAppointment> = Vec::new();
        loop {
            let after = found.last().map(|last| After {
                scheduled_at: last.appointment.scheduled_at,
                appointment_id: last.appointment.appointment_id,
            });
            let mut tx = TenantTx::begin(store.app(), tenant_id).await?;
            let Page { rows, has_more } = list(&mut tx, &filter, after, PAGE).await?;
            found.extend(rows);
            if !has_more {
                return Ok(found);
            }
        }
    })
    .await?;
    let rows: Vec<_> = found.into_iter().map(view).collect();
    let columns = [
        "scheduled_at",
        "duration_minutes",
        "status",
        "service_type",
        "resource",
        "contact_id",
        "appointment_id",
    ];
    output::list(config.output, &columns, &rows)?;
    Ok(ExitStatus::Success)
}
