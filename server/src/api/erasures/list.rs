//! `GET /v1/erasures`: erasures by filter, the newest request first.

use axum::extract::State;
use axum::response::Response;
use projections::erasures::{AfterErasure, ErasureFilter, list};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::view::ErasureView;
use crate::api::appointments::list::id;
use crate::api::words::ErasureStateName;
use crate::app::App;
use crate::http::consistency::begin_consistent_read;
use crate::http::operation::{Authorized, operation};
use crate::http::page::page_params;
use crate::http::params::Params;
use crate::http::response::with_read_position;
use crate::problem::{ApiError, Problem};

/// A page of erasures, the newest request first.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErasurePage {
    /// Erasures ordered by the position of their request.
    data: Vec<ErasureView>,
    /// Value of `cursor` for the next page; null on the last.
    next_cursor: Option<String>,
}

/// Cursor of the page: the position of the request of its last erasure.
#[derive(Serialize, Deserialize)]
#[serde(tag = "list")]
struct ErasureCursor {
    p: i64,
}

operation! {
    ListErasures {
        id: "list_erasures",
        action: "erasures.list",
        access: Compliance,
        audit: ReadsFacts,
    }
}

/// Lists erasures that match a filter, the newest request first.
///
/// # Errors
/// 400 for an unknown or malformed parameter, named in the answer.
#[utoipa::path(
    get, path = "/v1/erasures", tag = "privacy",
    params(
        ("state" = Option<ErasureStateName>, Query, description = "Is in this state"),
        ("subject_id" = Option<Uuid>, Query, description = "Is about this contact"),
        ("overdue" = Option<bool>, Query, description = "`true`: has not ended, and its term has"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "1 to 200, default 50"),
        ("cursor" = Option<String>, Query, pattern = "^[A-Za-z0-9_-]*$", description = "next_cursor of the page before"),
        ("min_position" = Option<i64>, Query, description = "Wait until the read model has reached this position"),
    ),
    responses(
        (status = 200, body = ErasurePage),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.erasures.list", skip_all)]
pub async fn handler(
    caller: Authorized<ListErasures>,
    State(app): State<App>,
    mut params: Params,
) -> Result<Response, ApiError> {
    let (limit, cursor) = page_params(&mut params, |last: &ErasureCursor| last.p > 0)?;
    let min_position = params.number("min_position")?;
    let is_overdue = params.one_of("overdue", &["true", "false"])?.is_some_and(|it| it == "true");
    let filter = ErasureFilter {
        state: params.one_of("state", ErasureStateName::ALL)?,
        subject_id: id(&mut params, "subject_id", "the id of a contact")?,
        due_before: is_overdue.then(|| app.store.clock().now()),
    };
    params.reject_unknown()?;
    let (mut tx, reached) = begin_consistent_read(&app, &caller, "erasures", min_position).await?;
    let after = cursor.map(|last| AfterErasure(last.p));
    let mut rows = list(&mut tx, &filter, after, limit.rows_to_read()).await?;
    drop(tx);
    let next_cursor = limit.cut(&mut rows, |row| ErasureCursor { p: row.requested_position });
    let data = rows.iter().map(ErasureView::of).collect();
    Ok(with_read_position(ErasurePage { data, next_cursor }, reached))
}
