//! What the read models know about persons and erasures, for the erasure process.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ledger_app::access_export::ExportFiles;
use ledger_app::erasures::{
    ErasureError, ErasureProcess, ErasureRef, OpenErasure, PersonStreams, Persons,
};
use ledger_core::ids::{HandleId, SubjectId, TenantId};
use ledger_store::{Store, TenantTx, read};
use projections::erasures::{self, calls_of, others_of, unassigned_calls};
use projections::{Runner, wait_for};

/// The read models of which a manifest is made.
const MODELS: [&str; 3] = ["calls", "appointments", "due"];
/// Longest wait for a read model to reach the end of the log.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// The read models of a database.
struct ReadModels(Arc<Store>);

/// Creates the erasure process over a store and its read models. Projections have to run somewhere.
/// The files of exports are beside the keyring, unless they are set to be elsewhere.
#[must_use]
pub fn process(store: &Arc<Store>) -> ErasureProcess {
    let files = ExportFiles::new(store.keyring().directory().with_file_name("exports"));
    let models = Arc::new(ReadModels(Arc::clone(store)));
    ErasureProcess::new(Arc::clone(store), models).with_exports(files)
}

/// Runs `body` while projections run in this process, because a command may be alone with the database.
///
/// # Errors
/// Those of `body`.
pub async fn with_projections<T>(
    store: &Arc<Store>,
    body: impl AsyncFnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let runner = Runner::start(store, projections::all());
    let done = body().await;
    runner.stop().await;
    done
}

#[async_trait]
impl Persons for ReadModels {
    async fn streams(
        &self,
        tenant_id: TenantId,
        persons: &[SubjectId],
        handles: &[HandleId],
    ) -> Result<PersonStreams, ErasureError> {
        let pool = self.0.app();
        let mut tx = TenantTx::begin(pool, tenant_id).await?;
        let head = read::head(&mut tx).await?;
        drop(tx);
        for model in MODELS {
            if !wait_for(pool, tenant_id, model, head, MAX_WAIT).await? {
                return Err(ErasureError::Behind);
            }
        }
        let mut tx = TenantTx::begin(pool, tenant_id).await?;
        Ok(PersonStreams {
            calls: calls_of(&mut tx, persons).await?,
            others: others_of(&mut tx, persons).await?,
            ambiguous: unassigned_calls(&mut tx, handles).await?,
        })
    }

    async fn open(&self, of_tenant: i64, limit: i64) -> Result<Vec<OpenErasure>, ErasureError> {
        let open = erasures::open(self.0.projector(), of_tenant, limit).await?;
        let open = open.into_iter().map(|one| OpenErasure {
            of: ErasureRef {
                tenant_id: one.tenant_id,
                subject_id: one.subject_id,
                erasure_id: one.erasure_id,
            },
            is_certified: one
                .step
                .as_deref()
                .is_some_and(|step| matches!(step, "certified" | "rolled" | "verified")),
            awaits_roll: one.step.as_deref() == Some("certified"),
            received_at: one.received_at,
            due_at: one.due_at,
        });
        Ok(open.collect())
    }
}
