//! The state of a tenant and the operations it permits.

use ledger_core::event::{StateChanged, TenantEvent};
use ledger_core::ids::{Position, TenantId};

use crate::Store;
use crate::admin_events::Attribution;
use crate::error::StoreError;
use crate::settings_cache::TenantFacts;
use crate::tenant_tx::{TenantTx, begin};

/// The state of a tenant, which decides on the permitted operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TenantState {
    /// Reads and writes are permitted.
    Active,
    /// Permits reads, which are audited, and revoking credentials. Refuses webhooks and writes.
    Frozen,
    /// Permits revoking credentials. Refuses webhooks and writes, and its API keys read nothing.
    Closed,
}

impl TenantState {
    /// The stored word for the state.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Frozen => "frozen",
            Self::Closed => "closed",
        }
    }

    /// Parses the stored word.
    pub(crate) fn stored(word: &str) -> Result<Self, StoreError> {
        [Self::Active, Self::Frozen, Self::Closed]
            .into_iter()
            .find(|state| state.as_str() == word)
            .ok_or(StoreError::Corrupt { table: "ledger.tenants", column: "state" })
    }
}

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
        let mut tx = begin(&self.owner).await?;
        let from = sqlx::query_scalar!(
            "select state from ledger.tenants where tenant_id = $1 for no key update",
            tenant_id.0,
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(from) = from else { return Ok(None) };
        if from == to.as_str() {
            return Ok(Some(None));
        }
        sqlx::query!(
            "update ledger.tenants set state = $2 where tenant_id = $1",
            tenant_id.0,
            to.as_str(),
        )
        .execute(&mut *tx)
        .await?;
        let changed = TenantEvent::StateChanged(StateChanged { from, to: to.as_str().to_owned() });
        let position = self.record_admin_event_by(by, &mut tx, tenant_id, changed).await?;
        tx.commit().await?;
        self.settings_cache.invalidate(tenant_id);
        self.notifier.notify([tenant_id]);
        Ok(Some(Some(position)))
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
        let facts = TenantFacts { country: row.country, state: TenantState::stored(&row.state)? };
        self.settings_cache.insert_tenant(version, tenant_id, &facts);
        Ok(Some(facts))
    }
}
