//! `appointment`: bookings and their changes, as the use cases of the API make them, and lists. No command prints
//! the name, number or address of a person, or notes.

mod book;
mod change;
mod list;
mod view;

pub(super) use book::minutes;
pub(super) use view::refused;

use ledger_core::booking::Action;

use super::exit::ExitStatus;
use crate::config::Config;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Book an appointment for a contact, or for a person by name
    #[command(after_help = "Examples:
  call-ledger appointment book --tenant acme --name 'Robin Example' --phone +15550100123 \\
    --starts-at 2026-12-01T09:00:00-05:00 --service cleaning
  call-ledger appointment book --tenant acme --contact-id 01a1fcae-… --starts-at 2026-12-01T14:00:00Z

Name, number, address and notes are stored sealed and not printed. Other users of this machine can see the
arguments of a running command.")]
    Book(Box<book::BookArgs>),
    /// List appointments, the latest start first, without personal data
    #[command(after_help = "Examples:
  call-ledger appointment list --tenant acme --from 2026-12-01T00:00:00Z --to 2026-12-02T00:00:00Z
  call-ledger appointment list --tenant acme --status pending --output json

The list is that of the read model, which a running server keeps up to date.")]
    List(Box<list::ListArgs>),
    /// Show one appointment with its changes, as the log has it, without personal data
    #[command(after_help = "Example:
  call-ledger appointment show 5b8f3c1e-… --tenant acme")]
    Show(change::AppointmentId),
    /// Confirm a pending appointment
    #[command(after_help = "Example:
  call-ledger appointment confirm 5b8f3c1e-… --tenant acme")]
    Confirm(change::AppointmentId),
    /// Record that an appointment took place
    #[command(after_help = "Example:
  call-ledger appointment complete 5b8f3c1e-… --tenant acme")]
    Complete(change::AppointmentId),
    /// Cancel an appointment; its time is free
    #[command(after_help = "Example:
  call-ledger appointment cancel 5b8f3c1e-… --tenant acme")]
    Cancel(change::AppointmentId),
    /// Record that the person did not come
    #[command(after_help = "Example:
  call-ledger appointment no-show 5b8f3c1e-… --tenant acme")]
    NoShow(change::AppointmentId),
    /// Move an appointment; one that cannot be moved keeps its time
    #[command(after_help = "Example:
  call-ledger appointment reschedule 5b8f3c1e-… --tenant acme --starts-at 2026-12-02T10:00:00-05:00")]
    Reschedule(change::RescheduleArgs),
}

pub(super) async fn run(config: &Config, command: &Command) -> anyhow::Result<ExitStatus> {
    match command {
        Command::Book(args) => book::run(config, args).await,
        Command::List(args) => list::run(config, args).await,
        Command::Show(id) => change::run_show(config, id).await,
        Command::Confirm(id) => change::run(config, id, Action::Confirm).await,
        Command::Complete(id) => change::run(config, id, Action::Complete).await,
        Command::Cancel(id) => change::run(config, id, Action::Cancel).await,
        Command::NoShow(id) => change::run(config, id, Action::NoShow).await,
        Command::Reschedule(args) => change::run_reschedule(config, args).await,
    }
}
