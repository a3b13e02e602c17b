//! One server process behind its own network, and how long it takes to be ready.

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

/// A server that is not there by then is not coming.
pub(super) const READY_PATIENCE: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(5);

/// A server process, started again under the same address when it was killed.
pub(super) struct Serving {
    nth: usize,
    dir: PathBuf,
    database: String,
    /// The bug its process is to have.
    bug: Option<&'static str>,
    child: tokio::sync::Mutex<Option<Child>>,
    address: Mutex<SocketAddr>,
    /// What senders reach it through.
    pub(super) proxy: Proxy,
    probe: Client,
}

impl Serving {
    /// Starts the server `nth` of a run, which reaches the database at `database`.
    ///
    /// # Errors
    /// It does not start.
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

    /// Starts a process that has nothing of the one before but its data.
    ///
    /// # Errors
    /// It does not come to listen.
    pub(super) async fn spawn(&self) -> anyhow::Result<()> {
        let started = Instant::now();
        loop {
            match timeout(READY_PATIENCE, self.try_spawn()).await {
                Ok(Ok(())) => return Ok(()),
                // Without a database it ends, and whoever looks after it starts it again.
                Ok(Err(_)) if started.elapsed() < READY_PATIENCE => {
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
            // A Ctrl-C on our terminal is for the harness.
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

    /// Its process, while it runs.
    pub(super) async fn pid(&self) -> Option<i32> {
        let pid = self.child.lock().await.as_ref()?.id()?.try_into().ok()?;
        processes::is_alive(pid).then_some(pid)
    }

    /// Kills it: what it had in memory is gone.
    pub(super) async fn kill(&self) {
        if let Some(mut process) = self.child.lock().await.take() {
            let _ = process.kill().await;
        }
    }

    /// Tells it to stop and waits until it has.
    ///
    /// # Errors
    /// It does not end by itself in time, or says that it failed.
    pub(super) async fn stop(&self) -> anyhow::Result<()> {
        let Some(mut process) = self.child.lock().await.take() else { return Ok(()) };
        if let Some(pid) = process.id().and_then(|pid| pid.try_into().ok()) {
            processes::signal(pid, Signal::SIGTERM);
        }
        let ended = timeout(READY_PATIENCE, process.wait()).await;
        if ended.is_err() {
            process.kill().await?;
            bail!("server {} did not end when it was told to", self.nth);
        }
        Ok(())
    }

    /// Where it listens itself.
    pub(super) fn address(&self) -> SocketAddr {
        *self.address.lock().expect("nothing panics while holding it")
    }

    /// Whether it says that it can take webhooks.
    pub(super) async fn is_ready(&self) -> bool {
        let address = self.address();
        let asked = self.probe.get(format!("http://{address}/readyz")).send().await;
        asked.is_ok_and(|answer| answer.status().is_success())
    }

    /// Waits until it is ready; `None` when it does not become so.
    pub(super) async fn ready_after(&self, since: Instant) -> Option<Duration> {
        while since.elapsed() < READY_PATIENCE {
            if self.is_ready().await {
                return Some(since.elapsed());
            }
            sleep(POLL).await;
        }
        None
    }
}
