//! `appointment book`.

use chrono::{DateTime, Utc};
use ledger_app::bookings::{MAX_MINUTES, MAX_NOTES, NewBooking, NewContact};
use ledger_core::ids::{StreamId, SubjectId};
use ledger_core::text::check_lines;
use uuid::Uuid;

use super::view::run_command;
use crate::cli::exit::ExitStatus;
use crate::cli::text::short;
use crate::config::Config;

#[derive(Debug, clap::Args)]
pub(crate) struct BookArgs {
    /// Slug or id of the tenant
    #[arg(long)]
    tenant: String,
    #[command(flatten)]
    person: PersonArgs,
    /// The contact who books, if another person
    #[arg(long, value_name = "ID")]
    booked_by: Option<Uuid>,
    /// Start, a whole minute, RFC 3339
    #[arg(long, value_name = "TIME")]
    starts_at: DateTime<Utc>,
    /// Id or name of a service of the settings
    #[arg(long, value_parser = short)]
    service: Option<String>,
    /// Id of a resource of the settings [default: any that is free]
    #[arg(long, value_parser = short)]
    resource: Option<String>,
    /// Length in minutes [default: that of the service]
    #[arg(long, value_parser = minutes)]
    minutes: Option<u32>,
    /// The call in which it is booked
    #[arg(long, value_name = "ID")]
    call_id: Option<Uuid>,
    /// Notes; stored sealed
    #[arg(long, value_parser = notes)]
    notes: Option<String>,
}

#[derive(Debug, clap::Args)]
struct PersonArgs {
    /// The contact that it is for
    #[arg(long, value_name = "ID", conflicts_with = "name", required_unless_present = "name")]
    contact_id: Option<Uuid>,
    /// Name of the person that it is for
    #[arg(long, value_parser = short)]
    name: Option<String>,
    /// Telephone number of that person; a national one is read in the tenant's country
    #[arg(long, requires = "name", conflicts_with = "contact_id", value_parser = short)]
    phone: Option<String>,
    /// E-mail address of that person
    #[arg(long, requires = "name", conflicts_with = "contact_id", value_parser = short)]
    email: Option<String>,
}

/// Parses a length in minutes; for `value_parser`.
pub(crate) fn minutes(text: &str) -> Result<u32, String> {
    let minutes = text.parse().ok().filter(|minutes| (1..=MAX_MINUTES).contains(minutes));
    let minutes = minutes.and_then(|minutes| u32::try_from(minutes).ok());
    minutes.ok_or_else(|| format!("choose 1 to {MAX_MINUTES}"))
}

fn notes(text: &str) -> Result<String, String> {
    check_lines(text, MAX_NOTES).map(|()| text.to_owned()).map_err(|fault| fault.to_string())
}

pub(super) async fn run(config: &Config, args: &BookArgs) -> anyhow::Result<ExitStatus> {
    let PersonArgs { contact_id, name, phone, email } = &args.person;
    let contact =
        name.clone().map(|name| NewContact { name, phone: phone.clone(), email: email.clone() });
    let booking = NewBooking {
        contact,
        contact_id: contact_id.map(SubjectId),
        booked_by: args.booked_by.map(SubjectId),
        service: args.service.clone(),
        starts_at: args.starts_at,
        minutes: args.minutes,
        resource: args.resource.clone(),
        call_id: args.call_id.map(StreamId),
        notes: args.notes.clone(),
    };
    run_command(config, &args.tenant, async |commands| commands.book(booking).await).await
}
