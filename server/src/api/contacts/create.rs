//! `POST /v1/contacts`: describes a person.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use ledger_core::identity::PersonIdentifiers;
use ledger_core::ids::SubjectId;
use serde::Deserialize;
use utoipa::ToSchema;

use super::answer::answer;
use super::described::{DescribedFields, admit_change};
use super::input::CustomChange;
use super::refused::refused;
use super::view::ContactView;
use crate::app::App;
use crate::auth::Caller;
use crate::http::fields::{self, Change};
use crate::http::json_body::JsonBody;
use crate::http::operation::{Authorized, operation};
use crate::http::params::NoQuery;
use crate::problem::{ApiError, Problem};

/// A person. Either a name, a number, an address or an id is needed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContactDescription {
    /// Name of the person.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200, value_type = Option<String>)]
    name: Change,
    /// Telephone number; a national one is read in the tenant's country.
    #[serde(default, deserialize_with = "fields::phone_change")]
    #[schema(min_length = 1, max_length = 200, value_type = Option<String>)]
    phone: Change,
    /// E-mail address.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200, value_type = Option<String>)]
    email: Change,
    /// Id of the person in the systems of the tenant; at most one contact has it.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200, value_type = Option<String>)]
    external_id: Change,
    /// Segment, a word. Stored in the clear.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 40, value_type = Option<String>)]
    segment: Change,
    /// Priority, a word. Stored in the clear.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 40, value_type = Option<String>)]
    priority: Change,
    /// All tags, words. Stored in the clear.
    #[serde(default, deserialize_with = "fields::texts")]
    #[schema(max_items = 16)]
    tags: Option<Vec<String>>,
    /// All custom fields: texts, whole numbers and booleans by name. Stored sealed, except for those that the
    /// setting `contacts` lists; a listed one is a boolean, a number of at most 6 digits or a word.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    custom_fields: CustomChange,
}

operation! {
    CreateContact {
        id: "create_contact",
        action: "contacts.create",
        access: Write,
        audit: Changes,
    }
}

/// Describes a person. By the rules of calls, a person is known by an external id, or by a number or address
/// together with the same name; the known contact is then described. Every other description makes a contact.
///
/// # Errors
/// 409 `external-id-taken` if another contact has the external id, `subject-erased` if the person is erased or
/// restricted; 422 for an unknown, missing or malformed field, named in the answer.
#[utoipa::path(
    post, path = "/v1/contacts", tag = "contacts",
    request_body(content = ContactDescription, content_type = "application/json"),
    responses(
        (status = 200, body = ContactView, description = "The contact that was known", headers(("ledger-position" = i64, description = "Where it is recorded, if something changed"))),
        (status = 201, body = ContactView, description = "The new contact", headers(("ledger-position" = i64, description = "Where it is recorded, if something changed"))),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "The key lacks scope write, or the tenant takes no events"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 408, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "Another contact has the external id, or the person is erased"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "A field is unknown, missing or not of its form"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.contacts.create", skip_all)]
pub async fn handler(
    caller: Authorized<CreateContact>,
    State(app): State<App>,
    _: NoQuery,
    JsonBody(request): JsonBody<ContactDescription>,
) -> Result<Response, ApiError> {
    caller.read_permit.release();
    let tenant_id = caller.tenant_id();
    let fields = DescribedFields::from(request).without_removals();
    let (mut checked, tags) = fields.check(&app, tenant_id).await?;
    if checked.description.name.is_none() && checked.description.added.is_empty() {
        return Err(ApiError::field("name", "send a name, phone, email or external_id"));
    }
    // Strongest first, as in messages.
    checked.description.added.sort_by_key(|handle| std::cmp::Reverse(handle.kind()));
    let change = checked.change(tags);
    let _permit = admit_change(&app, tenant_id).await?;
    let given = PersonIdentifiers {
        handles: checked.description.added,
        name: checked.description.name.flatten(),
    };
    let by = caller.actor();
    let described =
        app.store.create_contact(&by, tenant_id, (new_id(&app, &caller), &given), change).await;
    let described = described.map_err(refused)?;
    let contact_id = described.contact_id;
    tracing::info!(%contact_id, "contact.described");
    let status = if described.is_new { StatusCode::CREATED } else { StatusCode::OK };
    answer(&app, &caller, (contact_id, None), (status, described.executed.position)).await
}

impl From<ContactDescription> for DescribedFields {
    fn from(request: ContactDescription) -> Self {
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

/// The id of a new contact: the same one if the same command runs again.
fn new_id(app: &App, caller: &Caller) -> SubjectId {
    let derive = |command: &crate::idempotency::RunningCommand| {
        caller.tenant_id().derive(&[b"contact".as_slice(), command.id().0.as_bytes()])
    };
    SubjectId(caller.command.as_ref().map_or_else(|| app.store.ids().random(), derive))
}
