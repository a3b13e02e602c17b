//! One transaction of the engine: claim, read, apply, move checkpoints.

use std::collections::BTreeMap;
use std::sync::Arc;

use ledger_core::ids::{Position, TenantId};
use ledger_store::Store;
use ledger_store::notifier::CommitNotifier;
use ledger_store::placement::Placement;
use sqlx::pool::PoolConnection;
use sqlx::{Connection, Executor, PgConnection, Postgres, Transaction};
use tokio::time::{Duration, Instant};

use super::apply::{is_caused_by_events, set_search_path};
use super::backoff::Backoff;
use super::batches::Batches;
use super::checkpoint::CycleResult;
use super::claim::{
    Claim, ClaimFilter, FULL_CYCLE, Lane, SchemaVersions, TenantClaims, claim, create_checkpoints,
    tenants_behind,
};
use super::fold::{Work, apply_for_all, apply_for_tenant};
use super::health::Health;
use super::parking::ParkedKeys;
use super::read::{EventBatch, MAX_BATCH_BYTES, ReadAhead, Reader, read};
use crate::projector::{LogEvent, Projector, TenantContext};

/// Maximum time a worker stays with one tenant before it checks the others.
const TENANT_TIME_SLICE: Duration = Duration::from_secs(5);
/// Interval of retries of halted checkpoints; an older build may have halted them.
const HALTED_RETRY_INTERVAL: Duration = Duration::from_secs(10);

/// Runs the cycles of a lane. One per task.
pub(super) struct Worker {
    store: Arc<Store>,
    placement: Placement,
    projectors: Arc<[Arc<dyn Projector>]>,
    shapes: SchemaVersions,
    lane: Lane,
    batches: Batches,
    health: Health,
    postponed: Backoff,
    /// The tenant of the events being applied.
    current_tenant: Option<TenantId>,
    ahead: Option<ReadAhead>,
    /// Whether all tenants of the cycle are applied by the same statements.
    is_combined: bool,
    /// Connection kept between cycles while there is work, for its prepared plans and caches.
    conn: Option<PoolConnection<Postgres>>,
    time_slice_start: Option<Instant>,
    halted_retry_at: Option<Instant>,
    backlog: Vec<TenantId>,
    reader: Reader,
}

impl Worker {
    pub(super) fn new(
        (store, placement): (Arc<Store>, Placement),
        projectors: Arc<[Arc<dyn Projector>]>,
        (lane, batches): (Lane, Batches),
        health: &Health,
        postponed: Backoff,
    ) -> Self {
        let shapes = SchemaVersions::of(&projectors);
        let health = health.clone();
        let reader = Reader::of(&projectors);
        Self {
            store,
            placement,
            projectors,
            shapes,
            lane,
            batches,
            health,
            postponed,
            current_tenant: None,
            ahead: None,
            is_combined: false,
            conn: None,
            time_slice_start: None,
            halted_retry_at: None,
            backlog: Vec::new(),
            reader,
        }
    }

    #[cfg(feature = "fault-injection")]
    pub(super) fn reader(&self) -> &Reader {
        &self.reader
    }

    #[cfg(feature = "fault-injection")]
    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    pub(super) fn notifier(&self) -> &CommitNotifier {
        self.store.notifier(self.placement)
    }

    pub(super) fn lane(&self) -> Lane {
        self.lane
    }

    #[cfg(feature = "fault-injection")]
    pub(super) fn batches(&self) -> Batches {
        self.batches
    }

    pub(super) fn health(&self) -> &Health {
        &self.health
    }

    /// Returns the tenant of the events being applied when the cycle failed.
    pub(super) fn current_tenant(&self) -> Option<TenantId> {
        self.current_tenant
    }

    /// Postpones that tenant. Returns whether there was one.
    pub(super) fn postpone(&mut self) -> bool {
        let at = self.current_tenant.take();
        at.map(|tenant_id| self.postponed.put(tenant_id)).is_some()
    }

    /// Returns whether a sweep continues without a pause: its lane is `Rebuild`, a tenant was not
    /// read to its end, or the claim was full.
    pub(super) fn continues_at_once(&self, moved: usize) -> bool {
        self.lane == Lane::Rebuild || !self.backlog.is_empty() || moved >= FULL_CYCLE
    }

    /// Takes the tenants of the last cycle that have more events to read.
    pub(super) fn backlog(&mut self) -> Vec<TenantId> {
        std::mem::take(&mut self.backlog)
    }

    /// Discards the read-ahead batch and the connection, which may be broken.
    pub(super) fn discard_read_ahead(&mut self) {
        self.ahead = None;
        self.conn = None;
        self.time_slice_start = None;
    }

    /// Returns the connection to the pool before an idle period.
    pub(super) fn release_connection(&mut self) {
        self.conn = None;
    }

    /// Runs one cycle (claim, apply, move checkpoints) for all tenants or the given ones. Returns
    /// the number of moved checkpoints.
    ///
    /// A live cycle has few events of many tenants and costs mostly statements, so all tenants are
    /// applied together. If that fails, the cycle is repeated tenant by tenant, which isolates the
    /// cause and parks or postpones it alone.
    pub(super) async fn run_cycle(&mut self, tenants: Option<&[TenantId]>) -> sqlx::Result<usize> {
        self.is_combined = self.lane == Lane::Live;
        match self.run_cycle_once(tenants).await {
            Err(error) if self.is_combined && is_caused_by_events(&error) => {
                tracing::debug!(error = %error, "projection.turn_one_by_one");
                self.discard_read_ahead();
                self.is_combined = false;
                self.run_cycle_once(tenants).await
            }
            done => done,
        }
    }

    async fn run_cycle_once(&mut self, tenants: Option<&[TenantId]>) -> sqlx::Result<usize> {
        self.backlog.clear();
        self.current_tenant = None;
        if let Some(tenants) = tenants {
            let postponed = self.postponed.all();
            let mut free = tenants.to_vec();
            free.retain(|tenant| !postponed.contains(tenant));
            return if free.is_empty() { Ok(0) } else { self.run_cycle_for(Some(&free)).await };
        }
        if self.ahead.is_none()
            && let Some(postponed) = self.postponed.due()
        {
            self.run_cycle_for(Some(&[postponed])).await?;
            self.postponed.clear(postponed);
            // A result above 0 makes the sweep continue with the other tenants.
            return Ok(1);
        }
        self.run_cycle_for(None).await
    }

    async fn run_cycle_for(&mut self, tenants: Option<&[TenantId]>) -> sqlx::Result<usize> {
        let wanted = self.wanted(tenants);
        if tenants.is_none() && self.ahead.is_none() {
            create_checkpoints(self.store.projector(), &self.shapes, wanted).await?;
        }
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => self.store.projector().acquire().await?,
        };
        let mut tx = conn.begin_with(self.lane.begin()).await?;
        let mut claimed = self.claimed(&mut tx, tenants, wanted).await?;
        if claimed.is_empty() && tenants.is_some() {
            // New tenants have no checkpoints yet.
            create_checkpoints(self.store.projector(), &self.shapes, wanted).await?;
            claimed = self.claimed(&mut tx, tenants, wanted).await?;
        }
        if claimed.is_empty() && tenants.is_none() && self.ahead.is_some() {
            // Another worker has claimed the tenant read ahead; continue with other tenants.
            self.discard_read_ahead();
            claimed = self.claimed(&mut tx, tenants, wanted).await?;
        }
        #[cfg(feature = "fault-injection")]
        if ledger_store::injected_faults::is(
            ledger_store::injected_faults::CHECKPOINT_OUTSIDE_THE_TRANSACTION,
        ) {
            return self.run_split_cycle(tx, claimed).await;
        }
        let moved = self.advance_all(tx, claimed).await?;
        if moved > 0 {
            self.conn = Some(conn);
        }
        Ok(moved)
    }

    fn wanted(&mut self, tenants: Option<&[TenantId]>) -> ClaimFilter {
        let is_due = self.halted_retry_at.is_none_or(|at| at.elapsed() > HALTED_RETRY_INTERVAL);
        let halted = tenants.is_none() && self.ahead.is_none() && is_due;
        if halted {
            self.halted_retry_at = Some(Instant::now());
        }
        ClaimFilter { lane: self.lane, halted }
    }

    async fn claimed(
        &mut self,
        conn: &mut PgConnection,
        tenants: Option<&[TenantId]>,
        wanted: ClaimFilter,
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
        wanted: ClaimFilter,
    ) -> sqlx::Result<Vec<TenantId>> {
        if let Some(tenants) = tenants {
            return Ok(tenants.to_vec());
        }
        if self.time_slice_start.is_some_and(|since| since.elapsed() > TENANT_TIME_SLICE) {
            self.discard_read_ahead();
        }
        if let Some(ahead) = &self.ahead {
            return Ok(vec![ahead.tenant_id]);
        }
        tenants_behind(conn, &self.shapes, wanted, &self.postponed.all()).await
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
        let mut parked_keys = ParkedKeys::load(&mut tx, &tenants).await?;
        let mut cycle_result = CycleResult::default();
        let mut work = self.read_all(&mut tx, claimed, &mut cycle_result).await?;
        let moved = work.iter().map(|one| one.claims.len()).sum();
        let mut versions: Vec<(&'static str, i32)> =
            work.iter().flat_map(|one| one.claims.iter().map(Claim::key)).collect();
        versions.sort_unstable();
        versions.dedup();
        // A change of the search path invalidates plans. The path therefore changes once per
        // version, and shared statements run under the default path.
        for version in versions {
            set_search_path(&mut tx, version.0, version.1).await?;
            if self.is_combined {
                apply_for_all(&mut tx, &work, version, &parked_keys, &mut cycle_result).await?;
                continue;
            }
            for one in &mut work {
                self.current_tenant = Some(one.tenant.tenant_id);
                apply_for_tenant(&mut tx, one, version, &mut parked_keys, &mut cycle_result)
                    .await?;
            }
        }
        self.current_tenant = None;
        tx.execute("set local search_path to default").await?;
        if self.is_combined {
            cycle_result.write(&mut tx, self.store.clock().now()).await?;
        } else {
            for (tenant_id, cycle_result) in cycle_result.by_tenant() {
                self.current_tenant = Some(tenant_id);
                cycle_result.write(&mut tx, self.store.clock().now()).await?;
            }
            self.current_tenant = None;
        }
        tx.commit().await?;
        if self.ahead.is_none() {
            self.time_slice_start = None;
        }
        Ok(moved)
    }

    /// Reads the next events of tenants, once for all read models at the same position, up to the
    /// size of one transaction. Tenants beyond that size are left for the next cycle.
    async fn read_all(
        &mut self,
        conn: &mut PgConnection,
        claimed: Vec<TenantClaims>,
        cycle_result: &mut CycleResult,
    ) -> sqlx::Result<Vec<Work>> {
        let (mut work, mut events, mut bytes) = (Vec::new(), 0, 0);
        for one in claimed {
            let Some(tenant) = one.tenant else {
                cycle_result.halt_all(&one);
                continue;
            };
            if events >= self.batches.fold || bytes >= MAX_BATCH_BYTES {
                self.backlog.push(one.tenant_id);
                continue;
            }
            self.current_tenant = Some(one.tenant_id);
            let mut at: BTreeMap<Position, Vec<Claim>> = BTreeMap::new();
            for claim in one.claims {
                at.entry(claim.position).or_default().push(claim);
            }
            let is_alone = at.len() == 1;
            for (position, claims) in at {
                let batch = self.next(conn, tenant.tenant_id, position).await?;
                if batch.is_full {
                    self.start_read_ahead(
                        tenant,
                        &claims,
                        batch.events.last().filter(|_| is_alone),
                    );
                }
                events += batch.events.len();
                bytes += batch.bytes;
                work.push(Work { tenant, claims, batch });
            }
        }
        self.current_tenant = None;
        // Tables grow much while many events are read, and a plan of an almost empty table may read all rows of a
        // tenant for each key.
        if work.iter().any(|work| work.batch.is_full) {
            conn.execute("discard plans").await?;
        }
        Ok(work)
    }

    /// Starts reading the next batch of a tenant after a full one, while this one is applied.
    fn start_read_ahead(
        &mut self,
        tenant: TenantContext,
        claims: &[Claim],
        last: Option<&LogEvent>,
    ) {
        self.backlog.push(tenant.tenant_id);
        let Some(last) = last else { return };
        let (pool, after) = (self.store.projector(), Position(last.stored.position));
        let (pool, limit) = ((pool, &self.reader), self.batches.read);
        self.ahead = Some(ReadAhead::start(pool, tenant, after, limit, claims));
        self.time_slice_start.get_or_insert_with(Instant::now);
    }

    async fn next(
        &mut self,
        conn: &mut PgConnection,
        tenant_id: TenantId,
        after: Position,
    ) -> sqlx::Result<EventBatch> {
        match self.ahead.take_if(|ahead| ahead.tenant_id == tenant_id) {
            Some(ahead) if ahead.after == after => ahead.finish().await,
            _ => read(conn, &self.reader, (tenant_id, after), self.batches.read).await,
        }
    }
}
