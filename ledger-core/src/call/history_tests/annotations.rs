//! Generated annotations: few notes, tags and values, so that repeated and contradicting ones are
//! frequent.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::select;
use uuid::Uuid;

use super::{Call, maybe};
use crate::annotation::words::{
    Campaign, ClearValue, EscalationReason, EscalationSource, NoteKind, Visibility, Word,
};
use crate::event::{
    CallCampaignSet, CallContextSet, CallDispositioned, CallEscalated, CallEvent, CallFacts,
    CallNoteAdded, CallNoteEdited, CallNoteRemoved, CallScored, CallTagged, CallTestMarked,
    CallUntagged, CampaignField,
};
use crate::ids::NoteId;

fn call() -> CallFacts {
    CallFacts {
        provider: "vapi".into(),
        provider_call_id: Some("c-1".into()),
        ..CallFacts::default()
    }
}

fn word(text: &str) -> Word {
    Word::parse(text).expect("a word")
}

pub(super) fn campaigns() -> impl Strategy<Value = (Option<Campaign>, Option<u32>, Option<Word>)> {
    let campaign = |text: &str| Campaign::parse(text).expect("a campaign");
    let campaigns = maybe(&[campaign("spring"), campaign("overdue_45days")]);
    (campaigns, maybe(&[1, 2]), maybe(&[word("sales"), word("collections")]))
}

fn note() -> impl Strategy<Value = CallEvent> {
    let kind = || maybe(&[NoteKind::General, NoteKind::FollowUp]);
    let visibility = || maybe(&[Visibility::Internal, Visibility::Shared]);
    let change = (0..5_u8, 0..3_u128, kind(), visibility(), any::<bool>());
    change.prop_map(|(change, nth, kind, visibility, has_text)| {
        let note_id = NoteId(Uuid::from_u128(nth));
        match change {
            0 => CallEvent::NoteRemoved(CallNoteRemoved { call: call(), note_id }),
            1 | 2 => CallEvent::NoteEdited(CallNoteEdited {
                call: call(),
                note_id,
                kind,
                visibility,
                has_text,
            }),
            _ => CallEvent::NoteAdded(CallNoteAdded {
                call: call(),
                note_id,
                kind: kind.unwrap_or_default(),
                visibility: visibility.unwrap_or_default(),
            }),
        }
    })
}

fn tag() -> impl Strategy<Value = CallEvent> {
    let tags = select(vec![word("vip"), word("late"), word("q4")]);
    (any::<bool>(), tags, maybe(&[word("people"), word("money")])).prop_map(
        |(on, tag, category)| {
            if on {
                CallEvent::Tagged(CallTagged { call: call(), tag, category })
            } else {
                CallEvent::Untagged(CallUntagged { call: call(), tag })
            }
        },
    )
}

fn escalation() -> impl Strategy<Value = CallEvent> {
    let reason = select(vec![EscalationReason::Complaint, EscalationReason::Other]);
    let source = select(vec![EscalationSource::Api, EscalationSource::Tool]);
    (reason, source, any::<bool>()).prop_map(|(reason, source, has_text)| {
        let disposition = None;
        CallEvent::Escalated(CallEscalated { call: call(), reason, source, disposition, has_text })
    })
}

fn campaign() -> impl Strategy<Value = CallEvent> {
    const FIELDS: [CampaignField; 3] =
        [CampaignField::Campaign, CampaignField::Attempt, CampaignField::CallType];
    let set = proptest::sample::subsequence(FIELDS.to_vec(), 1..=3);
    (campaigns(), set).prop_map(|((campaign, attempt, call_type), set)| {
        let call = CallFacts { campaign, attempt, call_type, ..call() };
        CallEvent::CampaignSet(CallCampaignSet { call, set })
    })
}

/// An annotation, which a command records.
pub(super) fn annotation() -> impl Strategy<Value = CallEvent> {
    let dispositions = maybe(&[word("booked"), word("complaint")]);
    let clear = maybe(&[ClearValue::Boolean(true), ClearValue::Text("gold".into())]);
    prop_oneof![
        3 => note(),
        3 => tag(),
        1 => dispositions.prop_map(|disposition| {
            CallEvent::Dispositioned(CallDispositioned { call: call(), disposition })
        }),
        1 => prop::option::of(1..=5_u8)
            .prop_map(|score| CallEvent::Scored(CallScored { call: call(), score })),
        1 => any::<bool>()
            .prop_map(|is_test| CallEvent::TestMarked(CallTestMarked { call: call(), is_test })),
        1 => escalation(),
        1 => (clear, 0..2_u32).prop_map(|(clear, sealed)| {
            let clear: BTreeMap<_, _> = clear.map(|value| ("plan".to_owned(), value)).into_iter().collect();
            CallEvent::ContextSet(CallContextSet { call: call(), clear, sealed })
        }),
        1 => campaign(),
    ]
}

/// Whether a command recorded the event.
pub(super) fn is_annotation(event: &CallEvent) -> bool {
    !matches!(
        event,
        CallEvent::Started(_)
            | CallEvent::StatusChanged(_)
            | CallEvent::ToolCalled(_)
            | CallEvent::Transferred(_)
            | CallEvent::RecordingAvailable(_)
            | CallEvent::Ended(_)
            | CallEvent::MessageReceived(_)
    )
}

/// The annotations, with times instead of positions.
pub(super) fn shown(call: &Call) -> impl PartialEq + std::fmt::Debug + use<> {
    let notes: Vec<_> = call
        .notes()
        .into_iter()
        .map(|note| (note.note_id, note.kind, note.visibility, note.added_at, note.edited_at))
        .collect();
    let tags: Vec<_> = call
        .categorised_tags()
        .into_iter()
        .map(|tag| (tag.tag.to_owned(), tag.category.map(str::to_owned)))
        .collect();
    let escalations: Vec<_> = call.escalations().map(|one| (one.at, one.reason)).collect();
    let context =
        call.context().map(|context| (context.at, context.clear.clone(), context.sealed.is_some()));
    (
        (notes, tags, escalations, context),
        (call.disposition().map(str::to_owned), call.score(), call.escalated()),
        (call.campaign().map(str::to_owned), call.attempt(), call.call_type().map(str::to_owned)),
    )
}
