//! Who is on the line, and which sealed sections say so.
//!
//! Each message claims a person. The claims are compared by what they prove, not by when they arrived,
//! and the sections of all claims are kept, so that any order of a call's messages ends in one person
//! and in the same sections of that person.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Call, Caller, Carried, Weight};
use crate::envelope::Recorded;
use crate::event::{CallFacts, PartyFacts, PersonFacts, Presence};
use crate::identity::HandleKind;
use crate::ids::{EventId, HandleId, Position, SubjectId};

/// The most sections that are kept: a call has a handful of persons, however many messages.
const MAX_PARTIES: usize = 16;

/// How well a message proves its person. The greater wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Proof {
    has_handle: bool,
    is_named: bool,
    strength: Option<HandleKind>,
    weight: Weight,
}

/// The person a message was taken to be about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonClaim {
    /// A contact, or the call's own subject.
    pub subject_id: SubjectId,
    /// Which handles were told, and whether the subject is a contact.
    #[serde(flatten)]
    pub told: PersonFacts,
    /// A name was told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    named: bool,
    /// Of what strength its strongest handle was, if it told one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    strength: Option<u8>,
    #[serde(rename = "w")]
    weight: Weight,
}

/// An event whose `party` section says who was on the line. At most one per person and set of values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartyClaim {
    /// What the section holds.
    pub facts: PartyFacts,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_id: Option<SubjectId>,
    /// The strongest handle that was told with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<HandleId>,
    /// The handle of the number, or of the SIP address, that was told with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    phone: Option<HandleId>,
    /// The handle of the e-mail address that was told with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<HandleId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    strength: Option<u8>,
    /// How much it counts.
    pub weight: Weight,
    /// The event whose section it is; also settles equal weights.
    pub event_id: EventId,
    /// Where that event stands.
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

/// The strength of what a party tells, for events that name no handles: what people were found by then.
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
            // Recorded before subjects had kinds: whoever was identified is a contact.
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
        // What a fenced person's message would have said was never sealed: it displaces nothing.
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

    /// The person on the line, as far as the messages prove one.
    #[must_use]
    pub fn person(&self) -> Option<&PersonClaim> {
        self.person.as_ref()
    }

    /// The person on the line, or the call's own subject.
    #[must_use]
    pub fn subject_id(&self) -> Option<SubjectId> {
        self.person.as_ref().map(|claim| claim.subject_id)
    }

    /// The contact on the line; `None` when the call has nobody but its own subject.
    #[must_use]
    pub fn contact_id(&self) -> Option<SubjectId> {
        self.person.as_ref().filter(|claim| claim.told.contact).map(|claim| claim.subject_id)
    }

    /// The identifier a filter by number finds the call by: the handle of the number, or of the SIP
    /// address, that is shown. Of an event recorded before handles had ids, the contact.
    #[must_use]
    pub fn phone_id(&self) -> Option<Uuid> {
        let told = &self.person.as_ref()?.told;
        let shown = self.shown_parties().find_map(|party| party.phone);
        shown.or(told.phone).or(told.sip).map(|handle| handle.0).or_else(|| self.unhandled())
    }

    /// The same for the e-mail address.
    #[must_use]
    pub fn email_id(&self) -> Option<Uuid> {
        let told = &self.person.as_ref()?.told;
        let shown = self.shown_parties().find_map(|party| party.email);
        shown.or(told.email).map(|handle| handle.0).or_else(|| self.unhandled())
    }

    /// The parties of the person on the line, best first.
    fn shown_parties(&self) -> impl Iterator<Item = &PartyClaim> {
        self.parties.iter().filter(|party| self.shows(party.event_id))
    }

    /// The contact of whom no handle was told by id.
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

    /// Where the sealed parties lie, best first.
    #[must_use]
    pub fn parties(&self) -> &[PartyClaim] {
        &self.parties
    }

    /// Whether an event's party section is about the person on the line: it is the same contact, or
    /// in a call without one, it was told with the same handle or with none.
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
