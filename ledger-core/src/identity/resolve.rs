//! The decision which contact a message is about, as one pure function. The reasons for the order
//! of its rules are in `docs/decisions/0018-who-is-one-person.md`.

use super::handle_kind::HandleKind;
use crate::ids::SubjectId;

/// Blind index of the normal form of a name.
pub type NameIndex = [u8; 16];

/// A contact, as stored with one of its handles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contact {
    /// Subject id of the contact.
    pub contact_id: SubjectId,
    /// The first name of the contact; `None` until a message has one.
    pub name: Option<NameIndex>,
    /// Kind of the contact's strongest handle.
    pub strongest: HandleKind,
}

/// A handle of a message with the contacts that have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandleContacts {
    /// Kind of the handle.
    pub kind: HandleKind,
    /// Contacts with the handle, oldest first; empty for a new handle.
    pub contacts: Vec<Contact>,
}

/// Result of the decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// An existing contact. It receives the handles it lacks, and the name if it has none.
    Contact {
        /// Subject id of the contact.
        contact_id: SubjectId,
        /// True if the contact had no name and takes the one in the message.
        takes_name: bool,
    },
    /// A new contact.
    New {
        /// An existing contact that shares a handle with the new one.
        possible_duplicate_of: Option<SubjectId>,
    },
    /// The call's own subject, because no contact can be determined.
    Own {
        /// Contacts that share the handle.
        candidates: Vec<SubjectId>,
    },
}

/// Decides which contact a message is about. `handles` are those of the message, strongest first;
/// `name` is the blind index of its name.
#[must_use]
pub fn resolve(handles: &[HandleContacts], name: Option<NameIndex>) -> Resolution {
    match name {
        Some(name) => resolve_named(handles, name),
        None => resolve_unnamed(handles),
    }
}

/// Decides for a message with a name. Such a message never joins a contact with another name.
fn resolve_named(handles: &[HandleContacts], name: NameIndex) -> Resolution {
    let Some(strongest) = handles.first() else {
        return Resolution::Own { candidates: Vec::new() };
    };
    // A known external id decides, unless the name differs.
    if strongest.kind == HandleKind::ExternalId
        && let Some(contact) =
            contact_by_name(strongest, name).or_else(|| unnamed_contact(strongest))
    {
        return contact;
    }
    // A known handle with the same name determines the contact, unless the external ids differ.
    let same_name = handles.iter().find_map(|handle| by_name_and_id(handle, name, strongest));
    if let Some(contact) = same_name {
        return contact;
    }
    // A contact without a name takes the first name that is reported with a handle as strong as any
    // of its own. A shared e-mail address does not decide for a new number.
    let known = handles.iter().find(|handle| !handle.contacts.is_empty());
    if let Some(known) = known
        && may_decide(known, strongest)
        && let Some(contact) = unnamed_contact(known)
    {
        return contact;
    }
    // A different name means a different person.
    Resolution::New { possible_duplicate_of: known.map(|known| known.contacts[0].contact_id) }
}

fn resolve_unnamed(handles: &[HandleContacts]) -> Resolution {
    let Some(strongest) = handles.first() else {
        return Resolution::Own { candidates: Vec::new() };
    };
    let Some(known) = handles.iter().find(|handle| !handle.contacts.is_empty()) else {
        // An e-mail address alone makes no contact: all people who share it would become one
        // person.
        return match strongest.kind {
            HandleKind::Email => Resolution::Own { candidates: Vec::new() },
            _ => Resolution::New { possible_duplicate_of: None },
        };
    };
    let first = known.contacts[0];
    let is_only = known.contacts.len() == 1;
    if known.kind < strongest.kind {
        // A weaker handle does not decide for a new, stronger one. Exception: a contact without a
        // name and without a stronger handle may be anyone with the known handle, so it takes the
        // new handle.
        let is_open = first.name.is_none() && first.strongest <= known.kind;
        if is_only && is_open && may_decide(known, strongest) {
            return Resolution::Contact { contact_id: first.contact_id, takes_name: false };
        }
        return Resolution::New { possible_duplicate_of: Some(first.contact_id) };
    }
    if is_only {
        return Resolution::Contact { contact_id: first.contact_id, takes_name: false };
    }
    let candidates = known.contacts.iter().map(|contact| contact.contact_id).collect();
    Resolution::Own { candidates }
}

/// Returns true if a known handle may decide for a message with another, new, strongest handle.
fn may_decide(known: &HandleContacts, strongest: &HandleContacts) -> bool {
    known.kind == strongest.kind || known.kind != HandleKind::Email
}

fn contact_by_name(handle: &HandleContacts, name: NameIndex) -> Option<Resolution> {
    let found = handle.contacts.iter().find(|contact| contact.name == Some(name))?;
    Some(Resolution::Contact { contact_id: found.contact_id, takes_name: false })
}

/// Returns the contact with the handle and the name. A contact with an external id is never matched
/// by a message with another id. If several contacts have the name, it is not matched by a message
/// without an id either.
fn by_name_and_id(
    handle: &HandleContacts,
    name: NameIndex,
    strongest: &HandleContacts,
) -> Option<Resolution> {
    let of_name = || handle.contacts.iter().filter(|contact| contact.name == Some(name));
    let has_id = |contact: &&Contact| contact.strongest == HandleKind::ExternalId;
    let without_id = of_name().find(|contact| !has_id(contact));
    let found = match strongest.kind {
        HandleKind::ExternalId => of_name()
            .find(|contact| {
                strongest.contacts.iter().any(|one| one.contact_id == contact.contact_id)
            })
            .or(without_id),
        _ if of_name().count() > 1 => without_id,
        _ => of_name().next(),
    }?;
    Some(Resolution::Contact { contact_id: found.contact_id, takes_name: false })
}

fn unnamed_contact(handle: &HandleContacts) -> Option<Resolution> {
    let is_open = |contact: &&Contact| contact.name.is_none() && contact.strongest <= handle.kind;
    let found = handle.contacts.iter().find(is_open)?;
    Some(Resolution::Contact { contact_id: found.contact_id, takes_name: true })
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
