//! `POST /v1/subjects/lookup`: finds persons by a handle.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use ledger_core::identity::Handle;
use ledger_core::ids::SubjectId;
use ledger_core::personal::normalise_email;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::view::SubjectView;
use crate::api::calls::filter::MAX_NAMED;
use crate::api::erasures::refused;
use crate::app::App;
use crate::auth::Caller;
use crate::http::fields;
use crate::http::json_body::JsonBody;
use crate::http::operation::{Authorized, operation};
use crate::http::params::NoQuery;
use crate::problem::{ApiError, FieldError, Problem};

/// Most persons of an answer.
const MAX_FOUND: usize = 50;

/// One handle of the person.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LookupRequest {
    /// Telephone number in any form; a national one is read in the tenant's country.
    #[serde(default, deserialize_with = "fields::phone")]
    #[schema(min_length = 1, max_length = 200)]
    phone: Option<String>,
    /// E-mail address.
    #[serde(default, deserialize_with = "fields::text")]
    #[schema(min_length = 1, max_length = 200)]
    email: Option<String>,
    /// Id in another system.
    #[serde(default, deserialize_with = "fields::text")]
    #[schema(min_length = 1, max_length = 200)]
    external_id: Option<String>,
}

/// The persons with the handle.
#[derive(Debug, Serialize, ToSchema)]
pub struct LookupAnswer {
    /// Persons that have the handle now, oldest first, at most 50; the survivor for a merged one.
    subjects: Vec<SubjectView>,
}

operation! {
    LookUpSubjects {
        id: "look_up_subjects",
        action: "subjects.lookup",
        access: Compliance,
        audit: ReadsPersonalData,
    }
}

/// Finds the persons with a handle, with what is held about each.
///
/// # Errors
/// 422 unless exactly one handle is given; 429 `too-many-lookups`.
#[utoipa::path(
    post, path = "/v1/subjects/lookup", tag = "privacy",
    request_body(content = LookupRequest, content_type = "application/json"),
    responses(
        (status = 200, body = LookupAnswer),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 408, body = Problem, content_type = "application/problem+json"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "A field is unknown or not of its form, or not exactly one is given"),
        (status = 429, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.subjects.lookup", skip_all)]
pub async fn handler(
    caller: Authorized<LookUpSubjects>,
    State(app): State<App>,
    _: NoQuery,
    JsonBody(request): JsonBody<LookupRequest>,
) -> Result<Response, ApiError> {
    caller.count_lookup(&app, "subjects.lookup").await?;
    let handle = handle(&app, &caller, request).await?;
    let vault = app.store.vault();
    let mut found = match handle {
        Some(handle) => vault.contacts_with(caller.tenant_id(), &handle).await?,
        None => Vec::new(),
    };
    found.truncate(MAX_FOUND);
    let named: Vec<SubjectId> = found.iter().copied().take(MAX_NAMED).collect();
    caller.audit_personal_read(&app, "subjects.lookup", None, found.len(), named).await?;
    let mut subjects = Vec::with_capacity(found.len());
    for subject_id in found {
        let held = app.erasures.process().held(caller.tenant_id(), subject_id).await;
        subjects.extend(held.map_err(refused)?.as_ref().map(SubjectView::of));
    }
    Ok(Json(LookupAnswer { subjects }).into_response())
}

/// The handle of the request; `None` for a placeholder, which identifies no person.
async fn handle(
    app: &App,
    caller: &Caller,
    request: LookupRequest,
) -> Result<Option<Handle>, ApiError> {
    match (request.phone, request.email, request.external_id) {
        (Some(phone), None, None) => {
            let country = app.store.country(caller.tenant_id()).await?;
            let handle = Handle::typed_phone(&phone, country.as_deref());
            let is_no_number = || ApiError::field("phone", "it is no telephone number");
            handle.map(Some).ok_or_else(is_no_number)
        }
        (None, Some(email), None) => {
            if normalise_email(&email).is_none() {
                return Err(ApiError::field("email", "it is no e-mail address"));
            }
            Ok(Handle::email(&email))
        }
        (None, None, Some(external_id)) => Ok(Handle::external_id(&external_id)),
        _ => {
            let detail = "give exactly one of phone, email and external_id";
            let errors = vec![FieldError { pointer: String::new(), detail: detail.to_owned() }];
            Err(ApiError { errors, detail: detail.to_owned(), ..ApiError::field("phone", detail) })
        }
    }
}
