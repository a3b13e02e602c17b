//! What a description and a change of a contact have in common: their fields, and the admission of the change.

use ledger_app::bookings::CommandPermit;
use ledger_core::contact::Word;
use ledger_core::ids::TenantId;

use super::input::{Checked, CustomChange, tags};
use crate::api::commands::admit;
use crate::app::App;
use crate::http::fields::Change;
use crate::problem::ApiError;

/// The fields of a request, unchecked.
pub(super) struct DescribedFields {
    pub(super) name: Change,
    pub(super) phone: Change,
    pub(super) email: Change,
    pub(super) external_id: Change,
    pub(super) segment: Change,
    pub(super) priority: Change,
    pub(super) tags: Option<Vec<String>>,
    pub(super) custom_fields: CustomChange,
}

impl DescribedFields {
    /// Checks the fields: numbers in the tenant's country, custom fields by its list of clear ones.
    ///
    /// # Errors
    /// 422 for the first malformed field; 503 if the settings of the tenant cannot be read.
    pub(super) async fn check(
        self,
        app: &App,
        tenant_id: TenantId,
    ) -> Result<(Checked, Option<Vec<Word>>), ApiError> {
        let country = app.store.country(tenant_id).await?;
        let settings = app.store.call_settings(tenant_id).await?;
        let mut checked = Checked::default();
        checked.name(self.name)?;
        checked.phone(self.phone, country.as_deref())?;
        checked.email(self.email)?;
        checked.external_id(self.external_id)?;
        checked.words(self.segment, self.priority)?;
        checked.custom_fields(self.custom_fields, &settings.contacts)?;
        Ok((checked, tags(self.tags)?))
    }

    /// The same fields with null as absent, as in the description of a contact.
    pub(super) fn without_removals(self) -> Self {
        let present = |change| match change {
            Change::Remove => Change::Keep,
            change => change,
        };
        Self {
            name: present(self.name),
            phone: present(self.phone),
            email: present(self.email),
            external_id: present(self.external_id),
            segment: present(self.segment),
            priority: present(self.priority),
            tags: self.tags,
            custom_fields: match self.custom_fields {
                CustomChange::Remove => CustomChange::Keep,
                change => change,
            },
        }
    }
}

/// Acquires a permit to change a contact of the tenant.
///
/// # Errors
/// 403 `tenant-not-active`; 503 `schedule-busy` or if the database does not answer.
pub(super) async fn admit_change(
    app: &App,
    tenant_id: TenantId,
) -> Result<CommandPermit, ApiError> {
    if !app.store.accepts_events(tenant_id).await? {
        return Err(ApiError::tenant_not_active());
    }
    admit(app, tenant_id).await
}
