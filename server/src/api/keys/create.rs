//! `POST /v1/keys`: issues an API key.

use std::borrow::Cow;

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use ledger_core::ids::TenantId;
use ledger_store::api_keys::NewKey;
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

use super::refused;
use crate::app::App;
use crate::auth::{Caller, Scope, key_of};
use crate::http::fields;
use crate::http::json_body::JsonBody;
use crate::http::operation::{Authorized, operation};
use crate::http::params::NoQuery;
use crate::http::response::created;
use crate::problem::{ApiError, Problem};

/// Properties of the API key to issue.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyRequest {
    /// Scopes of the key, each once. A key of the installation has `admin` and no other.
    #[serde(deserialize_with = "scopes")]
    #[schema(min_items = 1, value_type = Vec<ScopeSchema>)]
    scopes: Vec<Scope>,
    /// Name of the key; must not be a person's name.
    #[serde(default, deserialize_with = "fields::text")]
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// Expiry, not later than that of the key that issues it; default: that key's expiry.
    #[serde(default, deserialize_with = "fields::time")]
    expires_at: Option<DateTime<Utc>>,
}

/// The names of all scopes, in the contract.
pub struct ScopeSchema;

impl PartialSchema for ScopeSchema {
    fn schema() -> RefOr<Schema> {
        let names = Scope::ALL.iter().map(|scope| scope.as_str());
        let schema = ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("A right of an API key."))
            .enum_values(Some(names));
        RefOr::T(Schema::Object(schema.build()))
    }
}

impl ToSchema for ScopeSchema {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Scope")
    }
}

/// A new API key. The secret is returned only this once.
#[derive(Serialize, ToSchema)]
pub struct CreatedKey {
    /// Public id of the key.
    key_id: Uuid,
    /// The secret: send it as `Authorization: Bearer …`.
    api_key: String,
    /// Scopes of the key.
    scopes: Vec<String>,
    /// Name given to the key.
    name: Option<String>,
    /// Expiry; null for a key without one.
    expires_at: Option<DateTime<Utc>>,
}

operation! {
    CreateKey { id: "create_key", action: "keys.create", access: Admin, audit: Administers }
}

/// Issues an API key for the caller's tenant.
///
/// A key grants only scopes it has itself, and not beyond its own expiry. A key of the installation issues
/// keys of the installation. Keys with other scopes are issued on the command line.
///
/// # Errors
/// 422 for an unknown or malformed field, named in the answer; 403 `scope-missing` for a scope that the key
/// lacks; 403 `tenant-not-active` for a frozen or closed tenant.
#[utoipa::path(
    post, path = "/v1/keys", tag = "operations",
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
    caller: Authorized<CreateKey>,
    State(app): State<App>,
    _: NoQuery,
    JsonBody(request): JsonBody<KeyRequest>,
) -> Result<Response, ApiError> {
    let KeyRequest { scopes: granted, name, expires_at } = request;
    let tenant_id = caller.tenant_id();
    if tenant_id == TenantId::INSTALLATION && granted != [Scope::Admin] {
        let detail = "a key of the installation has scope admin and no other";
        return Err(ApiError::field("scopes", detail));
    }
    caller.require_to_grant(&app, &granted).await?;
    let expires_at = check_end(&caller, expires_at, app.store.clock().now())?;
    let api_key = key_of(tenant_id, &caller.new_secret());
    let actor = caller.actor();
    let new = NewKey { scopes: &granted, name: name.as_deref(), expires_at };
    let issued = app.store.create_api_key_by(&actor, tenant_id, &api_key, &new).await;
    let (key_id, position) = issued.map_err(refused)?;
    tracing::info!(%key_id, "key.created");
    let scopes = granted.iter().map(ToString::to_string).collect();
    Ok(created(CreatedKey { key_id: key_id.0, api_key, scopes, name, expires_at }, position))
}

/// The expiry of the new key: as requested, but no later than that of the key that issues it.
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

/// Deserializes the scopes of a key: at least one, and each once.
fn scopes<'de, D: Deserializer<'de>>(field: D) -> Result<Vec<Scope>, D::Error> {
    let names = fields::texts(field)?.unwrap_or_default();
    let known: Option<Vec<Scope>> = names.iter().map(|name| Scope::parse(name)).collect();
    known.filter(|known| !known.is_empty()).ok_or_else(|| {
        let known: Vec<_> = Scope::ALL.iter().map(|known| known.as_str()).collect();
        D::Error::custom(format!("name at least one of {}, and no other", known.join(", ")))
    })
}
