//! The server under load, a process of its own, and the sources it takes webhooks at.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use ledger_core::provider::Provider;
use ledger_store::Store;
use ledger_store::source::NewSource;
use ledger_store::tenants::NewTenant;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::system::fresh_secret;

/// A clinic each.
const TENANTS: usize = 20;
const PATIENCE: Duration = Duration::from_mins(1);

/// A running server.
pub(super) struct Server {
    /// Its address.
    pub(super) url: String,
    /// Its process.
    pub(super) pid: u32,
    child: Child,
}

impl Server {
    /// Starts this very program as a server over a data directory.
    pub(super) async fn start(data_dir: &Path) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("this program has no file")?;
        let mut child = Command::new(program)
            .arg("--data-dir")
            .arg(data_dir)
            .args(["--output", "json", "serve", "--listen", "127.0.0.1:0"])
            .env("RUST_LOG", "warn")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("the server cannot be started")?;
        let pid = child.id().context("the server ended at once")?;
        let output = child.stdout.take().context("its output is piped")?;
        let mut line = String::new();
        let mut output = BufReader::new(output);
        let read = tokio::time::timeout(PATIENCE, output.read_line(&mut line));
        read.await.context("the server did not get ready")??;
        let told: Value = serde_json::from_str(&line).context("the server did not get ready")?;
        let url = told["listening"].as_str().context("it tells where it listens")?.to_owned();
        Ok(Self { url, pid, child })
    }

    /// Ends it as an operator would.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        kill(Pid::from_raw(self.pid.cast_signed()), Signal::SIGTERM)?;
        let ended = tokio::time::timeout(PATIENCE, self.child.wait());
        let status = ended.await.context("the server did not end")??;
        if !status.success() {
            bail!("the server ended with {status}");
        }
        Ok(())
    }
}

/// Where one tenant's webhooks go.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) path: String,
    pub(super) secret: String,
}

/// Sets up some tenants with a source each.
pub(super) async fn targets(store: &Store) -> anyhow::Result<Vec<Target>> {
    let mut targets = Vec::with_capacity(TENANTS);
    for nth in 0..TENANTS {
        let new = NewTenant {
            slug: format!("bench-{nth}"),
            name: "bench".into(),
            timezone: "America/New_York".into(),
            country: "US".into(),
        };
        let tenant_id = store.create_tenant(&new).await?;
        let secret = fresh_secret();
        let source = NewSource {
            tenant_id,
            provider: Provider::Vapi,
            secret: &secret,
            name: None,
            record_all: false,
            assistant_id: None,
        };
        let source_id = store.create_source(&source).await?;
        targets.push(Target { path: format!("/ingest/{source_id}"), secret });
    }
    Ok(targets)
}
