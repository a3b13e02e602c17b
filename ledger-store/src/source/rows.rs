//! The rows of sources, which commands are decided over.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use ledger_core::event::TenantEvent;
use ledger_core::ids::{SourceId, TenantId};
use ledger_core::provider::signature::SignatureScheme;
use ledger_core::tenant::TenantState;
use ledger_core::tenant::sources::{NewSecret, SourceFacts, SourcePatch, Sources, SourcesState};
use ledger_core::tools::ToolSettings;
use sqlx::PgConnection;

use super::list::{SourceInfo, SourceRow};
use super::{NewSource, secret_aad};
use crate::error::StoreError;
use crate::execute::Rows;
use crate::vault::TenantKeys;

/// The row of one source, for one command.
pub(super) struct SourceRows<'a> {
    /// The keys that seal its secret.
    pub(super) epoch: Arc<TenantKeys>,
    pub(super) tenant_id: TenantId,
    pub(super) source_id: SourceId,
    pub(super) write: Write<'a>,
    pub(super) now: DateTime<Utc>,
}

/// The values that a command writes and no event has.
pub(super) enum Write<'a> {
    /// A new row.
    Create(&'a NewSource<'a>, Option<&'a SignatureScheme>),
    /// New settings.
    Settings(SourcePatch),
    /// Whether it is enabled.
    Enabled(bool),
    /// A new secret, and the end of acceptance of the current one.
    Secret(&'a str, Option<DateTime<Utc>>),
}

impl Rows<Sources> for SourceRows<'_> {
    type Loaded = Option<SourceInfo>;

    async fn load(
        &self,
        conn: &mut PgConnection,
        tenant: Option<TenantState>,
    ) -> Result<(SourcesState, Option<SourceInfo>), StoreError> {
        let row = sqlx::query_as!(
            SourceRow,
            "select tenant_id, source_id, provider, name, record_all, assistant_id, created_at,
                    disabled_at, old_secret_until, signature, tools
               from ledger.sources
              where tenant_id = $1 and source_id = $2
                for update",
            self.tenant_id.0,
            self.source_id.0,
        )
        .fetch_optional(&mut *conn)
        .await?;
        let info = row.map(SourceRow::into_info).transpose()?;
        let mut state =
            SourcesState { tenant: tenant.unwrap_or_default(), ..SourcesState::default() };
        if let Some(info) = &info {
            state.sources.insert(self.source_id, facts(info));
            if let Write::Secret(secret, _) = self.write {
                let scheme = info.signature.as_ref();
                state.new_secret = NewSecret {
                    is_current: self.is_current(conn, secret).await?,
                    fault: scheme.and_then(|scheme| scheme.check(secret).err()),
                };
            }
        }
        Ok((state, info))
    }

    async fn write(
        &self,
        conn: &mut PgConnection,
        loaded: &mut Option<SourceInfo>,
        _: &[TenantEvent],
    ) -> Result<(), StoreError> {
        if let Write::Create(new, signature) = self.write {
            return self.insert(conn, new, signature).await;
        }
        let Some(source) = loaded else { return Ok(()) };
        match &self.write {
            Write::Create(..) => Ok(()),
            Write::Settings(patch) => {
                apply(source, patch);
                self.write_settings(conn, source).await
            }
            Write::Enabled(to) => {
                source.disabled_at = (!to).then_some(self.now);
                self.write_enabled(conn, source).await
            }
            Write::Secret(secret, old_secret_until) => {
                source.old_secret_until = *old_secret_until;
                self.write_secret(conn, secret, *old_secret_until).await
            }
        }
    }
}

impl SourceRows<'_> {
    /// Whether a secret is the current one of the source.
    async fn is_current(&self, conn: &mut PgConnection, secret: &str) -> Result<bool, StoreError> {
        let current = sqlx::query_scalar!(
            "select secret_sealed from ledger.sources where tenant_id = $1 and source_id = $2",
            self.tenant_id.0,
            self.source_id.0,
        )
        .fetch_one(conn)
        .await?;
        let current = self.epoch.open_secret(&self.aad(), &current);
        Ok(current.is_some_and(|current| current.as_slice() == secret.as_bytes()))
    }

    fn aad(&self) -> Vec<u8> {
        secret_aad(self.tenant_id, self.source_id)
    }

    async fn insert(
        &self,
        conn: &mut PgConnection,
        new: &NewSource<'_>,
        signature: Option<&SignatureScheme>,
    ) -> Result<(), StoreError> {
        let signature = signature
            .map(|scheme| serde_json::to_string(scheme).expect("a scheme is plain strings"));
        sqlx::query!(
            "insert into ledger.sources
               (tenant_id, source_id, provider, name, secret_sealed, record_all, assistant_id,
                created_at, signature, tools)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            self.tenant_id.0,
            self.source_id.0,
            new.provider.as_str(),
            new.name,
            self.epoch.seal_secret(&self.aad(), new.secret.as_bytes()),
            new.record_all,
            new.assistant_id,
            self.now,
            signature,
            new.tools.and_then(stored_tools),
        )
        .execute(conn)
        .await?;
        Ok(())
    }

    async fn write_settings(
        &self,
        conn: &mut PgConnection,
        source: &SourceInfo,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "update ledger.sources set name = $3, record_all = $4, assistant_id = $5, tools = $6
              where tenant_id = $1 and source_id = $2",
            self.tenant_id.0,
            self.source_id.0,
            source.name,
            source.record_all,
            source.assistant_id,
            stored_tools(&source.tools),
        )
        .execute(conn)
        .await?;
        Ok(())
    }

    async fn write_enabled(
        &self,
        conn: &mut PgConnection,
        source: &SourceInfo,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "update ledger.sources set disabled_at = $3 where tenant_id = $1 and source_id = $2",
            self.tenant_id.0,
            self.source_id.0,
            source.disabled_at,
        )
        .execute(conn)
        .await?;
        Ok(())
    }

    async fn write_secret(
        &self,
        conn: &mut PgConnection,
        secret: &str,
        old_secret_until: Option<DateTime<Utc>>,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "update ledger.sources
                set secret_sealed = $3, old_secret_until = $4,
                    old_secret_sealed = case when $4::timestamptz is not null then secret_sealed end
              where tenant_id = $1 and source_id = $2",
            self.tenant_id.0,
            self.source_id.0,
            self.epoch.seal_secret(&self.aad(), secret.as_bytes()),
            old_secret_until,
        )
        .execute(conn)
        .await?;
        Ok(())
    }
}

fn facts(info: &SourceInfo) -> SourceFacts {
    SourceFacts {
        provider: info.provider.clone(),
        name: info.name.clone(),
        record_all: info.record_all,
        assistant_id: info.assistant_id.clone(),
        tools: info.tools.clone(),
        is_enabled: info.disabled_at.is_none(),
        old_secret_until: info.old_secret_until,
    }
}

fn apply(source: &mut SourceInfo, patch: &SourcePatch) {
    if let Some(name) = &patch.name {
        source.name.clone_from(name);
    }
    if let Some(record_all) = patch.record_all {
        source.record_all = record_all;
    }
    if let Some(assistant_id) = &patch.assistant_id {
        source.assistant_id.clone_from(assistant_id);
    }
    if let Some(names) = &patch.tool_names {
        source.tools.names.clone_from(names);
    }
    source.tools.speech = patch.speech.unwrap_or(source.tools.speech);
}

/// Settings of tools as they are stored; `None` for the default.
fn stored_tools(tools: &ToolSettings) -> Option<String> {
    let is_default = *tools == ToolSettings::default();
    (!is_default).then(|| serde_json::to_string(tools).expect("settings are plain strings"))
}
