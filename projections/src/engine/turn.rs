//! One transaction of the engine: claim, read, apply, move checkpoints.

use std::collections::BTreeMap;
use std::sync::Arc;

use ledger_core::ids::{Position, TenantId};
use ledger_store::Store;
use sqlx::pool::PoolConnection;
use sqlx::{Connection, Executor, PgConnection, Postgres, Transaction};
use tokio::time::{Duration, Instant};

use super::apply::{may_be_a_part, show_path};
use super::claim::{Claim, FULL, Lane, Shapes, TenantClaims, Wanted, behind, claim, enrol};
use super::fold::{Work, fold_apart, fold_together};
use super::health::Health;
use super::parking::Waiting;
use super::postponed::Postponed;
use super::read::{Ahead, BYTES, Batch, read};
use super::settle::Settled;
use crate::marks::Times;
use crate::projector::{LogEvent, Projector, Tenant};

/// Sizes of the engine's batches. Results do not depend on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batches {
    /// Number of events of a tenant read and applied at once.
    pub read: usize,
    /// Approximate number of events applied per transaction; a cycle commits at this size, so that
    /// its results become visible and its memory is released.
    pub fold: usize,
    /// Maximum lag, over all logs together, at which a version gets its indexes.
    pub close: i64,
}

impl Default for Batches {
    fn default() -> Self {
        Self { read: 8_000, fold: 8_000, close: 5_000 }
    }
}

/// Maximum time a worker stays with one tenant before it checks the others.
const STAY: Duration = Duration::from_secs(5);
/// Interval of retries of halted checkpoints; an older build may have halted them.
const TRY_HALTED: Duration = Duration::from_secs(10);

/// Runs the cycles of a lane. One per task.
pub(super) struct Worker {
    store: Arc<Store>,
    projectors: Arc<[Arc<dyn Projector>]>,
    shapes: Shapes,
    lane: Lane,
    batches: Batches,
    health: Health,
    postponed: Postponed,
    /// The tenant of the events being applied.
    at: Option<TenantId>,
    ahead: Option<Ahead>,
    /// Whether all tenants of the cycle are applied by the same statements.
    is_together: bool,
    /// Connection kept between cycles while there is work, for its prepared plans and caches.
    conn: Option<PoolConnection<Postgres>>,
    staying_since: Option<Instant>,
    tried_halted: Option<Instant>,
    left_behind: Vec<TenantId>,
    times: Times,
}

impl Worker {
    pub(super) fn new(
        store: Arc<Store>,
        projectors: Arc<[Arc<dyn Projector>]>,
        (lane, batches): (Lane, Batches),
        health: &Health,
        postponed: Postponed,
    ) -> Self {
        let shapes = Shapes::of(&projectors);
        let health = health.clone();
        Self {
            store,
            projectors,
            shapes,
            lane,
            batches,
            health,
            postponed,
            at: None,
            ahead: None,
            is_together: false,
            conn: None,
            staying_since: None,
            tried_halted: None,
            left_behind: Vec::new(),
            times: Times::default(),
        }
    }

    #[cfg(feature = "planted-bugs")]
    pub(super) fn times(&self) -> &Times {
        &self.times
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    pub(super) fn lane(&self) -> Lane {
        self.lane
    }

    #[cfg(feature = "planted-bugs")]
    pub(super) fn batches(&self) -> Batches {
        self.batches
    }

    pub(super) fn health(&self) -> &Health {
        &self.health
    }

    /// Returns the tenant of the events being applied when the cycle failed.
    pub(super) fn at(&self) -> Option<TenantId> {
        self.at
    }

    /// Postpones that tenant. Returns whether there was one.
    pub(super) fn postpone(&mut self) -> bool {
        let at = self.at.take();
        at.map(|tenant_id| self.postponed.put(tenant_id)).is_some()
    }

    /// Returns whether a sweep continues without a pause: its lane is `Rebuild`, a tenant was not
    /// read to its end, or the claim was full.
    pub(super) fn is_kept_on(&self, moved: usize) -> bool {
        self.lane == Lane::Rebuild || !self.left_behind.is_empty() || moved >= FULL
    }

    /// Takes the tenants of the last cycle that have more events to read.
    pub(super) fn left_behind(&mut self) -> Vec<TenantId> {
        std::mem::take(&mut self.left_behind)
    }

    /// Discards the read-ahead batch and the connection, which may be broken.
    pub(super) fn forget(&mut self) {
        self.ahead = None;
        self.conn = None;
        self.staying_since = None;
    }

    /// Returns the connection to the pool before an idle period.
    pub(super) fn rest(&mut self) {
        self.conn = None;
    }

    /// Runs one cycle (claim, apply, move checkpoints) for all tenants or the given ones. Returns
    /// the number of moved checkpoints.
    ///
    /// A live cycle has few events of many tenants and costs mostly statements, so all tenants are
    /// applied together. If that fails, the cycle is repeated tenant by tenant, which isolates the
    /// cause and parks or postpones it alone.
    pub(super) async fn turn(&mut self, tenants: Option<&[TenantId]>) -> sqlx::Result<usize> {
        self.is_together = self.lane == Lane::Live;
        match self.turn_once(tenants).await {
            Err(error) if self.is_together && may_be_a_part(&error) => {
                tracing::debug!(error = %error, "projection.turn_one_by_one");
                self.forget();
                self.is_together = false;
                self.turn_once(tenants).await
            }
            done => done,
        }
    }

    async fn turn_once(&mut self, tenants: Option<&[TenantId]>) -> sqlx::Result<usize> {
        self.left_behind.clear();
        self.at = None;
        if let Some(tenants) = tenants {
            let postponed = self.postponed.all();
            let mut free = tenants.to_vec();
            free.retain(|tenant| !postponed.contains(tenant));
            return if free.is_empty() { Ok(0) } else { self.turn_of(Some(&free)).await };
        }
        if self.ahead.is_none()
            && let Some(postponed) = self.postponed.due()
        {
            self.turn_of(Some(&[postponed])).await?;
            self.postponed.clear(postponed);
            // A result above 0 makes the sweep continue with the other tenants.
            return Ok(1);
        }
        self.turn_of(None).await
    }

    async fn turn_of(&mut self, tenants: Option<&[TenantId]>) -> sqlx::Result<usize> {
        let wanted = self.wanted(tenants);
        if tenants.is_none() && self.ahead.is_none() {
            enrol(self.store.projector(), &self.shapes, wanted).await?;
        }
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => self.store.projector().acquire().await?,
        };
        let mut tx = conn.begin_with(self.begin()).await?;
        let mut claimed = self.claimed(&mut tx, tenants, wanted).await?;
        if claimed.is_empty() && tenants.is_some() {
            // New tenants have no checkpoints yet.
            enrol(self.store.projector(), &self.shapes, wanted).await?;
            claimed = self.claimed(&mut tx, tenants, wanted).await?;
        }
        if claimed.is_empty() && tenants.is_none() && self.ahead.is_some() {
            // Another worker has claimed the tenant read ahead; continue with other tenants.
            self.forget();
            claimed = self.claimed(&mut tx, tenants, wanted).await?;
        }
        #[cfg(feature = "planted-bugs")]
        if ledger_store::planted::is(ledger_store::planted::CHECKPOINT_OUTSIDE_THE_TRANSACTION) {
            return self.turn_apart(tx, claimed).await;
        }
        let moved = self.advance_all(tx, claimed).await?;
        if moved > 0 {
            self.conn = Some(conn);
        }
        Ok(moved)
    }

    /// Returns the statement that begins a transaction of this lane.
    ///
    /// Only the engine writes these rows, so a short lock timeout suffices. Rebuild batches of
    /// thousands of rows need custom plans. Live cycles find few rows by key; for so few,
    /// PostgreSQL would plan each execution again, so a generic plan is forced.
    fn begin(&self) -> &'static str {
        match self.lane {
            Lane::Live => {
                "begin; set local synchronous_commit = off; set local lock_timeout = '1s'; \
                 set local plan_cache_mode = force_generic_plan; set local enable_hashjoin = off; \
                 set local enable_mergejoin = off; set local enable_material = off; \
                 set local enable_bitmapscan = off"
            }
            Lane::Rebuild => {
                "begin; set local synchronous_commit = off; set local lock_timeout = '1s'; \
                 set local plan_cache_mode = force_custom_plan"
            }
        }
    }

    fn wanted(&mut self, tenants: Option<&[TenantId]>) -> Wanted {
        let is_due = self.tried_halted.is_none_or(|at| at.elapsed() > TRY_HALTED);
        let halted = tenants.is_none() && self.ahead.is_none() && is_due;
        if halted {
            self.tried_halted = Some(Instant::now());
        }
        Wanted { lane: self.lane, halted }
    }

    async fn claimed(
        &mut self,
        conn: &mut PgConnection,
        tenants: Option<&[TenantId]>,
        wanted: Wanted,
    ) -> sqlx::Result<Vec<TenantClaims>> {
        let candidates = self.candidates(conn, tenants, wanted).await?;
        if candidates.is_empty() {
            return Ok(Vec::new());
        }
        claim(conn, &self.projectors, &self.shapes, wanted, &candidates).await
    }

    async fn candidates(
        &mut self,
        conn: &mut PgConnection,
        tenants: Option<&[TenantId]>,
        wanted: Wanted,
    ) -> sqlx::Result<Vec<TenantId>> {
        if let Some(tenants) = tenants {
            return Ok(tenants.to_vec());
        }
        if self.staying_since.is_some_and(|since| since.elapsed() > STAY) {
            self.forget();
        }
        if let Some(ahead) = &self.ahead {
            return Ok(vec![ahead.tenant_id]);
        }
        behind(conn, &self.shapes, wanted, &self.postponed.all()).await
    }

    async fn advance_all(
        &mut self,
        mut tx: Transaction<'_, Postgres>,
        claimed: Vec<TenantClaims>,
    ) -> sqlx::Result<usize> {
        if claimed.is_empty() {
            tx.commit().await?;
            return Ok(0);
        }
        let tenants: Vec<TenantId> = claimed.iter().map(|one| one.tenant_id).collect();
        let mut waiting = Waiting::load(&mut tx, &tenants).await?;
        let mut settled = Settled::default();
        let mut work = self.read_all(&mut tx, claimed, &mut settled).await?;
        let moved = work.iter().map(|one| one.claims.len()).sum();
        let mut versions: Vec<(&'static str, i32)> =
            work.iter().flat_map(|one| one.claims.iter().map(Claim::key)).collect();
        versions.sort_unstable();
        versions.dedup();
        // A change of the search path invalidates plans. The path therefore changes once per
        // version, and shared statements run under the default path.
        for version in versions {
            show_path(&mut tx, version.0, version.1).await?;
            if self.is_together {
                fold_together(&mut tx, &work, version, &waiting, &mut settled).await?;
                continue;
            }
            for one in &mut work {
                self.at = Some(one.tenant.tenant_id);
                fold_apart(&mut tx, one, version, &mut waiting, &mut settled).await?;
            }
        }
        self.at = None;
        tx.execute("set local search_path to default").await?;
        if self.is_together {
            settled.write(&mut tx).await?;
        } else {
            for (tenant_id, settled) in settled.by_tenant() {
                self.at = Some(tenant_id);
                settled.write(&mut tx).await?;
            }
            self.at = None;
        }
        tx.commit().await?;
        if self.ahead.is_none() {
            self.staying_since = None;
        }
        Ok(moved)
    }

    /// Reads the next events of tenants, once for all read models at the same position, up to the
    /// size of one transaction. Tenants beyond that size are left for the next cycle.
    async fn read_all(
        &mut self,
        conn: &mut PgConnection,
        claimed: Vec<TenantClaims>,
        settled: &mut Settled,
    ) -> sqlx::Result<Vec<Work>> {
        let (mut work, mut events, mut bytes) = (Vec::new(), 0, 0);
        for one in claimed {
            let Some(tenant) = one.tenant else {
                settled.halt_all(&one);
                continue;
            };
            if events >= self.batches.fold || bytes >= BYTES {
                self.left_behind.push(one.tenant_id);
                continue;
            }
            self.at = Some(one.tenant_id);
            let mut at: BTreeMap<Position, Vec<Claim>> = BTreeMap::new();
            for claim in one.claims {
                at.entry(claim.position).or_default().push(claim);
            }
            let is_alone = at.len() == 1;
            for (position, claims) in at {
                let batch = self.next(conn, tenant.tenant_id, position).await?;
                if batch.is_full {
                    self.look_ahead(tenant, &claims, batch.events.last().filter(|_| is_alone));
                }
                events += batch.events.len();
                bytes += batch.bytes;
                work.push(Work { tenant, claims, batch });
            }
        }
        self.at = None;
        Ok(work)
    }

    /// Starts reading the next batch of a tenant after a full one, while this one is applied.
    fn look_ahead(&mut self, tenant: Tenant, claims: &[Claim], last: Option<&LogEvent>) {
        self.left_behind.push(tenant.tenant_id);
        let Some(last) = last else { return };
        let (pool, after) = (self.store.projector(), Position(last.stored.position));
        let (pool, limit) = ((pool, &self.times), self.batches.read);
        self.ahead = Some(Ahead::start(pool, tenant, after, limit, claims));
        self.staying_since.get_or_insert_with(Instant::now);
    }

    async fn next(
        &mut self,
        conn: &mut PgConnection,
        tenant_id: TenantId,
        after: Position,
    ) -> sqlx::Result<Batch> {
        match self.ahead.take_if(|ahead| ahead.tenant_id == tenant_id) {
            Some(ahead) if ahead.after == after => ahead.finish().await,
            _ => read(conn, &self.times, (tenant_id, after), self.batches.read).await,
        }
    }
}
