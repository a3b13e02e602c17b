//! `PATCH /v1/contacts/{contact_id}`: changes fields and tags of a contact.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use ledger_core::ids::SubjectId;
use serde::Deserialize;
use utoipa::ToSchema;

use super::answer::answer;
use super::described::{DescribedFields, admit_change};
use super::input::CustomChange;
use super::refused::{not_found, refused};
use super::view::ContactView;
use crate::app::App;
use crate::http::fields::{self, Change};
use crate::http::json_body::JsonBody;
use crate::http::operation::{Authorized, operation};
use crate::http::params::{NoQuery, PathId};
use crate::problem::{ApiError, Problem};

/// Fields to change. An absent field keeps its value.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContactChanges {
    /// Name of the person. Null removes it.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200, value_type = Option<String>)]
    name: Change,
    /// Telephone number; a national one is read in the tenant's country. It ends the others of the contact; null only
    /// ends them.
    #[serde(default, deserialize_with = "fields::phone_change")]
    #[schema(min_length = 1, max_length = 200, value_type = Option<String>)]
    phone: Change,
    /// E-mail address. It ends the others of the contact; null only
    /// ends them.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200, value_type = Option<String>)]
    email: Change,
    /// Id of the person in the systems of the tenant; at most one contact has it. It ends the others of the contact; null only
    /// ends them.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200, value_type = Option<String>)]
    external_id: Change,
    /// Segment, a word. Stored in the clear. Null removes it.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 40, value_type = Option<String>)]
    segment: Change,
    /// Priority, a word. Stored in the clear. Null removes it.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 40, value_type = Option<String>)]
    priority: Change,
    /// All tags, words. Stored in the clear.
    #[serde(default, deserialize_with = "fields::texts")]
    #[schema(max_items = 16)]
    tags: Option<Vec<String>>,
    /// All custom fields: texts, whole numbers and booleans by name. Stored sealed, except for those that the
    /// setting `contacts` lists; a listed one is a boolean, a number of at most 6 digits or a word. Null removes
    /// all.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    custom_fields: CustomChange,
}

operation! {
    UpdateContact {
        id: "update_contact",
        action: "contacts.update",
        access: Write,
        audit: Changes,
    }
}

/// Changes fields and tags of a contact. A new number, address or id is a new handle and ends the old one: later
/// calls from the old one are not of this contact, and earlier calls stay.
///
/// # Errors
/// 404 `contact-not-found`, for another tenant's too; 409 `contact-merged`, `external-id-taken` or
/// `subject-erased`; 422 for an unknown or malformed field, named in the answer.
#[utoipa::path(
    patch, path = "/v1/contacts/{contact_id}", tag = "contacts",
    params(("contact_id" = String, Path, description = "The contact")),
    request_body(content = ContactChanges, content_type = "application/json"),
    responses(
        (status = 200, body = ContactView, description = "The contact after the change", headers(("ledger-position" = i64, description = "Where it is recorded, if something changed"))),
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
#[tracing::instrument(name = "api.contacts.update", skip_all)]
pub async fn handler(
    caller: Authorized<UpdateContact>,
    State(app): State<App>,
    PathId(contact_id): PathId,
    _: NoQuery,
    JsonBody(request): JsonBody<ContactChanges>,
) -> Result<Response, ApiError> {
    caller.read_permit.release();
    let tenant_id = caller.tenant_id();
    let (checked, tags) = DescribedFields::from(request).check(&app, tenant_id).await?;
    let contact_id = SubjectId(contact_id.ok_or_else(not_found)?);
    let _permit = admit_change(&app, tenant_id).await?;
    let change = (&checked.description, checked.change(tags));
    let executed = app.store.update_contact(&caller.actor(), tenant_id, contact_id, change).await;
    let executed = executed.map_err(refused)?;
    tracing::info!(%contact_id, "contact.changed");
    answer(&app, &caller, (contact_id, None), (StatusCode::OK, executed.position)).await
}

impl From<ContactChanges> for DescribedFields {
    fn from(request: ContactChanges) -> Self {
        Self {
            name: request.name,
            phone: request.phone,
            email: request.email,
            external_id: request.external_id,
            segment: request.segment,
            priority: request.priority,
            tags: request.tags,
            custom_fields: request.custom_fields,
        }
    }
}
