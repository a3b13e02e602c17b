//! Replays quarantined messages: once a route identifies the tenant, a message is processed like a
//! webhook.

use ledger_core::envelope::Draft;
use ledger_core::ids::{KeyId, Position, QuarantineId, SourceId, TenantId};
use ledger_core::provider::{Routing, TranslateError};
use ledger_store::compute::compute;
use ledger_store::quarantine::{Entry, OpenEntry};
use ledger_store::{Store, StoreError};
use thiserror::Error;
use uuid::Uuid;

use super::delivery::WebhookDelivery;
use super::error::DeliveryError;
use super::outcome::NO_SINGLE_ROUTE;
use super::tool_results::mark_unanswered;
use crate::fault::Fault;

/// Result of a replay: the log position of the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// Id of the quarantine entry.
    pub quarantine_id: QuarantineId,
    /// Tenant with the message in its log.
    pub tenant_id: TenantId,
    /// First position of the message in that log.
    pub position: Position,
    /// Whether the message was in the log already: replayed before, or sent again by the platform.
    pub was_known: bool,
}

/// The reason for which a message stays in quarantine, or cannot be shown. Prints the public sentence.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReplayError {
    /// The viewer sees no such entry.
    #[error("there is no such quarantine entry")]
    NotFound,
    /// There is still no unique tenant.
    #[error(
        "no tenant had a route for an id in it when it was received, or several had; call-ledger quarantine \
         show names the ids, call-ledger source route assigns one to a tenant"
    )]
    NoSingleRoute,
    /// The source no longer exists, or is disabled.
    #[error("source {0} takes no messages any more")]
    SourceGone(SourceId),
    /// It was not recorded.
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
}

impl ReplayError {
    /// The stable code in kebab-case, such as `no-single-route`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "quarantine-entry-not-found",
            Self::NoSingleRoute => NO_SINGLE_ROUTE,
            Self::SourceGone(_) => "source-not-found",
            Self::Delivery(error) => error.code(),
        }
    }
}

impl From<TranslateError> for ReplayError {
    fn from(refused: TranslateError) -> Self {
        Self::Delivery(refused.into())
    }
}

impl From<StoreError> for ReplayError {
    fn from(error: StoreError) -> Self {
        Self::Delivery(error.into())
    }
}

/// Routing information of a quarantine entry; contains no personal data.
pub struct RoutingCandidates {
    /// Message type, as named by the provider.
    pub kind: String,
    /// The provider's id of the call.
    pub provider_call_id: Option<String>,
    /// Ids in the message that a route can match.
    pub routing: Routing,
    /// Tenants with a route for one of the ids that was valid when the message was received.
    pub tenants: Vec<TenantId>,
}

/// Assigns one quarantined message to its tenant, exactly once. `viewer` is the tenant of the
/// caller; only the installation sees entries.
///
/// # Errors
/// [`ReplayError`].
pub async fn replay(
    store: &Store,
    viewer: TenantId,
    quarantine_id: QuarantineId,
    key_id: Option<KeyId>,
    request_id: Uuid,
) -> Result<Replay, ReplayError> {
    let OpenEntry { entry, body, content, .. } = open(store, viewer, quarantine_id).await?;
    if let Some(replayed) = &entry.replayed {
        let (tenant_id, position) = (replayed.tenant_id, replayed.position);
        return Ok(Replay { quarantine_id, tenant_id, position, was_known: true });
    }
    let source = store
        .find_source(entry.source_id)
        .await?
        .ok_or(ReplayError::SourceGone(entry.source_id))?;
    let received_at = entry.received_at;
    let delivery =
        WebhookDelivery { store, source: &source, request_id, received_at, follow_ups: None };
    let (translation, _) = delivery.translate(&body, source.country.as_deref()).await?;
    let tenant_id = delivery.tenant_of(&translation).await?.ok_or(ReplayError::NoSingleRoute)?;
    let (mut translation, named) = delivery.translate_for(tenant_id, &body).await?;
    // The body has lost its secrets, so it does not name itself as the sender's did.
    let content = content.unwrap_or(named);
    // The assistant was told that nothing was done, and nobody waits for the tools any more.
    mark_unanswered(&mut translation.drafts);
    for Draft { occurred_at, .. } in &mut translation.drafts {
        occurred_at.get_or_insert(entry.received_at);
    }
    let appended = if delivery.has_known_tool(&translation.drafts) {
        delivery.record_unanswered(tenant_id, &content, translation.drafts).await?
    } else {
        delivery.record(tenant_id, &content, translation.drafts).await?
    };
    let position = appended.first;
    let is_first = store.mark_replayed(&entry, tenant_id, position, key_id).await?;
    let was_known = appended.duplicate || !is_first;
    Ok(Replay { quarantine_id, tenant_id, position, was_known })
}

/// Returns an entry with its routing information, for an operator who adds a route.
///
/// # Errors
/// [`ReplayError::NotFound`] if `viewer` sees no such entry.
pub async fn routing_candidates(
    store: &Store,
    viewer: TenantId,
    quarantine_id: QuarantineId,
) -> Result<(Entry, RoutingCandidates), ReplayError> {
    let OpenEntry { entry, provider, body, .. } = open(store, viewer, quarantine_id).await?;
    let translated = compute(body.len(), || provider.adapter().translate(&body, None)).await;
    let translation = translated.map_err(|refused| {
        let cause = format_args!("a quarantined body cannot be read: {refused}");
        DeliveryError::from(Fault::internal(&cause))
    })?;
    let tenants =
        store.find_routes(entry.source_id, &translation.routing, entry.received_at).await?;
    let claims = RoutingCandidates {
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
) -> Result<OpenEntry, ReplayError> {
    let entry = store.open_quarantined(viewer, quarantine_id).await?;
    entry.ok_or(ReplayError::NotFound)
}
