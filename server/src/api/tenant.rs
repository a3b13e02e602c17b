//! The tenant of the API key: its profile.

pub mod show;
pub mod update;

use ledger_core::tenant::{TenantProfile, TenantRejection};
use ledger_store::tenants::TenantError;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::words::TenantStateName;
use crate::problem::ApiError;

/// Profile of a tenant.
#[derive(Debug, Serialize, ToSchema)]
pub struct TenantView {
    /// Id of the tenant.
    tenant_id: Uuid,
    /// Short name, unique in the installation.
    slug: String,
    /// Name of the business.
    name: String,
    /// IANA time zone of the tenant's days and opening hours.
    timezone: String,
    /// ISO 3166-1 alpha-2 country of national phone numbers; null for none.
    country: Option<String>,
    /// State of the tenant.
    #[schema(value_type = TenantStateName)]
    state: &'static str,
}

impl TenantView {
    fn new(tenant_id: Uuid, slug: String, profile: TenantProfile) -> Self {
        Self {
            tenant_id,
            slug,
            name: profile.name,
            timezone: profile.timezone,
            country: Some(profile.country).filter(|country| !country.is_empty()),
            state: profile.state.as_str(),
        }
    }
}

/// 404 for a key of the installation, which is no tenant.
pub(super) fn not_found() -> ApiError {
    ApiError::not_found("tenant-not-found", "tenant")
}

/// The answer to a change that was not made.
pub(super) fn refused(error: TenantError) -> ApiError {
    match error {
        TenantError::Rejected(TenantRejection::NotActive(_)) => ApiError::tenant_not_active(),
        TenantError::Rejected(TenantRejection::NotFound | TenantRejection::Exists) => not_found(),
        TenantError::Store(error) => error.into(),
    }
}
