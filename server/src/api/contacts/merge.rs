//! `POST /v1/contacts/{contact_id}/merge`: merges a contact into another one.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use ledger_core::ids::SubjectId;
use ledger_store::contacts::ContactError;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;
use uuid::Uuid;

use super::answer::answer;
use super::described::admit_change;
use super::refused::{not_found, refused};
use super::view::ContactView;
use crate::app::App;
use crate::http::fields;
use crate::http::json_body::JsonBody;
use crate::http::operation::{Authorized, operation};
use crate::http::params::{NoQuery, PathId};
use crate::problem::{ApiError, Problem};

/// The contact that survives.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MergeRequest {
    /// Its id. If that contact was merged before, its survivor is meant.
    #[serde(deserialize_with = "required_id")]
    into: Uuid,
}

fn required_id<'de, D: Deserializer<'de>>(field: D) -> Result<Uuid, D::Error> {
    fields::id(field)?.ok_or_else(|| serde::de::Error::custom("it is missing"))
}

operation! {
    MergeContact {
        id: "merge_contact",
        action: "contacts.merge",
        access: Write,
        audit: Changes,
    }
}

/// Merges a contact into another one, which survives with its id. Calls, appointments and handles count as those
/// of the survivor from then on; of each field the newest value is shown. The keys of the two persons stay
/// separate. The answer is the survivor; a repetition changes nothing.
///
/// # Errors
/// 404 `contact-not-found`, for another tenant's too; 422 `merge-into-itself` or `merge-circle`; 409
/// `contact-merged` if the contact was merged into another one before, `subject-erased`, or `too-many-merged`.
#[utoipa::path(
    post, path = "/v1/contacts/{contact_id}/merge", tag = "contacts",
    params(("contact_id" = String, Path, description = "The contact that is merged")),
    request_body(content = MergeRequest, content_type = "application/json"),
    responses(
        (status = 200, body = ContactView, description = "The survivor", headers(("ledger-position" = i64, description = "Where it is recorded, if something changed"))),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "The key lacks scope write, or the tenant takes no events"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 408, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "The contact was merged into another one, or one of the two is erased"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "A field is unknown, missing or not of its form"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.contacts.merge", skip_all)]
pub async fn handler(
    caller: Authorized<MergeContact>,
    State(app): State<App>,
    PathId(contact_id): PathId,
    _: NoQuery,
    JsonBody(MergeRequest { into }): JsonBody<MergeRequest>,
) -> Result<Response, ApiError> {
    caller.read_permit.release();
    let tenant_id = caller.tenant_id();
    let contact_id = SubjectId(contact_id.ok_or_else(not_found)?);
    let into = SubjectId(into);
    let _permit = admit_change(&app, tenant_id).await?;
    let merged = app.store.merge_contacts(&caller.actor(), tenant_id, contact_id, into).await;
    let (survivor, executed) = merged.map_err(|error| match error {
        ContactError::NotFound(id) if id == into => {
            ApiError::field("into", "there is no such contact")
        }
        error => refused(error),
    })?;
    tracing::info!(%contact_id, into = %survivor, "contact.merged");
    let done = (StatusCode::OK, executed.position);
    answer(&app, &caller, (survivor, Some(contact_id)), done).await
}
