//! The person that a tool call is about: the caller, or somebody who is named.
//!
//! Arguments never link persons: they are looked up or made with the handles of the call or with one
//! handle of the arguments, never with both.

use ledger_core::event::PartyFacts;
use ledger_core::identity::{PersonIdentifiers, Resolution, normal_name};
use ledger_core::ids::SubjectId;
use ledger_core::personal::Party;
use ledger_core::tools::Named;

use super::{Asked, ToolError};
use crate::Store;
use crate::vault::Resolved;

/// A person that an existing appointment may be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// This one.
    One(SubjectId),
    /// One of several who share the number, or the number is not that of the call: the name decides.
    Unnamed,
    /// Nobody is known.
    Nobody,
}

impl Asked<'_> {
    /// The person on the line as the platform reported it.
    pub(super) fn caller(&self) -> (Party, PartyFacts) {
        let party = self.draft.sections.party.clone().unwrap_or_default();
        (party, self.draft.event.call().party.unwrap_or_default())
    }

    /// The handles and the name by which a named person is resolved: with another number than that
    /// of the call, that number alone.
    pub(super) fn identifiers(&self, named: &Named) -> PersonIdentifiers {
        let (party, facts) = self.caller();
        let mut given = PersonIdentifiers::of(&party, facts);
        if let Some(phone) = named.phone().filter(|phone| !given.handles.contains(phone)) {
            given.handles = vec![phone];
            given.name = None;
        }
        if given.handles.is_empty() {
            given.handles = named.email().into_iter().collect();
        }
        let told = named.party().0.name.as_deref().and_then(normal_name);
        given.name = told.or(given.name);
        given
    }
}

impl Store {
    /// The person that a new appointment is for; a new one if it is not known. `None` if the name
    /// must be asked for.
    pub(super) async fn person_to_book(
        &self,
        asked: &Asked<'_>,
        named: &Named,
    ) -> Result<Option<Resolved>, ToolError> {
        let given = asked.identifiers(named);
        if given.name.is_none() {
            return Ok(None);
        }
        let origin = asked.delivery.origin;
        Ok(Some(self.vault.resolve(origin.tenant_id, asked.delivery.stream_id, given).await?))
    }

    /// The person that an existing appointment is for. Makes nobody.
    pub(super) async fn known_person(
        &self,
        asked: &Asked<'_>,
        named: &Named,
    ) -> Result<Known, ToolError> {
        let given = asked.identifiers(named);
        let caller = &asked.delivery.resolved;
        if !named.has_name() && given.handles != asked.identifiers(&Named::default()).handles {
            return Ok(Known::Unnamed);
        }
        if given.handles.is_empty() {
            return Ok(Known::One(caller.subject.subject_id));
        }
        let tenant_id = asked.delivery.origin.tenant_id;
        let stream_id = asked.delivery.stream_id;
        Ok(match self.vault.recognize(tenant_id, stream_id, &given).await? {
            Resolution::Contact { contact_id, .. } => Known::One(contact_id),
            Resolution::Own { candidates } if !candidates.is_empty() => Known::Unnamed,
            Resolution::Own { .. } => Known::One(caller.subject.subject_id),
            Resolution::New { .. } => Known::Nobody,
        })
    }
}
