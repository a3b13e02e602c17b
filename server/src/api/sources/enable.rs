//! `POST /v1/sources/{source_id}/enable`: accepts webhooks again.

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
    EnableSource {
        id: "enable_source",
        action: "sources.enable",
        access: Admin,
        audit: Administers,
    }
}

/// Enables a disabled webhook source. Idempotent.
///
/// # Errors
/// 404 `source-not-found`, the same for an unknown source and for another tenant's; 403 `tenant-not-active`
/// for a frozen or closed tenant.
#[utoipa::path(
    post, path = "/v1/sources/{source_id}/enable", tag = "operations",
    params(("source_id" = String, Path, description = "The webhook source")),
    responses(
        (status = 200, body = SourceSettings, description = "The source, enabled", headers(("ledger-position" = i64, description = "Where it is recorded, when it was enabled now; a shared source is in no log"))),
        (status = 401, body = Problem, content_type = "application/problem+json", description = "No valid API key"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "The key lacks scope admin, or the tenant takes no events"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "No such source"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "The database does not answer"),
    ),
)]
#[tracing::instrument(name = "api.sources.enable", skip_all)]
pub async fn handler(
    caller: Authorized<EnableSource>,
    State(app): State<App>,
    PathId(source_id): PathId,
    _: NoQuery,
) -> Result<Response, ApiError> {
    let source_id = SourceId(source_id.ok_or_else(not_found)?);
    let by = caller.actor();
    let tenant_id = Some(caller.tenant_id());
    let changed = app.store.switch_source(&by, tenant_id, source_id, true).await;
    let changed = changed.map_err(refused)?;
    tracing::info!(%source_id, "source.enabled");
    Ok(answer(changed, app.store.clock().now()))
}
