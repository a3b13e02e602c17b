//! The server as a process of its own, to be killed: this binary starts itself again and runs the real `server` crate.
//!
//! Beside the server there is a guard, which outlives whoever started it and ends what was left behind, and the
//! product's own command line, for `verify`.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use ledger_core::clock::Clock;
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

/// What a process of this binary is to be; nothing is the harness itself.
pub(super) const ROLE: &str = "LEDGER_TORTURE_ROLE";
/// The directory of the run.
pub(super) const DIR: &str = "LEDGER_TORTURE_DIR";
/// The database as the server is to reach it.
pub(super) const DATABASE: &str = "LEDGER_TORTURE_DATABASE";
/// The bug a server is to have, as `ledger_store::planted` reads it.
pub(super) const BUG: &str = "LEDGER_PLANTED_BUG";
/// How many connections a server takes: few enough for one fault to want all of them.
pub(super) const CONNECTIONS: usize = 512;
/// What a server prints before its address.
pub(super) const LISTENING: &str = "listening ";

/// Does what the environment says this process is to be; `None` when it is the harness.
pub(super) fn play_role() -> Option<ExitCode> {
    let role = std::env::var(ROLE).ok()?;
    let dir = std::env::var(DIR).map(PathBuf::from).unwrap_or_default();
    Some(match role.as_str() {
        "guard" => guard(&dir),
        "cli" => server::cli::main(),
        _ => crate::run(serve(&dir)),
    })
}

/// Migrates and serves until it is told to stop, as `call-ledger serve` does.
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
        lanes: 2,
        keyring: Arc::new(keyring),
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

/// The system's clock, wrong by what a file says, in milliseconds.
struct ShiftedClock(PathBuf);

impl Clock for ShiftedClock {
    fn now(&self) -> DateTime<Utc> {
        let shift = std::fs::read_to_string(&self.0).ok().and_then(|text| text.trim().parse().ok());
        SystemClock.now() + TimeDelta::milliseconds(shift.unwrap_or(0))
    }
}

/// Waits until the harness has ended, however it did, then ends what it started and removes its directory.
fn guard(dir: &Path) -> ExitCode {
    let mut sink = Vec::new();
    let _ = std::io::stdin().read_to_end(&mut sink);
    clean_up(dir);
    ExitCode::SUCCESS
}

/// Ends every process of a run that is still there and removes what it had on disk.
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
    // A number may be somebody else's by now.
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
