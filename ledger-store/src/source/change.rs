//! Changes to an existing source: its settings, its secret, and whether it is enabled. Each change
//! of a tenant's source is an event in the tenant's log; changes of a shared source are not logged.

use chrono::{DateTime, Utc};
use ledger_core::event::{SourceChanged, SourceSecretRotated, SourceSwitched, TenantEvent};
use ledger_core::ids::{Position, SourceId, TenantId};
use sqlx::PgConnection;

use super::list::SourceInfo;
use super::secret_aad;
use crate::Store;
use crate::admin_events::Attribution;
use crate::error::StoreError;
use crate::tenant_tx::begin;

/// New values of a source's settings; `None` keeps the current value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourcePatch {
    /// The label chosen by the operator; `Some(None)` removes it.
    pub name: Option<Option<String>>,
    /// Whether streaming telemetry is recorded.
    pub record_all: Option<bool>,
    /// The assistant that answers calls; `Some(None)` removes it.
    pub assistant_id: Option<Option<String>>,
}

/// The result of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// The source after the change.
    pub source: SourceInfo,
    /// Position of the event; `None` when nothing changed, or for a shared source.
    pub position: Option<Position>,
}

/// A row of `ledger.sources` locked by the transaction.
struct Locked {
    tenant_id: TenantId,
    listed: SourceInfo,
}

impl Store {
    /// Enables or disables a source. With `tenant_id` the source must be of this tenant. Returns
    /// `None` when there is no such source.
    ///
    /// # Errors
    /// The database did not answer; [`StoreError::Append`] when a source is to be enabled and its
    /// tenant accepts no events.
    pub async fn switch_source(
        &self,
        by: &Attribution,
        tenant_id: Option<TenantId>,
        source_id: SourceId,
        is_enabled: bool,
    ) -> Result<Option<Changed>, StoreError> {
        let mut tx = begin(&self.owner).await?;
        let Some(mut locked) = lock(&mut tx, tenant_id, source_id).await? else { return Ok(None) };
        if locked.listed.disabled_at.is_none() == is_enabled {
            return Ok(Some(Changed { source: locked.listed, position: None }));
        }
        locked.listed.disabled_at = (!is_enabled).then(|| self.clock.now_micros());
        sqlx::query!(
            "update ledger.sources set disabled_at = $3 where tenant_id = $1 and source_id = $2",
            locked.tenant_id.0,
            source_id.0,
            locked.listed.disabled_at,
        )
        .execute(&mut *tx)
        .await?;
        let switched = SourceSwitched { source_id: source_id.0 };
        let event = if is_enabled {
            TenantEvent::SourceEnabled(switched)
        } else {
            TenantEvent::SourceDisabled(switched)
        };
        self.finish(by, tx, locked, event).await.map(Some)
    }

    /// Changes settings of a tenant's source. Returns `None` when the tenant has no such source.
    /// Equal values are no change and record nothing.
    ///
    /// # Errors
    /// The database did not answer; [`StoreError::Append`] when the tenant's log accepts no events.
    pub async fn update_source(
        &self,
        by: &Attribution,
        tenant_id: TenantId,
        source_id: SourceId,
        patch: SourcePatch,
    ) -> Result<Option<Changed>, StoreError> {
        let mut tx = begin(&self.owner).await?;
        let locked = lock(&mut tx, Some(tenant_id), source_id).await?;
        let Some(mut locked) = locked else { return Ok(None) };
        let fact = apply(&mut locked.listed, patch);
        if fact.changed.is_empty() {
            return Ok(Some(Changed { source: locked.listed, position: None }));
        }
        sqlx::query!(
            "update ledger.sources set name = $3, record_all = $4, assistant_id = $5
              where tenant_id = $1 and source_id = $2",
            locked.tenant_id.0,
            source_id.0,
            locked.listed.name,
            locked.listed.record_all,
            locked.listed.assistant_id,
        )
        .execute(&mut *tx)
        .await?;
        self.finish(by, tx, locked, TenantEvent::SourceChanged(fact)).await.map(Some)
    }

    /// Replaces the secret of a source. With `tenant_id` the source must be of this tenant.
    ///
    /// The previous secret is accepted until `old_secret_until`; without that time it is invalid at
    /// once. Older ones are always invalid. Returns `None` when there is no such source.
    ///
    /// # Errors
    /// [`StoreError::Keyring`] when the tenant's keys are not available; [`StoreError::WeakSecret`]
    /// when the source's signature scheme cannot use the secret; the database did not answer.
    pub async fn rotate_source_secret(
        &self,
        by: &Attribution,
        tenant_id: Option<TenantId>,
        source_id: SourceId,
        secret: &str,
        old_secret_until: Option<DateTime<Utc>>,
    ) -> Result<Option<Changed>, StoreError> {
        let mut tx = begin(&self.owner).await?;
        let Some(mut locked) = lock(&mut tx, tenant_id, source_id).await? else { return Ok(None) };
        if let Some(scheme) = &locked.listed.signature
            && let Err(refused) = scheme.check(secret)
        {
            return Err(StoreError::WeakSecret { detail: refused.to_string() });
        }
        let epoch = self.vault.epoch(locked.tenant_id).await?;
        let aad = secret_aad(locked.tenant_id, source_id);
        if by.command_id.is_some() {
            let current = sqlx::query_scalar!(
                "select secret_sealed from ledger.sources where tenant_id = $1 and source_id = $2",
                locked.tenant_id.0,
                source_id.0,
            )
            .fetch_one(&mut *tx)
            .await?;
            let current = epoch.open_secret(&aad, &current);
            // An earlier run of the same command stored this secret: a second rotation would end
            // the overlap with the secret before it.
            if current.is_some_and(|current| current.as_slice() == secret.as_bytes()) {
                let position = self.recorded_by_command(by, &mut tx, locked.tenant_id).await?;
                return Ok(Some(Changed { source: locked.listed, position }));
            }
        }
        let sealed = epoch.seal_secret(&aad, secret.as_bytes());
        sqlx::query!(
            "update ledger.sources
                set secret_sealed = $3, old_secret_until = $4,
                    old_secret_sealed = case when $4::timestamptz is not null then secret_sealed end
              where tenant_id = $1 and source_id = $2",
            locked.tenant_id.0,
            source_id.0,
            sealed,
            old_secret_until,
        )
        .execute(&mut *tx)
        .await?;
        locked.listed.old_secret_until = old_secret_until;
        let rotated = SourceSecretRotated { source_id: source_id.0, old_secret_until };
        self.finish(by, tx, locked, TenantEvent::SourceSecretRotated(rotated)).await.map(Some)
    }

    /// Records the event, commits, and invalidates the caches of this process.
    async fn finish(
        &self,
        by: &Attribution,
        mut tx: sqlx::Transaction<'static, sqlx::Postgres>,
        locked: Locked,
        event: TenantEvent,
    ) -> Result<Changed, StoreError> {
        let Locked { tenant_id, listed: source } = locked;
        let position = match tenant_id {
            TenantId::INSTALLATION => None,
            _ => Some(self.record_admin_event_by(by, &mut tx, tenant_id, event).await?),
        };
        tx.commit().await?;
        self.settings_cache.invalidate(tenant_id);
        self.notifier.notify([tenant_id]);
        Ok(Changed { source, position })
    }
}

/// Applies the patch and returns the event with the changed settings.
fn apply(source: &mut SourceInfo, patch: SourcePatch) -> SourceChanged {
    let mut fact = SourceChanged { source_id: source.source_id.0, ..SourceChanged::default() };
    let mut note = |name: &str| fact.changed.push(name.to_owned());
    if let Some(name) = patch.name.filter(|name| *name != source.name) {
        source.name = name;
        note("name");
    }
    if let Some(record_all) = patch.record_all.filter(|all| *all != source.record_all) {
        source.record_all = record_all;
        note("record_all");
        fact.record_all = Some(record_all);
    }
    if let Some(id) = patch.assistant_id.filter(|id| *id != source.assistant_id) {
        source.assistant_id = id;
        fact.changed.push("assistant_id".to_owned());
    }
    fact
}

/// Reads the source and locks its row until the transaction ends.
async fn lock(
    conn: &mut PgConnection,
    tenant_id: Option<TenantId>,
    source_id: SourceId,
) -> Result<Option<Locked>, StoreError> {
    let row = sqlx::query_as!(
        super::list::SourceRow,
        "select tenant_id, source_id, provider, name, record_all, assistant_id, created_at,
                disabled_at, old_secret_until, signature
           from ledger.sources
          where source_id = $1 and ($2::uuid is null or tenant_id = $2)
            for update",
        source_id.0,
        tenant_id.map(|id| id.0),
    )
    .fetch_optional(conn)
    .await?;
    let locked =
        row.map(|row| Ok(Locked { tenant_id: TenantId(row.tenant_id), listed: row.into_info()? }));
    locked.transpose()
}
