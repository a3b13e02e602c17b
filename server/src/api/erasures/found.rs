//! Finds the erasure that a path names.

use std::time::Duration;

use ledger_app::erasures::ErasureRef;
use ledger_core::ids::{ErasureId, Position, SubjectId};
use ledger_store::{TenantTx, read};
use projections::erasures::{Erasure, find};
use uuid::Uuid;

use super::refused::not_found;
use super::view::ErasureView;
use crate::app::App;
use crate::auth::Caller;
use crate::problem::ApiError;

/// Longest wait for the read model, for an erasure that it does not have yet.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// Returns an erasure of the caller's tenant. One that is not in the read model may have been requested
/// just now: then the read model is awaited once.
///
/// # Errors
/// 404 `erasure-not-found`, the same for an unknown erasure and for another tenant's.
pub(super) async fn found(
    app: &App,
    caller: &Caller,
    erasure_id: Option<Uuid>,
) -> Result<Erasure, ApiError> {
    let erasure_id = erasure_id.ok_or_else(not_found)?;
    let tenant_id = caller.tenant_id();
    let mut tx = TenantTx::begin(app.store.app(), tenant_id).await?;
    if let Some(row) = find(&mut tx, erasure_id).await? {
        return Ok(row);
    }
    let head = read::head(&mut tx).await?;
    drop(tx);
    app.position_watch.wait(tenant_id, "erasures", head, MAX_WAIT).await;
    let mut tx = TenantTx::begin(app.store.app(), tenant_id).await?;
    find(&mut tx, erasure_id).await?.ok_or_else(not_found)
}

/// Returns the erasure as it is after a change at this position, for which the read model is awaited.
pub(super) async fn shown(
    app: &App,
    caller: &Caller,
    erasure_id: Uuid,
    position: Option<Position>,
) -> Result<ErasureView, ApiError> {
    if let Some(position) = position {
        app.position_watch.wait(caller.tenant_id(), "erasures", position, MAX_WAIT).await;
    }
    Ok(ErasureView::of(&found(app, caller, Some(erasure_id)).await?))
}

/// The erasure of a row, as the process names it.
pub(super) fn reference(caller: &Caller, row: &Erasure) -> ErasureRef {
    ErasureRef {
        tenant_id: caller.tenant_id(),
        subject_id: SubjectId(row.subject_id),
        erasure_id: ErasureId(row.erasure_id),
    }
}
