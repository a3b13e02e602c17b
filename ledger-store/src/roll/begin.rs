//! The begin of a roll: the new key file and the change of the live epoch.

use std::sync::Arc;

use ledger_core::ids::TenantId;
use sqlx::PgConnection;

use super::{Roll, RollError};
use crate::Store;
use crate::keyring::EpochKeys;
use crate::tenant_tx::begin;

impl Store {
    /// Makes the new epoch the live one and the old one a draining one, unless an interrupted roll has.
    pub(super) async fn begin_roll(&self, tenant_id: TenantId) -> Result<Roll<'_>, RollError> {
        let mut conn = self.owner.acquire().await?;
        let (live, draining) = self.epochs_in_use(&mut conn, tenant_id).await?;
        drop(conn);
        if let Some(old) = draining {
            return Ok(Roll { store: self, tenant_id, old, new: live });
        }
        // The file is durable before a row names it.
        let new = self.keyring.create_epoch(tenant_id, &live).await?;
        let mut tx = begin(&self.owner).await?;
        lock_vault(&mut tx, tenant_id).await?;
        let fenced = fenced_keys(&mut tx, tenant_id, live.epoch).await?;
        if fenced > 0 {
            return Err(RollError::Fenced { keys: fenced });
        }
        // Transactions with the lock of the vault that follow find the new epoch, and none that writes
        // under the old one is left.
        let changed = sqlx::query!(
            "update vault.epochs set state = 'draining', changed_at = clock_timestamp()
              where tenant_id = $1 and epoch = $2 and state = 'live'",
            tenant_id.0,
            live.epoch,
        )
        .execute(&mut *tx)
        .await?;
        if changed.rows_affected() != 1 {
            return Err(RollError::LockLost);
        }
        sqlx::query!(
            "insert into vault.epochs (tenant_id, epoch, check_value, created_at)
             values ($1, $2, $3, $4)",
            tenant_id.0,
            new.epoch,
            &new.check_value(),
            self.clock.now_micros(),
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        tracing::info!(%tenant_id, old = live.epoch, new = new.epoch, "epoch.roll_begun");
        Ok(Roll { store: self, tenant_id, old: live, new })
    }

    /// The live epoch of a tenant, and the draining one.
    async fn epochs_in_use(
        &self,
        conn: &mut PgConnection,
        tenant_id: TenantId,
    ) -> Result<(Arc<EpochKeys>, Option<Arc<EpochKeys>>), RollError> {
        let rows = sqlx::query!(
            r#"select epoch, check_value, state = 'live' as "is_live!"
                 from vault.epochs
                where tenant_id = $1 and state in ('live', 'draining')"#,
            tenant_id.0,
        )
        .fetch_all(conn)
        .await?;
        let (mut live, mut draining) = (None, None);
        for row in rows {
            let keys = self.keyring.checked_epoch(tenant_id, row.epoch, &row.check_value).await?;
            *(if row.is_live { &mut live } else { &mut draining }) = Some(keys);
        }
        Ok((live.ok_or(RollError::UnknownTenant)?, draining))
    }
}

/// Waits for the lock of the tenant's vault, and holds it to the end of the transaction.
pub(super) async fn lock_vault(conn: &mut PgConnection, tenant_id: TenantId) -> sqlx::Result<()> {
    sqlx::query!(
        r#"select pg_advisory_xact_lock(hashtextextended('vault ' || $1::uuid, 0)) is null as is_locked"#,
        tenant_id.0,
    )
    .fetch_one(conn)
    .await?;
    Ok(())
}

async fn fenced_keys(
    conn: &mut PgConnection,
    tenant_id: TenantId,
    epoch: i32,
) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "fenced!" from vault.subject_keys
            where tenant_id = $1 and epoch = $2 and state = 'fenced'"#,
        tenant_id.0,
        epoch,
    )
    .fetch_one(conn)
    .await
}
