//! A reader that continuously follows every tenant's log through the read function of the
//! projections. Reading a position before its predecessor, or an event in a changed form, is a
//! finding.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use ledger_core::ids::{Position, TenantId};
use ledger_store::read::{StoredEvent, events_after};
use sqlx::{Connection, Executor, PgConnection};

use super::report::{Check, Findings};
use super::sender::Sending;

/// Events per page: small, so that page boundaries are everywhere.
const PAGE: i64 = 64;
const PAUSE: Duration = Duration::from_millis(5);
/// Delay before a retry if the database does not answer.
const BACKOFF: Duration = Duration::from_millis(50);
const TIMEOUT: Duration = Duration::from_secs(5);

/// The events read of each tenant: their fingerprints by position.
pub(super) struct Follower {
    seen: Mutex<Vec<Vec<u64>>>,
    findings: Arc<Findings>,
}

impl Follower {
    pub(super) fn new(tenants: usize, findings: &Arc<Findings>) -> Self {
        Self { seen: Mutex::new(vec![Vec::new(); tenants]), findings: Arc::clone(findings) }
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, Vec<Vec<u64>>> {
        self.seen.lock().expect("nothing panics while holding it")
    }

    /// Follows until the run is over; reconnects after each database fault.
    pub(super) async fn run(self: Arc<Self>, sending: Arc<Sending>) {
        let mut dice = fastrand::Rng::with_seed(1);
        while !sending.is_over.load(Ordering::Relaxed) {
            let following = self.follow(&sending, &mut dice);
            // Ends only if the connection breaks or a query takes too long.
            let _ = following.await;
            tokio::time::sleep(BACKOFF).await;
        }
    }

    async fn follow(&self, sending: &Sending, dice: &mut fastrand::Rng) -> anyhow::Result<()> {
        let database = &sending.world.postgres.database;
        let connecting = PgConnection::connect_with(database);
        let mut conn = tokio::time::timeout(TIMEOUT, connecting).await??;
        conn.execute("set role ledger_projector").await?;
        while !sending.is_over.load(Ordering::Relaxed) {
            for (nth, tenant) in sending.world.tenants.iter().enumerate() {
                let reading = self.read(&mut conn, nth, tenant.tenant_id, dice);
                tokio::time::timeout(TIMEOUT, reading).await??;
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Reads a page: mostly the next one, sometimes one that was read before.
    async fn read(
        &self,
        conn: &mut PgConnection,
        nth: usize,
        tenant_id: TenantId,
        dice: &mut fastrand::Rng,
    ) -> sqlx::Result<()> {
        let reached = self.seen()[nth].len();
        let after = if dice.u8(..8) == 0 { dice.usize(..=reached) } else { reached };
        let position = Position(i64::try_from(after).expect("far fewer events"));
        let page = events_after(conn, tenant_id, position, PAGE).await?;
        let mut seen = self.seen();
        for (next, event) in (after..).zip(&page) {
            if usize::try_from(event.position) != Ok(next + 1) {
                let found = event.position;
                self.findings.add(Check::FollowerHole, || {
                    format!("tenant {nth}: after {next} came {found}")
                });
                return Ok(());
            }
            let print = fingerprint(event);
            match seen[nth].get(next) {
                Some(known) if *known != print => {
                    self.findings.add(Check::FollowerChange, || {
                        format!(
                            "tenant {nth}: {} at {} is not what it was",
                            event.event_type,
                            next + 1
                        )
                    });
                }
                Some(_) => {}
                None => seen[nth].push(print),
            }
        }
        Ok(())
    }
}

/// A hash of all fields of an event, to detect changes.
pub(super) fn fingerprint(event: &StoredEvent) -> u64 {
    let mut hasher = DefaultHasher::new();
    (event.event_id, event.stream_id, event.stream_version).hash(&mut hasher);
    (&event.event_type, &event.facts, &event.sections, &event.subjects).hash(&mut hasher);
    (event.occurred_at, event.recorded_at).hash(&mut hasher);
    hasher.finish()
}
