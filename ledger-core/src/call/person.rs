//! The person on the line, and the sealed sections that describe this person.
//!
//! Each message proposes a person. Proposals are compared by the strength of their evidence, not by
//! their order of arrival, and the sections of all proposals are kept. The messages of a call
//! therefore give the same person and the same sections in any order.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Call, Caller, Carried, Weight};
use crate::envelope::Recorded;
use crate::event::{CallFacts, PartyFacts, PersonFacts, Presence};
use crate::identity::HandleKind;
use crate::ids::{EventId, HandleId, Position, SubjectId};

/// Maximum number of sections kept for a call. A call has few persons, however many messages it
/// has.
const MAX_PARTIES: usize = 16;

/// Strength of the evidence that a message gives for its person. The greater wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Proof {
    has_handle: bool,
    is_named: bool,
    strength: Option<HandleKind>,
    weight: Weight,
}

/// The person that a message was resolved to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonClaim {
    /// A contact, or the call's own subject.
    pub subject_id: SubjectId,
    /// Ids of the message's handles, and whether the subject is a contact.
    #[serde(flatten)]
    pub told: PersonFacts,
    /// True if the message had a name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    named: bool,
    /// Kind of the strongest handle as an index into [`HandleKind::ALL`]; absent without a handle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    strength: Option<u8>,
    #[serde(rename = "w")]
    weight: Weight,
}

/// Reference to an event with a `party` section. At most one per person and set of values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartyClaim {
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
    pub weight: Weight,
    /// Event of the section. Orders claims with equal evidence.
    pub event_id: EventId,
    /// Position of that event in the log.
    pub position: Position,
}

impl PersonClaim {
    fn proof(&self) -> Proof {
        Proof::new(self.named, self.strength, self.weight)
    }
}

impl PartyClaim {
    fn proof(&self) -> Proof {
        Proof::new(self.facts.name, self.strength, self.weight)
    }
}

impl Proof {
    fn new(is_named: bool, strength: Option<u8>, weight: Weight) -> Self {
        let strength = strength.and_then(|nth| HandleKind::ALL.get(usize::from(nth)).copied());
        Self { has_handle: strength.is_some(), is_named, strength, weight }
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
    pub(super) fn take_person(
        &mut self,
        facts: &CallFacts,
        weight: Weight,
        recorded: &Recorded,
        carried: Carried,
    ) {
        let party = facts.party.unwrap_or_default();
        let (told, kind) = match &facts.person {
            Some(told) => (told.clone(), told.strongest().map(|(kind, _)| kind)),
            // Events recorded before subjects had kinds: every identified person is a contact.
            None => {
                let told = PersonFacts { contact: party.identifies(), ..PersonFacts::default() };
                (told, strength_of(party))
            }
        };
        let strength = kind.map(|kind| kind as u8);
        let handle = told.strongest().map(|(_, id)| id);
        let (phone, email) = (told.phone.or(told.sip), told.email);
        if let Some(subject_id) = carried.subject {
            let claim = PersonClaim { subject_id, told, named: party.name, strength, weight };
            let key = |claim: &PersonClaim| {
                let PersonFacts { contact, external_id, phone, sip, email, has_name, .. } =
                    claim.told;
                let told = (external_id, phone, sip, email, has_name);
                (claim.proof(), contact, claim.subject_id, told, claim.told.holders.clone())
            };
            if self.person.as_ref().is_none_or(|known| key(known) < key(&claim)) {
                self.person = Some(claim);
            }
        }
        // The section of a fenced person was never sealed, so it must not displace another.
        let Some(facts) = facts.party.filter(|_| carried.has_party) else { return };
        self.keep_party(PartyClaim {
            facts,
            subject_id: carried.subject,
            handle,
            phone,
            email,
            strength,
            weight,
            event_id: recorded.event_id,
            position: recorded.position,
        });
    }

    fn keep_party(&mut self, claim: PartyClaim) {
        let key = |claim: &PartyClaim| (claim.proof(), claim.event_id);
        let is_alike = |known: &&mut PartyClaim| {
            (known.facts, known.subject_id, known.handle, known.phone, known.email)
                == (claim.facts, claim.subject_id, claim.handle, claim.phone, claim.email)
        };
        match self.parties.iter_mut().find(is_alike) {
            Some(known) if key(known) < key(&claim) => *known = claim,
            Some(_) => {}
            None => self.parties.push(claim),
        }
        self.parties.sort_by_key(|claim| Reverse(key(claim)));
        self.parties.truncate(MAX_PARTIES);
    }

    /// Returns the person with the strongest evidence.
    #[must_use]
    pub fn person(&self) -> Option<&PersonClaim> {
        self.person.as_ref()
    }

    /// Returns the subject of the call: the person on the line, or the call's own subject.
    #[must_use]
    pub fn subject_id(&self) -> Option<SubjectId> {
        self.person.as_ref().map(|claim| claim.subject_id)
    }

    /// Returns the contact on the line; `None` if the call has only its own subject.
    #[must_use]
    pub fn contact_id(&self) -> Option<SubjectId> {
        self.person.as_ref().filter(|claim| claim.told.contact).map(|claim| claim.subject_id)
    }

    /// Returns the id by which a filter for phone numbers finds the call: the handle of the number,
    /// or of the SIP address, in the visible parties. For events recorded before handles had ids,
    /// this is the contact.
    #[must_use]
    pub fn phone_id(&self) -> Option<Uuid> {
        let told = &self.person.as_ref()?.told;
        let shown = self.shown_parties().find_map(|party| party.phone);
        shown.or(told.phone).or(told.sip).map(|handle| handle.0).or_else(|| self.unhandled())
    }

    /// Returns the id by which a filter for e-mail addresses finds the call; see
    /// [`Call::phone_id`].
    #[must_use]
    pub fn email_id(&self) -> Option<Uuid> {
        let told = &self.person.as_ref()?.told;
        let shown = self.shown_parties().find_map(|party| party.email);
        shown.or(told.email).map(|handle| handle.0).or_else(|| self.unhandled())
    }

    /// Returns the parties of the person on the line, strongest evidence first.
    fn shown_parties(&self) -> impl Iterator<Item = &PartyClaim> {
        self.parties.iter().filter(|party| self.shows(party.event_id))
    }

    /// Returns the contact if none of its handles has an id.
    fn unhandled(&self) -> Option<Uuid> {
        let person = self.person.as_ref().filter(|person| person.told.strongest().is_none())?;
        person.told.contact.then_some(person.subject_id.0)
    }

    /// The handles and the name of the call's person, for a count of people.
    #[must_use]
    pub fn caller(&self) -> Option<Caller> {
        let person = self.person.as_ref()?;
        Some(Caller::of(person.subject_id, &person.told))
    }

    /// Returns all references to sealed parties, strongest evidence first.
    #[must_use]
    pub fn parties(&self) -> &[PartyClaim] {
        &self.parties
    }

    /// Returns true if an event's party section is about the person on the line: it has the same
    /// contact, or, in a call without a contact, the same handle or none.
    #[must_use]
    pub fn shows(&self, event_id: EventId) -> bool {
        let Some(party) = self.parties.iter().find(|party| party.event_id == event_id) else {
            return false;
        };
        let Some(person) = &self.person else { return true };
        let is_same_subject =
            party.subject_id.is_none_or(|subject_id| subject_id == person.subject_id);
        let handle = person.told.strongest().map(|(_, id)| id);
        is_same_subject && (person.told.contact || party.handle.is_none() || party.handle == handle)
    }
}
