//! The server under load: this executable in a separate process.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

const TIMEOUT: Duration = Duration::from_mins(1);

/// A running server process.
pub(crate) struct Server {
    /// Base URL of the server.
    pub(crate) url: String,
    /// Process id of the server.
    pub(crate) pid: u32,
    child: Child,
}

impl Server {
    /// Starts this executable as a server over a data directory.
    pub(crate) async fn start(data_dir: &Path) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("this program has no file")?;
        let mut child = Command::new(program)
            .arg("--data-dir")
            .arg(data_dir)
            .args(["--output", "json", "serve", "--listen", "127.0.0.1:0", "--measure-stages"])
            .env("RUST_LOG", "warn")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("the server cannot be started")?;
        let pid = child.id().context("the server ended at once")?;
        let output = child.stdout.take().context("its output is piped")?;
        let mut line = String::new();
        let mut output = BufReader::new(output);
        let read = tokio::time::timeout(TIMEOUT, output.read_line(&mut line));
        read.await.context("the server did not get ready")??;
        let ready: Value = serde_json::from_str(&line).context("the server did not get ready")?;
        let url = ready["listening"].as_str().context("it tells where it listens")?.to_owned();
        Ok(Self { url, pid, child })
    }

    /// Stops the server by SIGTERM, as an operator would.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        kill(Pid::from_raw(self.pid.cast_signed()), Signal::SIGTERM)?;
        let ended = tokio::time::timeout(TIMEOUT, self.child.wait());
        let status = ended.await.context("the server did not end")??;
        if !status.success() {
            bail!("the server ended with {status}");
        }
        Ok(())
    }
}
