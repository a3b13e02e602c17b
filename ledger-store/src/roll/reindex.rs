//! Makes the blind indexes of the old epoch again for the new one, without the values behind them.

use uuid::Uuid;

use super::{BATCH, Left, Roll, RollError};
use crate::tenant_tx::begin_by_key;

/// Rows of one batch: their ids, the index as stored, and the index of the new epoch.
#[derive(Default)]
struct Indexes {
    ids: Vec<Uuid>,
    old: Vec<Vec<u8>>,
    new: Vec<Vec<u8>>,
}

impl Roll<'_> {
    /// Makes all indexes again, and returns the number of rows. A row that was written meanwhile has an
    /// index of the new epoch already.
    pub(super) async fn reindex(&self) -> Result<u64, RollError> {
        let (handles, calls, contacts, held, words) = tokio::try_join!(
            self.reindex_handles(),
            self.reindex_calls(),
            self.reindex_contacts(),
            self.reindex_held_names(),
            self.reindex_words(),
        )?;
        Ok(handles + calls + contacts + held + words)
    }

    /// An index that was altered, and so has another length, is left.
    fn made_again(&self, rows: impl Iterator<Item = (Uuid, Vec<u8>)>) -> Indexes {
        let mut indexes = Indexes::default();
        for (id, stored) in rows {
            let Ok(index) = <[u8; 16]>::try_from(stored.as_slice()) else { continue };
            indexes.ids.push(id);
            indexes.old.push(stored);
            indexes.new.push(self.new.seal_index(self.old.open_index(index)).to_vec());
        }
        indexes
    }

    async fn reindex_handles(&self) -> Result<u64, RollError> {
        let (mut last, mut updated) = (Uuid::nil(), 0);
        loop {
            let mut tx = begin_by_key(&self.store.owner).await?;
            let rows = sqlx::query!(
                "select handle_id, blind_index from vault.handles
                  where tenant_id = $1 and epoch = $2 and handle_id > $3
                  order by handle_id
                  limit $4",
                self.tenant_id.0,
                self.old.epoch,
                last,
                BATCH,
            )
            .fetch_all(&mut *tx)
            .await?;
            let Some(end) = rows.last() else { return Ok(updated) };
            last = end.handle_id;
            let made =
                self.made_again(rows.into_iter().map(|row| (row.handle_id, row.blind_index)));
            let done = sqlx::query!(
                "update vault.handles h set blind_index = n.new, epoch = $2
                   from unnest($4::uuid[], $5::bytea[]) as n (handle_id, new)
                  where h.tenant_id = $1 and h.handle_id = n.handle_id and h.epoch = $3",
                self.tenant_id.0,
                self.new.epoch,
                self.old.epoch,
                &made.ids,
                &made.new,
            )
            .execute(&mut *tx)
            .await?;
            tx.commit().await?;
            updated += done.rows_affected();
        }
    }

    async fn reindex_calls(&self) -> Result<u64, RollError> {
        let (mut last, mut updated) = (Uuid::nil(), 0);
        loop {
            let mut tx = begin_by_key(&self.store.owner).await?;
            let rows = sqlx::query!(
                "select subject_id, blind_index from vault.call_subjects
                  where tenant_id = $1 and epoch = $2 and subject_id > $3
                  order by subject_id
                  limit $4",
                self.tenant_id.0,
                self.old.epoch,
                last,
                BATCH,
            )
            .fetch_all(&mut *tx)
            .await?;
            let Some(end) = rows.last() else { return Ok(updated) };
            last = end.subject_id;
            let made =
                self.made_again(rows.into_iter().map(|row| (row.subject_id, row.blind_index)));
            let done = sqlx::query!(
                "update vault.call_subjects s set blind_index = n.new, epoch = $2
                   from unnest($4::bytea[], $5::bytea[]) as n (old, new)
                  where s.tenant_id = $1 and s.blind_index = n.old and s.epoch = $3",
                self.tenant_id.0,
                self.new.epoch,
                self.old.epoch,
                &made.old,
                &made.new,
            )
            .execute(&mut *tx)
            .await?;
            tx.commit().await?;
            updated += done.rows_affected();
        }
    }

    async fn reindex_contacts(&self) -> Result<u64, RollError> {
        let (mut last, mut updated) = (Uuid::nil(), 0);
        loop {
            let mut tx = begin_by_key(&self.store.owner).await?;
            let rows = sqlx::query!(
                r#"select contact_id, name_index as "name_index!" from vault.contacts
                    where tenant_id = $1 and name_epoch = $2 and name_index is not null
                      and contact_id > $3
                    order by contact_id
                    limit $4"#,
                self.tenant_id.0,
                self.old.epoch,
                last,
                BATCH,
            )
            .fetch_all(&mut *tx)
            .await?;
            let Some(end) = rows.last() else { return Ok(updated) };
            last = end.contact_id;
            let made =
                self.made_again(rows.into_iter().map(|row| (row.contact_id, row.name_index)));
            let done = sqlx::query!(
                "update vault.contacts c set name_index = n.new, name_epoch = $2
                   from unnest($4::uuid[], $5::bytea[], $6::bytea[]) as n (contact_id, old, new)
                  where c.tenant_id = $1 and c.contact_id = n.contact_id and c.name_epoch = $3
                    and c.name_index = n.old",
                self.tenant_id.0,
                self.new.epoch,
                self.old.epoch,
                &made.ids,
                &made.old,
                &made.new,
            )
            .execute(&mut *tx)
            .await?;
            tx.commit().await?;
            updated += done.rows_affected();
        }
    }

    /// The last contact of a batch may have further rows, so the next batch begins with it; its rows that
    /// are done are not read again.
    async fn reindex_held_names(&self) -> Result<u64, RollError> {
        let (mut last, mut updated) = (Uuid::nil(), 0);
        loop {
            let mut tx = begin_by_key(&self.store.owner).await?;
            let rows = sqlx::query!(
                "select contact_id, name_index from vault.contact_handles
                  where tenant_id = $1 and name_epoch = $2 and name_index <> ''
                    and contact_id >= $3
                  order by contact_id
                  limit $4",
                self.tenant_id.0,
                self.old.epoch,
                last,
                BATCH,
            )
            .fetch_all(&mut *tx)
            .await?;
            let Some(end) = rows.last() else { return Ok(updated) };
            last = end.contact_id;
            let made =
                self.made_again(rows.into_iter().map(|row| (row.contact_id, row.name_index)));
            let done = sqlx::query!(
                "update vault.contact_handles x set name_index = n.new, name_epoch = $2
                   from (select distinct * from unnest($4::uuid[], $5::bytea[], $6::bytea[]))
                     as n (contact_id, old, new)
                  where x.tenant_id = $1 and x.contact_id = n.contact_id and x.name_epoch = $3
                    and x.name_index = n.old",
                self.tenant_id.0,
                self.new.epoch,
                self.old.epoch,
                &made.ids,
                &made.old,
                &made.new,
            )
            .execute(&mut *tx)
            .await?;
            tx.commit().await?;
            if done.rows_affected() == 0 {
                return Ok(updated);
            }
            updated += done.rows_affected();
        }
    }

    /// As for the names that contacts have with their handles.
    async fn reindex_words(&self) -> Result<u64, RollError> {
        let (mut last, mut updated) = (Uuid::nil(), 0);
        loop {
            let mut tx = begin_by_key(&self.store.owner).await?;
            let rows = sqlx::query!(
                "select contact_id, token from vault.contact_names
                  where tenant_id = $1 and epoch = $2 and contact_id >= $3
                  order by contact_id
                  limit $4",
                self.tenant_id.0,
                self.old.epoch,
                last,
                BATCH,
            )
            .fetch_all(&mut *tx)
            .await?;
            let Some(end) = rows.last() else { return Ok(updated) };
            last = end.contact_id;
            let made = self.made_again(rows.into_iter().map(|row| (row.contact_id, row.token)));
            let done = sqlx::query!(
                "update vault.contact_names w set token = n.new, epoch = $2
                   from unnest($4::uuid[], $5::bytea[], $6::bytea[]) as n (contact_id, old, new)
                  where w.tenant_id = $1 and w.token = n.old and w.contact_id = n.contact_id
                    and w.epoch = $3",
                self.tenant_id.0,
                self.new.epoch,
                self.old.epoch,
                &made.ids,
                &made.old,
                &made.new,
            )
            .execute(&mut *tx)
            .await?;
            tx.commit().await?;
            if done.rows_affected() == 0 {
                return Ok(updated);
            }
            updated += done.rows_affected();
        }
    }

    /// Counts the rows of the old epoch.
    pub(super) async fn left(&self) -> Result<Left, RollError> {
        let left = sqlx::query_as!(
            Left,
            r#"
            select (select count(*) from vault.subject_keys
                     where tenant_id = $1 and epoch = $2 and state in ('active', 'restricted')) as "keys!",
                   (select count(*) from vault.subject_keys
                     where tenant_id = $1 and epoch = $2 and state = 'fenced') as "fenced!",
                   (select count(*) from vault.handles where tenant_id = $1 and epoch = $2)
                   + (select count(*) from vault.call_subjects where tenant_id = $1 and epoch = $2)
                   + (select count(*) from vault.contacts
                       where tenant_id = $1 and name_epoch = $2 and name_index is not null)
                   + (select count(*) from vault.contact_handles
                       where tenant_id = $1 and name_epoch = $2 and name_index <> '')
                   + (select count(*) from vault.contact_names
                       where tenant_id = $1 and epoch = $2) as "indexes!"
            "#,
            self.tenant_id.0,
            self.old.epoch,
        )
        .fetch_one(&self.store.owner)
        .await?;
        Ok(left)
    }
}
