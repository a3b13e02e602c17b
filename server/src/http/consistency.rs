//! Consistent reads of projections, after a position that the client names.

use std::time::Duration;

use axum::http::StatusCode;
use ledger_core::ids::Position;
use ledger_store::TenantTx;
use projections::position;

use crate::app::App;
use crate::auth::Caller;
use crate::problem::ApiError;

/// Timeout of a read that waits for its projection.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// Begins a consistent read of a projection, after it has reached `min_position`. Returns the transaction and
/// the projection's position.
///
/// # Errors
/// 503 `projection-behind` if the position is not reached in time.
pub async fn begin_consistent_read(
    app: &App,
    caller: &Caller,
    model: &str,
    min_position: Option<i64>,
) -> Result<(TenantTx, Position), ApiError> {
    await_position(app, caller, model, min_position).await?;
    let mut tx = TenantTx::begin(app.store.app(), caller.tenant_id()).await?;
    let reached = position(&mut tx, model).await?;
    Ok((tx, reached))
}

/// Begins a consistent read of a projection with parts of others, after all of them have reached
/// `min_position`. Returns the transaction and the position of the first.
///
/// # Errors
/// As [`begin_consistent_read`].
pub async fn begin_joined_read(
    app: &App,
    caller: &Caller,
    models: [&str; 2],
    min_position: Option<i64>,
) -> Result<(TenantTx, Position), ApiError> {
    await_position(app, caller, models[1], min_position).await?;
    begin_consistent_read(app, caller, models[0], min_position).await
}

/// Begins a read of sums over several projections, all in one snapshot. Returns the transaction and the
/// lowest of their positions.
///
/// # Errors
/// As [`begin_consistent_read`].
pub async fn begin_analytics_read(
    app: &App,
    caller: &Caller,
    models: &[&str],
    min_position: Option<i64>,
) -> Result<(TenantTx, Position), ApiError> {
    for model in models {
        await_position(app, caller, model, min_position).await?;
    }
    let mut tx = TenantTx::begin(app.store.app(), caller.tenant_id()).await?;
    projections::analytics::configure_transaction(&mut tx).await?;
    let mut reached = Position(i64::MAX);
    for model in models {
        reached = reached.min(position(&mut tx, model).await?);
    }
    Ok((tx, reached))
}

async fn await_position(
    app: &App,
    caller: &Caller,
    model: &str,
    min_position: Option<i64>,
) -> Result<(), ApiError> {
    let Some(wanted) = min_position.map(Position) else { return Ok(()) };
    let tenant_id = caller.tenant_id();
    // The reader permit is released while waiting; waiting requests have a bound of their own.
    caller.read_permit.release();
    let place = app.read_admission.wait(tenant_id)?;
    let has_arrived = app.position_watch.wait(tenant_id, model, wanted, READ_TIMEOUT).await;
    drop(place);
    app.read_admission.reacquire(&caller.read_permit, tenant_id).await?;
    if has_arrived {
        return Ok(());
    }
    let detail = format!("the read model has not reached position {wanted} yet; try again");
    Err(ApiError {
        retry_after: Some(1),
        ..ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "projection-behind", detail)
    })
}
