//! Changes to an existing source: its settings, its secret, and whether it is enabled. Each change
//! of a tenant's source is an event in the tenant's log; changes of a shared source are not logged.

use chrono::{DateTime, Utc};
use ledger_core::event::TenantEvent;
use ledger_core::ids::{Position, SourceId, TenantId};
use ledger_core::tenant::sources::{SourceChange, SourceCommand, Sources};

use super::list::SourceInfo;
use super::rows::{SourceRows, Write};
use super::{SourceError, SourceRejection};
use crate::Store;
use crate::admin_events::Attribution;
use crate::error::StoreError;

pub use ledger_core::tenant::sources::SourcePatch;

/// The result of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// The source after the change.
    pub source: SourceInfo,
    /// Position of the event; `None` when nothing changed, or for a shared source.
    pub position: Option<Position>,
}

impl Store {
    /// Enables or disables a source. With `tenant_id` the source must be of this tenant.
    ///
    /// # Errors
    /// [`SourceRejection::NotFound`] when there is no such source; [`SourceRejection::NotActive`]
    /// when one is to be enabled; the database did not answer.
    pub async fn switch_source(
        &self,
        by: &Attribution,
        tenant_id: Option<TenantId>,
        source_id: SourceId,
        is_enabled: bool,
    ) -> Result<Changed, SourceError> {
        let tenant_id = self.tenant_of_source(tenant_id, source_id).await?;
        let change = SourceChange::SetEnabled(is_enabled);
        let write = Write::Enabled(is_enabled);
        self.change_source(by, tenant_id, source_id, change, write).await
    }

    /// Changes settings of a source. Equal values are no change and record nothing. With `tenant_id`
    /// the source must be of this tenant.
    ///
    /// # Errors
    /// [`SourceRejection::NotFound`] when there is no such source;
    /// [`SourceRejection::NotActive`]; the database did not answer.
    pub async fn update_source(
        &self,
        by: &Attribution,
        tenant_id: Option<TenantId>,
        source_id: SourceId,
        patch: SourcePatch,
    ) -> Result<Changed, SourceError> {
        let tenant_id = self.tenant_of_source(tenant_id, source_id).await?;
        let change = SourceChange::Update(patch.clone());
        self.change_source(by, tenant_id, source_id, change, Write::Settings(patch)).await
    }

    /// Replaces the secret of a source. With `tenant_id` the source must be of this tenant.
    ///
    /// The previous secret is accepted until `old_secret_until`; without that time it is invalid at
    /// once. Older ones are always invalid.
    ///
    /// # Errors
    /// [`SourceRejection::NotFound`] when there is no such source; [`SourceRejection::WeakSecret`]
    /// when the source's signature scheme cannot use the secret; [`StoreError::Keyring`] when the
    /// tenant's keys are not available; the database did not answer.
    pub async fn rotate_source_secret(
        &self,
        by: &Attribution,
        tenant_id: Option<TenantId>,
        source_id: SourceId,
        secret: &str,
        old_secret_until: Option<DateTime<Utc>>,
    ) -> Result<Changed, SourceError> {
        let tenant_id = self.tenant_of_source(tenant_id, source_id).await?;
        let is_repeatable = by.command_id.is_some();
        let change = SourceChange::RotateSecret { old_secret_until, is_repeatable };
        let write = Write::Secret(secret, old_secret_until);
        self.change_source(by, tenant_id, source_id, change, write).await
    }

    async fn change_source(
        &self,
        by: &Attribution,
        tenant_id: TenantId,
        source_id: SourceId,
        change: SourceChange,
        write: Write<'_>,
    ) -> Result<Changed, SourceError> {
        let epoch = self.vault.epoch(tenant_id).await.map_err(StoreError::from)?;
        let now = self.clock.now_micros();
        let rows = SourceRows { epoch, tenant_id, source_id, write, now };
        let command = SourceCommand { source_id, change };
        let done = self.execute_over_rows::<Sources, _>(by, tenant_id, &command, &rows).await?;
        let not_found = SourceError::Rejected(SourceRejection::NotFound);
        let mut source = done.rows.ok_or(not_found)?;
        // A repeated rotation answers with its own overlap, also after a later rotation.
        for event in &done.events {
            if let TenantEvent::SourceSecretRotated(rotated) = event {
                source.old_secret_until = rotated.old_secret_until;
            }
        }
        Ok(Changed { source, position: done.position })
    }

    /// Returns the tenant of a source, which never changes.
    async fn tenant_of_source(
        &self,
        tenant_id: Option<TenantId>,
        source_id: SourceId,
    ) -> Result<TenantId, SourceError> {
        let found = sqlx::query_scalar!(
            "select tenant_id from ledger.sources
              where source_id = $1 and ($2::uuid is null or tenant_id = $2)",
            source_id.0,
            tenant_id.map(|id| id.0),
        )
        .fetch_optional(&self.owner)
        .await?;
        found.map(TenantId).ok_or(SourceError::Rejected(SourceRejection::NotFound))
    }
}
