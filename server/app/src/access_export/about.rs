//! The selection: which events of the log concern a person.
//!
//! - The contact, and the contacts that were merged into it.
//! - Streams that name one of them: its contact stream and its rights, calls with a section about
//!   it, its bookings and tasks, and those that it made for others.
//! - The own subject of a call whose person is one of these contacts, unless the call names another
//!   contact too: then what belongs to nobody in particular is withheld.
//! - Accesses to the data of one of these subjects.
//!
//! A call in which the person is only one of several that share a number is counted and left out.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use ledger_core::call::{Call, SealedSections};
use ledger_core::event::{CallEvent, Event};
use ledger_core::ids::{Position, StreamId, SubjectId, TenantId};
use ledger_store::read::{self, Selection, StoredEvent, Window, scan_stream, streams_about};
use ledger_store::seal::{Sealed, SectionName, unpack};
use ledger_store::{Store, StoreError, TenantTx};
use uuid::Uuid;

use super::calls::CallSummary;

/// Positions of one statement that looks through the log.
const WINDOW: i64 = 50_000;

/// What an export contains.
#[derive(Debug)]
pub struct About {
    /// The last position of the log that is taken into account.
    pub head: Position,
    /// The contact and its parts.
    pub contacts: BTreeSet<Uuid>,
    /// The subjects whose sections are opened: the contacts, and own subjects of calls.
    pub subjects: BTreeSet<Uuid>,
    /// The streams, with their kinds.
    pub streams: BTreeMap<Uuid, String>,
    /// The calls among them.
    pub(super) calls: Vec<CallSummary>,
    /// Number of calls in which the person is one of several that share a handle.
    pub ambiguous_calls: u32,
}

impl About {
    /// The ids of the streams and of the subjects, for [`Selection`].
    #[must_use]
    pub fn ids(&self) -> (Vec<Uuid>, Vec<Uuid>) {
        (self.streams.keys().copied().collect(), self.subjects.iter().copied().collect())
    }

    /// Whether a subject is this person.
    #[must_use]
    pub fn is_person(&self, subject_id: Uuid) -> bool {
        self.subjects.contains(&subject_id)
    }
}

/// The windows up to a position.
pub(super) fn windows(head: Position) -> impl Iterator<Item = Window> {
    (0..).map(|nth| nth * WINDOW).take_while(move |after| *after < head.0).map(move |after| {
        Window { after: Position(after), to: Position(head.0.min(after + WINDOW)) }
    })
}

/// Selects what concerns a contact and its parts, from the log.
///
/// # Errors
/// The database did not answer.
pub async fn select(
    store: &Store,
    tenant_id: TenantId,
    contacts: impl IntoIterator<Item = SubjectId>,
) -> Result<About, StoreError> {
    let contacts: BTreeSet<Uuid> = contacts.into_iter().map(|contact| contact.0).collect();
    let listed: Vec<Uuid> = contacts.iter().copied().collect();
    let mut tx = TenantTx::begin(store.app(), tenant_id).await?;
    let head = read::head(&mut tx).await?;
    drop(tx);
    let mut found: BTreeMap<Uuid, (String, bool)> = BTreeMap::new();
    for window in windows(head) {
        let mut tx = TenantTx::begin(store.app(), tenant_id).await?;
        for stream in streams_about(&mut tx, &listed, window).await? {
            let known = found.entry(stream.stream_id).or_insert((stream.kind, false));
            known.1 |= stream.is_about;
        }
    }
    let mut about = About {
        head,
        subjects: contacts.clone(),
        streams: BTreeMap::new(),
        calls: Vec::new(),
        ambiguous_calls: 0,
        contacts,
    };
    for contact in &listed {
        about.streams.insert(*contact, "contact".to_owned());
        let rights = tenant_id.subject_stream(SubjectId(*contact));
        about.streams.insert(rights.0, "subject".to_owned());
    }
    for (stream_id, (kind, is_about)) in found {
        if !is_about {
            about.ambiguous_calls += 1;
            continue;
        }
        if !is_of_person(&kind) {
            // Its events that name the person are selected one by one.
            continue;
        }
        if is_conversation(&kind) {
            let mut tx = TenantTx::begin(store.app(), tenant_id).await?;
            let stream = classify(&mut tx, StreamId(stream_id), &about).await?;
            let (own, call) = (stream.own_subjects(), stream.call);
            about.subjects.extend(own);
            about.calls.push(CallSummary::of(stream_id, &kind, &call));
        }
        about.streams.insert(stream_id, kind);
    }
    Ok(about)
}

/// Whether a stream of this kind is about one person.
fn is_of_person(kind: &str) -> bool {
    is_conversation(kind) || matches!(kind, "contact" | "subject" | "appointment" | "task")
}

/// Whether events of a stream of this kind are those of a conversation.
fn is_conversation(kind: &str) -> bool {
    matches!(kind, "call" | "chat" | "session" | "delivery")
}

/// A conversation, with the subjects that its events name.
struct Classified<'a> {
    about: &'a About,
    call: Call,
    /// Subjects of messages that were about no contact.
    own: BTreeSet<Uuid>,
    names_others: bool,
}

impl Classified<'_> {
    /// The own subjects of the conversation, if it belongs to the person alone.
    fn own_subjects(&self) -> BTreeSet<Uuid> {
        let contact = self.call.contact_id().map(|contact| contact.0);
        let is_theirs = contact.is_some_and(|contact| self.about.contacts.contains(&contact));
        if is_theirs && !self.names_others { self.own.clone() } else { BTreeSet::new() }
    }

    fn add(&mut self, stored: &StoredEvent) {
        // An event that this build cannot decode is exported as it is, and not folded.
        let Ok(recorded) = stored.decode() else { return };
        let Event::Call(event) = &recorded.event else { return };
        let subject = stored.subject();
        let recorded = ledger_core::envelope::Recorded {
            position: recorded.position,
            stream_id: recorded.stream_id,
            stream_version: recorded.stream_version,
            event_id: recorded.event_id,
            occurred_at: recorded.occurred_at,
            recorded_at: recorded.recorded_at,
            event,
        };
        let has_party = has_party(stored.sections.as_deref());
        self.call.evolve(&recorded, SealedSections { subject, has_party });
        let Some(SubjectId(subject)) = subject else { return };
        if self.about.contacts.contains(&subject) {
            return;
        }
        match is_contact(event) {
            Some(true) => self.names_others = true,
            Some(false) => drop(self.own.insert(subject)),
            // What was added to a call does not say what its subject is.
            None => {}
        }
    }
}

/// Whether the subject of a message is a contact; `None` for an event that is no message.
fn is_contact(event: &CallEvent) -> Option<bool> {
    let facts = event.call();
    match (&facts.person, facts.party) {
        (Some(person), _) => Some(person.contact),
        // Recorded before subjects had kinds: every identified person is a contact.
        (None, Some(party)) => Some(party.identifies()),
        (None, None) => match event {
            CallEvent::Started(_)
            | CallEvent::StatusChanged(_)
            | CallEvent::ToolCalled(_)
            | CallEvent::Transferred(_)
            | CallEvent::Ended(_)
            | CallEvent::RecordingAvailable(_)
            | CallEvent::MessageReceived(_) => Some(false),
            _ => None,
        },
    }
}

fn has_party(sections: Option<&[u8]>) -> bool {
    let sections = sections.and_then(|column| unpack(column).ok()).unwrap_or_default();
    sections
        .into_iter()
        .any(|bytes| Sealed::parse(bytes).is_ok_and(|sealed| sealed.name == SectionName::Party))
}

async fn classify<'a>(
    tx: &mut TenantTx,
    stream_id: StreamId,
    about: &'a About,
) -> Result<Classified<'a>, StoreError> {
    let (call, own) = (Call::default(), BTreeSet::new());
    let mut classified = Classified { about, call, own, names_others: false };
    scan_stream(tx, stream_id, |event| {
        if event.position <= about.head.0 {
            classified.add(&event);
        }
        ControlFlow::Continue(())
    })
    .await?;
    Ok(classified)
}

/// Number of events that concern the person, counted by the versions of streams and the subjects of
/// events, and not by reading them.
///
/// # Errors
/// The database did not answer.
pub(super) async fn count(
    store: &Store,
    tenant_id: TenantId,
    about: &About,
) -> Result<(BTreeMap<Uuid, u64>, u64), StoreError> {
    let (streams, subjects) = about.ids();
    let selection = Selection { streams: &streams, subjects: &subjects };
    let mut elsewhere = 0;
    for window in windows(about.head) {
        let mut tx = TenantTx::begin(store.app(), tenant_id).await?;
        elsewhere += read::count_elsewhere(&mut tx, selection, window).await?.unsigned_abs();
    }
    let mut tx = TenantTx::begin(store.app(), tenant_id).await?;
    let lengths = read::stream_lengths(&mut tx, &streams, about.head).await?;
    let lengths = lengths.into_iter().map(|(id, length)| (id, length.unsigned_abs()));
    Ok((lengths.collect(), elsewhere))
}
