//! `/v1`: what a key may ask. One endpoint a file; every handler names its scope.

pub mod calls;

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ledger_core::ids::Position;
use ledger_store::TenantTx;
use projections::{position, wait_for};
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::Caller;
use crate::problem::ApiError;

/// How long a read waits for its read model.
const READ_PATIENCE: Duration = Duration::from_secs(5);

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(calls::list::handler))
        .routes(routes!(calls::show::handler))
        .routes(routes!(calls::events::handler))
}

/// Begins a read of the calls read model, once it has reached `min_position`; tells how far it is.
///
/// # Errors
/// 503 `projection-behind` when it has not got there in time.
pub async fn begin_read(
    app: &App,
    caller: &Caller,
    min_position: Option<i64>,
) -> Result<(TenantTx, Position), ApiError> {
    if let Some(wanted) = min_position {
        let pool = app.store.app();
        let tenant_id = caller.tenant_id();
        let wanted = Position(wanted);
        if !wait_for(pool, tenant_id, &*app.calls, wanted, READ_PATIENCE).await? {
            let detail = format!("the read model has not reached position {wanted} yet; try again");
            return Err(ApiError {
                retry_after: Some(1),
                ..ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "projection-behind", detail)
            });
        }
    }
    let mut tx = TenantTx::begin(app.store.app(), caller.tenant_id()).await?;
    let reached = position(&mut tx, &*app.calls).await?;
    Ok((tx, reached))
}

/// An answer that says how far its read model is.
pub fn positioned<T: Serialize>(body: T, reached: Position) -> Response {
    let mut response = axum::Json(body).into_response();
    response.headers_mut().insert("ledger-position", HeaderValue::from(reached.0));
    response
}

/// A cursor from what it must remember; opaque to the reader.
pub fn encode_cursor<T: Serialize>(place: &T) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(place).expect("a place is plain data"))
}

/// What a cursor remembers.
///
/// # Errors
/// 400: it is not one of ours.
pub fn decode_cursor<T: DeserializeOwned>(cursor: &str) -> Result<T, ApiError> {
    URL_SAFE_NO_PAD
        .decode(cursor)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .ok_or_else(|| ApiError::parameter("cursor", "send back a next_cursor as it was given"))
}
