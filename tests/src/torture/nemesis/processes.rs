//! Process faults: kill, stop and pause of servers and of PostgreSQL.

use std::time::Duration;

use nix::sys::signal::Signal;
use sqlx::PgConnection;
use tokio::time::Instant;

use super::super::processes::signal;
use super::super::report::Check;
use super::{Fault, Nemesis, not_ready};

/// The client backends except the one that runs this query.
const BACKENDS: &str = "select pid from pg_stat_activity
                         where backend_type = 'client backend' and pid <> pg_backend_pid()";

impl Nemesis {
    /// Kills and restarts a server; measures from the kill to the first successful readiness probe.
    pub(super) async fn kill_server(&mut self) -> anyhow::Result<()> {
        let nth = self.any_server();
        let server = &self.world.servers[nth];
        let since = Instant::now();
        server.kill().await;
        server.spawn().await?;
        match server.ready_after(since).await {
            Some(time) => self.server_ready.push(time),
            None => self.findings.add(Check::NotReady, || not_ready(Fault::KillServer, since)),
        }
        Ok(())
    }

    pub(super) async fn stop_server(&mut self) {
        let nth = self.any_server();
        if let Err(error) = self.world.servers[nth].stop().await {
            self.findings.add(Check::NotReady, || error.to_string());
        }
    }

    pub(super) async fn pause_server(&mut self) {
        let nth = self.any_server();
        let Some(pid) = self.world.servers[nth].pid().await else { return };
        signal(pid, Signal::SIGSTOP);
        self.hold().await;
        signal(pid, Signal::SIGCONT);
    }

    /// Kills PostgreSQL; measures from the kill until both servers are ready: the supervisor must
    /// restart it, PostgreSQL must recover, and the servers must reconnect.
    pub(super) async fn kill_postgres(&mut self) {
        self.world.postgres.kill().await;
        let since = Instant::now();
        match self.world.ready(since).await {
            Some(time) => self.postgres_ready.push(time),
            None => self.findings.add(Check::NotReady, || not_ready(Fault::KillPostgres, since)),
        }
    }

    /// Kills PostgreSQL and a server at once. Unlike a power loss, it keeps what the kernel had
    /// buffered.
    pub(super) async fn kill_all(&mut self) -> anyhow::Result<()> {
        let nth = self.any_server();
        let server = &self.world.servers[nth];
        tokio::join!(self.world.postgres.kill(), server.kill());
        server.spawn().await
    }

    /// Kills one backend: PostgreSQL must treat this as a crash and recover by itself.
    pub(super) async fn kill_backend(&mut self) {
        if let Some(pid) = self.any_backend().await {
            signal(pid, Signal::SIGKILL);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    pub(super) async fn terminate_backends(&mut self) {
        let Ok(mut conn) = self.world.postgres.connect().await else { return };
        let few = self.dice.i64(1..6);
        let ended = sqlx::query(
            "select pg_terminate_backend(pid) from pg_stat_activity
              where backend_type = 'client backend' and pid <> pg_backend_pid()
              order by random() limit $1",
        )
        .bind(few);
        let _ = ended.execute(&mut conn).await;
    }

    /// Pauses some backends, or all, for a while.
    pub(super) async fn pause_backends(&mut self, few: usize) {
        let mut pids = if few == usize::MAX {
            self.world.postgres.workers().await
        } else {
            self.backends().await
        };
        self.dice.shuffle(&mut pids);
        pids.truncate(few);
        for pid in &pids {
            signal(*pid, Signal::SIGSTOP);
        }
        self.hold().await;
        for pid in &pids {
            signal(*pid, Signal::SIGCONT);
        }
    }

    async fn any_backend(&mut self) -> Option<i32> {
        let pids = self.backends().await;
        (!pids.is_empty()).then(|| pids[self.dice.usize(..pids.len())])
    }

    async fn backends(&self) -> Vec<i32> {
        let Ok(mut conn) = self.world.postgres.connect().await else { return Vec::new() };
        list(&mut conn).await.unwrap_or_default()
    }
}

async fn list(conn: &mut PgConnection) -> sqlx::Result<Vec<i32>> {
    sqlx::query_scalar(BACKENDS).fetch_all(conn).await
}
