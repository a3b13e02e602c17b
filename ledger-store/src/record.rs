//! From drafts to the log: resolves the subject, derives event ids, seals, hashes and appends.

mod answers;
mod tenant_events;
mod tool_digests;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ledger_core::actor::Actor;
use ledger_core::envelope::{Correlation, Dedupe, Draft, StreamKind};
use ledger_core::event::PersonFacts;
use ledger_core::identity::PersonIdentifiers;
use ledger_core::ids::{EventId, Position, SourceId, StreamId, TenantId};
use ledger_core::plausible::remove_implausible;
use serde::Serialize;
use thiserror::Error;
use uuid::Uuid;

use crate::Store;
use crate::append::AppendError;
use crate::append::{AppendRejection, AppendRequest, Appended, Expected, NewEvent, StreamAppend};
use crate::compute::compute;
use crate::error::StoreError;
use crate::keyring::{DigestKey, KeyringError};
use crate::read;
use crate::seal::{SealedSections, SectionContext};
use crate::stage::{self, Stage};
use crate::tenant_tx::TenantTx;
use crate::vault::{Resolved, VaultError};

pub use answers::FirstAnswer;

/// How often a delivery of several events is tried while others record some of them.
const MAX_ATTEMPTS: usize = 5;

/// The reason for which a delivery was not recorded.
///
/// No event of the delivery was kept, unless the log became unreachable in the middle of the
/// append. Recording it again is safe in every case.
#[derive(Debug, Error)]
pub enum RecordError {
    /// The tenant's keys are not available.
    #[error("the content cannot be named")]
    Keyring(#[from] KeyringError),
    /// The subject or its key is not available.
    #[error("the person's key cannot be had")]
    Vault(#[from] VaultError),
    /// The log rejected the events or was not reachable.
    #[error("the log did not take it")]
    Append(#[from] AppendError),
    /// The look-up of existing events failed.
    #[error("the database did not answer")]
    Database(#[from] sqlx::Error),
    /// The look-up of the tenant's state, which decides whether its log accepts events, failed.
    #[error("the tenant's state is not known")]
    State(#[from] StoreError),
}

/// The context of a delivery: tenant, provider, source and request.
#[derive(Debug, Clone)]
pub struct DeliveryContext {
    /// The tenant the delivery was assigned to.
    pub tenant_id: TenantId,
    /// The platform that sent it.
    pub provider: &'static str,
    /// The source that received it.
    pub source_id: SourceId,
    /// Our id of the request.
    pub request_id: Uuid,
}

/// A delivery with everything its events are built from: stream, digest and resolved subject.
pub(crate) struct ResolvedDelivery<'a> {
    pub(crate) origin: &'a DeliveryContext,
    pub(crate) stream_id: StreamId,
    pub(crate) kind: StreamKind,
    digest_key: Arc<DigestKey>,
    digest: [u8; 32],
    pub(crate) resolved: Resolved,
}

/// Stored metadata on the origin of an event.
#[derive(Serialize)]
struct Meta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    source_id: Option<SourceId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<Actor>,
    request_id: Uuid,
    /// Keyed digest of the body: separates a duplicate from a changed message, and reveals nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    /// Whether sections were left out because the subject is fenced.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    erased: bool,
}

impl Store {
    /// Records one delivery: all of its drafts in one append. `canonical` is the digest that identifies its content.
    /// All drafts of a delivery belong to one stream. A single owned draft is freed as soon as it is sealed, because
    /// during the append it would take as much memory as its body.
    ///
    /// # Errors
    /// [`RecordError`]: ask the sender to try again, except when the append was refused.
    pub async fn record(
        &self,
        origin: &DeliveryContext,
        canonical: &[u8],
        drafts: impl Into<Cow<'_, [Draft]>>,
    ) -> Result<Appended, RecordError> {
        let mut fresh: Cow<'_, [Draft]> = drafts.into();
        // Before the vault: a webhook that is refused leaves no key of a person behind.
        if !self.accepts_events(origin.tenant_id).await? {
            return self.record_existing(origin, canonical, &fresh).await;
        }
        let named = self.resolve_delivery(origin, canonical, &fresh).await?;
        // Builds that read other events out of one body may have recorded some of them, even now.
        for _ in 0..MAX_ATTEMPTS {
            let sealed = || stage::run(Stage::Seal, || self.request(&named, &fresh));
            let request = compute(sealed_bytes(&fresh), sealed).await;
            // A single event needs no partial removal: it exists in the log or it does not.
            let is_single = fresh.len() == 1;
            if is_single {
                fresh = Cow::Borrowed(&[]);
            }
            match stage::drive(Stage::Append, self.appender.append(request)).await {
                Err(AppendError::Rejected(AppendRejection::PartlyKnown)) if !is_single => {}
                appended => return Ok(appended?),
            }
            let known = self.find_existing(&named, &fresh).await?;
            let left = drop_existing(&named, &fresh, &known);
            if left.is_empty() {
                return Ok(existing_positions(&known));
            }
            fresh = Cow::Owned(left);
        }
        Err(AppendError::Overloaded.into())
    }

    /// Builds the append request of [`Store::record`] for callers that append it themselves, such as
    /// many deliveries in an order of their own. The subject's key is durable on return. Events
    /// already in the log are not removed from the request.
    ///
    /// # Errors
    /// [`RecordError`], except for the errors of the append.
    pub async fn seal(
        &self,
        origin: &DeliveryContext,
        canonical: &[u8],
        drafts: &[Draft],
    ) -> Result<AppendRequest, RecordError> {
        let named = self.resolve_delivery(origin, canonical, drafts).await?;
        Ok(compute(sealed_bytes(drafts), || self.request(&named, drafts)).await)
    }

    /// [`Store::record`] for a tenant that accepts no events: a delivery already in the log returns
    /// its positions as a duplicate, any other is refused.
    async fn record_existing(
        &self,
        origin: &DeliveryContext,
        canonical: &[u8],
        drafts: &[Draft],
    ) -> Result<Appended, RecordError> {
        let digest = self.keyring.digest_key(origin.tenant_id).await?.digest(canonical);
        let id = |draft: &Draft| event_id(origin, &digest, &draft.dedupe);
        let ids: HashSet<EventId> = drafts.iter().map(id).collect();
        let wanted: Vec<EventId> = ids.iter().copied().collect();
        let mut tx = TenantTx::begin(&self.app, origin.tenant_id).await?;
        let known: HashMap<_, _> =
            read::find_existing(&mut tx, &wanted).await?.into_iter().collect();
        if !ids.is_empty() && known.len() == ids.len() {
            return Ok(existing_positions(&known));
        }
        Err(AppendError::Rejected(AppendRejection::TenantNotActive).into())
    }

    /// Resolves the stream, the digest and the subject of a delivery.
    pub(crate) async fn resolve_delivery<'a>(
        &self,
        origin: &'a DeliveryContext,
        canonical: &[u8],
        drafts: &[Draft],
    ) -> Result<ResolvedDelivery<'a>, RecordError> {
        let digest_key = self.keyring.digest_key(origin.tenant_id).await?;
        let digest = compute(canonical.len(), || digest_key.digest(canonical)).await;
        let (stream_id, kind) = stream_of(origin, &digest, drafts);
        let told = drafts.first().map_or_else(PersonIdentifiers::default, |draft| {
            let facts = draft.event.call().party;
            let party = draft.sections.party.as_ref();
            party.map_or_else(PersonIdentifiers::default, |party| {
                PersonIdentifiers::of(party, facts.unwrap_or_default())
            })
        });
        let resolved = self.vault.resolve(origin.tenant_id, stream_id, told);
        let resolved = stage::drive(Stage::Vault, resolved).await?;
        Ok(ResolvedDelivery { origin, stream_id, kind, digest_key, digest, resolved })
    }

    fn request(&self, named: &ResolvedDelivery<'_>, drafts: &[Draft]) -> AppendRequest {
        let ResolvedDelivery { stream_id, kind, .. } = *named;
        let events = drafts.iter().map(|draft| self.seal_draft(named, draft)).collect();
        let stream = StreamAppend { stream_id, kind, expected: Expected::Any, events };
        AppendRequest { tenant_id: named.origin.tenant_id, streams: vec![stream] }
    }

    /// The drafts already in the log, as event ids with their positions.
    async fn find_existing(
        &self,
        named: &ResolvedDelivery<'_>,
        drafts: &[Draft],
    ) -> Result<HashMap<EventId, Position>, RecordError> {
        let ids: Vec<EventId> = drafts.iter().map(|draft| named.event_id(&draft.dedupe)).collect();
        let mut tx = TenantTx::begin(&self.app, named.origin.tenant_id).await?;
        Ok(read::find_existing(&mut tx, &ids).await?.into_iter().collect())
    }

    fn seal_draft(&self, named: &ResolvedDelivery<'_>, draft: &Draft) -> NewEvent {
        self.seal_draft_as(named, draft, named.event_id(&draft.dedupe))
    }

    /// Seals a draft as the event with an id.
    pub(crate) fn seal_draft_as(
        &self,
        named: &ResolvedDelivery<'_>,
        draft: &Draft,
        event_id: EventId,
    ) -> NewEvent {
        let ResolvedDelivery { origin, digest, resolved, .. } = named;
        let now = self.clock.now_micros();
        let mut sealed = SealedSections::default();
        for section in draft.sections.iter() {
            let subject = resolved.subject_of(section.subject);
            let context = SectionContext {
                tenant_id: origin.tenant_id,
                subject_id: subject.subject_id,
                generation: subject.generation,
                event_id,
                event_type: draft.event.event_type(),
                schema_version: draft.event.schema_version(),
                name: section.name,
            };
            sealed.seal(subject.sealing_key(), &context, &section.plain);
        }
        let erased = sealed.is_erased;
        let mut event = draft.event.clone();
        let occurred_at = remove_implausible(&mut event, draft.occurred_at.unwrap_or(now), now);
        let facts = event.call_mut();
        let person = &resolved.person;
        let is_reported = facts.party.is_some() || *person != PersonFacts::default();
        facts.person = is_reported.then(|| person.clone());
        if erased {
            // The facts would refer to a section that is not stored, and hide earlier ones that are.
            facts.party = None;
        }
        if !erased {
            tool_digests::fill(&named.digest_key, named.stream_id, &mut event, &draft.sections);
        }
        let meta = Meta {
            source_id: Some(origin.source_id),
            actor: None,
            request_id: origin.request_id,
            content: Some(&hex::encode(digest)),
            erased,
        };
        NewEvent {
            event_id,
            event_type: draft.event.event_type(),
            schema_version: draft.event.schema_version(),
            occurred_at,
            recorded_at: now,
            facts: event.to_facts(),
            sections: sealed.small,
            bulk: sealed.bulk,
            subjects: sealed.subjects,
            meta: serde_json::to_string(&meta).expect("plain strings and ids"),
        }
    }
}

/// The stream of a delivery. Without a provider's id to correlate by, the stream id is derived from the content.
pub(crate) fn stream_of(
    origin: &DeliveryContext,
    digest: &[u8; 32],
    drafts: &[Draft],
) -> (StreamId, StreamKind) {
    match drafts.first().map(|draft| &draft.correlation) {
        Some(Correlation::Named(kind, name)) => {
            (origin.tenant_id.stream_of(kind.as_str(), origin.provider, name), *kind)
        }
        Some(Correlation::None) | None => {
            let name = hex::encode(digest);
            let kind = StreamKind::Delivery;
            (origin.tenant_id.stream_of(kind.as_str(), origin.provider, &name), kind)
        }
    }
}

impl ResolvedDelivery<'_> {
    fn event_id(&self, dedupe: &Dedupe) -> EventId {
        event_id(self.origin, &self.digest, dedupe)
    }
}

/// Derives the event id from provider and content. The source is left out: messages of one call can
/// arrive at several endpoints, and the same content must be the same event.
fn event_id(origin: &DeliveryContext, digest: &[u8; 32], dedupe: &Dedupe) -> EventId {
    let Dedupe::Content(nth) = dedupe;
    let parts = [b"event", origin.provider.as_bytes(), digest, &nth.to_be_bytes()];
    EventId(origin.tenant_id.derive(&parts))
}

/// Drops the drafts that are in the log. The raw body moves to the first remaining draft.
fn drop_existing(
    named: &ResolvedDelivery<'_>,
    drafts: &[Draft],
    known: &HashMap<EventId, Position>,
) -> Vec<Draft> {
    let is_new = |draft: &&Draft| !known.contains_key(&named.event_id(&draft.dedupe));
    let mut left: Vec<Draft> = drafts.iter().filter(is_new).cloned().collect();
    let raw = drafts.iter().find_map(|draft| draft.sections.raw.clone());
    if let Some(first) = left.first_mut() {
        first.sections.raw = first.sections.raw.take().or(raw);
    }
    left
}

/// Estimated bytes processed by sealing: the body, and the sections taken from it.
fn sealed_bytes(drafts: &[Draft]) -> usize {
    2 * drafts.iter().filter_map(|draft| draft.sections.raw.as_ref()).map(Vec::len).sum::<usize>()
}

fn existing_positions(known: &HashMap<EventId, Position>) -> Appended {
    let first = known.values().min().copied().unwrap_or_default();
    let last = known.values().max().copied().unwrap_or_default();
    Appended { first, last, duplicate: true }
}
