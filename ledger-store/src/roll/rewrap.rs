//! Wraps the subject keys of the old epoch under the new one.

use aws_lc_rs::aead::RandomizedNonceKey;
use ledger_core::ids::{SubjectId, TenantId};
use uuid::Uuid;

use super::{BATCH, Roll, RollError};
use crate::root_key;
use crate::tenant_tx::begin_by_key;
use crate::vault::wrap_aad;

impl Roll<'_> {
    /// Wraps the keys that open or seal anything, and returns their number. A fenced key waits for its
    /// destruction. A key that does not open is left as it is.
    pub(super) async fn rewrap(&self) -> Result<u64, RollError> {
        let mut last = (Uuid::nil(), 0);
        let mut wrapped = 0;
        loop {
            let mut tx = begin_by_key(&self.store.owner).await?;
            let rows = sqlx::query!(
                r#"select subject_id, generation, wrapped as "wrapped!"
                     from vault.subject_keys
                    where tenant_id = $1 and epoch = $2 and state in ('active', 'restricted')
                      and (subject_id, generation) > ($3, $4)
                    order by subject_id, generation
                    limit $5"#,
                self.tenant_id.0,
                self.old.epoch,
                last.0,
                last.1,
                BATCH,
            )
            .fetch_all(&mut *tx)
            .await?;
            let Some(end) = rows.last() else { return Ok(wrapped) };
            last = (end.subject_id, end.generation);
            let (mut subjects, mut generations, mut wraps) = (Vec::new(), Vec::new(), Vec::new());
            for row in &rows {
                let subject_id = SubjectId(row.subject_id);
                let Some(wrap) = self.wrapped_again(subject_id, row.generation, &row.wrapped)
                else {
                    tracing::error!(tenant_id = %self.tenant_id, %subject_id, "epoch.key_corrupt");
                    continue;
                };
                subjects.push(row.subject_id);
                generations.push(row.generation);
                wraps.push(wrap);
            }
            let updated = sqlx::query!(
                "update vault.subject_keys k set wrapped = n.wrapped, epoch = $2
                   from unnest($4::uuid[], $5::int[], $6::bytea[])
                     as n (subject_id, generation, wrapped)
                  where k.tenant_id = $1 and k.subject_id = n.subject_id
                    and k.generation = n.generation and k.epoch = $3
                    and k.state in ('active', 'restricted')",
                self.tenant_id.0,
                self.new.epoch,
                self.old.epoch,
                &subjects,
                &generations,
                &wraps,
            )
            .execute(&mut *tx)
            .await?;
            tx.commit().await?;
            wrapped += updated.rows_affected();
        }
    }

    fn wrapped_again(
        &self,
        subject_id: SubjectId,
        generation: i32,
        wrapped: &[u8],
    ) -> Option<Vec<u8>> {
        rewrapped(
            (self.tenant_id, subject_id, generation),
            (self.old.wrapping(), self.old.epoch),
            (self.new.wrapping(), self.new.epoch),
            wrapped,
        )
    }
}

fn rewrapped(
    (tenant_id, subject_id, generation): (TenantId, SubjectId, i32),
    (old, old_epoch): (&RandomizedNonceKey, i32),
    (new, new_epoch): (&RandomizedNonceKey, i32),
    wrapped: &[u8],
) -> Option<Vec<u8>> {
    let aad = |epoch| wrap_aad(tenant_id, subject_id, generation, epoch);
    let key = root_key::unwrap(old, &aad(old_epoch), wrapped)?;
    Some(root_key::wrap(new, &aad(new_epoch), &key))
}
