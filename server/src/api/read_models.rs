//! Read models: the progress of each version, and the replacement of the served version by a new one.
//!
//! A key of the installation sees and changes all of them. A tenant's key sees the progress over its own log
//! and may rebuild its own rows; changes that affect every tenant are refused.

pub mod cancel;
pub mod diff;
pub mod list;
pub mod promote;
pub mod rebuild;
pub mod rollback;

use std::convert::Infallible;

use axum::extract::{FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;
use ledger_core::ids::TenantId;
use projections::versions::{self, Version, VersionError};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::words::VersionState;
use crate::app::App;
use crate::auth::Caller;
use crate::problem::ApiError;

/// A version of a read model that was started, promoted or cancelled.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionView {
    /// Name of the read model.
    name: String,
    /// Number of the version.
    version: i32,
    /// `building`, `active` or `cancelled`.
    #[schema(value_type = VersionState)]
    state: &'static str,
    /// The only tenant with rows in the version; null for all tenants.
    tenant_id: Option<Uuid>,
}

/// The name in a path; empty if it is not valid UTF-8.
pub struct PathName(String);

impl<S: Send + Sync> FromRequestParts<S> for PathName {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let name = Path::<String>::from_request_parts(parts, state).await;
        Ok(Self(name.map_or_else(|_| String::new(), |Path(name)| name)))
    }
}

impl PathName {
    /// Returns the read model of this name, or 404.
    fn named(&self) -> Result<&'static str, ApiError> {
        Ok(versions::named(&self.0)?.name())
    }
}

impl From<VersionError> for ApiError {
    fn from(error: VersionError) -> Self {
        let code = match error {
            VersionError::Database(error) => return error.into(),
            // The requested name is not quoted, because it may be arbitrary text.
            VersionError::Unknown { known, .. } => {
                let detail = format!("there is no such read model; there are {known}");
                return Self::new(StatusCode::NOT_FOUND, "projection-not-found", detail);
            }
            VersionError::Running { .. } => "rebuild-running",
            VersionError::NoneBuilding { .. } => "rebuild-not-running",
            VersionError::Filling { .. } | VersionError::Behind { .. } => "projection-behind",
            VersionError::Parked { .. } => "projection-parked",
            VersionError::NonePrevious { .. } => "no-previous-version",
            VersionError::UnsupportedSchema { .. } => "projection-schema-mismatch",
            VersionError::NothingToCompare { .. } | VersionError::SchemaMismatch { .. } => {
                "no-version-to-compare"
            }
        };
        Self::new(StatusCode::CONFLICT, code, error.to_string())
    }
}

/// Returns the version being built that the caller may change.
///
/// A tenant's key reaches only a rebuild of its own rows. For a key of the installation, a rebuild of all
/// tenants precedes that of a single tenant.
async fn changeable_rebuild(app: &App, caller: &Caller, name: &str) -> Result<Version, ApiError> {
    let mut conn = app.store.projector().acquire().await?;
    let own = versions::building_of(&mut conn, name, caller.tenant_scope()).await?;
    let building = match own {
        Some(own) => Some(own),
        None => versions::building(&mut conn, name).await?,
    };
    drop(conn);
    let is_own = building.as_ref().is_some_and(|version| version.only == caller.tenant_scope());
    if !is_own {
        caller.require_installation(app).await?;
    }
    building.ok_or_else(|| VersionError::NoneBuilding { name: name.to_owned() }.into())
}

/// Checks that the key may name the tenant, and returns its id.
///
/// # Errors
/// 404 `tenant-not-found`, also for a tenant outside the key's scope.
pub(super) async fn named_tenant(
    app: &App,
    caller: &Caller,
    tenant_id: TenantId,
) -> Result<TenantId, ApiError> {
    let is_known = match caller.tenant_scope() {
        Some(own) => own == tenant_id,
        None => app.store.tenants().await?.iter().any(|known| known.tenant_id == tenant_id),
    };
    if is_known { Ok(tenant_id) } else { Err(ApiError::not_found("tenant-not-found", "tenant")) }
}
