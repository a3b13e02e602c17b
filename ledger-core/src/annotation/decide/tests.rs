use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::aggregate::testing::{Given, given};
use crate::event::CallStarted;
use crate::ids::StreamId;

fn word(text: &str) -> Word {
    Word::parse(text).expect("a word")
}

fn call() -> CallFacts {
    CallFacts {
        provider: "vapi".into(),
        provider_call_id: Some("c-1".into()),
        ..CallFacts::default()
    }
}

fn id(nth: u128) -> NoteId {
    NoteId(Uuid::from_u128(nth))
}

fn started() -> CallEvent {
    let call = CallFacts { is_test: true, campaign: Campaign::parse("spring"), ..call() };
    CallEvent::Started(CallStarted { call, started_at: None })
}

fn note(nth: u128) -> CallEvent {
    let (kind, visibility) = (NoteKind::General, Visibility::Internal);
    CallEvent::NoteAdded(CallNoteAdded { call: call(), note_id: id(nth), kind, visibility })
}

fn removed(nth: u128) -> CallEvent {
    CallEvent::NoteRemoved(CallNoteRemoved { call: call(), note_id: id(nth) })
}

fn tagged(tag: &str, category: Option<&str>) -> CallEvent {
    let category = category.map(word);
    CallEvent::Tagged(CallTagged { call: call(), tag: word(tag), category })
}

fn untagged(tag: &str) -> CallEvent {
    CallEvent::Untagged(CallUntagged { call: call(), tag: word(tag) })
}

fn disposed(id: Option<&str>) -> CallEvent {
    CallEvent::Dispositioned(CallDispositioned { call: call(), disposition: id.map(word) })
}

fn marked(is_test: bool) -> CallEvent {
    CallEvent::TestMarked(CallTestMarked { call: call(), is_test })
}

fn scored(score: Option<u8>) -> CallEvent {
    CallEvent::Scored(CallScored { call: call(), score })
}

fn escalated(reason: EscalationReason) -> CallEvent {
    let (source, disposition, has_text) = (EscalationSource::Api, None, false);
    CallEvent::Escalated(CallEscalated { call: call(), reason, source, disposition, has_text })
}

/// A call with these events after its first message.
fn a_call(events: impl IntoIterator<Item = CallEvent>) -> Given<Annotating> {
    given::<Annotating>(std::iter::once(started()).chain(events))
}

fn settings() -> CallSettings {
    let mut settings = CallSettings::default();
    settings.annotations.clear_context_fields = ["plan".to_owned(), "age".to_owned()].into();
    settings
}

fn with(settings: CallSettings, action: Action) -> AnnotateCall {
    let call_id = StreamId(Uuid::from_u128(9));
    AnnotateCall { call_id, settings: settings.into(), action }
}

fn to(action: Action) -> AnnotateCall {
    with(settings(), action)
}

fn text(text: &str) -> Personal<String> {
    Personal::new(text.to_owned())
}

fn add(nth: u128) -> AnnotateCall {
    let (kind, visibility) = Default::default();
    to(Action::AddNote { note_id: id(nth), kind, visibility, text: text("Call back.") })
}

fn edit(nth: u128, kind: Option<NoteKind>, new: Option<&str>) -> AnnotateCall {
    to(Action::EditNote { note_id: id(nth), kind, visibility: None, text: new.map(text) })
}

fn tag(tag: &str, category: Option<&str>) -> AnnotateCall {
    to(Action::Tag { tag: word(tag), category: category.map(word) })
}

fn dispose(id: Option<&str>) -> AnnotateCall {
    to(Action::Dispose { disposition: id.map(word) })
}

fn context(fields: serde_json::Value) -> AnnotateCall {
    let fields = serde_json::from_value(fields).expect("an object");
    to(Action::SetContext { fields: Personal::new(fields) })
}

#[test]
fn nothing_is_added_to_a_call_that_was_never_reported() {
    for command in [add(1), tag("vip", None), dispose(None), context(json!({}))] {
        given::<Annotating>([]).when(command).then(Err(Refusal::CallNotFound));
    }
}

#[test]
fn the_events_name_the_call_and_nothing_else_that_its_messages_told() {
    a_call([]).when(add(1)).then(Ok(vec![note(1)]));
    a_call([]).when(tag("vip", None)).then(Ok(vec![tagged("vip", None)]));
}

#[test]
fn a_note_has_its_text_sealed() {
    let decided = Annotating::decide(a_call([]).state(), &add(1)).expect("a note");
    let sealed = decided[0].sections.annotation.as_ref().expect("a section");
    assert_eq!(sealed.text.as_deref(), Some("Call back."));
    assert!(!CallEvent::to_facts(&decided[0].event).contains("back"));
}

#[test]
fn a_note_is_changed_until_it_is_removed() {
    let edited = |kind, has_text| {
        let visibility = None;
        let edited = CallNoteEdited { call: call(), note_id: id(1), kind, visibility, has_text };
        CallEvent::NoteEdited(edited)
    };
    let follow_up = Some(NoteKind::FollowUp);
    a_call([note(1)]).when(edit(1, follow_up, Some("x"))).then(Ok(vec![edited(follow_up, true)]));
    a_call([note(1)]).when(edit(1, Some(NoteKind::General), None)).then(Ok(vec![]));
    a_call([note(1)]).when(edit(2, follow_up, None)).then(Err(Refusal::NoteNotFound));
    let remove = |nth| to(Action::RemoveNote { note_id: id(nth) });
    a_call([note(1)]).when(remove(1)).then(Ok(vec![removed(1)]));
    a_call([note(1), removed(1)]).when(remove(1)).then(Ok(vec![]));
    a_call([note(1)]).when(remove(2)).then(Err(Refusal::NoteNotFound));
    a_call([note(1), removed(1)]).when(edit(1, follow_up, None)).then(Err(Refusal::NoteNotFound));
}

#[test]
fn a_tag_is_put_once_and_taken_off_once() {
    let vip = || tagged("vip", Some("people"));
    a_call([vip()]).when(tag("VIP", Some("people"))).then(Ok(vec![]));
    a_call([vip()]).when(tag("vip", None)).then(Ok(vec![tagged("vip", None)]));
    let untag = |tag| to(Action::Untag { tag: word(tag) });
    a_call([vip()]).when(untag("vip")).then(Ok(vec![untagged("vip")]));
    a_call([vip()]).when(untag("late")).then(Ok(vec![]));
    a_call([vip(), untagged("vip")]).when(untag("vip")).then(Ok(vec![]));
    a_call([vip(), untagged("vip")]).when(tag("vip", None)).then(Ok(vec![tagged("vip", None)]));
}

#[test]
fn a_category_is_on_the_list_if_there_is_one() {
    let mut settings = settings();
    settings.annotations.tag_categories = [word("people")].into();
    let tag = |category: &str| {
        with(settings.clone(), Action::Tag { tag: word("vip"), category: Some(word(category)) })
    };
    a_call([]).when(tag("people")).then(Ok(vec![tagged("vip", Some("people"))]));
    a_call([]).when(tag("money")).then(Err(Refusal::UnknownCategory));
}

#[test]
fn a_disposition_is_one_of_the_catalogue_and_does_what_its_entry_says() {
    let of_disposition = CallEvent::Escalated(CallEscalated {
        call: call(),
        reason: EscalationReason::Disposition,
        source: EscalationSource::Disposition,
        disposition: Some(word("complaint")),
        has_text: false,
    });
    let booked = || disposed(Some("appointment_booked"));
    a_call([]).when(dispose(Some("Appointment booked"))).then(Ok(vec![booked()]));
    a_call([booked()]).when(dispose(Some("appointment_booked"))).then(Ok(vec![]));
    a_call([booked()]).when(dispose(None)).then(Ok(vec![disposed(None)]));
    a_call([]).when(dispose(None)).then(Ok(vec![]));
    a_call([booked()]).when(dispose(Some("sold"))).then(Err(Refusal::UnknownDisposition));
    a_call([])
        .when(dispose(Some("complaint")))
        .then(Ok(vec![disposed(Some("complaint")), of_disposition]));
    let test = || disposed(Some("test"));
    a_call([]).when(dispose(Some("test"))).then(Ok(vec![test(), marked(true)]));
    a_call([marked(true)]).when(dispose(Some("test"))).then(Ok(vec![test()]));
}

#[test]
fn a_score_is_from_one_to_five() {
    let score = |score| to(Action::Score { score });
    a_call([]).when(score(Some(5))).then(Ok(vec![scored(Some(5))]));
    a_call([scored(Some(5))]).when(score(Some(5))).then(Ok(vec![]));
    a_call([scored(Some(5))]).when(score(None)).then(Ok(vec![scored(None)]));
    for absurd in [0, 6, u8::MAX] {
        a_call([]).when(score(Some(absurd))).then(Err(Refusal::InvalidScore));
    }
}

#[test]
fn a_mark_is_recorded_even_if_the_platform_says_the_same() {
    let mark = |is_test| to(Action::MarkTest { is_test });
    a_call([]).when(mark(true)).then(Ok(vec![marked(true)]));
    a_call([marked(true)]).when(mark(true)).then(Ok(vec![]));
    a_call([marked(true)]).when(mark(false)).then(Ok(vec![marked(false)]));
}

#[test]
fn each_escalation_is_recorded_up_to_a_bound() {
    let (source, reason) = (EscalationSource::Api, EscalationReason::Emergency);
    let escalate = || to(Action::Escalate { reason, text: None, source });
    let one = || escalated(reason);
    a_call([one()]).when(escalate()).then(Ok(vec![one()]));
    let many = || std::iter::repeat_with(one).take(MAX_ESCALATIONS);
    a_call(many()).when(escalate()).then(Err(Refusal::TooMany));
    // A disposition is set all the same.
    let complaint = disposed(Some("complaint"));
    a_call(many()).when(dispose(Some("complaint"))).then(Ok(vec![complaint]));
}

#[test]
fn a_call_has_a_bounded_number_of_notes_and_tags() {
    let notes = (0..MAX_NOTES as u128).flat_map(|nth| [note(nth), removed(nth)]);
    a_call(notes).when(add(7_777)).then(Err(Refusal::TooMany));
    let tags = (0..MAX_TAGS).map(|nth| tagged(&format!("tag-{nth}"), None));
    a_call(tags.clone()).when(tag("one-more", None)).then(Err(Refusal::TooMany));
    a_call(tags).when(tag("tag-3", Some("x"))).then(Ok(vec![tagged("tag-3", Some("x"))]));
}

#[test]
fn only_the_listed_fields_of_a_context_are_facts() {
    let fields = json!({ "plan": "gold", "age": 4, "name": "Example Person", "note": { "a": 1 } });
    let decided = Annotating::decide(a_call([]).state(), &context(fields)).expect("a context");
    let facts = decided[0].event.to_facts();
    assert!(facts.ends_with(r#""clear":{"age":4,"plan":"gold"},"sealed":2}"#), "{facts}");
    let sealed = &decided[0].sections.annotation.as_ref().expect("a section").context;
    assert_eq!(sealed.keys().collect::<Vec<_>>(), ["name", "note"]);
    // A listed field with a value that is not short and plain is sealed.
    for value in [
        json!(1.5),
        json!([1]),
        json!("a\u{202e}b"),
        json!("x".repeat(41)),
        json!(null),
        json!("anna@example.com"),
        json!("+15550100123"),
        json!(5_550_100),
        json!("Anna Example"),
    ] {
        let (clear, sealed) = settings().split_context([("plan".to_owned(), value)].into());
        assert!(clear.is_empty() && sealed.len() == 1);
    }
}

#[test]
fn the_same_clear_context_is_recorded_once() {
    let set = |clear: ClearFields| {
        CallEvent::ContextSet(CallContextSet { call: call(), clear, sealed: 0 })
    };
    let gold = || {
        let gold = crate::annotation::words::ClearValue::Text("gold".into());
        set([("plan".to_owned(), gold)].into())
    };
    a_call([]).when(context(json!({}))).then(Ok(vec![]));
    a_call([]).when(context(json!({ "plan": "gold" }))).then(Ok(vec![gold()]));
    a_call([gold()]).when(context(json!({ "plan": "gold" }))).then(Ok(vec![]));
    a_call([gold()]).when(context(json!({}))).then(Ok(vec![set(ClearFields::new())]));
}

#[test]
fn campaign_attempt_and_type_are_set_one_by_one() {
    let set = |campaign: Option<Option<&str>>, attempt: Option<Option<u32>>| {
        let campaign = campaign.map(|text| NewValue(text.and_then(Campaign::parse)));
        let attempt = attempt.map(NewValue);
        to(Action::SetCampaign { campaign, attempt, call_type: None })
    };
    let event = |campaign: Option<&str>, attempt, set: &[CampaignField]| {
        let campaign = campaign.and_then(Campaign::parse);
        let call = CallFacts { campaign, attempt, ..call() };
        CallEvent::CampaignSet(CallCampaignSet { call, set: set.to_vec() })
    };
    let autumn = || event(Some("autumn"), None, &[CampaignField::Campaign]);
    a_call([]).when(set(Some(Some("autumn")), None)).then(Ok(vec![autumn()]));
    a_call([autumn()]).when(set(Some(Some("autumn")), None)).then(Ok(vec![]));
    let second = event(None, Some(2), &[CampaignField::Attempt]);
    a_call([autumn()]).when(set(Some(Some("autumn")), Some(Some(2)))).then(Ok(vec![second]));
    let none = event(None, None, &[CampaignField::Campaign]);
    a_call([autumn()]).when(set(Some(None), None)).then(Ok(vec![none]));
}
