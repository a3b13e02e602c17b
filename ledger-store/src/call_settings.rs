//! Settings of calls and contacts: what is added to calls, and what of contacts is clear.
//!
//! Annotations themselves are commands of `ledger_core::annotation::decide::Annotating` for
//! [`Store::execute`].

use std::sync::Arc;

use ledger_core::aggregate::{Aggregate, Stream};
use ledger_core::annotation::settings::CallSettings;
use ledger_core::annotation::settings::change::{CallSettingsChange, Never};
use ledger_core::envelope::StreamKind;
use ledger_core::event::TenantEvent;
use ledger_core::ids::{Position, TenantId};
use ledger_core::settings::CallSetting;

use crate::Store;
use crate::admin_events::Attribution;
use crate::error::StoreError;
use crate::execute::{CommandContext, ExecuteError, load_streams};
use crate::tenant_tx::TenantTx;

impl Store {
    /// Returns the settings of calls and contacts; their defaults for a tenant that has set none.
    /// A change made elsewhere takes effect within seconds.
    ///
    /// # Errors
    /// The database did not answer, or an event cannot be decoded.
    pub async fn call_settings(
        &self,
        tenant_id: TenantId,
    ) -> Result<Arc<CallSettings>, StoreError> {
        if let Some(known) = self.settings_cache.calls(tenant_id) {
            return Ok(known);
        }
        let cache_version = self.settings_cache.version();
        let mut tx = TenantTx::begin(&self.app, tenant_id).await?;
        let stream = Stream::new(tenant_id.call_settings_stream(), StreamKind::Tenant);
        let events: Vec<TenantEvent> = load_streams(&mut tx, &[stream]).await?;
        drop(tx);
        let mut settings = CallSettings::default();
        for event in &events {
            CallSettingsChange::evolve(&mut settings, event);
        }
        let settings = Arc::new(settings);
        self.settings_cache.insert_calls(cache_version, tenant_id, &settings);
        Ok(settings)
    }

    /// Sets a setting of calls and contacts. Returns the position of its event; `None` if it has
    /// this value. Takes effect in this process at once, in others within seconds.
    ///
    /// # Errors
    /// [`ExecuteError`]; an inactive tenant is refused by the log.
    pub async fn set_call_setting(
        &self,
        by: &Attribution,
        tenant_id: TenantId,
        setting: &CallSetting,
    ) -> Result<Option<Position>, ExecuteError<Never>> {
        let context = CommandContext { tenant_id, by: *by, content: None, subject: None };
        let done = self.execute::<CallSettingsChange>(&context, setting).await?;
        self.settings_cache.invalidate(tenant_id);
        Ok(done.position)
    }
}
