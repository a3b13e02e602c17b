//! Drops the blind indexes of persons whose keys are destroyed.

use uuid::Uuid;

use super::begin::lock_vault;
use super::{BATCH, Roll, RollError};
use crate::tenant_tx::begin;

impl Roll<'_> {
    /// Drops what subjects are found by of which every key is destroyed. The rows of the keys and of the
    /// contacts stay. A handle that a living contact has stays too.
    pub(super) async fn forget_destroyed(&self) -> Result<(), RollError> {
        let mut last = Uuid::nil();
        loop {
            let subjects = sqlx::query_scalar!(
                "select subject_id from vault.subject_keys
                  where tenant_id = $1 and subject_id > $2
                  group by subject_id
                 having bool_and(state = 'destroyed')
                  order by subject_id
                  limit $3",
                self.tenant_id.0,
                last,
                BATCH,
            )
            .fetch_all(&self.store.owner)
            .await?;
            let Some(end) = subjects.last() else { return Ok(()) };
            last = *end;
            self.forget(&subjects).await?;
        }
    }

    /// The lock prevents that a message gives one of the handles to another contact meanwhile.
    async fn forget(&self, subjects: &[Uuid]) -> Result<(), RollError> {
        let mut tx = begin(&self.store.owner).await?;
        lock_vault(&mut tx, self.tenant_id).await?;
        sqlx::query!(
            "update vault.contacts set name_index = null
              where tenant_id = $1 and contact_id = any ($2) and name_index is not null",
            self.tenant_id.0,
            subjects,
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!(
            "delete from vault.contact_names where tenant_id = $1 and contact_id = any ($2)",
            self.tenant_id.0,
            subjects,
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!(
            "delete from vault.call_subjects where tenant_id = $1 and subject_id = any ($2)",
            self.tenant_id.0,
            subjects,
        )
        .execute(&mut *tx)
        .await?;
        let handles = sqlx::query_scalar!(
            "delete from vault.contact_handles
              where tenant_id = $1 and contact_id = any ($2)
             returning handle_id",
            self.tenant_id.0,
            subjects,
        )
        .fetch_all(&mut *tx)
        .await?;
        sqlx::query!(
            "delete from vault.handles h
              where h.tenant_id = $1 and h.handle_id = any ($2)
                and not exists (select from vault.contact_handles x
                                 where x.tenant_id = $1 and x.handle_id = h.handle_id)",
            self.tenant_id.0,
            &handles,
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }
}
