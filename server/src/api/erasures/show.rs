//! `GET /v1/erasures/{erasure_id}`: an erasure.

use axum::extract::State;
use axum::response::Response;
use ledger_core::ids::Position;

use super::found::{found, reference};
use super::refused;
use super::view::ErasureDetails;
use crate::app::App;
use crate::http::consistency::begin_consistent_read;
use crate::http::operation::{Authorized, operation};
use crate::http::params::{Params, PathId};
use crate::http::response::with_read_position;
use crate::problem::{ApiError, Problem};

operation! {
    GetErasure {
        id: "get_erasure",
        action: "erasures.show",
        access: Compliance,
        audit: ReadsFacts,
    }
}

/// Returns an erasure, with the calls whose person is not known and which need a decision.
///
/// # Errors
/// 404 `erasure-not-found`, the same for an unknown erasure and for another tenant's.
#[utoipa::path(
    get, path = "/v1/erasures/{erasure_id}", tag = "privacy",
    params(
        ("erasure_id" = String, Path, description = "The erasure"),
        ("min_position" = Option<i64>, Query, description = "Wait until the read model has reached this position"),
    ),
    responses(
        (status = 200, body = ErasureDetails),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.erasures.show", skip_all)]
pub async fn handler(
    caller: Authorized<GetErasure>,
    State(app): State<App>,
    PathId(erasure_id): PathId,
    mut params: Params,
) -> Result<Response, ApiError> {
    let min_position = params.number("min_position")?;
    params.reject_unknown()?;
    let (tx, _) = begin_consistent_read(&app, &caller, "erasures", min_position).await?;
    drop(tx);
    let row = found(&app, &caller, erasure_id).await?;
    let of = reference(&caller, &row);
    let calls = app.erasures.process().ambiguous_calls(of).await.map_err(refused)?;
    let calls = calls.into_iter().map(|call| call.0).collect();
    let reached = Position(row.position);
    Ok(with_read_position(ErasureDetails::of(&row, calls), reached))
}
