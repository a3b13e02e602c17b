//! What a read model is to the engine: a name, a version, and how a batch of events changes it.

use async_trait::async_trait;
use ledger_core::ids::TenantId;
use ledger_store::StoreError;
use ledger_store::read::StoredEvent;
use sqlx::PgConnection;
use thiserror::Error;

/// Why a batch could not be folded.
#[derive(Debug, Error)]
pub enum ProjectError {
    /// The database did not answer; the batch is tried again.
    #[error("the database did not answer")]
    Database(#[from] sqlx::Error),
    /// An event or a row cannot be read. The tenant's projection halts here and says so: a skipped
    /// fact is a wrong read model.
    #[error("the read model cannot go on")]
    Halt(#[from] StoreError),
}

/// A read model.
#[async_trait]
pub trait Projector: Send + Sync {
    /// Its name, as in checkpoints and views.
    fn name(&self) -> &'static str;

    /// Its version: rows of different versions live in different schemas.
    fn version(&self) -> i32;

    /// Folds events of one tenant, in order, into the read model. The engine owns the transaction
    /// and the checkpoint; this neither commits nor reads the log.
    ///
    /// # Errors
    /// [`ProjectError`]; nothing of the batch is kept.
    async fn project(
        &self,
        conn: &mut PgConnection,
        tenant_id: TenantId,
        events: &[StoredEvent],
    ) -> Result<(), ProjectError>;
}
