//! Faults of scarce or shared resources: disks, clocks, connections, locks, snapshots.

use std::time::Duration;

use ledger_store::StoreError;
use sqlx::{Connection, Executor, PgConnection};
use tokio::time::{Instant, sleep};

use super::super::report::Check;
use super::super::world::new_tenant;
use super::{Fault, Nemesis};

/// A second database of the same server.
const OTHER_DATABASE: &str = "elsewhere";
/// Highest allowed delay of a follower, on a busy machine.
const MAX_FOLLOWER_DELAY: Duration = Duration::from_secs(10);
const HOUR_MS: i64 = 3_600_000;

impl Nemesis {
    pub(super) async fn fill_disk(&mut self, fault: Fault) -> anyhow::Result<()> {
        let world = std::sync::Arc::clone(&self.world);
        let Some([data, wal]) = &world.postgres.disks else { return Ok(()) };
        let disk = if fault == Fault::DataFull { data } else { wal };
        disk.fill()?;
        self.hold().await;
        disk.empty()?;
        Ok(())
    }

    /// Creates a tenant on a full keyring disk, which must fail; with free space the same name must
    /// succeed.
    pub(super) async fn fill_keyring(&mut self) -> anyhow::Result<()> {
        let world = std::sync::Arc::clone(&self.world);
        let Some(keys) = &world.keys else { return Ok(()) };
        self.set_up += 1;
        let new = new_tenant(&format!("late-{}", self.set_up));
        keys.fill()?;
        let refused = world.store.create_tenant(&new).await;
        self.hold().await;
        keys.empty()?;
        if refused.is_ok() {
            self.findings
                .add(Check::SetUpWrong, || "a tenant was made without room for keys".into());
        }
        match world.store.create_tenant(&new).await {
            Ok(_) | Err(StoreError::Database(_)) => {}
            Err(error) => {
                self.findings.add(Check::SetUpWrong, || format!("with room again: {error}"));
            }
        }
        Ok(())
    }

    /// Shifts the clock by 1 or 25 hours while webhooks arrive.
    pub(super) async fn shift_clock(&mut self, direction: i64) -> anyhow::Result<()> {
        let hours = if self.dice.bool() { 1 } else { 25 };
        self.world.shift_clock(direction * hours * HOUR_MS)?;
        self.hold().await;
        Ok(())
    }

    /// Opens every connection that PostgreSQL allows.
    pub(super) async fn use_up_connections(&mut self) {
        let mut taken = Vec::new();
        while let Ok(Ok(conn)) = tokio::time::timeout(
            Duration::from_secs(2),
            PgConnection::connect_with(&self.world.postgres.database),
        )
        .await
        {
            taken.push(conn);
        }
        self.hold().await;
    }

    /// Holds the row locks that order every tenant's log.
    pub(super) async fn lock_tenants(&mut self) {
        let Ok(mut conn) = self.world.postgres.connect().await else { return };
        let locking = "begin; select from ledger.tenants order by tenant_id for no key update";
        if conn.execute(locking).await.is_ok() {
            self.hold().await;
        }
        let _ = conn.execute("rollback").await;
    }

    /// Checks that a follower of the log is not delayed by open transactions or locks.
    pub(super) async fn check_follower(&mut self, fault: Fault) {
        self.hold().await;
        let world = std::sync::Arc::clone(&self.world);
        for (nth, tenant) in world.tenants.iter().enumerate() {
            let Ok(mut conn) = world.postgres.connect().await else { return };
            let head =
                sqlx::query_scalar("select max(position) from ledger.events where tenant_id = $1");
            let head: sqlx::Result<i64> = head.bind(tenant.tenant_id.0).fetch_one(&mut conn).await;
            let Ok(head) = head.map(|head| usize::try_from(head).unwrap_or(0)) else { return };
            let since = Instant::now();
            while self.follower.seen()[nth].len() < head {
                if since.elapsed() > MAX_FOLLOWER_DELAY {
                    self.findings.add(Check::FollowerHeldUp, || format!("by {}", fault.name()));
                    return;
                }
                sleep(Duration::from_millis(5)).await;
            }
        }
    }

    /// Holds a long-lived snapshot: old row versions stay, and nothing else may be held back.
    pub(super) fn hold_snapshot(&mut self) {
        let (database, for_ms) =
            (self.world.postgres.database.clone(), self.dice.u64(4_000..15_000));
        self.held.spawn(async move {
            let Ok(mut conn) = PgConnection::connect_with(&database).await else { return };
            let reading =
                "begin isolation level repeatable read; select count(*) from ledger.events";
            if conn.execute(reading).await.is_ok() {
                sleep(Duration::from_millis(for_ms)).await;
            }
        });
    }

    /// Holds an open write transaction in another database of the same server.
    pub(super) fn hold_writer(&mut self) {
        let (database, for_ms) =
            (self.world.postgres.database.clone(), self.dice.u64(4_000..15_000));
        self.held.spawn(async move {
            let Ok(mut conn) = PgConnection::connect_with(&database).await else { return };
            // The database may exist already.
            let _ = conn.execute("create database elsewhere").await;
            let Ok(mut conn) = PgConnection::connect_with(&database.database(OTHER_DATABASE)).await
            else {
                return;
            };
            let writing =
                "create table if not exists notes (note int); begin; insert into notes values (1)";
            if conn.execute(writing).await.is_ok() {
                sleep(Duration::from_millis(for_ms)).await;
            }
        });
    }
}
