//! `bench`: performance measurements.

use std::path::{Path, PathBuf};

use anyhow::Context;
use chrono::DateTime;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::exit::ExitStatus;
use super::output;
use crate::config::{Config, Output};
use ledger_bench::report::StageCost;
use ledger_bench::{self as bench, Report};
use webhook_traffic::{TrafficPlan, traffic};

#[derive(Debug, clap::Subcommand)]
#[command(
    after_help = "Each runs against a private, durable PostgreSQL of its own below the data directory, and leaves nothing.
Examples:
  call-ledger bench append
  call-ledger bench append --rows 5000000 --callers 32,512
  call-ledger bench ingest --rate 200 --seconds 60
  call-ledger bench book --servers 1,2
  call-ledger bench erase --persons 1000
  call-ledger bench rebuild --tenants 1,1000
  call-ledger bench read --calls 10000,100000,1000000
  call-ledger bench roll --people 100000
  call-ledger --output json bench seal"
)]
pub(super) enum Command {
    /// Durable appends, compared with one request per commit, bare inserts and bare batches
    Append(AppendArgs),
    /// Webhooks from HTTP to commit, at a steady rate and at the highest rate sustained
    Ingest(IngestArgs),
    /// Bookings for one time, for the times of one day, and by voice tools beside webhooks
    Book(BookArgs),
    /// Erasures, from the request to the live certificate
    Erase(EraseArgs),
    /// Sealing, opening and translating
    Seal(SealArgs),
    /// A rebuild of a read model from the log, compared with a bare reader of the log
    Rebuild(RebuildArgs),
    /// Pages, sums and series over HTTP, of a tenant with many calls among many tenants
    Read(ReadArgs),
    /// The roll of the epoch of a tenant with many people, beside webhooks
    Roll(RollArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct AppendArgs {
    /// Number of concurrent callers
    #[arg(long, value_delimiter = ',', default_value = "1,8,32,128,512", value_parser = clap::value_parser!(u16).range(1..=4_000))]
    callers: Vec<u16>,
    /// Number of tenants the appends are spread over
    #[arg(long, value_delimiter = ',', default_value = "1,1000", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    tenants: Vec<u16>,
    /// Duration of each round, in seconds
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// Number of rounds for each combination
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,
    /// Rows in the log beforehand; with 0 it is emptied before each measurement
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..=100_000_000))]
    rows: i64,
}

#[derive(Debug, clap::Args)]
pub(super) struct IngestArgs {
    /// Webhooks per second at the steady rate
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// Duration of the steady rate, in seconds
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// Duration of each higher rate, in seconds; 0 tries none
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(0..=600))]
    step_seconds: u64,
    /// Duration of 64 callers sending one webhook after the other, in seconds; 0 skips it
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(0..=600))]
    callers_seconds: u64,
}

#[derive(Debug, clap::Args)]
pub(super) struct BookArgs {
    /// Number of server processes; each number is measured with a ledger of its own
    #[arg(long, value_delimiter = ',', default_value = "1,2", value_parser = clap::value_parser!(u16).range(1..=8))]
    servers: Vec<u16>,
    /// Number of bookings for one time, sent at once
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u16).range(2..=2_000))]
    overlapping: u16,
    /// Number of bookings for times of their own on one resource and day, sent at once
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..=288))]
    slots: u16,
    /// Number of rounds of each
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=20))]
    rounds: u16,
    /// Bookings by voice tools a second
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: u32,
    /// Webhooks a second beside them
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    webhooks: u32,
    /// Duration of the bookings by tools, in seconds
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
}

#[derive(Debug, clap::Args)]
pub(super) struct EraseArgs {
    /// Number of events of a person with many
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(8..=1_000_000))]
    events: u32,
    /// Number of persons with many events, and as many with few, erased one after the other
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,
    /// Number of persons that are erased together
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    persons: u16,
}

#[derive(Debug, clap::Args)]
pub(super) struct SealArgs {
    /// A message of the platform to translate [default: the largest of the demo's]
    #[arg(long, value_name = "FILE")]
    sample: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct RebuildArgs {
    /// Minimum number of events
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    events: u32,
    /// Number of tenants; each number is measured with a ledger of its own
    #[arg(long, value_delimiter = ',', default_value = "1", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    tenants: Vec<u16>,
    /// Approximate number of events per call; with two, a start and an end
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=100))]
    events_per_call: u32,
    /// Seed of the generated calls: the same seed, the same calls
    #[arg(long, default_value_t = 7)]
    seed: u64,
}

#[derive(Debug, clap::Args)]
pub(super) struct ReadArgs {
    /// Number of calls of the queried tenant; each number is measured with a ledger of its own
    #[arg(long, visible_alias = "sizes", value_delimiter = ',', default_value = "1000000", value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    calls: Vec<u32>,
    /// Number of tenants in total; the others have a few calls each
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    tenants: u16,
    /// Number of requests for each query
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    requests: u32,
    /// Run only queries with this text in their name
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Approximate number of events per call; with two, a start and an end
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=100))]
    events_per_call: u32,
    /// Seed of the generated calls: the same seed, the same calls
    #[arg(long, default_value_t = 7)]
    seed: u64,
}

#[derive(Debug, clap::Args)]
pub(super) struct RollArgs {
    /// Number of people of the tenant
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    people: u32,
    /// Webhooks per second, before and during the roll
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// Duration of the webhooks before the roll, in seconds
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
}

pub(super) async fn run(config: &Config, command: &Command) -> anyhow::Result<ExitStatus> {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(std::time::Duration::from_millis(200));
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let step = |what: &str| {
        bar.set_message(what.to_owned());
        if !is_terminal {
            eprintln!("{what}");
        }
    };
    let report = match command {
        Command::Append(args) => {
            let plan = bench::append::AppendPlan {
                callers: args.callers.iter().copied().map(usize::from).collect(),
                tenants: args.tenants.iter().copied().map(usize::from).collect(),
                seconds: args.seconds,
                rounds: usize::from(args.rounds),
                rows: args.rows,
            };
            bench::append::run(config, &plan, step).await?
        }
        Command::Ingest(args) => {
            let plan = bench::ingest::IngestPlan {
                rate: args.rate,
                seconds: args.seconds,
                step_seconds: args.step_seconds,
                callers_seconds: args.callers_seconds,
            };
            bench::ingest::run(config, &plan, step).await?
        }
        Command::Book(args) => {
            let plan = bench::book::BookPlan {
                servers: args.servers.iter().copied().map(usize::from).collect(),
                overlapping: usize::from(args.overlapping),
                slots: usize::from(args.slots),
                rate: args.rate,
                webhooks: args.webhooks,
                seconds: args.seconds,
                rounds: usize::from(args.rounds),
            };
            bench::book::run(config, &plan, step).await?
        }
        Command::Erase(args) => {
            let plan = bench::erase::ErasePlan {
                events: usize::try_from(args.events)?,
                rounds: usize::from(args.rounds),
                persons: usize::from(args.persons),
            };
            bench::erase::run(config, &plan, step).await?
        }
        Command::Seal(args) => bench::seal::run(&sample(args.sample.as_deref())?, step)?,
        Command::Rebuild(args) => {
            let plan = bench::rebuild::RebuildPlan {
                events: usize::try_from(args.events)?,
                tenants: args.tenants.iter().copied().map(usize::from).collect(),
                events_per_call: args.events_per_call,
                seed: args.seed,
            };
            bench::rebuild::run(config, &plan, step).await?
        }
        Command::Read(args) => {
            let sizes = args.calls.iter().copied().map(usize::try_from);
            let plan = bench::read::ReadPlan {
                calls: sizes.collect::<Result<_, _>>()?,
                tenants: usize::from(args.tenants),
                requests: usize::try_from(args.requests)?,
                only: args.only.clone(),
                events_per_call: args.events_per_call,
                seed: args.seed,
            };
            bench::read::run(config, &plan, step).await?
        }
        Command::Roll(args) => {
            let people = usize::try_from(args.people)?;
            let plan = bench::roll::RollPlan { people, rate: args.rate, seconds: args.seconds };
            bench::roll::run(config, &plan, step).await?
        }
    };
    bar.finish_and_clear();
    print(config.output, &report)?;
    Ok(ExitStatus::Success)
}

fn sample(file: Option<&Path>) -> anyhow::Result<Vec<u8>> {
    if let Some(file) = file {
        return std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()));
    }
    let until = DateTime::from_timestamp(1_790_000_000, 0).unwrap_or_default();
    let plan = TrafficPlan { calls: 200, days: 30, seed: 7, until };
    let largest = traffic(&plan).deliveries.into_iter().max_by_key(|delivery| delivery.body.len());
    Ok(largest.context("the demo has traffic")?.body)
}

const COLUMNS: &[&str] = &[
    "what",
    "callers",
    "tenants",
    "calls",
    "per second",
    "rounds",
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "limit ms",
    "WAL bytes",
    "MB",
    "errors",
];

fn print(output: Output, report: &Report) -> anyhow::Result<()> {
    if output == Output::Json {
        return output::print_line(serde_json::to_string(report)?);
    }
    // A measurement of a single operation has no percentiles.
    let latency = |ms: f64| (ms > 0.0).then(|| short(ms));
    let rows: Vec<Value> = report
        .measured
        .iter()
        .map(|one| {
            let [lowest, highest] = one.rounds_per_second;
            json!({
                "what": one.what,
                "callers": one.callers,
                "tenants": one.tenants,
                "calls": one.calls,
                "per second": format!("{:.0}", one.per_second),
                "rounds": (lowest < highest).then(|| format!("{lowest:.0}-{highest:.0}")),
                "p50 ms": latency(one.p50_ms),
                "p95 ms": latency(one.p95_ms),
                "p99 ms": latency(one.p99_ms),
                "limit ms": one.limit_ms.map(short),
                "WAL bytes": one.wal_bytes.map(|bytes| format!("{bytes:.0}")),
                "MB": one.peak_memory_bytes.map(|bytes| bytes / 1_000_000),
                "errors": one.errors,
            })
        })
        .collect();
    let is_filled = |name: &&&str| rows.iter().any(|row| !row[**name].is_null());
    let columns: Vec<&str> = COLUMNS.iter().filter(is_filled).copied().collect();
    output::list(Output::Table, &columns, &rows)?;
    print_costs(report)?;
    let goals: Vec<Value> = report
        .goals
        .iter()
        .map(|goal| {
            let bound = if goal.bound == "at_least" { "at least" } else { "at most" };
            json!({
                "figure": goal.what,
                "measured": short(goal.value),
                "goal": format!("{bound} {}", short(goal.goal)),
                "reached": if goal.met { "yes" } else { "no" },
            })
        })
        .collect();
    output::list(Output::Table, &["figure", "measured", "goal", "reached"], &goals)?;
    for checksum in &report.checksums {
        output::print_line(format!("checksum {checksum}"))?;
    }
    for answer in &report.not_there {
        output::print_line(format!("not there: {answer}"))?;
    }
    let postgres = report.postgres.as_deref().unwrap_or("none");
    let megabytes = report.peak_memory_bytes / 1_000_000;
    output::print_line(format!(
        "{} cores, PostgreSQL {postgres}, peak memory {megabytes} MB",
        report.cores
    ))
}

/// Prints the cost of a webhook in total and by stage.
fn print_costs(report: &Report) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for cost in &report.costs {
        let row = |stage: &str, server: f64, postgres: f64, wal: Option<f64>| {
            json!({
                "a webhook of": cost.what,
                "stage": stage,
                "server µs": format!("{server:.0}"),
                "PostgreSQL µs": format!("{postgres:.0}"),
                "together µs": format!("{:.0}", server + postgres),
                "WAL bytes": wal.map(|bytes| format!("{bytes:.0}")),
            })
        };
        rows.push(row("all", cost.server_us, cost.postgres_us, Some(cost.wal_bytes)));
        let stage = |one: &StageCost| row(one.stage, one.server_us, one.postgres_us, one.wal_bytes);
        rows.extend(cost.stages.iter().map(stage));
    }
    if rows.is_empty() {
        return Ok(());
    }
    let columns =
        ["a webhook of", "stage", "server µs", "PostgreSQL µs", "together µs", "WAL bytes"];
    output::list(Output::Table, &columns, &rows)
}

/// Formats a number with at most three decimals, and fewer the larger it is.
fn short(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}
