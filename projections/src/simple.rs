//! Row-wise projectors: each event sets or changes a few rows, found by key. The engine's batches,
//! checkpoints, parking and rebuilds apply as to every [`Projector`].
//!
//! The example counts events by actor. A projector that is registered in [`crate::all`] uses
//! `sqlx::query!` instead, whose statement is checked when it is compiled.
//!
//! ```
//! use async_trait::async_trait;
//! use ledger_core::ids::TenantId;
//! use projections::simple::{RowProjector, Rows};
//! use projections::{Again, LeftOut, LogEvent, ProjectError, TenantContext};
//! use sqlx::PgConnection;
//!
//! struct Actors;
//!
//! #[async_trait]
//! impl RowProjector for Actors {
//!     type Key = String;
//!     type Row = i64;
//!     fn name(&self) -> &'static str { "actors" }
//!     fn schema_version(&self) -> i32 { 1 }
//!     fn handles(&self, stream_kind: &str) -> bool { stream_kind == "tenant" }
//!     fn reads_meta(&self) -> bool { true }
//!
//!     fn project(&self, _: TenantContext, event: &LogEvent, rows: &mut Rows<'_, String, i64>)
//!         -> Result<(), ProjectError> {
//!         let actor = event.meta()?.actor.unwrap_or_else(|| "source".into());
//!         *rows.entry(actor).or_default() += 1;
//!         Ok(())
//!     }
//!
//!     async fn upsert(&self, conn: &mut PgConnection, rows: Vec<(TenantId, String, i64)>)
//!         -> Result<(), ProjectError> {
//!         for (tenant_id, actor, events) in rows {
//!             sqlx::query("insert into actors values ($1, $2, $3) on conflict (tenant_id, actor)
//!                          do update set events = actors.events + excluded.events")
//!                 .bind(tenant_id.0).bind(actor).bind(events).execute(&mut *conn).await?;
//!         }
//!         Ok(())
//!     }
//!
//!     async fn leave_out(&self, conn: &mut PgConnection, one: LeftOut<'_>)
//!         -> Result<Again, ProjectError> {
//!         sqlx::query("update actors set events = events - 1 where tenant_id = $1 and actor = $2")
//!             .bind(one.tenant.tenant_id.0).bind(one.event.meta()?.actor).execute(conn).await?;
//!         Ok(Again::Nothing)
//!     }
//! }
//! ```

use std::collections::HashMap;
use std::collections::btree_map::{BTreeMap, Entry};
use std::sync::Arc;

use async_trait::async_trait;
use ledger_core::ids::TenantId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::projector::{
    Again, LeftOut, LogEvent, Precomputed, ProjectError, ProjectionBatch, Projector, TenantContext,
    TenantKeys, WriteMode,
};

/// A read model whose rows follow from single events: no stored row is read to apply an event.
#[async_trait]
pub trait RowProjector: Send + Sync + 'static {
    /// Key of a row within its tenant.
    type Key: Ord + Send + 'static;
    /// Columns of a row beyond its key, or the change to them.
    type Row: Send + 'static;

    /// As [`Projector::name`].
    fn name(&self) -> &'static str;

    /// As [`Projector::schema_version`].
    fn schema_version(&self) -> i32;

    /// As [`Projector::handles`].
    fn handles(&self, stream_kind: &str) -> bool;

    /// As [`Projector::reads_facts`].
    fn reads_facts(&self) -> bool {
        true
    }

    /// As [`Projector::reads_meta`].
    fn reads_meta(&self) -> bool {
        false
    }

    /// As [`Projector::key`]: later events of this key wait if the event cannot be applied.
    fn key(&self, event: &LogEvent) -> Uuid {
        event.stream()
    }

    /// As [`Projector::has_own_keys`].
    fn has_own_keys(&self) -> bool {
        false
    }

    /// Sets or changes the rows of one event, in memory. Events arrive in log order.
    ///
    /// # Errors
    /// [`ProjectError::Poison`] if the event can never be applied; its key is parked.
    fn project(
        &self,
        tenant: TenantContext,
        event: &LogEvent,
        rows: &mut Rows<'_, Self::Key, Self::Row>,
    ) -> Result<(), ProjectError>;

    /// Writes the rows of a batch, ordered by tenant and key. Table names have no schema.
    ///
    /// # Errors
    /// [`ProjectError`] if writing fails; the caller rolls the batch back.
    async fn upsert(
        &self,
        conn: &mut PgConnection,
        rows: Vec<(TenantId, Self::Key, Self::Row)>,
    ) -> Result<(), ProjectError>;

    /// As [`Projector::leave_out`].
    ///
    /// # Errors
    /// [`ProjectError`]; nothing of it is kept.
    async fn leave_out(
        &self,
        conn: &mut PgConnection,
        one: LeftOut<'_>,
    ) -> Result<Again, ProjectError>;
}

/// The rows of a batch that belong to the tenant of the current event.
pub struct Rows<'b, K, R> {
    tenant_id: TenantId,
    all: &'b mut BTreeMap<(TenantId, K), R>,
}

impl<K: Ord, R> Rows<'_, K, R> {
    /// Sets a row, in place of the one an earlier event of the batch has set.
    pub fn put(&mut self, key: K, row: R) {
        self.all.insert((self.tenant_id, key), row);
    }

    /// Returns the place of a row, to change what earlier events of the batch have set.
    pub fn entry(&mut self, key: K) -> Entry<'_, (TenantId, K), R> {
        self.all.entry((self.tenant_id, key))
    }
}

/// Returns a row-wise projector in the form that the engine runs.
#[must_use]
pub fn projector<P: RowProjector>(projector: P) -> Arc<dyn Projector> {
    Arc::new(RowWise(Arc::new(projector)))
}

struct RowWise<P>(Arc<P>);

#[async_trait]
impl<P: RowProjector> Projector for RowWise<P> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn schema_version(&self) -> i32 {
        self.0.schema_version()
    }

    fn handles(&self, stream_kind: &str) -> bool {
        self.0.handles(stream_kind)
    }

    fn reads_facts(&self) -> bool {
        self.0.reads_facts()
    }

    fn reads_meta(&self) -> bool {
        self.0.reads_meta()
    }

    fn key(&self, event: &LogEvent) -> Uuid {
        self.0.key(event)
    }

    fn has_own_keys(&self) -> bool {
        self.0.has_own_keys()
    }

    async fn load<'e>(
        &self,
        _: &mut PgConnection,
        wanted: &[TenantKeys],
        _: Precomputed,
    ) -> Result<Box<dyn ProjectionBatch<'e> + 'e>, ProjectError> {
        let tenants = wanted.iter().map(|one| (one.tenant.tenant_id, one.tenant)).collect();
        Ok(Box::new(Batch { projector: Arc::clone(&self.0), tenants, rows: BTreeMap::new() }))
    }

    async fn leave_out(
        &self,
        conn: &mut PgConnection,
        one: LeftOut<'_>,
    ) -> Result<Again, ProjectError> {
        self.0.leave_out(conn, one).await
    }
}

struct Batch<P: RowProjector> {
    projector: Arc<P>,
    tenants: HashMap<TenantId, TenantContext>,
    rows: BTreeMap<(TenantId, P::Key), P::Row>,
}

#[async_trait]
impl<'e, P: RowProjector> ProjectionBatch<'e> for Batch<P> {
    fn apply(&mut self, tenant_id: TenantId, event: &'e LogEvent) -> Result<(), ProjectError> {
        let mut rows = Rows { tenant_id, all: &mut self.rows };
        self.projector.project(self.tenants[&tenant_id], event, &mut rows)
    }

    async fn write(&mut self, conn: &mut PgConnection, _: WriteMode) -> Result<(), ProjectError> {
        let rows = std::mem::take(&mut self.rows);
        let rows = rows.into_iter().map(|((tenant_id, key), row)| (tenant_id, key, row)).collect();
        self.projector.upsert(conn, rows).await
    }
}
