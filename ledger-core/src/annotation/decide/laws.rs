//! Laws over generated commands: the state of the decider and the fold of the call agree, and a
//! command that was just accepted changes nothing when it is decided again.

use chrono::DateTime;
use proptest::prelude::*;
use proptest::sample::select;
use uuid::Uuid;

use super::*;
use crate::call::{Call, SealedSections};
use crate::envelope::Recorded;
use crate::event::CallStarted;
use crate::ids::{EventId, Position, StreamId, StreamVersion};

fn word(text: &str) -> Word {
    Word::parse(text).expect("a word")
}

fn action() -> impl Strategy<Value = Action> {
    let tag = || select(vec![word("vip"), word("late")]);
    let note = || (0..3_u128).prop_map(|nth| NoteId(Uuid::from_u128(nth)));
    let text = || Personal::new("Call back.".to_owned());
    let dispositions = ["follow_up", "complaint", "test", "unknown"].map(word).to_vec();
    let campaign =
        select(vec![None, Some(NewValue(None)), Some(NewValue(Campaign::parse("spring")))]);
    prop_oneof![
        note().prop_map(move |note_id| {
            let (kind, visibility) = Default::default();
            Action::AddNote { note_id, kind, visibility, text: text() }
        }),
        (note(), any::<bool>()).prop_map(move |(note_id, has_kind)| {
            let kind = has_kind.then_some(NoteKind::FollowUp);
            Action::EditNote { note_id, kind, visibility: None, text: None }
        }),
        note().prop_map(|note_id| Action::RemoveNote { note_id }),
        (tag(), prop::option::of(tag())).prop_map(|(tag, category)| Action::Tag { tag, category }),
        tag().prop_map(|tag| Action::Untag { tag }),
        prop::option::of(select(dispositions))
            .prop_map(|disposition| Action::Dispose { disposition }),
        prop::option::of(0..7_u8).prop_map(|score| Action::Score { score }),
        any::<bool>().prop_map(|is_test| Action::MarkTest { is_test }),
        campaign.prop_map(|campaign| Action::SetCampaign {
            campaign,
            attempt: Some(NewValue(Some(2))),
            call_type: None
        }),
    ]
}

/// Folds an event as the read model does.
fn record(call: &mut Call, event: &CallEvent, position: i64) {
    let at = DateTime::from_timestamp(1_750_000_000 + position, 0).expect("a time");
    let recorded = Recorded {
        position: Position(position),
        stream_id: StreamId(Uuid::nil()),
        stream_version: StreamVersion(position),
        event_id: EventId(Uuid::from_u128(u128::from(position.unsigned_abs()))),
        occurred_at: at,
        recorded_at: at,
        event,
    };
    call.evolve(&recorded, SealedSections::default());
}

proptest! {
    #[test]
    fn the_decider_and_the_fold_of_the_call_agree(
        actions in prop::collection::vec(action(), 1..40)
    ) {
        let (mut state, mut call, mut position) = (AnnotatedCall::default(), Call::default(), 1);
        let started =
            CallEvent::Started(CallStarted { call: CallFacts::default(), started_at: None });
        Annotating::evolve(&mut state, &started);
        record(&mut call, &started, position);
        let settings = std::sync::Arc::new(CallSettings::default());
        for action in actions {
            let call_id = StreamId(Uuid::nil());
            let is_note = matches!(action, Action::AddNote { .. });
            // The id of a new note is fresh.
            if let Action::AddNote { note_id, .. } = &action && state.notes.contains_key(note_id) {
                continue;
            }
            let command = AnnotateCall { call_id, settings: settings.clone(), action };
            let Ok(decided) = Annotating::decide(&state, &command) else { continue };
            for one in &decided {
                position += 1;
                Annotating::evolve(&mut state, &one.event);
                record(&mut call, &one.event, position);
            }
            if !is_note {
                let again = Annotating::decide(&state, &command).map(|again| again.len());
                prop_assert_eq!(again, Ok(0));
            }
        }
        let live = state.notes.iter().filter(|(_, note)| !note.is_removed);
        let mut live: Vec<_> = live.map(|(id, note)| (*id, note.kind, note.visibility)).collect();
        let mut shown: Vec<_> =
            call.notes().iter().map(|note| (note.note_id, note.kind, note.visibility)).collect();
        live.sort_unstable();
        shown.sort_unstable();
        prop_assert_eq!(live, shown);
        prop_assert_eq!(state.tags.keys().map(Word::as_str).collect::<Vec<_>>(), call.tags());
        prop_assert_eq!(state.disposition.as_ref().map(Word::as_str), call.disposition());
        prop_assert_eq!((state.score, state.test_mark.unwrap_or(false)), (call.score(), call.is_test()));
        prop_assert_eq!(state.escalations, call.escalations().len());
        let campaign = state.campaign.and_then(|set| set.0);
        prop_assert_eq!(campaign.as_ref().map(Campaign::as_str), call.campaign());
    }
}
