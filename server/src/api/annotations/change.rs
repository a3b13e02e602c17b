//! Decides and records a command on a call, and answers with what is on the call after it.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ledger_core::annotation::command::{Action, AnnotateCall};
use ledger_core::annotation::decide::Annotating;
use ledger_core::call::Call;
use ledger_core::envelope::StreamKind;
use ledger_core::identity::PersonIdentifiers;
use ledger_core::ids::{Position, StreamId};
use ledger_store::execute::CommandContext;
use ledger_store::vault::Subject;
use ledger_store::{StoreError, TenantTx, read};
use projections::calls::point_in_time::{self, PointInTime};

use super::refused::{call_busy, not_executed, not_found, outcome_unknown, person_erased};
use super::view::AnnotatedCallView;
use crate::app::App;
use crate::auth::Caller;
use crate::http::response::with_write_position;
use crate::problem::ApiError;

/// Decides a command and records it. Returns the position of its last event; `None` if nothing changed.
///
/// # Errors
/// 404 for a missing call and another tenant's alike; 403 for a tenant that takes no events; the refusals of the
/// command; 409 `subject-erased` if a text is to be sealed for an erased person.
pub(super) async fn annotate(
    app: &App,
    caller: &Caller,
    call_id: StreamId,
    action: Action,
) -> Result<Option<Position>, ApiError> {
    // Commands have a queue of their own.
    caller.read_permit.release();
    let tenant_id = caller.tenant_id();
    let permit = app.command_admission.acquire(tenant_id).await;
    let _permit = permit.map_err(|_| call_busy())?;
    check_call(app, caller, call_id).await?;
    // Also for a change that would record nothing.
    if !app.store.accepts_events(tenant_id).await? {
        return Err(ApiError::tenant_not_active());
    }
    let settings = app.store.call_settings(tenant_id).await?;
    let subject =
        if action.has_text(&settings) { Some(subject(app, caller, call_id).await?) } else { None };
    let context = CommandContext { tenant_id, by: caller.actor(), content: None, subject };
    let command = AnnotateCall { call_id, settings, action };
    let executed = app.store.execute::<Annotating>(&context, &command).await;
    let position = executed.map_err(not_executed)?.position;
    tracing::info!(%call_id, change = caller.action, "call.annotated");
    Ok(position)
}

/// Checks that the tenant has the call.
async fn check_call(app: &App, caller: &Caller, call_id: StreamId) -> Result<(), ApiError> {
    let mut tx = TenantTx::begin(app.store.app(), caller.tenant_id()).await?;
    let is_call = read::has_stream(&mut tx, StreamKind::Call, call_id).await?;
    is_call.then_some(()).ok_or_else(not_found)
}

/// Decides a command, records it and answers with what is on the call after it.
pub(super) async fn change(
    app: &App,
    caller: &Caller,
    call_id: StreamId,
    action: Action,
) -> Result<Response, ApiError> {
    let position = annotate(app, caller, call_id, action).await?;
    let call = after(app, caller, call_id, position).await?;
    let view = AnnotatedCallView::of(call_id.0, &call);
    Ok(with_write_position((StatusCode::OK, Json(view)).into_response(), position))
}

/// Returns the call after a command, folded from the log: the answer does not wait for the read model, and a
/// repeated command gets the same one.
pub(super) async fn after(
    app: &App,
    caller: &Caller,
    call_id: StreamId,
    position: Option<Position>,
) -> Result<Call, ApiError> {
    match folded(app, caller, call_id, position).await {
        Ok(call) => call.ok_or_else(not_found),
        // The change is in the log.
        Err(error) if position.is_some() => {
            tracing::warn!(error = %error, "call.answer_not_read");
            Err(outcome_unknown())
        }
        Err(error) => Err(error.into()),
    }
}

async fn folded(
    app: &App,
    caller: &Caller,
    call_id: StreamId,
    position: Option<Position>,
) -> Result<Option<Call>, StoreError> {
    let mut tx = TenantTx::begin(app.store.app(), caller.tenant_id()).await?;
    let until = PointInTime::Position(position.map_or(i64::MAX, |position| position.0));
    let state = point_in_time::find(&mut tx, call_id.0, until).await?;
    Ok(state.map(|state| state.call))
}

/// Returns the subject that texts about the call are sealed for: the contact on the line, or the call's own
/// subject. Its key is durable.
async fn subject(app: &App, caller: &Caller, call_id: StreamId) -> Result<Subject, ApiError> {
    let call = folded(app, caller, call_id, None).await?.ok_or_else(not_found)?;
    let (vault, tenant_id) = (app.store.vault(), caller.tenant_id());
    let contact = match call.contact_id() {
        Some(contact_id) => vault.contact(tenant_id, contact_id).await?,
        None => None,
    };
    let subject = match contact {
        Some(contact) => contact,
        None => vault.resolve(tenant_id, call_id, PersonIdentifiers::default()).await?.subject,
    };
    subject.sealing_key().is_some().then_some(subject).ok_or_else(person_erased)
}
