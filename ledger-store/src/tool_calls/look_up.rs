//! The tool that tells whether the caller is known.
//!
//! Of a person it tells the given name only, and nothing if several share the number. The name is the
//! one that a user gave the contact, else that of its next appointment; both are read from the log. A name that is
//! told is confirmed or not. Only for a confirmed name an appointment is read out. Of a number that
//! is not the call's own, no name and no appointment is told.

use std::ops::ControlFlow;

use ledger_core::event::{ContactField, FieldChanges};
use ledger_core::identity::Resolution;
use ledger_core::ids::{AppointmentId, EventId, StreamId, SubjectId, TenantId};
use ledger_core::personal::Party;
use ledger_core::provider::ToolReply;
use ledger_core::tools::{Named, When, words};

use super::{Asked, ToolError};
use crate::Store;
use crate::read::{self, StoredEvent};
use crate::seal::{Opened, SectionName};
use crate::tenant_tx::TenantTx;
use crate::vault::SectionColumn;

/// Maximum length of a given name that is spoken, in characters.
const MAX_NAME: usize = 30;

impl Store {
    pub(super) async fn look_up(
        &self,
        asked: &Asked<'_>,
        named: &Named,
    ) -> Result<ToolReply, ToolError> {
        let mut given = asked.identifiers(named);
        let own = asked.identifiers(&Named::default());
        let is_callers = !own.handles.is_empty();
        if is_callers {
            // Only the number of the call is looked up, so nobody can try out numbers.
            given.handles = own.handles;
        }
        if !named.has_name() {
            given.name = None;
        }
        if given.handles.is_empty() {
            return Ok(Ok(words::new_caller()));
        }
        let tenant_id = asked.delivery.origin.tenant_id;
        let stream_id = asked.delivery.stream_id;
        let resolution = self.vault.recognize(tenant_id, stream_id, &given).await?;
        let contact_id = match resolution {
            // A name that nobody told before is not confirmed.
            Resolution::Contact { takes_name: true, .. } | Resolution::New { .. } => {
                return Ok(Ok(words::new_caller()));
            }
            Resolution::Own { candidates } if candidates.len() > 1 => {
                return Ok(Ok(words::shared_number()));
            }
            Resolution::Own { .. } => return Ok(Ok(words::new_caller())),
            Resolution::Contact { contact_id, .. } => contact_id,
        };
        let found = if is_callers {
            self.appointments_of(asked, contact_id, When::Any).await?
        } else {
            Vec::new()
        };
        let next = found.first();
        if named.has_name() {
            let at = next.map(|found| found.appointment.slot.starts_at);
            return Ok(Ok(words::confirmed_caller(at, &asked.dates())));
        }
        let mut name = None;
        if is_callers {
            name = self.name_of_contact(tenant_id, contact_id).await?;
        }
        if let (None, Some(found)) = (&name, next) {
            name = self.name_in(tenant_id, found.appointment_id).await?;
        }
        Ok(Ok(words::known_caller(name.as_deref().and_then(given_name))))
    }

    /// The name that a user gave a contact; `None` for a contact that only calls made.
    async fn name_of_contact(
        &self,
        tenant_id: TenantId,
        contact_id: SubjectId,
    ) -> Result<Option<String>, ToolError> {
        let mut named = None;
        let mut tx = TenantTx::begin(&self.commands, tenant_id).await?;
        read::scan_stream(&mut tx, StreamId(contact_id.0), |stored| {
            if matches!(stored.event_type.as_str(), "contact.created" | "contact.updated") {
                let fields = serde_json::from_str::<FieldChanges>(&stored.facts);
                let fields = fields.unwrap_or_default();
                if fields.set.contains(&ContactField::Name) {
                    named = Some(stored);
                } else if fields.removed.contains(&ContactField::Name) {
                    named = None;
                }
            }
            ControlFlow::Continue(())
        })
        .await?;
        drop(tx);
        match named {
            Some(stored) => self.name_of(tenant_id, &stored).await,
            None => Ok(None),
        }
    }

    /// The name in the sealed data of an appointment.
    async fn name_in(
        &self,
        tenant_id: TenantId,
        id: AppointmentId,
    ) -> Result<Option<String>, ToolError> {
        let mut first = None;
        let mut tx = TenantTx::begin(&self.commands, tenant_id).await?;
        read::scan_stream(&mut tx, StreamId(id.0), |stored| {
            first = Some(stored);
            ControlFlow::Break(())
        })
        .await?;
        drop(tx);
        match first {
            Some(stored) => self.name_of(tenant_id, &stored).await,
            None => Ok(None),
        }
    }

    /// The name in the section `party` of an event; `None` if its key is destroyed.
    async fn name_of(
        &self,
        tenant_id: TenantId,
        stored: &StoredEvent,
    ) -> Result<Option<String>, ToolError> {
        let column = SectionColumn::Sections(EventId(stored.event_id));
        let sections = stored.sections.as_deref().unwrap_or_default();
        let opened = self.vault.open(tenant_id, &[(column, sections)]).await?;
        let party = opened.into_iter().flatten().find_map(|section| {
            let Opened::Clear(plain) = section.plain else { return None };
            let is_party = section.name == SectionName::Party;
            is_party.then(|| serde_json::from_slice::<Party>(&plain.reveal()).ok())?
        });
        Ok(party.and_then(|party| party.name))
    }
}

/// The given name in a name. `None` if it does not look like one.
fn given_name(name: &str) -> Option<&str> {
    let first = name.split_whitespace().find(|word| !word.ends_with('.'))?;
    let is_letter = |c: char| c.is_alphabetic() || matches!(c, '-' | '\'' | '’');
    let fits = first.chars().count() <= MAX_NAME && first.chars().all(is_letter);
    fits.then_some(first)
}

#[cfg(test)]
mod tests {
    use super::given_name;

    #[test]
    fn only_one_word_of_letters_is_a_given_name() {
        assert_eq!(given_name("Dr. Ann Example"), Some("Ann"));
        assert_eq!(given_name("Anne-Marie O'Neil"), Some("Anne-Marie"));
        assert_eq!(given_name("<b>Ann</b> Example"), None);
        assert_eq!(given_name("\u{202E}nnA"), None);
        assert_eq!(given_name(&"a".repeat(40)), None);
    }
}
