//! `GET /v1/projections/{name}/diff`.

use axum::Json;
use axum::extract::State;
use projections::versions::{self, Diff};
use serde::Serialize;
use utoipa::ToSchema;

use super::PathName;
use crate::api::Params;
use crate::app::App;
use crate::auth::{Caller, Scope};
use crate::problem::{ApiError, Problem};

/// Where what is shown and another version do not agree.
#[derive(Debug, Serialize, ToSchema)]
pub struct DiffView {
    /// The read model.
    name: String,
    /// The version that is shown.
    here: i32,
    /// The other.
    there: i32,
    /// Tenants that were compared.
    tenants: usize,
    /// Tenants that stand at different positions in the two: they were not compared.
    not_compared: usize,
    /// How many rows differ.
    rows: i64,
    /// Some of them.
    differences: Vec<DifferenceView>,
}

/// A row that two versions do not agree on.
#[derive(Debug, Serialize, ToSchema)]
pub struct DifferenceView {
    /// The table.
    table: String,
    /// The row's key, as JSON: ids and dimensions.
    key: String,
    /// `only_here`, `only_there` or `differs`.
    how: String,
    /// The columns that differ.
    columns: Vec<String>,
}

impl From<Diff> for DiffView {
    fn from(diff: Diff) -> Self {
        let differences = diff.differences.into_iter().map(|one| DifferenceView {
            table: one.table,
            key: one.key,
            how: one.how,
            columns: one.columns,
        });
        Self {
            name: diff.name,
            here: diff.here,
            there: diff.there,
            tenants: diff.tenants,
            not_compared: diff.not_compared,
            rows: diff.rows,
            differences: differences.collect(),
        }
    }
}

/// The rows that what is shown and the version being built (else the one shown before) do not agree on,
/// by key. It reads every row of both: of a large ledger, ask the command line.
///
/// # Errors
/// 404 `projection-not-found`; 409 `nothing-to-compare`; 400 for a parameter, by name.
#[utoipa::path(
    get, path = "/v1/projections/{name}/diff", operation_id = "diff_projection", tag = "operations", security(("api_key" = [])),
    params(
        ("name" = String, Path, description = "The read model"),
        ("against" = Option<i32>, Query, description = "The version to compare with"),
        ("limit" = Option<i64>, Query, description = "How many rows to list, 1 to 200, default 50; all are counted"),
    ),
    responses(
        (status = 200, body = DiffView),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.projections.diff", skip_all)]
pub async fn handler(
    State(app): State<App>,
    caller: Caller,
    name: PathName,
    mut params: Params,
) -> Result<Json<DiffView>, ApiError> {
    caller.require(&app, Scope::Admin, "projections.diff").await?;
    let against = params.parse("against", "the number of a version")?;
    let limit = params.limit()?;
    params.finish()?;
    let (name, only, pool) = (name.named()?, caller.only(), app.store.projector());
    let pair = versions::pair(pool, name, against, only).await?;
    let diff = versions::diff_within(pool, name, pair, only, limit).await?;
    Ok(Json(diff.into()))
}
