//! Base backups of the private PostgreSQL, and the check of one against its list of files.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::binaries::Binaries;
use super::cluster_settings::Settings;
use super::error::Error;
use super::initdb;
use super::paths::{self, ClusterPaths};

/// Copies the data of the running server into the new directory `target`, with the write-ahead log
/// that makes the copy consistent and a SHA-256 of every file. The copy is durable on return.
///
/// # Errors
/// [`Error::Program`] with what `pg_basebackup` reports.
pub async fn base_backup(settings: &Settings, target: &Path) -> Result<(), Error> {
    let paths = ClusterPaths::open(&settings.data_dir)?;
    let wanted = initdb::major_of_data(&paths)?;
    let binaries = Binaries::find(settings.binaries.as_deref(), wanted, &paths.pgdata).await?;
    let mut command = own_command(&binaries, "pg_basebackup");
    command
        .arg("--host")
        .arg(&paths.socket_dir)
        .arg(format!("--port={}", paths::PORT))
        .arg(format!("--username={}", paths::NAME))
        .args(["--no-password", "--checkpoint=fast", "--wal-method=stream"])
        .args(["--manifest-checksums=SHA256", "--label=call-ledger"])
        .arg("--pgdata")
        .arg(target);
    run(command, "pg_basebackup").await
}

/// Compares every file of a base backup with its SHA-256, and reads the write-ahead log in it.
///
/// # Errors
/// [`Error::Program`] with the files that differ.
pub async fn check_base_backup(settings: &Settings, base: &Path) -> Result<(), Error> {
    let major = std::fs::read_to_string(base.join("PG_VERSION")).ok();
    let wanted = major.and_then(|text| text.trim().parse().ok());
    let binaries = Binaries::find(settings.binaries.as_deref(), wanted, base).await?;
    let mut command = own_command(&binaries, "pg_verifybackup");
    command.arg(base);
    run(command, "pg_verifybackup").await
}

/// A program of PostgreSQL that runs as this user. The environment could name another server.
fn own_command(binaries: &Binaries, name: &str) -> Command {
    let program: PathBuf = binaries.program(name);
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("LC_ALL", "C")
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

async fn run(mut command: Command, program: &'static str) -> Result<(), Error> {
    let output = command.output().await.map_err(Error::io("run", program))?;
    if output.status.success() {
        return Ok(());
    }
    let text = paths::tail(&[output.stdout, output.stderr].concat());
    Err(Error::Program { program, status: output.status, output: text })
}
