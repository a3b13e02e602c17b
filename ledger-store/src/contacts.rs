//! Changes of contacts: in the vault, which finds persons, and in the log.
//!
//! Handles are in the vault before the event that names them, and a merge is in the log before the
//! vault follows it. Every step can be repeated.

use std::sync::Arc;

use ledger_core::contact::{
    ContactAction, ContactChange, ContactCommand, ContactRefusal, Contacts, Merge, Merges,
};
use ledger_core::erasure::ErasureEvent;
use ledger_core::event::ContactEvent;
use ledger_core::identity::PersonIdentifiers;
use ledger_core::ids::{SubjectId, TenantId};
use thiserror::Error;

use crate::Store;
use crate::admin_events::Attribution;
use crate::error::StoreError;
use crate::execute::{CommandContext, ExecuteError, Executed};
use crate::vault::{DescribeError, Described, Description, MadeContact, Subject, VaultError};

/// The reason for which a contact was not changed.
#[derive(Debug, Error)]
pub enum ContactError {
    /// The tenant has no such contact.
    #[error("there is no contact {0}")]
    NotFound(SubjectId),
    /// The contact is erased or restricted.
    #[error("contact {0} is erased or restricted")]
    Fenced(SubjectId),
    /// Another contact has the external id.
    #[error("another contact has this external id")]
    ExternalIdTaken,
    /// The command was not executed.
    #[error("the command on the contact was not executed")]
    Command(#[from] ExecuteError<ContactRefusal>),
    /// The vault is not available.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl From<DescribeError> for ContactError {
    fn from(error: DescribeError) -> Self {
        match error {
            DescribeError::ExternalIdTaken => Self::ExternalIdTaken,
            DescribeError::Vault(error) => Self::Vault(error),
        }
    }
}

/// A contact that was found or made, and the command that described it.
pub struct DescribedContact {
    /// The contact.
    pub contact_id: SubjectId,
    /// Whether the contact is new.
    pub is_new: bool,
    /// The command.
    pub executed: Executed<ContactEvent>,
}

impl Store {
    /// Finds the contact of a person by the rules of messages, or makes one with the id `new`, and
    /// records what is known about it. The change gets the handles.
    ///
    /// # Errors
    /// [`ContactError`]; an external id of another contact makes none.
    pub async fn create_contact(
        &self,
        by: &Attribution,
        tenant_id: TenantId,
        (new, given): (SubjectId, &PersonIdentifiers),
        mut change: ContactChange,
    ) -> Result<DescribedContact, ContactError> {
        let sources = (Arc::clone(&self.clock), Arc::clone(&self.ids));
        let made = self.vault.make_contact(tenant_id, new, given, sources).await?;
        let MadeContact { subject, is_new, handles } = made;
        change.creates = true;
        change.added = handles;
        let contact_id = subject.subject_id;
        let executed = self.change_contact(by, tenant_id, subject, change).await?;
        Ok(DescribedContact { contact_id, is_new, executed })
    }

    /// Changes a contact: what it is found by, then its fields and tags. The change gets the handles.
    ///
    /// # Errors
    /// [`ContactError`]
    pub async fn update_contact(
        &self,
        by: &Attribution,
        tenant_id: TenantId,
        contact_id: SubjectId,
        (description, mut change): (&Description, ContactChange),
    ) -> Result<Executed<ContactEvent>, ContactError> {
        let subject = self.changeable_contact(tenant_id, contact_id).await?;
        let facts = self.vault.contact_facts(tenant_id, &[contact_id.0]).await?;
        if let Some(into) = facts.get(&contact_id.0).and_then(|facts| facts.merged_into) {
            return Err(ExecuteError::Rejected(ContactRefusal::Merged(into)).into());
        }
        let sources = (&*self.clock, &*self.ids);
        let described = self.vault.describe(tenant_id, contact_id, description, sources).await?;
        let Described { added, ended } = described;
        (change.added, change.ended) = (added, ended);
        self.change_contact(by, tenant_id, subject, change).await
    }

    /// Merges a contact into another one, which survives. Returns the survivor, which is another one
    /// if `into` was merged before.
    ///
    /// # Errors
    /// [`ContactError`]; erased and restricted persons are not merged.
    pub async fn merge_contacts(
        &self,
        by: &Attribution,
        tenant_id: TenantId,
        contact_id: SubjectId,
        into: SubjectId,
    ) -> Result<(SubjectId, Executed<ContactEvent>), ContactError> {
        self.changeable_contact(tenant_id, contact_id).await?;
        self.changeable_contact(tenant_id, into).await?;
        let facts = self.vault.contact_facts(tenant_id, &[into.0]).await?;
        let survivor = facts.get(&into.0).and_then(|facts| facts.merged_into).unwrap_or(into);
        self.changeable_contact(tenant_id, survivor).await?;
        let merge = Merge {
            into,
            handles: self.vault.handles_of(tenant_id, contact_id).await?,
            into_handles: self.vault.handles_of(tenant_id, survivor).await?,
        };
        let command = ContactCommand { contact_id, action: ContactAction::Merge(merge) };
        let context = CommandContext { tenant_id, by: *by, content: None, subject: None };
        let executed = self.execute::<Merges>(&context, &command).await?;
        let executed = Executed {
            events: executed.events.into_iter().filter_map(contact_event).collect(),
            position: executed.position,
            is_repeated: executed.is_repeated,
        };
        let recorded = executed.events.iter().find_map(|event| match event {
            ContactEvent::Merged(merged) if merged.contact_id == contact_id => Some(merged.into),
            _ => None,
        });
        let survivor = recorded.unwrap_or(survivor);
        self.vault.merge(tenant_id, contact_id, survivor, &*self.clock).await?;
        Ok((survivor, executed))
    }

    async fn change_contact(
        &self,
        by: &Attribution,
        tenant_id: TenantId,
        subject: Subject,
        change: ContactChange,
    ) -> Result<Executed<ContactEvent>, ContactError> {
        let contact_id = subject.subject_id;
        if subject.sealing_key().is_none() {
            return Err(ContactError::Fenced(contact_id));
        }
        let action = ContactAction::Change(Box::new(change));
        let context = CommandContext { tenant_id, by: *by, content: None, subject: Some(subject) };
        let command = ContactCommand { contact_id, action };
        Ok(self.execute::<Contacts>(&context, &command).await?)
    }

    /// Returns a contact that is neither erased nor restricted.
    async fn changeable_contact(
        &self,
        tenant_id: TenantId,
        contact_id: SubjectId,
    ) -> Result<Subject, ContactError> {
        let known = self.vault.contact(tenant_id, contact_id).await?;
        let subject = known.ok_or(ContactError::NotFound(contact_id))?;
        match subject.sealing_key() {
            Some(_) => Ok(subject),
            None => Err(ContactError::Fenced(contact_id)),
        }
    }
}

fn contact_event(event: ErasureEvent) -> Option<ContactEvent> {
    match event {
        ErasureEvent::Contact(event) => Some(event),
        ErasureEvent::Subject(_) => None,
    }
}

impl From<StoreError> for ContactError {
    fn from(error: StoreError) -> Self {
        Self::Command(error.into())
    }
}
