//! The handles and the name of a call's person: the input of a count of people.

use uuid::Uuid;

use crate::event::PersonFacts;
use crate::identity::HandleKind;
use crate::ids::{HandleId, SubjectId};

/// The combination of handles and name that a call carries. The order in which calls arrive does not
/// enter it, so a count of people over it does not depend on that order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The id of this combination: equal for calls that carry the same.
    pub caller_id: Uuid,
    /// The handles, strongest first. Empty when the call has none by id.
    pub handles: Vec<HandleId>,
    /// With a name: for each handle the first contact with the handle and this name. Otherwise empty.
    pub holders: Vec<SubjectId>,
    /// The first handle is an external id.
    pub has_external_id: bool,
}

impl Caller {
    pub(super) fn of(subject_id: SubjectId, told: &PersonFacts) -> Self {
        let handles: Vec<HandleId> = told.handles().map(|(_, id)| id).collect();
        let holders: Vec<SubjectId> = if told.has_name {
            (0..handles.len()).map(|nth| *told.holders.get(nth).unwrap_or(&subject_id)).collect()
        } else {
            Vec::new()
        };
        let caller_id = match (handles.as_slice(), holders.is_empty()) {
            ([], _) => subject_id.0,
            ([only], true) => only.0,
            ([strongest, ..], _) => {
                let rest = handles[1..].iter().map(|handle| handle.0);
                let of_names = holders.iter().map(|holder| holder.0);
                // The prefix keeps one list apart from two lists of half its length.
                let bytes: Vec<u8> = rest.chain(of_names).flat_map(Uuid::into_bytes).collect();
                let kind: &[u8] = if holders.is_empty() { b"nameless" } else { b"named" };
                Uuid::new_v5(&strongest.0, &[kind, &bytes].concat())
            }
        };
        let strongest = told.strongest().map(|(kind, _)| kind);
        let has_external_id = strongest == Some(HandleKind::ExternalId);
        Self { caller_id, handles, holders, has_external_id }
    }
}
