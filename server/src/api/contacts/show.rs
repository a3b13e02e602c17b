//! `GET /v1/contacts/{contact_id}`: a contact.

use axum::extract::State;
use axum::response::Response;
use projections::contacts::find;

use super::answer::view;
use super::opened::open;
use super::refused::not_found;
use super::view::ContactView;
use crate::app::App;
use crate::auth::Scope;
use crate::http::consistency::begin_analytics_read;
use crate::http::operation::{Authorized, operation};
use crate::http::params::{Params, PathId};
use crate::http::response::with_read_position;
use crate::problem::{ApiError, Problem};

/// The read models of which a contact shows something.
pub(super) const MODELS: &[&str] = &["contacts", "calls", "appointments"];

operation! {
    GetContact {
        id: "get_contact",
        action: "contacts.show",
        access: Read,
        audit: ReadsPersonalData,
    }
}

/// Returns a contact. One that was merged is answered with `merged_into` and its own values, and without the
/// survivor's.
///
/// # Errors
/// 404 `contact-not-found`, the same for an unknown contact and for another tenant's.
#[utoipa::path(
    get, path = "/v1/contacts/{contact_id}", tag = "contacts",
    params(
        ("contact_id" = String, Path, description = "The contact"),
        ("min_position" = Option<i64>, Query, description = "Wait until the read model has reached this position"),
    ),
    responses(
        (status = 200, body = ContactView),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.contacts.show", skip_all)]
pub async fn handler(
    caller: Authorized<GetContact>,
    State(app): State<App>,
    PathId(contact_id): PathId,
    mut params: Params,
) -> Result<Response, ApiError> {
    let min_position = params.number("min_position")?;
    params.reject_unknown()?;
    let contact_id = contact_id.ok_or_else(not_found)?;
    let (mut tx, reached) = begin_analytics_read(&app, &caller, MODELS, min_position).await?;
    let listed = find(&mut tx, contact_id).await?.ok_or_else(not_found)?;
    drop(tx);
    let all =
        open(&app.vault_of(&caller), caller.tenant_id(), std::slice::from_ref(&listed)).await?;
    let opened = all.into_iter().next().unwrap_or_default();
    let is_personal = caller.has(Scope::Personal);
    if is_personal {
        let subjects = opened.subjects.clone();
        caller.audit_personal_read(&app, "contacts.show", Some(contact_id), 1, subjects).await?;
    }
    let view: ContactView = view(&app, &caller, &listed, &opened, is_personal).await?;
    Ok(with_read_position(view, reached))
}
