//! Set-up script of nextest: starts one cluster for all test processes of a run, and passes its
//! directory on in `NEXTEST_ENV`.
//!
//! The cluster is kept by a second process of this program, which ends when the test runner has
//! ended.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::{CommandExt, parent_id};
use std::process::{Command, Stdio};

use ledger_tests::cluster::hold;
use nix::unistd::Pid;

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    match args.next().as_deref() {
        Some("hold") => {
            let runner = Pid::from_raw(args.next().unwrap_or_default().parse()?);
            ledger_tests::run(hold(runner, |dir| println!("{}", dir.display())));
            Ok(())
        }
        _ => start(),
    }
}

/// Starts the keeper in a process group of its own, and returns when the cluster is ready.
fn start() -> anyhow::Result<()> {
    let env = std::env::var_os("NEXTEST_ENV").ok_or_else(|| anyhow::anyhow!("run by nextest"))?;
    let keeper = Command::new(std::env::current_exe()?)
        .args(["hold", &parent_id().to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()?;
    let mut dir = String::new();
    if let Some(output) = keeper.stdout {
        BufReader::new(output).read_line(&mut dir)?;
    }
    anyhow::ensure!(!dir.is_empty(), "PostgreSQL did not start; the tests of this crate say why");
    let mut env = OpenOptions::new().append(true).open(env)?;
    writeln!(env, "LEDGER_TESTS_CLUSTER={}", dir.trim_end())?;
    Ok(())
}
