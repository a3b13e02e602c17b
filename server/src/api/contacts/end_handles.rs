//! `DELETE /v1/contacts/{contact_id}/handles/{kind}`: ends the numbers, addresses or ids of a contact.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use ledger_core::ids::SubjectId;
use uuid::Uuid;

use super::answer::answer;
use super::described::admit_change;
use super::input::{Checked, HandleWord};
use super::refused::{not_found, refused};
use super::view::ContactView;
use crate::api::words::HandleKindName;
use crate::app::App;
use crate::http::fields::Change;
use crate::http::operation::{Authorized, operation};
use crate::http::params::NoQuery;
use crate::problem::{ApiError, Problem};

operation! {
    EndContactHandles {
        id: "end_contact_handles",
        action: "contacts.end_handles",
        access: Write,
        audit: Changes,
    }
}

/// Ends all numbers, addresses or ids of a contact and of the contacts that were merged into it. Later calls from
/// them are not of this contact, and earlier calls stay.
///
/// # Errors
/// 404 `contact-not-found`, for another tenant's too; 409 `contact-merged` or `subject-erased`; 422 for an unknown
/// kind.
#[utoipa::path(
    delete, path = "/v1/contacts/{contact_id}/handles/{kind}", tag = "contacts",
    params(
        ("contact_id" = String, Path, description = "The contact"),
        ("kind" = HandleKindName, Path, description = "phone, email or external_id"),
    ),
    responses(
        (status = 200, body = ContactView, description = "The contact after the change", headers(("ledger-position" = i64, description = "Where it is recorded, if something changed"))),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "The key lacks scope write, or the tenant takes no events"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "The contact was merged or erased"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "There is no such kind"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.contacts.end_handles", skip_all)]
pub async fn handler(
    caller: Authorized<EndContactHandles>,
    State(app): State<App>,
    Path((contact_id, kind)): Path<(String, String)>,
    _: NoQuery,
) -> Result<Response, ApiError> {
    caller.read_permit.release();
    let tenant_id = caller.tenant_id();
    let contact_id = SubjectId(Uuid::try_parse(&contact_id).map_err(|_| not_found())?);
    let mut checked = Checked::default();
    let word = HandleWord::parse(&kind);
    match word.ok_or_else(|| ApiError::field("kind", HandleWord::FORM))? {
        HandleWord::Phone => checked.phone(Change::Remove, None),
        HandleWord::Email => checked.email(Change::Remove),
        HandleWord::ExternalId => checked.external_id(Change::Remove),
    }?;
    let _permit = admit_change(&app, tenant_id).await?;
    let change = (&checked.description, checked.change(None));
    let executed = app.store.update_contact(&caller.actor(), tenant_id, contact_id, change).await;
    let executed = executed.map_err(refused)?;
    tracing::info!(%contact_id, "contact.handles_ended");
    answer(&app, &caller, (contact_id, None), (StatusCode::OK, executed.position)).await
}
