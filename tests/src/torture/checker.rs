//! Compares what is stored with what was sent and answered, by direct reads of the database.
//!
//! During a check one transaction locks every tenant's log: nothing is appended, and the read
//! models can catch up and be folded a second time.

mod log;
mod model;
mod secrecy;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use ledger_core::ids::TenantId;
use sqlx::{Acquire, PgConnection};

use super::follower::Follower;
use super::history::Entry;
use super::report::{Check, Findings};
use super::sender::Sending;
use super::world::World;
use super::{child, history};

/// Time limit for the read models to reach the end of the log.
const CATCH_UP: Duration = Duration::from_mins(1);

/// The inputs of a check.
pub(super) struct Checker {
    pub(super) sending: Arc<Sending>,
    pub(super) follower: Arc<Follower>,
    pub(super) findings: Arc<Findings>,
}

/// A tenant in the database; `nth` is set if the workload sends webhooks to it.
struct Subject {
    tenant_id: TenantId,
    nth: Option<usize>,
}

type Entries = std::collections::HashMap<history::Name, Entry>;

impl Checker {
    fn world(&self) -> &World {
        &self.sending.world
    }

    /// Runs all fast checks and returns the number of events. Requires that no webhook is in flight
    /// and no fault is active.
    ///
    /// # Errors
    /// If the database does not answer.
    pub(super) async fn check_all(&self) -> anyhow::Result<u64> {
        let entries = self.sending.history.entries();
        let mut conn = self.world().postgres.connect().await?;
        let mut tx = conn.begin().await?;
        let tenants = self.lock_tenants(&mut tx).await?;
        model::wait_for_all(self, &mut tx).await?;
        let mut events = 0;
        for tenant in &tenants {
            let log = log::read(&mut tx, tenant.tenant_id).await?;
            events += log.events.len() as u64;
            log::check_order(self, tenant, &log);
            if let Some(nth) = tenant.nth {
                log::check_followed(self, nth, &log);
                log::check_contents(self, nth, &log, &entries);
            }
            model::check(self, &mut tx, tenant.tenant_id, &log).await?;
        }
        log::check_quarantine(self, &mut tx, &entries).await?;
        // The rollback discards the second fold and releases the logs.
        tx.rollback().await?;
        self.verify().await?;
        Ok(events)
    }

    /// Runs the slow checks that are needed only once: sealed sections and files.
    ///
    /// # Errors
    /// If the database or a file cannot be read.
    pub(super) async fn check_slowly(&self, dice: &mut fastrand::Rng) -> anyhow::Result<()> {
        secrecy::check_sections(self, dice).await?;
        secrecy::check_files(self).await
    }

    /// Takes the order lock of every tenant: while it is held, nothing is appended.
    async fn lock_tenants(&self, conn: &mut PgConnection) -> anyhow::Result<Vec<Subject>> {
        let ids: Vec<uuid::Uuid> = sqlx::query_scalar(
            "select tenant_id from ledger.tenants order by tenant_id for no key update",
        )
        .fetch_all(conn)
        .await?;
        let known = |tenant_id| {
            self.world().tenants.iter().position(|tenant| tenant.tenant_id == tenant_id)
        };
        let subject = |id| Subject { tenant_id: TenantId(id), nth: known(TenantId(id)) };
        Ok(ids.into_iter().map(subject).collect())
    }

    /// Runs `call-ledger verify` on the logs.
    async fn verify(&self) -> anyhow::Result<()> {
        let output = tokio::process::Command::new(std::env::current_exe()?)
            .args(["verify", "--output", "json", "--database-url", &self.world().postgres.url])
            .arg("--data-dir")
            .arg(&self.world().dir)
            .env(child::ROLE, "cli")
            .output()
            .await
            .context("the command line runs")?;
        if output.status.code() != Some(0) {
            self.findings.add(Check::VerifyFailed, || {
                let said = [output.stdout, output.stderr].concat();
                format!("{}: {}", output.status, String::from_utf8_lossy(&said).trim())
            });
        }
        Ok(())
    }
}
