//! The fault-injection test: a seeded workload over real HTTP, real faults, and a checker that
//! reads the database directly.
//!
//! The system is a durable PostgreSQL under the product's own supervisor, two server processes that
//! can be killed, and proxies that simulate network faults. Responses are the only statements of
//! the server that count: an acknowledged webhook must be stored once and at the stated position, a
//! refused one must not be stored, and one with an unknown result may be stored once.

mod checker;
mod child;
mod disk;
mod follower;
mod history;
mod injected_bugs;
mod nemesis;
mod options;
mod postgres;
mod processes;
mod report;
mod run;
mod sender;
mod serving;
mod workload;
mod world;

use std::process::ExitCode;

use clap::Parser;
use server::service::shutdown_signal;

use options::{Options, Output};
use run::Run;

/// Runs the `torture` binary in the role that the environment names.
#[must_use]
pub fn main() -> ExitCode {
    if let Some(done) = child::run_role() {
        return done;
    }
    let options = Options::parse();
    // Before any other thread: a mount namespace applies to the calling thread and to threads it
    // starts.
    let may_mount = !options.no_mounts && disk::own_namespace();
    crate::run(async {
        tokio::select! {
            done = torture(&options, may_mount) => done,
            _ = shutdown_signal() => {
                eprintln!("torture: interrupted");
                ExitCode::from(130)
            }
        }
    })
}

async fn torture(options: &Options, may_mount: bool) -> ExitCode {
    if let Some(name) = &options.planted {
        return plant(name, options, may_mount).await;
    }
    let run = Run {
        seed: options.seed,
        plan: nemesis::plan(options.seed, options.faults, options.kills),
        seconds: options.seconds,
        clients: options.clients,
        check_every: options.check_every,
        may_mount,
        logs: options.logs.clone(),
        ..Run::default()
    };
    match run.go().await {
        Ok((summary, findings)) => {
            match options.output {
                Output::Table => print!("{}", summary.table(&findings)),
                Output::Json => println!("{:#}", summary.json(&findings)),
            }
            if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("torture: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Injects a bug and reports whether the checker finds it.
async fn plant(name: &str, options: &Options, may_mount: bool) -> ExitCode {
    match injected_bugs::find(name, options.seed, may_mount).await {
        Ok(verdicts) => {
            match options.output {
                Output::Table => print!("{}", injected_bugs::table(&verdicts)),
                Output::Json => println!("{:#}", injected_bugs::json(&verdicts)),
            }
            let is_found = verdicts.iter().all(|verdict| verdict.is_found);
            if is_found { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("torture: {error:#}");
            ExitCode::FAILURE
        }
    }
}
