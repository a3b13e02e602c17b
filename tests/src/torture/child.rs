//! Child processes in a role: this binary starts itself again and runs the real `server` crate, so
//! that it can be killed.
//!
//! The other roles are a guard, which outlives the harness and ends processes that are left, and
//! the command line of the product, for `verify`.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use ledger_core::clock::Clock;
use ledger_store::journal::Journal;
use ledger_store::keyring::Keyring;
use ledger_store::{Settings, Store, migrate};
use nix::mount::{MntFlags, umount2};
use nix::sys::signal::Signal;
use server::limits::Limits;
use server::service::{Service, shutdown_signal};
use server::system::{SystemClock, SystemIds};
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use tracing_subscriber::EnvFilter;

use super::processes;
use crate::ledger::MAX_BODY;

/// Variable with the role of a process; unset in the harness itself.
pub(super) const ROLE: &str = "LEDGER_TORTURE_ROLE";
/// Variable with the directory of the run.
pub(super) const DIR: &str = "LEDGER_TORTURE_DIR";
/// Variable with the database URL for the server.
pub(super) const DATABASE: &str = "LEDGER_TORTURE_DATABASE";
/// Variable with the bug to inject, as `ledger_store::injected_faults` reads it.
pub(super) const BUG: &str = "LEDGER_PLANTED_BUG";
/// Connection limit of a server, small enough for a single fault to use it up.
pub(super) const CONNECTIONS: usize = 512;
/// Start of the line in which a server prints its address.
pub(super) const LISTENING: &str = "listening ";

/// Runs the role that the environment names; `None` in the harness.
pub(super) fn run_role() -> Option<ExitCode> {
    let role = std::env::var(ROLE).ok()?;
    let dir = std::env::var(DIR).map(PathBuf::from).unwrap_or_default();
    Some(match role.as_str() {
        "guard" => guard(&dir),
        "cli" => server::cli::main(),
        _ => crate::run(serve(&dir)),
    })
}

/// Migrates and serves until a stop signal, as `call-ledger serve` does.
async fn serve(dir: &Path) -> ExitCode {
    let filter = EnvFilter::new("info,server=debug,ledger_store=debug,projections=debug,sqlx=warn");
    tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(std::io::stderr).init();
    let url = std::env::var(DATABASE).expect("the harness names the database");
    let database = PgConnectOptions::from_str(&url).expect("the harness writes URLs");
    let database = database.disable_statement_logging();
    if let Err(error) = migrate(&database).await {
        tracing::error!(error = %error, "torture.not_migrated");
        return ExitCode::FAILURE;
    }
    let keyring = Keyring::new(dir.join("keys/keyring"), dir.join("keys/root.key"));
    let store = Arc::new(Store::open(Settings {
        database,
        connections: 16,
        append_workers: 2,
        keyring: Arc::new(keyring),
        journal: Journal::new(dir.join("keys/journal"), dir.join("keys/signing.key")),
        clock: Arc::new(ShiftedClock(dir.join("clock"))),
        ids: Arc::new(SystemIds),
    }));
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    let limits = Limits { connections: CONNECTIONS, ..Limits::with_max_body(MAX_BODY) };
    let limits = limits.within_open_files();
    let service = match Service::start_within(limits, Arc::clone(&store), any_port).await {
        Ok(service) => service,
        Err(error) => {
            tracing::error!(error = %error, "torture.not_serving");
            return ExitCode::FAILURE;
        }
    };
    println!("{LISTENING}{}", service.address);
    std::io::stdout().flush().expect("the harness reads it");
    shutdown_signal().await.expect("signals can be listened for");
    let stopped = service.stop().await;
    store.close().await;
    if stopped.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The system clock, shifted by the milliseconds in a file.
struct ShiftedClock(PathBuf);

impl Clock for ShiftedClock {
    fn now(&self) -> DateTime<Utc> {
        let shift = std::fs::read_to_string(&self.0).ok().and_then(|text| text.trim().parse().ok());
        SystemClock.now() + TimeDelta::milliseconds(shift.unwrap_or(0))
    }
}

/// Waits until the harness has ended in any way, then ends its processes and removes its directory.
fn guard(dir: &Path) -> ExitCode {
    let mut sink = Vec::new();
    let _ = std::io::stdin().read_to_end(&mut sink);
    clean_up(dir);
    ExitCode::SUCCESS
}

/// Ends every remaining process of a run and removes its files.
pub(super) fn clean_up(dir: &Path) {
    let files = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut left: Vec<i32> = files
        .filter(|file| file.extension().is_some_and(|end| end == "pid"))
        .filter_map(|file| first_number(&file))
        .collect();
    if let Some(postmaster) = first_number(&dir.join("data/pg/postmaster.pid")) {
        left.extend(processes::children(postmaster));
        left.push(postmaster);
    }
    // The kernel may have reused the number for another process.
    for pid in left.into_iter().filter(|pid| processes::belongs_to(*pid, dir)) {
        processes::signal(pid, Signal::SIGKILL);
    }
    for disk in ["data/pg/pg_wal", "data", "keys"] {
        let _ = umount2(&dir.join(disk), MntFlags::MNT_DETACH);
    }
    let _ = std::fs::remove_dir_all(dir);
}

fn first_number(file: &Path) -> Option<i32> {
    std::fs::read_to_string(file).ok()?.lines().next()?.trim().parse().ok()
}
