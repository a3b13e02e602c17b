//! Settings of a tenant, whichever rows and events hold them.

use ledger_core::annotation::settings::change::Never;
use ledger_core::ids::{Position, TenantId};
use ledger_core::settings::{InvalidSetting, Setting, SettingName};
use ledger_core::tenant::TenantCommand;
use ledger_store::admin_events::Attribution;
use ledger_store::execute::ExecuteError;
use ledger_store::tenants::{TenantError, tenant_view};
use ledger_store::{Store, StoreError, TenantTx};
use thiserror::Error;

/// The reason for which a setting was not recorded.
#[derive(Debug, Error)]
pub enum SettingError {
    /// There is no such tenant; the installation is none.
    #[error("there is no such tenant")]
    TenantNotFound,
    /// A setting of the tenant's row.
    #[error(transparent)]
    Tenant(#[from] TenantError),
    /// A setting of bookings; rejected if it does not fit another one.
    #[error(transparent)]
    Booking(#[from] ExecuteError<InvalidSetting>),
    /// A setting of calls or contacts.
    #[error(transparent)]
    Call(#[from] ExecuteError<Never>),
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Returns a setting with all its fields; `None` if there is no such tenant.
///
/// # Errors
/// The database did not answer, or the keys of sealed names are not available.
pub async fn get(
    store: &Store,
    tenant_id: TenantId,
    name: SettingName,
) -> Result<Option<Setting>, StoreError> {
    let mut tx = TenantTx::begin(store.app(), tenant_id).await?;
    let Some(view) = tenant_view(&mut tx).await? else { return Ok(None) };
    drop(tx);
    match name {
        SettingName::Plan => Ok(Some(Setting::Plan(view.profile.plan))),
        SettingName::Hours
        | SettingName::Resources
        | SettingName::Services
        | SettingName::Bookings
        | SettingName::Reminders => {
            Ok(store.booking_settings_in_full(tenant_id).await?.setting(name))
        }
        SettingName::Dispositions
        | SettingName::Annotations
        | SettingName::LeadScore
        | SettingName::Contacts
        | SettingName::Retention => Ok(store.call_settings(tenant_id).await?.setting(name)),
    }
}

/// Replaces a setting as a whole. Returns the position of its event; `None` if it has this value already.
///
/// # Errors
/// [`SettingError`]; the setting stays as it is.
pub async fn replace(
    store: &Store,
    by: &Attribution,
    tenant_id: TenantId,
    setting: Setting,
) -> Result<Option<Position>, SettingError> {
    match setting {
        Setting::Plan(limits) => {
            let command = TenantCommand::SetPlan(limits);
            Ok(store.administer_tenant(by, tenant_id, &command).await?.position)
        }
        Setting::Booking(setting) => {
            let known = store.booking_settings(tenant_id).await?;
            known.ok_or(SettingError::TenantNotFound)?;
            Ok(store.set_booking_setting(by, tenant_id, setting).await?)
        }
        Setting::Call(setting) => {
            let known = store.booking_settings(tenant_id).await?;
            known.ok_or(SettingError::TenantNotFound)?;
            Ok(store.set_call_setting(by, tenant_id, &setting).await?)
        }
    }
}
