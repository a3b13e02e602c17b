//! The person on the line, and the sealed sections that describe this person.
//!
//! Each message proposes a person. Proposals are compared by the strength of their evidence and then
//! by the ids of their events, which are digests of the messages: neither depends on the order of
//! arrival or on the contacts that the vault knew. The sections of all proposals are kept. The
//! messages of a call therefore give the same person and the same sections in any order.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Call, CallerIdentity, Precedence, SealedSections, bounds};
use crate::envelope::Recorded;
use crate::event::{CallFacts, PartyFacts, PersonFacts, Presence};
use crate::identity::HandleKind;
use crate::ids::{EventId, HandleId, Position, SubjectId};

/// Maximum number of sections kept for a call. A call has few persons, however many messages it
/// has.
const MAX_PARTIES: usize = 16;

/// Strength of the evidence that a message gives for its person. The greater wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Evidence {
    has_handle: bool,
    is_named: bool,
    strength: Option<HandleKind>,
    precedence: Precedence,
}

/// The person that a message was resolved to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedPerson {
    /// A contact, or the call's own subject.
    pub subject_id: SubjectId,
    /// Ids of the message's handles, and whether the subject is a contact.
    #[serde(flatten)]
    pub resolved: PersonFacts,
    /// True if the message had a name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    named: bool,
    /// Kind of the strongest handle as an index into [`HandleKind::ALL`]; absent without a handle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    strength: Option<u8>,
    #[serde(rename = "w")]
    precedence: Precedence,
    /// Event of the message. Orders proposals with equal evidence.
    event_id: EventId,
}

/// Reference to an event with a `party` section. At most one per person and set of values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartyReference {
    /// Kinds of values in the section.
    pub facts: PartyFacts,
    /// Subject of the section.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_id: Option<SubjectId>,
    /// The strongest handle of the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<HandleId>,
    /// Handle of the number, or of the SIP address, in the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    phone: Option<HandleId>,
    /// Handle of the e-mail address in the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<HandleId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    strength: Option<u8>,
    /// Precedence of the message.
    #[serde(rename = "weight")]
    pub precedence: Precedence,
    /// Event of the section. Orders claims with equal evidence.
    pub event_id: EventId,
    /// Position of that event in the log.
    pub position: Position,
}

impl ReportedPerson {
    fn evidence(&self) -> Evidence {
        Evidence::new(self.named, self.strength, self.precedence)
    }
}

impl PartyReference {
    fn evidence(&self) -> Evidence {
        Evidence::new(self.facts.name, self.strength, self.precedence)
    }
}

impl Evidence {
    fn new(is_named: bool, strength: Option<u8>, precedence: Precedence) -> Self {
        let strength = strength.and_then(|nth| HandleKind::ALL.get(usize::from(nth)).copied());
        // A position is an order of arrival. A second report with the same time corrects values of
        // the call, and says nothing about which of two persons was on the line.
        let precedence = Precedence { position: Position(0), ..precedence };
        Self { has_handle: strength.is_some(), is_named, strength, precedence }
    }
}

/// Returns the strength of a party's values, for events without handle ids. Such events identified
/// a person by these values.
fn strength_of(facts: PartyFacts) -> Option<HandleKind> {
    let valid = Some(Presence::Valid);
    if facts.external_id {
        Some(HandleKind::ExternalId)
    } else if facts.phone == valid {
        Some(HandleKind::Phone)
    } else if facts.email == valid {
        Some(HandleKind::Email)
    } else {
        None
    }
}

impl Call {
    pub(super) fn apply_person<E>(
        &mut self,
        facts: &CallFacts,
        precedence: Precedence,
        recorded: &Recorded<E>,
        sealed: SealedSections,
    ) {
        let party = facts.party.unwrap_or_default();
        let (resolved, kind) = match &facts.person {
            Some(resolved) => (resolved.clone(), resolved.strongest().map(|(kind, _)| kind)),
            // Events recorded before subjects had kinds: every identified person is a contact.
            None => {
                let resolved =
                    PersonFacts { contact: party.identifies(), ..PersonFacts::default() };
                (resolved, strength_of(party))
            }
        };
        let strength = kind.map(|kind| kind as u8);
        let handle = resolved.strongest().map(|(_, id)| id);
        let (phone, email) = (resolved.phone.or(resolved.sip), resolved.email);
        let stated = [resolved.phone, resolved.sip, resolved.email].into_iter().flatten();
        let unnamed = sealed.subject.filter(|_| resolved.contact && handle.is_none());
        for handle in stated.map(|handle| handle.0).chain(unnamed.map(|contact| contact.0)) {
            bounds::insert(&mut self.handles, handle, bounds::MAX_HANDLES);
        }
        if let Some(subject_id) = sealed.subject {
            let (named, event_id) = (party.name, recorded.event_id);
            let candidate =
                ReportedPerson { subject_id, resolved, named, strength, precedence, event_id };
            let key = |candidate: &ReportedPerson| (candidate.evidence(), candidate.event_id);
            if self.person.as_ref().is_none_or(|known| key(known) < key(&candidate)) {
                self.person = Some(candidate);
            }
        }
        // The section of a fenced person was never sealed, so it must not displace another.
        let Some(facts) = facts.party.filter(|_| sealed.has_party) else { return };
        self.merge_party(PartyReference {
            facts,
            subject_id: sealed.subject,
            handle,
            phone,
            email,
            strength,
            precedence,
            event_id: recorded.event_id,
            position: recorded.position,
        });
    }

    fn merge_party(&mut self, candidate: PartyReference) {
        let key = |candidate: &PartyReference| (candidate.evidence(), candidate.event_id);
        let is_alike = |known: &&mut PartyReference| {
            (known.facts, known.subject_id, known.handle, known.phone, known.email)
                == (
                    candidate.facts,
                    candidate.subject_id,
                    candidate.handle,
                    candidate.phone,
                    candidate.email,
                )
        };
        match self.parties.iter_mut().find(is_alike) {
            Some(known) if key(known) < key(&candidate) => *known = candidate,
            Some(_) => {}
            None => self.parties.push(candidate),
        }
        self.parties.sort_by_key(|candidate| Reverse(key(candidate)));
        self.parties.truncate(MAX_PARTIES);
    }

    /// Returns the person with the strongest evidence.
    #[must_use]
    pub fn person(&self) -> Option<&ReportedPerson> {
        self.person.as_ref()
    }

    /// Returns the subject of the call: the person on the line, or the call's own subject.
    #[must_use]
    pub fn subject_id(&self) -> Option<SubjectId> {
        self.person.as_ref().map(|candidate| candidate.subject_id)
    }

    /// Returns the contact on the line; `None` if the call has only its own subject.
    #[must_use]
    pub fn contact_id(&self) -> Option<SubjectId> {
        self.person
            .as_ref()
            .filter(|candidate| candidate.resolved.contact)
            .map(|candidate| candidate.subject_id)
    }

    /// Returns the ids by which a filter for a number or an address finds the call: the handles of
    /// the numbers, SIP addresses and e-mail addresses of all its messages, shown or not. A message
    /// recorded before handles had ids adds its contact.
    #[must_use]
    pub fn handles(&self) -> &BTreeSet<Uuid> {
        &self.handles
    }

    /// Returns the handle of the shown number or SIP address; of events recorded before handles had
    /// ids, the contact. The previous release filters by it.
    #[must_use]
    pub fn phone_id(&self) -> Option<Uuid> {
        let resolved = &self.person.as_ref()?.resolved;
        let visible = self.visible_parties().find_map(|party| party.phone);
        visible
            .or(resolved.phone)
            .or(resolved.sip)
            .map(|handle| handle.0)
            .or_else(|| self.contact_without_handles())
    }

    /// Returns the handle of the shown e-mail address; see [`Call::phone_id`].
    #[must_use]
    pub fn email_id(&self) -> Option<Uuid> {
        let resolved = &self.person.as_ref()?.resolved;
        let visible = self.visible_parties().find_map(|party| party.email);
        visible.or(resolved.email).map(|handle| handle.0).or_else(|| self.contact_without_handles())
    }

    /// Returns the parties of the person on the line, strongest evidence first.
    fn visible_parties(&self) -> impl Iterator<Item = &PartyReference> {
        self.parties.iter().filter(|party| self.is_party_visible(party.event_id))
    }

    /// Returns the contact if none of its handles has an id.
    fn contact_without_handles(&self) -> Option<Uuid> {
        let person = self.person.as_ref().filter(|person| person.resolved.strongest().is_none())?;
        person.resolved.contact.then_some(person.subject_id.0)
    }

    /// Returns the handles and the name of the call's person, for a count of people.
    #[must_use]
    pub fn caller(&self) -> Option<CallerIdentity> {
        let person = self.person.as_ref()?;
        Some(CallerIdentity::of(person.subject_id, &person.resolved))
    }

    /// Returns all references to sealed parties, strongest evidence first.
    #[must_use]
    pub fn parties(&self) -> &[PartyReference] {
        &self.parties
    }

    /// Returns true if an event's party section is about the person on the line: it has the same
    /// contact, or, in a call without a contact, the same handle or none.
    #[must_use]
    pub fn is_party_visible(&self, event_id: EventId) -> bool {
        let Some(party) = self.parties.iter().find(|party| party.event_id == event_id) else {
            return false;
        };
        let Some(person) = &self.person else { return true };
        let is_same_subject =
            party.subject_id.is_none_or(|subject_id| subject_id == person.subject_id);
        let handle = person.resolved.strongest().map(|(_, id)| id);
        is_same_subject
            && (person.resolved.contact || party.handle.is_none() || party.handle == handle)
    }
}
