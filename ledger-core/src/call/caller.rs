//! The handles and the name of a call's person, as the input of the count of people.

use uuid::Uuid;

use crate::event::PersonFacts;
use crate::identity::HandleKind;
use crate::ids::{HandleId, SubjectId};

/// The combination of handles and name of a call. It does not depend on the order in which calls
/// arrive, so neither does a count of people over it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerIdentity {
    /// Id of this combination; equal for all calls with the same combination.
    pub caller_id: Uuid,
    /// The handles, strongest first. Empty if the call has no handle with an id.
    pub handles: Vec<HandleId>,
    /// If there is a name: for each handle, the first contact with the handle and this name.
    /// Otherwise empty.
    pub holders: Vec<SubjectId>,
    /// Whether the first handle is an external id.
    pub has_external_id: bool,
}

impl CallerIdentity {
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
                // The prefix distinguishes one list from two lists of half its length.
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
