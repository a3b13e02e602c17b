//! One transaction of the engine.

use std::collections::BTreeMap;
use std::sync::Arc;

use ledger_core::ids::{Position, TenantId};
use ledger_store::Store;
use sqlx::pool::PoolConnection;
use sqlx::{Connection, PgConnection, Postgres, Transaction};
use tokio::time::{Duration, Instant};

use super::apply::{Target, apply, show_path};
use super::claim::{Claim, Lane, Shapes, TenantClaims, Wanted, behind, claim, enrol};
use super::health::Health;
use super::parking::Waiting;
use super::postponed::Postponed;
use super::read::{Ahead, Batch, read};
use super::settle::{halt_all, settle};
use crate::marks::Times;
use crate::projector::{LogEvent, Prepared, Projector, Tenant};

/// How much is done at once. What comes of it is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batches {
    /// Events of a tenant that are read, and folded, at once.
    pub read: usize,
    /// Events folded in one transaction, about: a turn that has done so many commits, so that what it
    /// did is seen and what it holds is given back.
    pub fold: usize,
    /// A version that is at most this many events behind all logs together is given its indexes.
    pub close: i64,
}

impl Default for Batches {
    fn default() -> Self {
        Self { read: 8_000, fold: 8_000, close: 5_000 }
    }
}

/// A worker that has been at one tenant for this long looks at the others.
const STAY: Duration = Duration::from_secs(5);
/// How often those are tried that a build could not read on: it may have been an older one.
const TRY_HALTED: Duration = Duration::from_secs(10);

/// What takes turns.
pub(super) struct Worker {
    store: Arc<Store>,
    projectors: Arc<[Arc<dyn Projector>]>,
    shapes: Shapes,
    lane: Lane,
    batches: Batches,
    health: Health,
    postponed: Postponed,
    /// Whose events it is folding.
    at: Option<TenantId>,
    ahead: Option<Ahead>,
    /// Kept from turn to turn while a version is filled: its plans and caches are made.
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

    /// Whose events it was folding when its turn failed.
    pub(super) fn at(&self) -> Option<TenantId> {
        self.at
    }

    /// Passes over that tenant for a while, if there was one.
    pub(super) fn postpone(&mut self) -> bool {
        let at = self.at.take();
        at.map(|tenant_id| self.postponed.put(tenant_id)).is_some()
    }

    /// Tenants of the last turn that have more to be read.
    pub(super) fn left_behind(&mut self) -> Vec<TenantId> {
        std::mem::take(&mut self.left_behind)
    }

    /// Gives up what was read ahead: it may be of a connection that is gone.
    pub(super) fn forget(&mut self) {
        self.ahead = None;
        self.conn = None;
        self.staying_since = None;
    }

    /// Claims, folds, moves on: all tenants, or these. Returns how many checkpoints moved.
    pub(super) async fn turn(&mut self, tenants: Option<&[TenantId]>) -> sqlx::Result<usize> {
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
            // The others are looked at right after it.
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
            // Tenants that nobody has heard of before have no checkpoints yet.
            enrol(self.store.projector(), &self.shapes, wanted).await?;
            claimed = self.claimed(&mut tx, tenants, wanted).await?;
        }
        if claimed.is_empty() && tenants.is_none() && self.ahead.is_some() {
            // Somebody else is at that tenant now. The others do not wait for it.
            self.forget();
            claimed = self.claimed(&mut tx, tenants, wanted).await?;
        }
        #[cfg(feature = "planted-bugs")]
        if ledger_store::planted::is(ledger_store::planted::CHECKPOINT_OUTSIDE_THE_TRANSACTION) {
            return self.turn_apart(tx, claimed).await;
        }
        let moved = self.advance_all(tx, claimed).await?;
        if moved > 0 && self.lane == Lane::Rebuild {
            self.conn = Some(conn);
        }
        Ok(moved)
    }

    /// Nobody else writes these rows, so nobody is waited for who holds them. Batches of thousands are
    /// planned for what they are; a live turn has a few rows, and its plans are made once.
    fn begin(&self) -> &'static str {
        match self.lane {
            Lane::Live => {
                "begin; set local synchronous_commit = off; set local lock_timeout = '1s'"
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
        let (mut moved, mut folded) = (0, 0);
        let mut claimed = claimed.into_iter();
        for one in claimed.by_ref() {
            let Some(tenant) = one.tenant else {
                halt_all(&mut tx, &one).await?;
                continue;
            };
            moved += one.claims.len();
            self.at = Some(one.tenant_id);
            folded += self.advance(&mut tx, tenant, one.claims, &mut waiting).await?;
            if folded >= self.batches.fold {
                break;
            }
        }
        self.at = None;
        tx.commit().await?;
        self.left_behind.extend(claimed.map(|one| one.tenant_id));
        if self.ahead.is_none() {
            self.staying_since = None;
        }
        Ok(moved)
    }

    /// Folds a tenant's next events into every read model that stands at the same place, having read
    /// them once. Returns how many there were.
    async fn advance(
        &mut self,
        conn: &mut PgConnection,
        tenant: Tenant,
        claims: Vec<Claim>,
        waiting: &mut Waiting,
    ) -> sqlx::Result<usize> {
        let mut at: BTreeMap<Position, Vec<Claim>> = BTreeMap::new();
        for claim in claims {
            at.entry(claim.position).or_default().push(claim);
        }
        let mut folded = 0;
        let is_alone = at.len() == 1;
        for (position, claims) in at {
            let mut batch = self.next(conn, tenant.tenant_id, position).await?;
            if batch.is_full {
                self.left_behind.push(tenant.tenant_id);
                if let Some(last) = batch.events.last().filter(|_| is_alone) {
                    let (pool, after) = (self.store.projector(), Position(last.stored.position));
                    let limit = self.batches.read;
                    let pool = (pool, &self.times);
                    self.ahead = Some(Ahead::start(pool, tenant, after, limit, &claims));
                    self.staying_since.get_or_insert_with(Instant::now);
                }
            }
            for claim in &claims {
                let prepared = batch.prepared(claim);
                let reached = fold_one(conn, tenant, claim, &batch, prepared, waiting).await?;
                settle(conn, tenant, claim, &batch, reached).await?;
            }
            folded += batch.events.len();
        }
        Ok(folded)
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

/// How much of a batch a read model can be brought to.
pub(super) struct Reached {
    /// So many of its events.
    pub(super) len: usize,
    /// Why not further: what follows is beyond this build.
    pub(super) beyond: Option<String>,
}

/// Folds a batch into one version, as far as this build can read.
pub(super) async fn fold_one(
    conn: &mut PgConnection,
    tenant: Tenant,
    claim: &Claim,
    batch: &Batch,
    prepared: Prepared,
    waiting: &mut Waiting,
) -> sqlx::Result<Reached> {
    let projector = &*claim.projector;
    let is_wanted = |event: &LogEvent| projector.wants(&event.stored.stream_kind);
    let unread = |event: &LogEvent| {
        let is_read = projector.reads_facts() && is_wanted(event);
        is_read.then(|| event.is_beyond_this_build()).flatten()
    };
    let stop = batch.events.iter().enumerate().find_map(|(nth, event)| Some((nth, unread(event)?)));
    let (len, beyond) = stop.map_or((batch.events.len(), None), |(nth, why)| (nth, Some(why)));
    let wanted: Vec<_> = batch.events[..len].iter().filter(|event| is_wanted(event)).collect();
    if !wanted.is_empty() {
        show_path(conn, projector.name(), claim.version).await?;
        let target = Target { projector, version: claim.version, tenant, way: claim.way };
        apply(conn, target, wanted, prepared, waiting).await?;
    }
    Ok(Reached { len, beyond })
}
