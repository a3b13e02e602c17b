//! The state of a tenant: changes, and the cached look-up of the intake.

use ledger_core::ids::{Position, TenantId};
use ledger_core::tenant::{TenantCommand, TenantState};

use crate::Store;
use crate::admin_events::Attribution;
use crate::error::StoreError;
use crate::settings_cache::TenantFacts;
use crate::tenant_tx::TenantTx;
use crate::tenants::{TenantError, stored_state};

impl Store {
    /// Sets the state of a tenant and records the change in its log. Takes effect in this process
    /// at once, in others within seconds.
    ///
    /// Returns `None` when there is no such tenant, `Some(None)` when the state was already set,
    /// and otherwise the position of the event.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn set_tenant_state(
        &self,
        by: &Attribution,
        tenant_id: TenantId,
        to: TenantState,
    ) -> Result<Option<Option<Position>>, StoreError> {
        match self.administer_tenant(by, tenant_id, &TenantCommand::SetState(to)).await {
            Ok(changed) => Ok(Some(changed.position)),
            Err(TenantError::Rejected(_)) => Ok(None),
            Err(TenantError::Store(error)) => Err(error),
        }
    }

    /// Whether the tenant's log accepts call events; cached. False for an unknown tenant.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn accepts_events(&self, tenant_id: TenantId) -> Result<bool, StoreError> {
        let facts = self.tenant_facts(tenant_id).await?;
        Ok(facts.is_some_and(|facts| facts.state == TenantState::Active))
    }

    /// Returns the country for parsing a tenant's national phone numbers; cached.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn country(&self, tenant_id: TenantId) -> Result<Option<String>, StoreError> {
        Ok(self.tenant_facts(tenant_id).await?.map(|facts| facts.country))
    }

    async fn tenant_facts(&self, tenant_id: TenantId) -> Result<Option<TenantFacts>, StoreError> {
        if let Some(known) = self.settings_cache.tenant(tenant_id) {
            return Ok(Some(known));
        }
        let version = self.settings_cache.version();
        let mut tx = TenantTx::begin(&self.intake, tenant_id).await?;
        let row = sqlx::query!(
            "select country, state from ledger.tenants where tenant_id = $1",
            tenant_id.0,
        )
        .fetch_optional(tx.conn())
        .await?;
        let Some(row) = row else { return Ok(None) };
        let facts = TenantFacts { country: row.country, state: stored_state(&row.state)? };
        self.settings_cache.insert_tenant(version, tenant_id, &facts);
        Ok(Some(facts))
    }
}
