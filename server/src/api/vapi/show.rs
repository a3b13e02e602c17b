//! `GET /call/{id}`: a call in the form of Vapi's API.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;
use ledger_core::json::fact_id;
use projections::calls::provider_listing::find;

use super::error::{VapiError, refused};
use super::query::Params;
use super::response::AuditedAccess;
use super::view::VapiCall;
use crate::app::App;
use crate::http::consistency::begin_consistent_read;
use crate::http::operation::{Authorized, operation};
use crate::problem::ApiError;

operation! {
    VapiGetCall {
        id: "vapi_get_call",
        action: "vapi.calls.show",
        access: Read,
        audit: ReadsPersonalData,
    }
}

/// Returns a call by Vapi's id, in Vapi's form.
///
/// # Errors
/// 404, the same for an unknown call and for another tenant's.
#[utoipa::path(
    get, path = "/call/{id}", tag = "vapi dialect",
    params(
        ("id" = String, Path, description = "Vapi's id of the call"),
        ("min_position" = Option<i64>, Query, description = "Not Vapi's: wait until the read model has reached this position"),
    ),
    responses(
        (status = 200, body = VapiCall),
        (status = 400, body = VapiError),
        (status = 401, body = VapiError),
        (status = 403, body = VapiError),
        (status = 404, body = VapiError),
        (status = 503, body = VapiError),
    ),
)]
#[tracing::instrument(name = "api.vapi.show", skip_all)]
pub async fn handler(
    caller: Authorized<VapiGetCall>,
    State(app): State<App>,
    id: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Response, ApiError> {
    let mut params = Params::of(&uri);
    let min_position = params.number("min_position");
    params.reject_unknown().map_err(refused)?;
    let not_found = || ApiError::not_found("call-not-found", "call");
    // No stored text contains a NUL character, and an id that is not valid text identifies no call.
    let id = id.ok().map(|Path(id)| id).filter(|id| !id.contains('\0')).ok_or_else(not_found)?;
    let (mut tx, reached) = begin_consistent_read(&app, &caller, "calls", min_position).await?;
    let row = find(&mut tx, &fact_id(&id)).await?.ok_or_else(not_found)?;
    drop(tx);
    let resource = Some(row.call_id);
    AuditedAccess { app, caller: caller.into_caller(), resource }.show(row, reached).await
}
