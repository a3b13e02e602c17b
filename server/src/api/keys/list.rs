//! `GET /v1/keys`: API keys of the tenant.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use ledger_core::ids::KeyId;
use ledger_store::TenantTx;
use ledger_store::api_keys::{self, ApiKeyInfo};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::http::operation::{Authorized, operation};
use crate::http::page::page_params;
use crate::http::params::Params;
use crate::problem::{ApiError, Problem};

/// A page of API keys, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyPage {
    /// Keys without their secrets.
    data: Vec<KeyView>,
    /// Value of `cursor` for the next page; null on the last.
    next_cursor: Option<String>,
}

/// An API key without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyView {
    /// Public id of the key.
    key_id: Uuid,
    /// Name given to the key.
    name: Option<String>,
    /// Scopes of the key.
    scopes: Vec<String>,
    /// Time of issue.
    created_at: DateTime<Utc>,
    /// Time of revocation; null while the key is valid.
    revoked_at: Option<DateTime<Utc>>,
    /// Expiry; null for a key without one.
    expires_at: Option<DateTime<Utc>>,
    /// Time of the last use, exact to about a minute; null if unused.
    last_used_at: Option<DateTime<Utc>>,
}

impl From<ApiKeyInfo> for KeyView {
    fn from(key: ApiKeyInfo) -> Self {
        Self {
            key_id: key.key_id.0,
            name: key.name,
            scopes: key.scopes.iter().map(ToString::to_string).collect(),
            created_at: key.created_at,
            revoked_at: key.revoked_at,
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
        }
    }
}

/// Cursor of the page: id of its last key.
#[derive(Serialize, Deserialize)]
#[serde(tag = "list")]
struct KeyCursor {
    k: KeyId,
}

operation! {
    ListKeys { id: "list_keys", action: "keys.list", access: Admin, audit: ReadsFacts }
}

/// Lists the API keys of the caller's tenant, revoked ones included.
///
/// # Errors
/// 400 for an unknown or malformed parameter, named in the answer.
#[utoipa::path(
    get, path = "/v1/keys", tag = "operations",
    params(
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "1 to 200, default 50"),
        ("cursor" = Option<String>, Query, pattern = "^[A-Za-z0-9_-]*$", description = "next_cursor of the page before"),
    ),
    responses(
        (status = 200, body = KeyPage),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.keys.list", skip_all)]
pub async fn handler(
    caller: Authorized<ListKeys>,
    State(app): State<App>,
    mut params: Params,
) -> Result<Json<KeyPage>, ApiError> {
    let (limit, before) = page_params(&mut params, |_: &KeyCursor| true)?;
    params.reject_unknown()?;
    let mut tx = TenantTx::begin(app.store.app(), caller.tenant_id()).await?;
    let mut keys = api_keys::list(&mut tx, before.map(|last| last.k), limit.rows_to_read()).await?;
    let next_cursor = limit.cut(&mut keys, |last| KeyCursor { k: last.key_id });
    let data = keys.into_iter().map(KeyView::from).collect();
    Ok(Json(KeyPage { data, next_cursor }))
}
