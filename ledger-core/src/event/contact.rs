//! Contact events. Name, number, addresses and custom fields are in sealed sections; the facts say
//! which of them changed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::contact::{CustomValue, Word};
use crate::identity::HandleKind;
use crate::ids::{HandleId, SubjectId};

events! {
    /// A change of a contact.
    ContactEvent {
        /// A contact was described for the first time, by a user of the API.
        Created(ContactCreated) = "contact.created" v 1;
        /// Fields of the contact were set or removed.
        Updated(ContactUpdated) = "contact.updated" v 1;
        /// The contact got a tag.
        Tagged(ContactTag) = "contact.tagged" v 1;
        /// A tag was removed.
        Untagged(ContactTag) = "contact.untagged" v 1;
        /// The contact can be found by another handle.
        HandleAdded(ContactHandleChanged) = "contact.handle_added" v 1;
        /// A handle of the contact ended.
        HandleRemoved(ContactHandleChanged) = "contact.handle_removed" v 1;
        /// A contact was merged into another one. The event is in the streams of both.
        Merged(ContactMerged) = "contact.merged" v 1;
    }
}

/// A field of a contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContactField {
    /// Name, sealed.
    Name,
    /// Telephone number with its extension, sealed.
    Phone,
    /// E-mail address, sealed.
    Email,
    /// Id in the systems of the tenant, sealed.
    ExternalId,
    /// Values by name, sealed as a whole except for the clear ones.
    CustomFields,
    /// Group of contacts.
    Segment,
    /// Order of importance.
    Priority,
}

/// A handle of a contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ContactHandle {
    /// Kind of the handle.
    pub kind: HandleKind,
    /// Random id of the handle.
    pub handle_id: HandleId,
}

/// The fields that an event sets and removes. A field is in one list at most.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FieldChanges {
    /// Fields with a value in the event: in its sections, or in these facts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<ContactField>,
    /// Fields that have no value any more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<ContactField>,
    /// The segment, if it is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment: Option<Word>,
    /// The priority, if it is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Word>,
    /// The custom fields that the tenant keeps in the clear, if custom fields are set.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub clear: BTreeMap<Word, CustomValue>,
}

impl FieldChanges {
    /// Returns true if no field changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.removed.is_empty()
    }
}

/// Facts of `contact.created`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactCreated {
    /// The contact.
    pub contact_id: SubjectId,
    /// Its fields.
    #[serde(flatten)]
    pub fields: FieldChanges,
    /// Its tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Word>,
    /// Its handles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub handles: Vec<ContactHandle>,
}

/// Facts of `contact.updated`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactUpdated {
    /// The contact.
    pub contact_id: SubjectId,
    /// The changed fields.
    #[serde(flatten)]
    pub fields: FieldChanges,
}

/// Facts of `contact.tagged` and `contact.untagged`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactTag {
    /// The contact.
    pub contact_id: SubjectId,
    /// The tag.
    pub tag: Word,
}

/// Facts of `contact.handle_added` and `contact.handle_removed`. The time of the event is the start
/// or end of the handle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactHandleChanged {
    /// The contact.
    pub contact_id: SubjectId,
    /// The handle.
    #[serde(flatten)]
    pub handle: ContactHandle,
}

/// Facts of `contact.merged`. Both lists of handles are kept to undo the merge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactMerged {
    /// The contact that is a part of the other one from now on.
    pub contact_id: SubjectId,
    /// The contact that survives; it is not merged into another one.
    pub into: SubjectId,
    /// The handles of `contact_id` before the merge.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub handles: Vec<ContactHandle>,
    /// The handles of `into` before the merge.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub into_handles: Vec<ContactHandle>,
    /// The survivor of an earlier merge that took this contact along; absent if the merge was
    /// requested for `contact_id` itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<SubjectId>,
}
