//! `GET /v1/projections/{name}/diff`: compares two versions of a read model.

use axum::Json;
use axum::extract::State;
use projections::versions::{self, Diff};
use serde::Serialize;
use utoipa::ToSchema;

use super::PathName;
use crate::app::App;
use crate::http::operation::{Authorized, operation};
use crate::http::params::Params;
use crate::problem::{ApiError, Problem};

/// Differences between the served version and another one.
#[derive(Debug, Serialize, ToSchema)]
pub struct DiffView {
    /// Name of the read model.
    name: String,
    /// Number of the served version.
    here: i32,
    /// Number of the other version.
    there: i32,
    /// Number of tenants compared.
    tenants: usize,
    /// Tenants with different checkpoints in the two versions, which were skipped.
    not_compared: usize,
    /// Number of rows that differ.
    rows: i64,
    /// The first rows that differ, up to `limit`.
    differences: Vec<DifferenceView>,
}

/// A row that differs between two versions.
#[derive(Debug, Serialize, ToSchema)]
pub struct DifferenceView {
    /// Name of the table.
    table: String,
    /// Primary key of the row as JSON: ids and dimensions.
    key: String,
    /// `only_here`, `only_there` or `differs`.
    how: String,
    /// Columns with different values.
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

operation! {
    DiffProjection {
        id: "diff_projection",
        action: "projections.diff",
        access: Admin,
        audit: ReadsFacts,
    }
}

/// Compares the served version with the one being built, or with the previous one if none is, row by row.
///
/// Every row of both is read, so a large ledger is better compared on the command line.
///
/// # Errors
/// 404 `projection-not-found`; 409 `no-version-to-compare`; 400 for a parameter, named in the answer.
#[utoipa::path(
    get, path = "/v1/projections/{name}/diff", tag = "operations",
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
    caller: Authorized<DiffProjection>,
    State(app): State<App>,
    name: PathName,
    mut params: Params,
) -> Result<Json<DiffView>, ApiError> {
    let against = params.parse("against", "the number of a version")?;
    let limit = params.limit()?;
    params.reject_unknown()?;
    let (name, only, pool) = (name.named()?, caller.tenant_scope(), app.store.projector());
    let pair = versions::pair(pool, name, against, only).await?;
    let diff = versions::diff_within(pool, name, pair, only, limit).await?;
    Ok(Json(diff.into()))
}
