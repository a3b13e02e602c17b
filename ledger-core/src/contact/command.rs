//! Commands on contacts, and the reasons for which they are refused.

use thiserror::Error;

use super::fields::Word;
use crate::event::{ContactHandle, FieldChanges};
use crate::ids::{ErasureId, SubjectId};
use crate::section::Sections;

/// A command on one contact, which the vault knows.
#[derive(Debug, Clone)]
pub struct ContactCommand {
    /// The contact.
    pub contact_id: SubjectId,
    /// The requested action.
    pub action: ContactAction,
}

/// The action that a command requests.
#[derive(Debug, Clone)]
pub enum ContactAction {
    /// Change fields, tags and handles. The first change that `creates` records the creation.
    Change(Box<ContactChange>),
    /// Merge the contact into another one.
    Merge(Merge),
}

/// A change of a contact. Absent parts stay.
#[derive(Debug, Clone, Default)]
pub struct ContactChange {
    /// Whether the contact is described for the first time.
    pub creates: bool,
    /// The fields that are set and removed.
    pub fields: FieldChanges,
    /// The values of the fields that are set, for the sections of the event.
    pub sections: Sections,
    /// All tags of the contact.
    pub tags: Option<Vec<Word>>,
    /// New handles, which the vault has stored.
    pub added: Vec<ContactHandle>,
    /// Handles that the vault has ended.
    pub ended: Vec<ContactHandle>,
}

/// A merge of the command's contact into another one.
#[derive(Debug, Clone)]
pub struct Merge {
    /// The contact that is to survive. If it was merged before, its survivor does.
    pub into: SubjectId,
    /// The handles of the command's contact.
    pub handles: Vec<ContactHandle>,
    /// The handles of `into`.
    pub into_handles: Vec<ContactHandle>,
}

/// The reason for which a command on a contact is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ContactRefusal {
    /// The contact is a part of another one, which is to be changed instead.
    #[error("the contact was merged into {0}")]
    Merged(SubjectId),
    /// A contact cannot be merged into itself.
    #[error("a contact cannot be merged into itself")]
    IntoItself,
    /// The other contact is a part of this one already.
    #[error("that contact was merged into this one")]
    Circle,
    /// The survivor would have more parts than are allowed.
    #[error("too many contacts were merged into one")]
    TooManyMerged,
    /// One of the contacts, or a part of one, has an erasure that was not refused.
    #[error("erasure {0} of one of the contacts was requested")]
    UnderErasure(ErasureId),
    /// The contact would have more tags than are allowed.
    #[error("the contact has too many tags")]
    TooManyTags,
}
