//! `GET /call`: calls in the form of Vapi's API.

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use projections::calls::provider_listing::list;

use super::error::{VapiError, refused};
use super::query::{ListQuery, Params};
use super::response::AuditedAccess;
use super::view::VapiCall;
use crate::api::words::TestCalls;
use crate::app::App;
use crate::http::consistency::begin_consistent_read;
use crate::http::operation::{Authorized, operation};
use crate::problem::ApiError;

operation! {
    VapiListCalls {
        id: "vapi_list_calls",
        action: "vapi.calls.list",
        access: Read,
        audit: ReadsPersonalData,
    }
}

/// Lists calls, newest first, in Vapi's form.
///
/// # Errors
/// 400 with every fault, each with the name of its parameter.
#[utoipa::path(
    get, path = "/call", tag = "vapi dialect",
    params(
        ("id" = Option<String>, Query, description = "Vapi's id of the call"),
        ("assistantId" = Option<String>, Query, description = "The assistant"),
        ("phoneNumberId" = Option<String>, Query, description = "Our number, by Vapi's id"),
        ("limit" = Option<i64>, Query, minimum = 0, maximum = 1000, description = "0 to 1000, default 100"),
        ("createdAtGt" = Option<String>, Query, description = "Created after (ISO 8601)"),
        ("createdAtLt" = Option<String>, Query, description = "Created before"),
        ("createdAtGe" = Option<String>, Query, description = "Created at or after"),
        ("createdAtLe" = Option<String>, Query, description = "Created at or before"),
        ("updatedAtGt" = Option<String>, Query, description = "Updated after"),
        ("updatedAtLt" = Option<String>, Query, description = "Updated before"),
        ("updatedAtGe" = Option<String>, Query, description = "Updated at or after"),
        ("updatedAtLe" = Option<String>, Query, description = "Updated at or before"),
        ("isTest" = Option<TestCalls>, Query, description = "Not Vapi's: true for calls marked as tests, false (as when nothing is said) for the others, any for both"),
        ("min_position" = Option<i64>, Query, description = "Not Vapi's: wait until the read model has reached this position"),
    ),
    responses(
        (status = 200, body = Vec<VapiCall>),
        (status = 400, body = VapiError),
        (status = 401, body = VapiError),
        (status = 403, body = VapiError),
        (status = 503, body = VapiError),
    ),
)]
#[tracing::instrument(name = "api.vapi.list", skip_all)]
pub async fn handler(
    caller: Authorized<VapiListCalls>,
    State(app): State<App>,
    uri: Uri,
) -> Result<Response, ApiError> {
    let query = ListQuery::parse(Params::of(&uri)).map_err(refused)?;
    let (mut tx, reached) =
        begin_consistent_read(&app, &caller, "calls", query.min_position).await?;
    let rows = list(&mut tx, &query.filter, query.limit).await?;
    drop(tx);
    AuditedAccess { app, caller: caller.into_caller(), resource: None }.list(rows, reached).await
}
