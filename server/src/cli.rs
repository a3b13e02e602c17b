//! The command line, with one file per command. Results are written to standard output, everything
//! else to standard error.

mod appointment;
mod availability;
mod backup;
mod bench;
mod completions;
mod config;
mod dates;
mod db;
mod demo;
mod doctor;
mod duration;
mod epoch;
mod exit;
mod export;
mod key;
mod man;
mod migrate;
mod output;
mod parked;
mod probe;
mod projection;
mod quarantine;
mod serve;
mod settings;
mod source;
mod tenant;
mod text;
mod verify;

use std::io::Write;
use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

pub use exit::{ExitStatus, UsageError};

use crate::config::{Config, GlobalArgs};
use crate::telemetry;

/// A ledger for the calls of AI voice platforms: every webhook an immutable, sealed event.
#[derive(Debug, Parser)]
#[command(name = "call-ledger", version, arg_required_else_help = true)]
#[command(after_help = "Examples:
  call-ledger demo                       try it: realistic traffic, then a server to look at
  call-ledger serve                      run it, with a private PostgreSQL under ./data
  call-ledger tenant create --slug acme --timezone America/New_York
  call-ledger source create --tenant acme --provider vapi

Exit codes: 0 done, 1 failed, 2 usage, 3 verification found tampering.")]
struct Cli {
    #[command(flatten)]
    global: GlobalArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Set everything up, play realistic traffic through the real webhooks, then serve
    Demo(demo::Args),
    /// Apply migrations, then serve HTTP and run the workers
    Serve(serve::Args),
    /// Apply the database migrations and exit
    Migrate(migrate::Args),
    /// Create, list and change tenants
    #[command(subcommand)]
    Tenant(tenant::Command),
    /// Create, list and revoke API keys
    #[command(subcommand)]
    Key(key::Command),
    /// Create, list and change webhook sources
    #[command(subcommand)]
    Source(source::Command),
    /// Book, list and change appointments
    #[command(subcommand)]
    Appointment(appointment::Command),
    /// List the times that can be booked
    #[command(after_help = "Example:
  call-ledger availability --tenant acme --service cleaning --from 2026-12-01T00:00:00Z")]
    Availability(availability::Args),
    /// Show and change the settings of a tenant
    #[command(subcommand)]
    Settings(settings::Command),
    /// List, rebuild, compare and promote read models
    #[command(subcommand)]
    Projection(projection::Command),
    /// Events that a read model could not fold, or leaves out
    #[command(subcommand)]
    Parked(parked::Command),
    /// Check that nothing in the log was altered
    Verify(verify::Args),
    /// Export the events of one tenant or of all
    #[command(subcommand)]
    Export(export::Command),
    /// Measure this machine and compare the figures with its limits
    #[command(subcommand)]
    Bench(bench::Command),
    /// Roll the epochs of tenants, which destroys the keys of older backups
    #[command(subcommand)]
    Epoch(epoch::Command),
    /// List, show and replay webhooks that could not be assigned to a tenant
    #[command(subcommand)]
    Quarantine(quarantine::Command),
    /// Show what the voice tools understand of a spoken date
    #[command(subcommand)]
    Dates(dates::Command),
    /// Start, stop and connect to the private PostgreSQL
    #[command(subcommand)]
    Db(db::Command),
    /// Make, verify, list and restore backups
    #[command(subcommand)]
    Backup(backup::Command),
    /// Check everything a ledger needs, and print what is wrong and how to fix it
    Doctor(doctor::Args),
    /// Show and check the settings
    #[command(subcommand)]
    Config(config::Command),
    /// Check whether a running server is ready
    Probe(probe::Args),
    /// Print the completion script of a shell
    Completions(completions::Args),
    /// Print the manual page, or write the pages of all commands
    Man(man::Args),
}

/// Returns the definition of the command line, for completions, manual pages and the reference.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Parses the command line, runs the command and returns its exit code.
#[must_use]
pub fn main() -> ExitCode {
    let matches = Cli::command().get_matches();
    let parsed = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match run(parsed, &matches) {
        Ok(ExitStatus::Success) => ExitCode::SUCCESS,
        Ok(ExitStatus::Failure) => ExitCode::FAILURE,
        Ok(ExitStatus::TamperingFound) => ExitCode::from(3),
        Err(error) if output::is_pipe_closed(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // An error of standard error itself cannot be reported.
            let _ = writeln!(std::io::stderr(), "call-ledger: {error:#}");
            ExitCode::from(if error.is::<UsageError>() { 2 } else { 1 })
        }
    }
}

fn run(cli: Cli, matches: &ArgMatches) -> anyhow::Result<ExitStatus> {
    let form = cli.global.output.unwrap_or_default();
    // These commands need no configuration and run before it is loaded.
    match &cli.command {
        Command::Completions(args) => return completions::run(form, args, &mut command()),
        Command::Man(args) => return man::run(form, args, command()),
        Command::Dates(command) => return dates::run(form, command),
        _ => {}
    }
    let listen = match &cli.command {
        Command::Serve(args) => args.listen,
        Command::Demo(args) => args.listen,
        _ => None,
    };
    let mut config =
        Config::load(&cli.global, listen).map_err(|error| UsageError(format!("{error:#}")))?;
    if let Command::Serve(serve::Args { ops_listen: Some(ops_listen), .. }) = &cli.command {
        config.ops_listen = Some(*ops_listen);
    }
    if let Command::Config(command) = &cli.command {
        let is_flag = |name: &str| {
            matches.ids().any(|id| id == name)
                && matches.value_source(name) == Some(ValueSource::CommandLine)
        };
        return config::run(&config, &cli.global, command, is_flag);
    }
    telemetry::start_logs(match cli.command {
        Command::Serve(_) => "info,sqlx=warn",
        _ => "warn",
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run_with(&config, cli.command))
}

async fn run_with(config: &Config, command: Command) -> anyhow::Result<ExitStatus> {
    match command {
        Command::Demo(args) => demo::run(config, &args).await,
        Command::Serve(args) => serve::run(config, &args).await,
        Command::Migrate(args) => migrate::run(config, &args).await,
        Command::Tenant(command) => tenant::run(config, &command).await,
        Command::Key(command) => key::run(config, &command).await,
        Command::Source(command) => source::run(config, &command).await,
        Command::Appointment(command) => appointment::run(config, &command).await,
        Command::Availability(args) => availability::run(config, &args).await,
        Command::Settings(command) => settings::run(config, &command).await,
        Command::Projection(command) => projection::run(config, &command).await,
        Command::Parked(command) => parked::run(config, &command).await,
        Command::Verify(args) => verify::run(config, &args).await,
        Command::Export(command) => export::run(config, &command).await,
        Command::Epoch(command) => epoch::run(config, &command).await,
        Command::Quarantine(command) => quarantine::run(config, &command).await,
        Command::Db(command) => db::run(config, &command).await,
        Command::Backup(command) => backup::run(config, &command).await,
        Command::Doctor(args) => doctor::run(config, &args).await,
        Command::Bench(command) => bench::run(config, &command).await,
        Command::Probe(args) => probe::run(config, &args).await,
        Command::Config(_) | Command::Completions(_) | Command::Man(_) | Command::Dates(_) => {
            unreachable!("they ran before the ledger was looked at")
        }
    }
}
