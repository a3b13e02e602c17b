//! Replaying the quarantine: what a shared source could not route goes the way of a webhook again,
//! once a route says whose it is.

use axum::http::StatusCode;
use ledger_core::envelope::Draft;
use ledger_core::ids::{KeyId, Position, QuarantineId, TenantId};
use ledger_core::provider::{Provider, Routing};
use ledger_store::Store;
use ledger_store::compute::compute;
use ledger_store::quarantine::{Entry, OpenEntry};
use uuid::Uuid;

use super::{Delivery, answer};
use crate::problem::ApiError;

/// A replayed message, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// The entry.
    pub quarantine_id: QuarantineId,
    /// Whose log has it.
    pub tenant_id: TenantId,
    /// Where in that log.
    pub position: Position,
    /// It was there already: replayed before, or sent again meanwhile.
    pub was_known: bool,
}

/// What an entry says of whose it may be; nothing about a person.
pub struct Claims {
    /// What the sender calls this kind of message.
    pub kind: String,
    /// The platform's id of the call.
    pub provider_call_id: Option<String>,
    /// The ids a route could name.
    pub routing: Routing,
    /// The tenants that claim one of them now.
    pub tenants: Vec<TenantId>,
}

/// Gives one message of the quarantine to the tenant it belongs to, exactly once. `viewer` is who
/// asks: to anybody but the installation there is nothing to replay.
///
/// # Errors
/// 404 when `viewer` sees no such entry; 409 `no-single-route` when it still cannot be told whose it
/// is, and `source-not-found` when its source takes nothing any more; what a webhook is refused with.
pub async fn replay(
    store: &Store,
    viewer: TenantId,
    quarantine_id: QuarantineId,
    key_id: Option<KeyId>,
    request_id: Uuid,
) -> Result<Replay, ApiError> {
    let OpenEntry { entry, body, content } = open(store, viewer, quarantine_id).await?;
    if let Some(replayed) = &entry.replayed {
        let (tenant_id, position) = (replayed.tenant_id, replayed.position);
        return Ok(Replay { quarantine_id, tenant_id, position, was_known: true });
    }
    let source = store.find_source(entry.source_id).await?.ok_or_else(|| source_gone(&entry))?;
    let delivery = Delivery { store, source: &source, request_id };
    let (translation, _) = delivery.translate(&body, source.country.as_deref()).await?;
    let tenant_id = delivery.tenant_of(&translation).await?.ok_or_else(no_single_route)?;
    let (mut translation, named) = delivery.translate_for(tenant_id, &body).await?;
    // The body has lost its secrets, so it does not name itself as the sender's did.
    let content = content.unwrap_or(named);
    // What the voice heard when it asked.
    answer::fill_tool_results(&mut translation.drafts, answer::FAILED);
    for Draft { occurred_at, .. } in &mut translation.drafts {
        occurred_at.get_or_insert(entry.received_at);
    }
    let appended = delivery.record(tenant_id, &content, translation.drafts).await?;
    let position = appended.first;
    let is_first = store.mark_replayed(&entry, tenant_id, position, key_id).await?;
    let was_known = appended.duplicate || !is_first;
    Ok(Replay { quarantine_id, tenant_id, position, was_known })
}

/// What an entry says of whose it may be, for the operator who is to add a route.
///
/// # Errors
/// 404 when `viewer` sees no such entry.
pub async fn claims(
    store: &Store,
    viewer: TenantId,
    quarantine_id: QuarantineId,
) -> Result<(Entry, Claims), ApiError> {
    let OpenEntry { entry, body, .. } = open(store, viewer, quarantine_id).await?;
    let source = store.find_source(entry.source_id).await?;
    let provider = source.map_or(Provider::Vapi, |source| source.provider);
    let translated = compute(body.len(), || provider.adapter().translate(&body, None)).await;
    let translation = translated.map_err(|refused| {
        ApiError::internal(&format_args!("a quarantined body cannot be read: {refused}"))
    })?;
    let tenants = store.find_routes(entry.source_id, &translation.routing).await?;
    let claims = Claims {
        kind: translation.kind,
        provider_call_id: translation.provider_call_id,
        routing: translation.routing,
        tenants,
    };
    Ok((entry, claims))
}

async fn open(
    store: &Store,
    viewer: TenantId,
    quarantine_id: QuarantineId,
) -> Result<OpenEntry, ApiError> {
    let entry = store.open_quarantined(viewer, quarantine_id).await?;
    entry.ok_or_else(|| ApiError::not_found("quarantine-entry-not-found", "quarantine entry"))
}

fn no_single_route() -> ApiError {
    let detail = "no tenant claims an id in it, or several do; call-ledger quarantine show names the \
                  ids, call-ledger source route gives one to a tenant";
    ApiError::new(StatusCode::CONFLICT, super::NO_SINGLE_ROUTE, detail)
}

fn source_gone(entry: &Entry) -> ApiError {
    let detail = format!("source {} takes no messages any more", entry.source_id);
    ApiError::new(StatusCode::CONFLICT, "source-not-found", detail)
}
