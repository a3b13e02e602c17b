//! Claims tenants with a checkpoint behind the log, skipping those locked by another worker.

use std::collections::BTreeMap;
use std::sync::Arc;

use ledger_core::ids::{Position, TenantId};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::calendar;
use crate::projector::{Projector, TenantContext, WriteMode};

/// Maximum number of tenants a sweep selects in one cycle.
const MAX_CANDIDATES: i64 = 256;
/// Maximum number of checkpoints claimed per transaction.
const MAX_CLAIMS: i64 = 64;
/// Number of moved checkpoints from which a cycle counts as full: more may be waiting.
pub(super) const FULL_CYCLE: usize = 64;

/// The kind of versions a worker fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Versions that are served, were served before, or are about to be.
    Live,
    /// Versions under construction that have no indexes yet.
    Rebuild,
}

impl Lane {
    /// Returns the statement that begins a transaction of this lane.
    ///
    /// Only the engine writes these rows, so a short lock timeout suffices. Rebuild batches of
    /// thousands of rows need custom plans. Live cycles find few rows by key; for so few,
    /// PostgreSQL would plan each execution again, so a generic plan is forced.
    pub(super) const fn begin(self) -> &'static str {
        match self {
            Self::Live => {
                "begin; set local synchronous_commit = off; set local lock_timeout = '1s'; \
                 set local plan_cache_mode = force_generic_plan; set local enable_hashjoin = off; \
                 set local enable_mergejoin = off; set local enable_material = off; \
                 set local enable_bitmapscan = off"
            }
            Self::Rebuild => {
                "begin; set local synchronous_commit = off; set local lock_timeout = '1s'; \
                 set local plan_cache_mode = force_custom_plan"
            }
        }
    }
}

/// A version of a tenant's read model, with its checkpoint locked by this transaction.
pub(super) struct Claim {
    pub(super) projector: Arc<dyn Projector>,
    pub(super) version: i32,
    pub(super) position: Position,
    pub(super) mode: WriteMode,
    /// Reason why an earlier attempt stopped at this checkpoint.
    pub(super) halted: Option<String>,
}

impl Claim {
    /// Returns the name of the read model and the version.
    pub(super) fn key(&self) -> (&'static str, i32) {
        (self.projector.name(), self.version)
    }
}

/// Selects the checkpoints to claim.
#[derive(Clone, Copy)]
pub(super) struct ClaimFilter {
    pub(super) lane: Lane,
    /// Whether halted checkpoints are retried: this build may be newer than the one that halted
    /// them.
    pub(super) halted: bool,
}

impl ClaimFilter {
    fn is_rebuild(self) -> bool {
        self.lane == Lane::Rebuild
    }
}

/// The claimed versions of one tenant.
pub(super) struct TenantClaims {
    pub(super) tenant_id: TenantId,
    /// `None` if this build does not know the tenant's time zone.
    pub(super) tenant: Option<TenantContext>,
    pub(super) claims: Vec<Claim>,
}

/// Names and schema versions of the read models this build fills, as parallel arrays.
pub(super) struct SchemaVersions {
    names: Vec<String>,
    shapes: Vec<i32>,
}

impl SchemaVersions {
    pub(super) fn of(projectors: &[Arc<dyn Projector>]) -> Self {
        Self {
            names: projectors.iter().map(|one| one.name().to_owned()).collect(),
            shapes: projectors.iter().map(|one| one.schema_version()).collect(),
        }
    }
}

/// Inserts the missing checkpoints of all tenants for the versions of a lane.
///
/// Runs in its own transaction: a concurrent insert of the same checkpoint waits for the end of it,
/// and a cycle may be long. Versions locked by a promotion are skipped; otherwise a tenant could be
/// added between the promotion's check for lag and the switch.
pub(super) async fn create_checkpoints(
    pool: &PgPool,
    shapes: &SchemaVersions,
    wanted: ClaimFilter,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into projection.checkpoints (tenant_id, projection, version)
         select t.tenant_id, v.projection, v.version
           from projection.versions v
           join ledger.tenants t on v.tenant_id in (t.tenant_id, '00000000-0000-0000-0000-000000000000')
          where (v.projection, v.shape) in (select * from unnest($1::text[], $2::int[]))
            and (v.state = 'building' and v.indexed_at is null) = $3
            and not exists (select from projection.checkpoints c
                             where c.tenant_id = t.tenant_id
                               and c.projection = v.projection and c.version = v.version)
            for key share of v skip locked
             on conflict do nothing",
        &shapes.names,
        &shapes.shapes,
        wanted.is_rebuild(),
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Returns tenants that are behind and not postponed, ordered by their oldest checkpoint update.
pub(super) async fn tenants_behind(
    conn: &mut PgConnection,
    shapes: &SchemaVersions,
    wanted: ClaimFilter,
    postponed: &[TenantId],
) -> sqlx::Result<Vec<TenantId>> {
    let postponed: Vec<Uuid> = postponed.iter().map(|tenant| tenant.0).collect();
    let rows = sqlx::query_scalar!(
        r#"
        select c.tenant_id as "tenant_id!"
          from projection.versions v
          join projection.checkpoints c on c.projection = v.projection and c.version = v.version
         where (v.projection, v.shape) in (select * from unnest($1::text[], $2::int[]))
           and (v.state = 'building' and v.indexed_at is null) = $3
           and (c.halted is null or $5)
           and c.tenant_id <> all ($6)
           and c.position < (select e.position from ledger.events e
                              where e.tenant_id = c.tenant_id
                              order by e.position desc limit 1)
         group by c.tenant_id
         order by min(c.updated_at)
         limit $4
        "#,
        &shapes.names,
        &shapes.shapes,
        wanted.is_rebuild(),
        MAX_CANDIDATES,
        wanted.halted,
        &postponed,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(TenantId).collect())
}

/// Locks the checkpoints of these tenants that are behind, in the given order, and skips locked
/// ones.
pub(super) async fn claim(
    conn: &mut PgConnection,
    projectors: &[Arc<dyn Projector>],
    shapes: &SchemaVersions,
    wanted: ClaimFilter,
    tenants: &[TenantId],
) -> sqlx::Result<Vec<TenantClaims>> {
    let ids: Vec<Uuid> = tenants.iter().map(|tenant| tenant.0).collect();
    let rows = sqlx::query!(
        r#"
        select c.tenant_id, c.projection, c.version, c.position, c.halted,
               coalesce(t.sums_timezone, t.timezone) as "timezone!"
          from projection.checkpoints c
          join projection.versions v on v.projection = c.projection and v.version = c.version
          join ledger.tenants t on t.tenant_id = c.tenant_id
         where c.tenant_id = any ($4)
           and (v.projection, v.shape) in (select * from unnest($1::text[], $2::int[]))
           and (v.state = 'building' and v.indexed_at is null) = $3
           and (c.halted is null or $6)
           and c.position < (select e.position from ledger.events e
                              where e.tenant_id = c.tenant_id
                              order by e.position desc limit 1)
         order by array_position($4, c.tenant_id), c.position
         limit $5
           for update of c skip locked
        "#,
        &shapes.names,
        &shapes.shapes,
        wanted.is_rebuild(),
        &ids,
        MAX_CLAIMS,
        wanted.halted,
    )
    .fetch_all(conn)
    .await?;
    let mut order = Vec::new();
    let mut claimed: BTreeMap<Uuid, TenantClaims> = BTreeMap::new();
    for row in rows {
        let tenant_id = TenantId(row.tenant_id);
        let zone = calendar::zone(&row.timezone);
        let entry = claimed.entry(row.tenant_id).or_insert_with(|| {
            order.push(row.tenant_id);
            let tenant = zone.map(|zone| TenantContext { tenant_id, zone });
            TenantClaims { tenant_id, tenant, claims: Vec::new() }
        });
        let projector = projectors.iter().find(|one| one.name() == row.projection);
        let projector = Arc::clone(projector.expect("only these were asked for"));
        let position = Position(row.position);
        let mode = if wanted.is_rebuild() { WriteMode::Copy } else { WriteMode::Upsert };
        let (version, halted) = (row.version, row.halted);
        entry.claims.push(Claim { projector, version, position, mode, halted });
    }
    Ok(order.iter().filter_map(|id| claimed.remove(id)).collect())
}
