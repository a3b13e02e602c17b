//! Quarantine: messages without a known tenant, sealed and kept until they are replayed.
//!
//! Entries are rows of the installation, and row security hides them from every tenant. A message
//! is never assigned to a default tenant. A replayed entry stays listed with its destination.
//! Entries are never deleted, since the installation has no log that could record the deletion.

use chrono::{DateTime, Utc};
use ledger_core::event::{QuarantineEvent, QuarantineReplayed};
use ledger_core::ids::{KeyId, Position, QuarantineId, SourceId, TenantId};
use ledger_core::provider::Provider;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::Store;
use crate::compute::compute;
use crate::error::StoreError;
use crate::tenant_tx::TenantTx;

/// SHA-256 of a message's canonical form, as it was sent.
pub type ContentDigest = [u8; 32];

/// A message in quarantine, without its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The entry's id, time-ordered.
    pub quarantine_id: QuarantineId,
    /// The source that received the message.
    pub source_id: SourceId,
    /// The reason for the quarantine, as a fixed word.
    pub reason: String,
    /// Time of arrival.
    pub received_at: DateTime<Utc>,
    /// Destination of the replay; `None` while the message waits.
    pub replayed: Option<Replayed>,
}

/// Destination of a replayed message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// Time of the replay.
    pub at: DateTime<Utc>,
    /// The tenant that the message was assigned to.
    pub tenant_id: TenantId,
    /// Position of its first event in the tenant's log.
    pub position: Position,
}

/// A message in quarantine with its opened body.
pub struct OpenEntry {
    /// The fields that are not sealed.
    pub entry: Entry,
    /// The platform of the source, whether or not the source is still enabled.
    pub provider: Provider,
    /// The message body, with provider secrets removed.
    pub body: Zeroizing<Vec<u8>>,
    /// Digest of the content; `None` for entries of builds that did not store it.
    pub content: Option<ContentDigest>,
}

/// Selects entries, newest first.
#[derive(Debug, Clone, Copy, Default)]
pub struct EntryFilter {
    /// Only waiting entries (`true`) or only replayed ones (`false`).
    pub is_waiting: Option<bool>,
    /// Only entries older than this one.
    pub before: Option<QuarantineId>,
    /// Maximum number of entries.
    pub limit: i64,
}

impl Store {
    /// Stores a message without a known tenant, sealed under the installation's keys. A message
    /// with the same content waits only once, with the time of its first receipt.
    ///
    /// # Errors
    /// [`StoreError::Keyring`] when the installation's keys are not available.
    pub async fn quarantine(
        &self,
        source_id: SourceId,
        reason: &str,
        content: &ContentDigest,
        body: &[u8],
        received_at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let installation = TenantId::INSTALLATION;
        let digest = self.keyring.digest_key(installation).await?.digest(content);
        let quarantine_id = QuarantineId(self.ids.ordered());
        let epoch = self.vault.epoch(installation).await?;
        let seal = || epoch.seal_secret(&body_aad(quarantine_id), body);
        let body_sealed = compute(body.len(), seal).await;
        let content_sealed = epoch.seal_secret(&content_aad(quarantine_id), content);
        let mut tx = TenantTx::begin(&self.app, installation).await?;
        sqlx::query!(
            "insert into ledger.quarantine
               (tenant_id, quarantine_id, source_id, digest, reason, body_sealed, content_sealed,
                received_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing",
            installation.0,
            quarantine_id.0,
            source_id.0,
            &digest,
            reason,
            body_sealed,
            content_sealed,
            received_at,
        )
        .execute(tx.conn())
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Returns the entries visible to `viewer`: all of them for the installation, none for a
    /// tenant.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn quarantined(
        &self,
        viewer: TenantId,
        filter: EntryFilter,
    ) -> Result<Vec<Entry>, StoreError> {
        let mut tx = TenantTx::begin(&self.app, viewer).await?;
        let rows = sqlx::query_as!(
            EntryRow,
            "select quarantine_id, source_id, reason, received_at, replayed_at, replayed_to,
                    replayed_position
               from ledger.quarantine
              where tenant_id = $1
                and ($2::boolean is null or (replayed_at is null) = $2)
                and ($3::uuid is null or quarantine_id < $3)
              order by quarantine_id desc
              limit $4",
            viewer.0,
            filter.is_waiting,
            filter.before.map(|before| before.0),
            filter.limit,
        )
        .fetch_all(tx.conn())
        .await?;
        Ok(rows.into_iter().map(Entry::from).collect())
    }

    /// Returns the number of waiting messages and the arrival of the oldest.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn quarantine_waiting(&self) -> Result<(i64, Option<DateTime<Utc>>), StoreError> {
        let mut tx = TenantTx::begin(&self.app, TenantId::INSTALLATION).await?;
        let row = sqlx::query!(
            r#"select count(*) as "waiting!", min(received_at) as oldest
                 from ledger.quarantine where tenant_id = $1 and replayed_at is null"#,
            TenantId::INSTALLATION.0,
        )
        .fetch_one(tx.conn())
        .await?;
        Ok((row.waiting, row.oldest))
    }

    /// Returns an entry with its opened body; `None` when `viewer` sees no entry with this id.
    ///
    /// # Errors
    /// [`StoreError::Keyring`] when the installation's keys are not available, and
    /// [`StoreError::Corrupt`] when the sealed body or digest does not open.
    pub async fn open_quarantined(
        &self,
        viewer: TenantId,
        quarantine_id: QuarantineId,
    ) -> Result<Option<OpenEntry>, StoreError> {
        let mut tx = TenantTx::begin(&self.app, viewer).await?;
        let row = sqlx::query!(
            "select q.quarantine_id, q.source_id, q.reason, q.received_at, q.replayed_at,
                    q.replayed_to, q.replayed_position, q.body_sealed, q.content_sealed, s.provider
               from ledger.quarantine q
               join ledger.sources s on s.tenant_id = q.tenant_id and s.source_id = q.source_id
              where q.tenant_id = $1 and q.quarantine_id = $2",
            viewer.0,
            quarantine_id.0,
        )
        .fetch_optional(tx.conn())
        .await?;
        drop(tx);
        let Some(row) = row else { return Ok(None) };
        let corrupt = |column| StoreError::Corrupt { table: "ledger.quarantine", column };
        let provider = Provider::parse(&row.provider)
            .ok_or(StoreError::Corrupt { table: "ledger.sources", column: "provider" })?;
        let epoch = self.vault.epoch(viewer).await?;
        let open = || epoch.open_secret(&body_aad(quarantine_id), &row.body_sealed);
        let body = compute(row.body_sealed.len(), open).await;
        let body = body.ok_or_else(|| corrupt("body_sealed"))?;
        let content = row.content_sealed.map(|sealed| {
            let opened = epoch.open_secret(&content_aad(quarantine_id), &sealed)?;
            opened.as_slice().try_into().ok()
        });
        let content = match content {
            Some(None) => return Err(corrupt("content_sealed")),
            Some(content) => content,
            None => None,
        };
        let entry = Entry::from(EntryRow {
            quarantine_id: row.quarantine_id,
            source_id: row.source_id,
            reason: row.reason,
            received_at: row.received_at,
            replayed_at: row.replayed_at,
            replayed_to: row.replayed_to,
            replayed_position: row.replayed_position,
        });
        Ok(Some(OpenEntry { entry, provider, body, content }))
    }

    /// Marks an entry as replayed and records the replay, with its actor, in the tenant's log, in
    /// one transaction. Returns `false` when the entry was already marked.
    ///
    /// # Errors
    /// The database did not answer; the call can be repeated safely.
    pub async fn mark_replayed(
        &self,
        entry: &Entry,
        tenant_id: TenantId,
        position: Position,
        key_id: Option<KeyId>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.owner.begin().await?;
        let marked = sqlx::query!(
            "update ledger.quarantine
                set replayed_at = $3, replayed_to = $4, replayed_position = $5
              where tenant_id = $1 and quarantine_id = $2 and replayed_at is null",
            TenantId::INSTALLATION.0,
            entry.quarantine_id.0,
            self.clock.now_micros(),
            tenant_id.0,
            position.0,
        )
        .execute(&mut *tx)
        .await?;
        if marked.rows_affected() == 0 {
            return Ok(false);
        }
        let replayed = QuarantineReplayed {
            quarantine_id: entry.quarantine_id.0,
            source_id: entry.source_id.0,
            position: position.0,
            key_id: key_id.map(|key_id| key_id.0),
        };
        self.record_admin_event(&mut tx, tenant_id, QuarantineEvent::Replayed(replayed)).await?;
        tx.commit().await?;
        self.notifier.notify([tenant_id]);
        Ok(true)
    }
}

struct EntryRow {
    quarantine_id: Uuid,
    source_id: Uuid,
    reason: String,
    received_at: DateTime<Utc>,
    replayed_at: Option<DateTime<Utc>>,
    replayed_to: Option<Uuid>,
    replayed_position: Option<i64>,
}

impl From<EntryRow> for Entry {
    fn from(row: EntryRow) -> Self {
        // A table constraint makes the three columns null together.
        let replayed = row.replayed_at.zip(row.replayed_to).zip(row.replayed_position);
        Self {
            quarantine_id: QuarantineId(row.quarantine_id),
            source_id: SourceId(row.source_id),
            reason: row.reason,
            received_at: row.received_at,
            replayed: replayed.map(|((at, tenant_id), position)| Replayed {
                at,
                tenant_id: TenantId(tenant_id),
                position: Position(position),
            }),
        }
    }
}

fn body_aad(quarantine_id: QuarantineId) -> Vec<u8> {
    [b"quarantine".as_slice(), quarantine_id.0.as_bytes()].concat()
}

fn content_aad(quarantine_id: QuarantineId) -> Vec<u8> {
    [b"quarantine-content".as_slice(), quarantine_id.0.as_bytes()].concat()
}
