//! The answer to a change: the contact as the log has it after the change.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ledger_core::ids::{Position, SubjectId};
use ledger_store::TenantTx;
use projections::contacts::{ListedContact, current};

use super::opened::{OpenedContact, open};
use super::refused::not_found;
use super::view::ContactView;
use crate::app::App;
use crate::auth::{Caller, Scope};
use crate::http::response::with_write_position;
use crate::problem::ApiError;

/// Answers with a contact after a change of it, or after the merge of `part` into it. Figures may be older than the
/// change. A repeated change is answered with the contact as it is now.
pub(super) async fn answer(
    app: &App,
    caller: &Caller,
    (contact_id, part): (SubjectId, Option<SubjectId>),
    (status, position): (StatusCode, Option<Position>),
) -> Result<Response, ApiError> {
    let tenant_id = caller.tenant_id();
    let mut tx = TenantTx::begin(app.store.app(), tenant_id).await?;
    let listed = current(&mut tx, contact_id.0, part.map(|part| part.0)).await?;
    drop(tx);
    let listed = listed.ok_or_else(not_found)?;
    let opened = open(&app.vault_of(caller), tenant_id, std::slice::from_ref(&listed)).await;
    let opened = opened.unwrap_or_default().pop().unwrap_or_default();
    let mut is_personal = caller.has(Scope::Personal) && !opened.subjects.is_empty();
    if is_personal {
        let subjects = opened.subjects.clone();
        let audit =
            caller.audit_personal_read(app, caller.action, Some(contact_id.0), 1, subjects).await;
        // Personal data is not shown unaudited, and the change is recorded all the same.
        is_personal = audit.is_ok();
    }
    let view = view(app, caller, &listed, &opened, is_personal).await?;
    Ok(with_write_position((status, Json(view)).into_response(), position))
}

/// Builds the view of one contact.
pub(super) async fn view(
    app: &App,
    caller: &Caller,
    listed: &ListedContact,
    opened: &OpenedContact,
    is_personal: bool,
) -> Result<ContactView, ApiError> {
    let id = listed.contact.contact_id;
    let facts = app.store.vault().contact_facts(caller.tenant_id(), &[id]).await?;
    let facts = facts.get(&id).copied().unwrap_or_default();
    Ok(ContactView::of(listed, opened, facts, is_personal))
}
