//! Which contact a message belongs to. One pure function; `docs/decisions/0018-who-is-one-person.md`
//! says why the rules stand in this order.

use super::HandleKind;
use crate::ids::SubjectId;

/// The blind index of a name's normal form.
pub type NameIndex = [u8; 16];

/// A contact, as one of its handles shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contact {
    /// Its id.
    pub contact_id: SubjectId,
    /// The first name it was told with.
    pub name: Option<NameIndex>,
    /// The strongest handle it has.
    pub strongest: HandleKind,
}

/// A handle of a message, and the contacts that have it, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// What it is.
    pub kind: HandleKind,
    /// Who has it; nobody when it is new.
    pub contacts: Vec<Contact>,
}

/// The decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// This contact. It gets the handles it lacks, and the name if it has none.
    Contact {
        /// Which.
        contact_id: SubjectId,
        /// The contact had no name; the one that is told is its name from now on.
        takes_name: bool,
    },
    /// A new contact.
    New {
        /// A contact that shares a handle with it.
        possible_duplicate_of: Option<SubjectId>,
    },
    /// The call's own subject: nobody in particular is on the line.
    Own {
        /// The contacts it may be.
        candidates: Vec<SubjectId>,
    },
}

/// Decides which contact a message belongs to. `handles` are those it tells, strongest first; `name`
/// is the one it tells.
#[must_use]
pub fn resolve(handles: &[Known], name: Option<NameIndex>) -> Resolution {
    match name {
        Some(name) => named(handles, name),
        None => nameless(handles),
    }
}

/// A message that tells a name never joins a contact of another name.
fn named(handles: &[Known], name: NameIndex) -> Resolution {
    let Some(strongest) = handles.first() else {
        return Resolution::Own { candidates: Vec::new() };
    };
    // A known external id is its contact, unless another name is told.
    if strongest.kind == HandleKind::ExternalId
        && let Some(contact) = by_name(strongest, name).or_else(|| without_name(strongest))
    {
        return contact;
    }
    // A known handle with the same name is that contact, unless their external ids differ.
    let same_name = handles.iter().find_map(|handle| by_name_and_id(handle, name, strongest));
    if let Some(contact) = same_name {
        return contact;
    }
    // A contact without a name gets the first that is told with a handle as strong as any it has.
    // A shared e-mail address does not take a new number over.
    let known = handles.iter().find(|handle| !handle.contacts.is_empty());
    if let Some(known) = known
        && may_decide(known, strongest)
        && let Some(contact) = without_name(known)
    {
        return contact;
    }
    // Another name is another person.
    Resolution::New { possible_duplicate_of: known.map(|known| known.contacts[0].contact_id) }
}

fn nameless(handles: &[Known]) -> Resolution {
    let Some(strongest) = handles.first() else {
        return Resolution::Own { candidates: Vec::new() };
    };
    let Some(known) = handles.iter().find(|handle| !handle.contacts.is_empty()) else {
        // An e-mail address alone makes no contact: it would be one person of all who share it.
        return match strongest.kind {
            HandleKind::Email => Resolution::Own { candidates: Vec::new() },
            _ => Resolution::New { possible_duplicate_of: None },
        };
    };
    let first = known.contacts[0];
    let is_only = known.contacts.len() == 1;
    if known.kind < strongest.kind {
        // A weaker handle never takes over a new stronger one; but a contact that nothing stronger
        // nor a name is known of is whoever called from it.
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

/// Whether a known handle may decide for a message whose strongest is another, new one.
fn may_decide(known: &Known, strongest: &Known) -> bool {
    known.kind == strongest.kind || known.kind != HandleKind::Email
}

fn by_name(handle: &Known, name: NameIndex) -> Option<Resolution> {
    let found = handle.contacts.iter().find(|contact| contact.name == Some(name))?;
    Some(Resolution::Contact { contact_id: found.contact_id, takes_name: false })
}

/// The contact of a handle that has the name. A contact with an external id never takes a message with
/// another id; if several contacts have the name, it takes no message without an id either.
fn by_name_and_id(handle: &Known, name: NameIndex, strongest: &Known) -> Option<Resolution> {
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

fn without_name(handle: &Known) -> Option<Resolution> {
    let is_open = |contact: &&Contact| contact.name.is_none() && contact.strongest <= handle.kind;
    let found = handle.contacts.iter().find(is_open)?;
    Some(Resolution::Contact { contact_id: found.contact_id, takes_name: true })
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
