//! `POST /v1/sources/{source_id}/disable`: stops accepting webhooks.

use axum::extract::State;
use axum::response::Response;
use ledger_core::ids::SourceId;

use super::refused;
use super::settings::{SourceSettings, answer, not_found};
use crate::app::App;
use crate::http::operation::{Authorized, operation};
use crate::http::params::{NoQuery, PathId};
use crate::problem::{ApiError, Problem};

operation! {
    DisableSource {
        id: "disable_source",
        action: "sources.disable",
        access: Revocation,
        audit: Administers,
    }
}

/// Disables a webhook source, which then answers 404 `source-not-found` like an unknown one. Idempotent.
///
/// This server refuses its webhooks from now on, others within five seconds. A key of the installation
/// disables sources of every tenant. The tenant may be in any state.
///
/// # Errors
/// 404 `source-not-found`, the same for an unknown source and for another tenant's.
#[utoipa::path(
    post, path = "/v1/sources/{source_id}/disable", tag = "operations",
    params(("source_id" = String, Path, description = "The webhook source")),
    responses(
        (status = 200, body = SourceSettings, description = "The source, disabled", headers(("ledger-position" = i64, description = "Where it is recorded, when it was disabled now; a shared source is in no log"))),
        (status = 401, body = Problem, content_type = "application/problem+json", description = "No valid API key"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "The key lacks scope admin"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "No such source"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "The database does not answer"),
    ),
)]
#[tracing::instrument(name = "api.sources.disable", skip_all)]
pub async fn handler(
    caller: Authorized<DisableSource>,
    State(app): State<App>,
    PathId(source_id): PathId,
    _: NoQuery,
) -> Result<Response, ApiError> {
    let source_id = SourceId(source_id.ok_or_else(not_found)?);
    let by = caller.actor();
    let tenant_id = caller.revocation_scope();
    let changed = app.store.switch_source(&by, tenant_id, source_id, false).await;
    let changed = changed.map_err(refused)?;
    tracing::info!(%source_id, "source.disabled");
    Ok(answer(changed, app.store.clock().now()))
}
