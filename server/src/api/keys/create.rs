//! `POST /v1/keys`.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use ledger_core::ids::TenantId;
use ledger_store::api_keys::NewKey;
use ledger_store::change::Author;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::fields::Fields;
use crate::api::{NoQuery, created};
use crate::app::App;
use crate::auth::{Caller, Scope, new_key};
use crate::problem::{ApiError, Problem};

/// What an API key is issued for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "for the contract; what is sent is taken apart by `Fields`")]
pub struct KeyRequest {
    /// What it may do, each once. A key of the installation has `admin` and no other.
    #[schema(min_items = 1)]
    scopes: Vec<Scope>,
    /// What to call it; no person's name.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// From when on it opens nothing, not later than the key that issues it; without it, as that key.
    expires_at: Option<DateTime<Utc>>,
}

/// A new API key. It is shown this once.
#[derive(Serialize, ToSchema)]
pub struct CreatedKey {
    /// Its public name.
    key_id: Uuid,
    /// The key: send it as `Authorization: Bearer …`.
    api_key: String,
    /// What it may do.
    scopes: Vec<String>,
    /// What you call it.
    name: Option<String>,
    /// From when on it opens nothing; null when it does not end by itself.
    expires_at: Option<DateTime<Utc>>,
}

/// Issues an API key for the caller's own tenant.
///
/// A key grants only scopes that it has itself, and no longer than it lives itself. A key of the
/// installation issues keys of the installation. Keys with other scopes come from the command line.
///
/// # Errors
/// 422 for a field that is unknown or not of its form, by name; 403 `scope-missing` for a scope that
/// the key lacks; 403 `tenant-not-active` for a tenant that takes no events.
#[utoipa::path(
    post, path = "/v1/keys", operation_id = "create_key", tag = "operations", security(("api_key" = [])),
    request_body(content = KeyRequest, content_type = "application/json"),
    responses(
        (status = 201, body = CreatedKey, headers(("ledger-position" = i64, description = "Where it is recorded; a key of the installation is in no log"))),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 408, body = Problem, content_type = "application/problem+json"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.keys.create", skip_all)]
pub async fn handler(
    State(app): State<App>,
    caller: Caller,
    _: NoQuery,
    body: Body,
) -> Result<Response, ApiError> {
    caller.require(&app, Scope::Admin, "keys.create").await?;
    let mut fields = Fields::read(body).await?;
    let scopes = fields.texts("scopes")?.unwrap_or_default();
    let name = fields.text("name")?;
    let expires_at = fields.time("expires_at")?;
    fields.finish()?;
    let tenant_id = caller.tenant_id();
    let granted = check_scopes(tenant_id, &scopes)?;
    caller.require_to_grant(&app, &granted, "keys.create").await?;
    let expires_at = check_end(&caller, expires_at, app.store.clock().now())?;
    let api_key = new_key(tenant_id);
    let author = Author::key(caller.key.key_id, caller.request_id);
    let new = NewKey { scopes: &scopes, name: name.as_deref(), expires_at };
    let (key_id, position) =
        app.store.create_api_key_by(&author, tenant_id, &api_key, &new).await?;
    tracing::info!(%key_id, "key.created");
    Ok(created(CreatedKey { key_id: key_id.0, api_key, scopes, name, expires_at }, position))
}

/// When the new key ends: no later than the key that issues it.
fn check_end(
    caller: &Caller,
    wanted: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, ApiError> {
    let refuse = |detail: &str| Err(ApiError::field("expires_at", detail));
    match (wanted, caller.key.expires_at) {
        (Some(wanted), _) if wanted <= now => refuse("it is in the past"),
        (Some(wanted), Some(own)) if wanted > own => {
            refuse("a key cannot outlive the key that issues it")
        }
        (wanted, own) => Ok(wanted.or(own)),
    }
}

fn check_scopes(tenant_id: TenantId, scopes: &[String]) -> Result<Vec<Scope>, ApiError> {
    let known: Option<Vec<Scope>> = scopes.iter().map(|scope| Scope::parse(scope)).collect();
    let Some(granted) = known.filter(|known| !known.is_empty()) else {
        let known: Vec<_> = Scope::ALL.iter().map(|known| known.as_str()).collect();
        let detail = format!("name at least one of {}, and no other", known.join(", "));
        return Err(ApiError::field("scopes", detail));
    };
    if tenant_id == TenantId::INSTALLATION && scopes != [Scope::Admin.as_str()] {
        let detail = "a key of the installation has scope admin and no other";
        return Err(ApiError::field("scopes", detail));
    }
    Ok(granted)
}
