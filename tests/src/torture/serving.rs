//! One server process behind its own proxy, and the measurement of its readiness.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, bail};
use nix::sys::signal::Signal;
use reqwest::Client;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use super::{child, processes};
use crate::proxy::{Proxy, Upstream};

/// Time limit for a server to become ready.
pub(super) const READY_TIMEOUT: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(5);

/// A server process that is restarted under the same proxy address after a kill.
pub(super) struct Serving {
    nth: usize,
    dir: PathBuf,
    database: String,
    /// The bug to inject into the process.
    bug: Option<&'static str>,
    child: tokio::sync::Mutex<Option<Child>>,
    address: Mutex<SocketAddr>,
    /// The proxy that the senders connect to.
    pub(super) proxy: Proxy,
    probe: Client,
}

impl Serving {
    /// Starts server number `nth` of a run with the database URL `database`.
    ///
    /// # Errors
    /// If the server does not start.
    pub(super) async fn start(
        nth: usize,
        dir: &Path,
        database: String,
        bug: Option<&'static str>,
    ) -> anyhow::Result<Self> {
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
        let serving = Self {
            nth,
            dir: dir.to_owned(),
            database,
            bug,
            child: tokio::sync::Mutex::new(None),
            address: Mutex::new(nowhere),
            proxy: Proxy::start(Upstream::Tcp(nowhere)).await?,
            probe: Client::builder().timeout(Duration::from_secs(2)).build()?,
        };
        serving.spawn().await?;
        Ok(serving)
    }

    /// Starts a new process, which shares only the stored data with its predecessor.
    ///
    /// # Errors
    /// If the process does not start to listen.
    pub(super) async fn spawn(&self) -> anyhow::Result<()> {
        let started = Instant::now();
        loop {
            match timeout(READY_TIMEOUT, self.try_spawn()).await {
                Ok(Ok(())) => return Ok(()),
                // Without a database the process exits; a supervisor would start it again.
                Ok(Err(_)) if started.elapsed() < READY_TIMEOUT => {
                    sleep(Duration::from_millis(50)).await;
                }
                Ok(Err(error)) => return Err(error),
                Err(_) => bail!("server {} does not listen", self.nth),
            }
        }
    }

    async fn try_spawn(&self) -> anyhow::Result<()> {
        let log = std::fs::File::options()
            .append(true)
            .create(true)
            .open(self.dir.join(format!("server-{}.log", self.nth)))?;
        let mut process = Command::new(std::env::current_exe()?)
            .env(child::ROLE, "server")
            .env(child::DIR, &self.dir)
            .env(child::DATABASE, &self.database)
            .env(child::BUG, self.bug.unwrap_or_default())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            // A separate process group: Ctrl-C on the terminal reaches the harness only.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let pid = process.id().context("it has just been started")?;
        std::fs::write(self.dir.join(format!("server-{}.pid", self.nth)), pid.to_string())?;
        let mut lines = BufReader::new(process.stdout.take().context("it is piped")?).lines();
        let line = lines.next_line().await?.context("the server ended before it listened")?;
        let address: SocketAddr =
            line.strip_prefix(child::LISTENING).context("the server says where it is")?.parse()?;
        *self.address.lock().expect("nothing panics while holding it") = address;
        self.proxy.redirect(Upstream::Tcp(address));
        *self.child.lock().await = Some(process);
        Ok(())
    }

    /// Returns the process id while the process runs.
    pub(super) async fn pid(&self) -> Option<i32> {
        let pid = self.child.lock().await.as_ref()?.id()?.try_into().ok()?;
        processes::is_alive(pid).then_some(pid)
    }

    /// Kills the process, which loses its state in memory.
    pub(super) async fn kill(&self) {
        if let Some(mut process) = self.child.lock().await.take() {
            let _ = process.kill().await;
        }
    }

    /// Sends SIGTERM and waits for the end of the process.
    ///
    /// # Errors
    /// If the process does not end in time, or exits with an error.
    pub(super) async fn stop(&self) -> anyhow::Result<()> {
        let Some(mut process) = self.child.lock().await.take() else { return Ok(()) };
        if let Some(pid) = process.id().and_then(|pid| pid.try_into().ok()) {
            processes::signal(pid, Signal::SIGTERM);
        }
        let ended = timeout(READY_TIMEOUT, process.wait()).await;
        if ended.is_err() {
            process.kill().await?;
            bail!("server {} did not end when it was told to", self.nth);
        }
        Ok(())
    }

    /// Address on which the server itself listens.
    pub(super) fn address(&self) -> SocketAddr {
        *self.address.lock().expect("nothing panics while holding it")
    }

    /// Whether it says that it can take webhooks.
    pub(super) async fn is_ready(&self) -> bool {
        let address = self.address();
        let asked = self.probe.get(format!("http://{address}/readyz")).send().await;
        asked.is_ok_and(|answer| answer.status().is_success())
    }

    /// Waits until the server is ready; `None` if it is not within the limit.
    pub(super) async fn ready_after(&self, since: Instant) -> Option<Duration> {
        while since.elapsed() < READY_TIMEOUT {
            if self.is_ready().await {
                return Some(since.elapsed());
            }
            sleep(POLL).await;
        }
        None
    }
}
