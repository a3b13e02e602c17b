//! Appends of decisions under the lock of the tenant's log.

use std::sync::Arc;

use ledger_core::ids::{StreamId, StreamVersion};

use super::load;
use crate::Store;
use crate::append::{AppendError, AppendOutcome, AppendRequest, Appended, append};
use crate::tenant_tx::TenantTx;

impl Store {
    /// Appends a request after checking the versions of streams that get no event. The tenant's row
    /// is locked before the check, so no other append of the tenant comes between.
    pub(super) async fn append_checked(
        &self,
        request: &AppendRequest,
        unwritten: &[(StreamId, StreamVersion)],
    ) -> Result<Appended, AppendError> {
        let failed = |error: sqlx::Error| AppendError::Unavailable(Some(Arc::new(error)));
        let tenant_id = request.tenant_id;
        let mut tx = TenantTx::begin(&self.apart, tenant_id).await.map_err(failed)?;
        lock_log(&mut tx).await.map_err(failed)?;
        let ids: Vec<_> = unwritten.iter().map(|(stream_id, _)| *stream_id).collect();
        let actual = load::versions(&mut tx, &ids).await.map_err(failed)?;
        for (stream_id, expected) in unwritten {
            let actual = actual.get(stream_id).copied().unwrap_or_default();
            if actual != *expected {
                return Err(AppendError::Conflict { actual });
            }
        }
        self.append_and_commit(tx, request).await
    }

    /// Appends in a transaction that has the lock of the tenant's log, and commits it.
    pub(super) async fn append_and_commit(
        &self,
        mut tx: TenantTx,
        request: &AppendRequest,
    ) -> Result<Appended, AppendError> {
        let failed = |error: sqlx::Error| AppendError::Unavailable(Some(Arc::new(error)));
        let tenant_id = request.tenant_id;
        let outcome = append(tx.conn(), &[request]).await.map_err(failed)?.pop();
        tx.commit().await.map_err(failed)?;
        match outcome {
            Some(AppendOutcome::Appended(appended)) => {
                self.notifier.notify([tenant_id]);
                Ok(appended)
            }
            Some(AppendOutcome::Conflict(actual)) => Err(AppendError::Conflict { actual }),
            Some(AppendOutcome::Rejected(why)) => Err(AppendError::Rejected(why)),
            None => Err(AppendError::Unavailable(None)),
        }
    }
}

/// Locks the tenant's log until the end of the transaction: no append of the tenant comes between.
pub(super) async fn lock_log(tx: &mut TenantTx) -> sqlx::Result<()> {
    let tenant_id = tx.tenant_id();
    sqlx::query!("select ledger.lock_tenant($1)", tenant_id.0).execute(tx.conn()).await?;
    Ok(())
}
