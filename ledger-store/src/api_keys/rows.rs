//! The rows of API keys, which commands are decided over.

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, Utc};
use ledger_core::event::TenantEvent;
use ledger_core::ids::{KeyId, TenantId};
use ledger_core::scope::Scope;
use ledger_core::tenant::TenantState;
use ledger_core::tenant::keys::{ApiKeys, KeyFacts, KeysState};
use sqlx::PgConnection;

use super::NewKey;
use crate::error::StoreError;
use crate::execute::Rows;

/// The row of one key, for one command.
pub(super) struct KeyRows<'a> {
    pub(super) tenant_id: TenantId,
    pub(super) key_id: KeyId,
    /// The secret and the properties of a key to issue; `None` for a revocation.
    pub(super) new: Option<(&'a str, &'a NewKey<'a>)>,
    pub(super) now: DateTime<Utc>,
}

impl Rows<ApiKeys> for KeyRows<'_> {
    type Loaded = ();

    async fn load(
        &self,
        conn: &mut PgConnection,
        tenant: Option<TenantState>,
    ) -> Result<(KeysState, ()), StoreError> {
        let row = sqlx::query!(
            r#"select scopes, expires_at, revoked_at is not null as "is_revoked!"
                 from ledger.api_keys where tenant_id = $1 and key_id = $2 for update"#,
            self.tenant_id.0,
            self.key_id.0,
        )
        .fetch_optional(conn)
        .await?;
        let key = row.map(|row| KeyFacts {
            scopes: Scope::known_among(&row.scopes),
            expires_at: row.expires_at,
            is_revoked: row.is_revoked,
        });
        let keys = key.map(|key| (self.key_id, key)).into_iter().collect();
        Ok((KeysState { tenant: tenant.unwrap_or_default(), keys }, ()))
    }

    async fn write(
        &self,
        conn: &mut PgConnection,
        (): &mut (),
        _: &[TenantEvent],
    ) -> Result<(), StoreError> {
        let Some((secret, new)) = self.new else {
            sqlx::query!(
                "update ledger.api_keys set revoked_at = $3 where tenant_id = $1 and key_id = $2",
                self.tenant_id.0,
                self.key_id.0,
                self.now,
            )
            .execute(conn)
            .await?;
            return Ok(());
        };
        let hash = digest(&SHA256, secret.as_bytes());
        let scopes: Vec<String> = new.scopes.iter().map(Scope::to_string).collect();
        sqlx::query!(
            "insert into ledger.api_keys
               (tenant_id, key_id, key_hash, name, scopes, created_at, expires_at)
             values ($1, $2, $3, $4, $5, $6, $7)",
            self.tenant_id.0,
            self.key_id.0,
            hash.as_ref(),
            new.name,
            &scopes,
            self.now,
            new.expires_at,
        )
        .execute(conn)
        .await?;
        Ok(())
    }
}
