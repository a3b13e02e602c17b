//! Merges of contacts, decided on the streams of the contacts and on those of their erasures. Of a
//! merge and an erasure of one of the contacts at the same time, the log accepts one.

use super::command::{ContactCommand, ContactRefusal};
use super::decide::{Contacts, States, first, further};
use crate::aggregate::{Aggregate, Decided, Stream};
use crate::envelope::StreamKind;
use crate::erasure::{ErasureEvent, Erasures, SubjectState};
use crate::ids::{SubjectId, TenantId};

/// The aggregate of merges; its commands are those of [`Contacts`] with the action `Merge`.
#[derive(Debug, Clone, Copy)]
pub struct Merges;

/// The contacts of a merge, and the rights over their data.
#[derive(Debug, Clone, Default)]
pub struct MergeState {
    contacts: States,
    rights: SubjectState,
}

impl Aggregate for Merges {
    type State = MergeState;
    type Command = ContactCommand;
    type Event = ErasureEvent;
    type Rejection = ContactRefusal;

    /// The streams of the contacts, then those of the rights over their data.
    fn streams(tenant_id: TenantId, command: &ContactCommand) -> Vec<Stream> {
        let contacts = Contacts::streams(tenant_id, command);
        contacts.into_iter().chain(rights_of(tenant_id, first(command))).collect()
    }

    fn further_streams(
        tenant_id: TenantId,
        state: &MergeState,
        command: &ContactCommand,
    ) -> Vec<Stream> {
        let contacts = Contacts::further_streams(tenant_id, &state.contacts, command);
        let rights = rights_of(tenant_id, further(&state.contacts, command));
        contacts.into_iter().chain(rights).collect()
    }

    fn decide(
        state: &MergeState,
        command: &ContactCommand,
    ) -> Result<Vec<Decided<ErasureEvent>>, ContactRefusal> {
        let decided = Contacts::decide(&state.contacts, command)?;
        let named = first(command);
        if !decided.is_empty() {
            let mut involved = named.iter().copied().chain(further(&state.contacts, command));
            if let Some((erasure_id, _)) = involved.find_map(|one| state.rights.erasure_of(one)) {
                return Err(ContactRefusal::UnderErasure(erasure_id));
            }
        }
        // The streams of rights of the named contacts come before further contacts.
        let place = |nth: usize| if nth < named.len() { nth } else { nth + named.len() };
        let placed = decided.into_iter().map(|one| Decided {
            stream: place(one.stream),
            event: ErasureEvent::Contact(one.event),
            sections: one.sections,
        });
        Ok(placed.collect())
    }

    fn evolve(state: &mut MergeState, event: &ErasureEvent) {
        Erasures::evolve(&mut state.rights, event);
        if let ErasureEvent::Contact(event) = event {
            Contacts::evolve(&mut state.contacts, event);
        }
    }
}

fn rights_of(tenant_id: TenantId, contacts: Vec<SubjectId>) -> impl Iterator<Item = Stream> {
    let stream = move |contact| Stream::new(tenant_id.subject_stream(contact), StreamKind::Subject);
    contacts.into_iter().map(stream)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::command::{ContactAction, Merge};
    use super::*;
    use crate::aggregate::testing::given;
    use crate::event::*;
    use crate::ids::ErasureId;

    const ERASURE: ErasureId = ErasureId(Uuid::from_u128(9));

    fn contact(nth: u128) -> SubjectId {
        SubjectId(Uuid::from_u128(nth))
    }

    fn merge(from: u128, into: u128) -> ContactCommand {
        let merge = Merge { into: contact(into), handles: Vec::new(), into_handles: Vec::new() };
        ContactCommand { contact_id: contact(from), action: ContactAction::Merge(merge) }
    }

    fn merged(from: u128, into: u128) -> ErasureEvent {
        ErasureEvent::Contact(ContactEvent::Merged(ContactMerged {
            contact_id: contact(from),
            into: contact(into),
            handles: Vec::new(),
            into_handles: Vec::new(),
            with: None,
        }))
    }

    fn requested(of: u128) -> ErasureEvent {
        let at = "2026-01-31T09:00:00Z".parse().expect("a time");
        let event = SubjectEvent::ErasureRequested(ErasureRequested {
            erasure_id: ERASURE,
            subject_id: contact(of),
            ground: Ground::ConsentWithdrawn,
            requester: Requester::Person,
            identity: IdentityCheck::KnownHandle,
            received_at: at,
            due_at: at,
        });
        event.into()
    }

    #[test]
    fn a_contact_under_erasure_is_not_merged_in_either_direction() {
        let refused = || Err(ContactRefusal::UnderErasure(ERASURE));
        given::<Merges>([requested(1)]).when(merge(1, 2)).then(refused());
        given::<Merges>([requested(2)]).when(merge(1, 2)).then(refused());
        given::<Merges>([merged(3, 1), requested(2)]).when(merge(2, 3)).then(refused());
        given::<Merges>([merged(3, 1), requested(1)]).when(merge(3, 1)).then(Ok(vec![]));
        let both = Ok(vec![merged(1, 2), merged(1, 2)]);
        given::<Merges>([]).when(merge(1, 2)).then(both);
        let reason = RefusalReason::Withdrawn;
        let refusal = ErasureRefused { erasure_id: ERASURE, reason };
        let ended = SubjectEvent::ErasureRefused(refusal).into();
        let both = Ok(vec![merged(1, 2), merged(1, 2)]);
        given::<Merges>([requested(1), ended]).when(merge(1, 2)).then(both);
    }

    #[test]
    fn events_are_placed_in_the_streams_of_contacts() {
        let tenant_id = TenantId(Uuid::from_u128(7));
        let mut state = MergeState::default();
        Merges::evolve(&mut state, &merged(3, 1));
        let command = merge(1, 2);
        let mut streams = Merges::streams(tenant_id, &command);
        streams.extend(Merges::further_streams(tenant_id, &state, &command));
        let decided = Merges::decide(&state, &command).expect("it is accepted");
        assert_eq!(decided.len(), 4);
        for one in decided {
            assert_eq!(streams[one.stream].kind, StreamKind::Contact, "{:?}", one.event);
        }
    }
}
