//! `DELETE /v1/keys/{key_id}`: revokes an API key.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ledger_core::ids::KeyId;
use ledger_store::admin_events::Attribution;
use ledger_store::api_keys::Revocation;

use super::refused;
use crate::app::App;
use crate::http::operation::{Authorized, operation};
use crate::http::params::{NoQuery, PathId};
use crate::http::response::with_write_position;
use crate::problem::{ApiError, Problem};

operation! {
    RevokeKey { id: "revoke_key", action: "keys.revoke", access: Revocation, audit: Administers }
}

/// Revokes an API key permanently. Idempotent.
///
/// This server refuses the key from now on, others within five seconds, the lifetime of their key cache.
/// Every key of the tenant can be revoked, the caller's own and the last one included; the command line can
/// always issue another. A key of the installation revokes keys of every tenant. The tenant may be in any
/// state.
///
/// # Errors
/// 404 `key-not-found`, the same for an unknown key and, unless the caller's key is the installation's, for
/// another tenant's.
#[utoipa::path(
    delete, path = "/v1/keys/{key_id}", tag = "operations",
    params(("key_id" = String, Path, description = "The key's public name")),
    responses(
        (status = 204, headers(("ledger-position" = i64, description = "Where it is recorded, when it was revoked now; a key of the installation is in no log"))),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.keys.revoke", skip_all)]
pub async fn handler(
    caller: Authorized<RevokeKey>,
    State(app): State<App>,
    PathId(key_id): PathId,
    _: NoQuery,
) -> Result<Response, ApiError> {
    let not_found = || ApiError::not_found("key-not-found", "API key");
    let key_id = KeyId(key_id.ok_or_else(not_found)?);
    let by = Attribution::key(caller.key.key_id, caller.request_id);
    let revoked = app.store.revoke_api_key(&by, caller.revocation_scope(), key_id).await;
    let position = match revoked.map_err(refused)? {
        Revocation::Revoked(position) => position,
        Revocation::AlreadyRevoked => None,
    };
    tracing::info!(%key_id, "key.revoked");
    Ok(with_write_position(StatusCode::NO_CONTENT.into_response(), position))
}
