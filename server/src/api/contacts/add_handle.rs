//! `POST /v1/contacts/{contact_id}/handles`: adds a number, an address or an id to a contact.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use ledger_core::ids::SubjectId;
use ledger_core::text::{MAX_SHORT, check_line};
use serde::Deserialize;
use utoipa::ToSchema;

use super::answer::answer;
use super::described::admit_change;
use super::input::{Checked, HandleWord};
use super::refused::{not_found, refused};
use super::view::ContactView;
use crate::api::words::HandleKindName;
use crate::app::App;
use crate::http::fields::{self, Change};
use crate::http::json_body::JsonBody;
use crate::http::operation::{Authorized, operation};
use crate::http::params::{NoQuery, PathId};
use crate::problem::{ApiError, Problem};

/// A handle.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandleRequest {
    /// Kind of the handle.
    #[serde(deserialize_with = "fields::required_text")]
    #[schema(value_type = HandleKindName)]
    kind: String,
    /// The number, address or id.
    #[serde(deserialize_with = "fields::required_raw_text")]
    #[schema(min_length = 1, max_length = 200)]
    value: String,
}

operation! {
    AddContactHandle {
        id: "add_contact_handle",
        action: "contacts.add_handle",
        access: Write,
        audit: Changes,
    }
}

/// Adds a number, an address or an id to a contact, which keeps the others and shows this one. Numbers and
/// addresses may be those of several contacts.
///
/// # Errors
/// 404 `contact-not-found`, for another tenant's too; 409 `contact-merged`, `external-id-taken` or
/// `subject-erased`; 422 for an unknown or malformed field, named in the answer.
#[utoipa::path(
    post, path = "/v1/contacts/{contact_id}/handles", tag = "contacts",
    params(("contact_id" = String, Path, description = "The contact")),
    request_body(content = HandleRequest, content_type = "application/json"),
    responses(
        (status = 201, body = ContactView, description = "The contact after the change", headers(("ledger-position" = i64, description = "Where it is recorded, if something changed"))),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "The key lacks scope write, or the tenant takes no events"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 408, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "The contact was merged or erased, or another one has the external id"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "A field is unknown, missing or not of its form"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.contacts.add_handle", skip_all)]
pub async fn handler(
    caller: Authorized<AddContactHandle>,
    State(app): State<App>,
    PathId(contact_id): PathId,
    _: NoQuery,
    JsonBody(request): JsonBody<HandleRequest>,
) -> Result<Response, ApiError> {
    caller.read_permit.release();
    let tenant_id = caller.tenant_id();
    let country = app.store.country(tenant_id).await?;
    let word = HandleWord::parse(&request.kind);
    let word = word.ok_or_else(|| ApiError::field("kind", HandleWord::FORM))?;
    let mut checked = Checked::default();
    let value = match word {
        HandleWord::Phone => fields::visible_line(&request.value),
        HandleWord::Email | HandleWord::ExternalId => {
            check_line(&request.value, MAX_SHORT).map(|()| request.value)
        }
    };
    let value = value.map_err(|fault| ApiError::field("value", fault.to_string()))?;
    let value = Change::Set(value);
    let read = match word {
        HandleWord::Phone => checked.phone(value, country.as_deref()),
        HandleWord::Email => checked.email(value),
        HandleWord::ExternalId => checked.external_id(value),
    };
    read.map_err(|error| ApiError::field("value", error.errors[0].detail.clone()))?;
    checked.description.ended.clear();
    let contact_id = SubjectId(contact_id.ok_or_else(not_found)?);
    let _permit = admit_change(&app, tenant_id).await?;
    let change = (&checked.description, checked.change(None));
    let executed = app.store.update_contact(&caller.actor(), tenant_id, contact_id, change).await;
    let executed = executed.map_err(refused)?;
    tracing::info!(%contact_id, "contact.handle_added");
    answer(&app, &caller, (contact_id, None), (StatusCode::CREATED, executed.position)).await
}
