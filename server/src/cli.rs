//! The command line. One file a command; standard output holds the answer, everything else goes to
//! standard error.

mod bench;
mod completions;
mod config;
mod db;
mod demo;
mod doctor;
mod duration;
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
mod source;
mod tenant;
mod verify;

use std::io::Write;
use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

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
    /// Apply migrations
    Migrate,
    /// Tenants
    #[command(subcommand)]
    Tenant(tenant::Command),
    /// API keys
    #[command(subcommand)]
    Key(key::Command),
    /// Webhook sources
    #[command(subcommand)]
    Source(source::Command),
    /// Read models
    #[command(subcommand)]
    Projection(projection::Command),
    /// Events that a read model could not fold, or leaves out
    #[command(subcommand)]
    Parked(parked::Command),
    /// Check that nothing in the log was altered
    Verify(verify::Args),
    /// Take data out
    #[command(subcommand)]
    Export(export::Command),
    /// Measure this machine, each figure beside its limit
    #[command(subcommand)]
    Bench(bench::Command),
    /// Webhooks whose tenant could not be told
    #[command(subcommand)]
    Quarantine(quarantine::Command),
    /// The private PostgreSQL by hand
    #[command(subcommand)]
    Db(db::Command),
    /// Look at everything a ledger needs, and say what is wrong and what to do
    Doctor(doctor::Args),
    /// The settings
    #[command(subcommand)]
    Config(config::Command),
    /// Ask a running server whether it is ready
    Probe(probe::Args),
    /// Print the completions of a shell
    Completions(completions::Args),
    /// Print the manual page, or write all of them
    Man(man::Args),
}

/// What a command that ran came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// Exit code 0.
    Well,
    /// Exit code 1: it ran, and what it found is not well.
    Unwell,
    /// Exit code 3: verification found tampering.
    Tampered,
}

/// An option's value that cannot be meant. Exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// Refuses an option's value.
fn usage<T>(message: impl Into<String>) -> anyhow::Result<T> {
    Err(Usage(message.into()).into())
}

/// The command line as it is defined: for completions, manual pages and the reference.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Parses the command line, runs one command, and tells its exit code.
#[must_use]
pub fn main() -> ExitCode {
    let matches = Cli::command().get_matches();
    let parsed = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match run(parsed, &matches) {
        Ok(Done::Well) => ExitCode::SUCCESS,
        Ok(Done::Unwell) => ExitCode::FAILURE,
        Ok(Done::Tampered) => ExitCode::from(3),
        Err(error) if output::is_reader_gone(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Whether or not anybody reads it.
            let _ = writeln!(std::io::stderr(), "call-ledger: {error:#}");
            ExitCode::from(if error.is::<Usage>() { 2 } else { 1 })
        }
    }
}

fn run(cli: Cli, matches: &ArgMatches) -> anyhow::Result<Done> {
    let form = cli.global.output.unwrap_or_default();
    // These ask nothing of the machine, so nothing that is set wrong on it stands in their way.
    match &cli.command {
        Command::Completions(args) => return completions::run(form, args),
        Command::Man(args) => return man::run(form, args),
        _ => {}
    }
    let listen = match &cli.command {
        Command::Serve(args) => args.listen,
        Command::Demo(args) => args.listen,
        _ => None,
    };
    let mut config =
        Config::load(&cli.global, listen).map_err(|error| Usage(format!("{error:#}")))?;
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

async fn run_with(config: &Config, command: Command) -> anyhow::Result<Done> {
    match command {
        Command::Demo(args) => demo::run(config, &args).await,
        Command::Serve(args) => serve::run(config, &args).await,
        Command::Migrate => migrate::run(config).await,
        Command::Tenant(command) => tenant::run(config, &command).await,
        Command::Key(command) => key::run(config, &command).await,
        Command::Source(command) => source::run(config, &command).await,
        Command::Projection(command) => projection::run(config, &command).await,
        Command::Parked(command) => parked::run(config, &command).await,
        Command::Verify(args) => verify::run(config, &args).await,
        Command::Export(command) => export::run(config, &command).await,
        Command::Quarantine(command) => quarantine::run(config, &command).await,
        Command::Db(command) => db::run(config, &command).await,
        Command::Doctor(args) => doctor::run(config, &args).await,
        Command::Bench(command) => bench::run(config, &command).await,
        Command::Probe(args) => probe::run(config, &args).await,
        Command::Config(_) | Command::Completions(_) | Command::Man(_) => {
            unreachable!("they ran before the ledger was looked at")
        }
    }
}
