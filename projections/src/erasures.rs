//! `erasures`: one row per erasure, folded from the streams of subjects. It has no personal data.
//!
//! The erasure process finds its work here. What it does is decided on the log.

mod list;
mod person;
mod row;

use std::collections::BTreeMap;

use async_trait::async_trait;
use ledger_core::event::Event;
use ledger_core::ids::TenantId;
use sqlx::PgConnection;
use uuid::Uuid;

pub use list::{AfterErasure, ErasureFilter, OpenErasure, find, list, open};
pub use person::{calls_of, others_of, unassigned_calls};
pub use row::Erasure;

use crate::projector::{
    Again, LeftOut, LogEvent, Precomputed, ProjectError, ProjectionBatch, Projector, TenantKeys,
    WriteMode,
};

/// The projector of the `erasures` read model.
pub struct Erasures;

#[async_trait]
impl Projector for Erasures {
    fn name(&self) -> &'static str {
        "erasures"
    }

    fn schema_version(&self) -> i32 {
        1
    }

    fn handles(&self, stream_kind: &str) -> bool {
        stream_kind == "subject"
    }

    async fn load<'e>(
        &self,
        conn: &mut PgConnection,
        wanted: &[TenantKeys],
        _: Precomputed,
    ) -> Result<Box<dyn ProjectionBatch<'e> + 'e>, ProjectError> {
        let rows = row::load(conn, wanted).await?;
        let known = rows.into_iter().map(|row| ((row.tenant_id, row.erasure_id), row)).collect();
        Ok(Box::new(ErasureBatch { known, changed: BTreeMap::new() }))
    }

    async fn leave_out(
        &self,
        conn: &mut PgConnection,
        one: LeftOut<'_>,
    ) -> Result<Again, ProjectError> {
        sqlx::query!(
            "delete from erasures where tenant_id = $1 and stream_id = $2",
            one.tenant.tenant_id.0,
            one.event.stream(),
        )
        .execute(conn)
        .await?;
        Ok(Again::Key)
    }
}

/// Tenant and erasure.
type Key = (Uuid, Uuid);

/// A batch of events, folded as they arrive.
struct ErasureBatch {
    /// Stored rows of the subjects of the batch, without events in it so far.
    known: BTreeMap<Key, Erasure>,
    changed: BTreeMap<Key, Erasure>,
}

#[async_trait]
impl<'e> ProjectionBatch<'e> for ErasureBatch {
    fn apply(&mut self, tenant_id: TenantId, event: &'e LogEvent) -> Result<(), ProjectError> {
        let recorded = event.recorded()?;
        let Event::Subject(change) = &recorded.event else { return Ok(()) };
        let Some(erasure_id) = row::erasure_of(change) else { return Ok(()) };
        let key = (tenant_id.0, erasure_id.0);
        let mut row = self.changed.remove(&key).or_else(|| self.known.remove(&key));
        Erasure::evolve(&mut row, tenant_id, recorded, change);
        // Without its request, which was left out, an erasure has no row.
        self.changed.extend(row.map(|row| (key, row)));
        Ok(())
    }

    async fn write(&mut self, conn: &mut PgConnection, _: WriteMode) -> Result<(), ProjectError> {
        let rows: Vec<Erasure> = std::mem::take(&mut self.changed).into_values().collect();
        row::upsert(conn, &rows).await
    }
}
