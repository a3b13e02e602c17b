//! Properties of the fold over generated histories: the same events give the same call, in any
//! order and with any repetition.

mod annotations;

use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use uuid::Uuid;

use super::*;
use crate::event::{
    ArtifactUploaded, CallMessageReceived, CallRecordingAvailable, CallStarted, CallStatusChanged,
    CallToolCalled, CallTransferred, PartyFacts, PersonFacts, Presence, ToolAnswer,
};
use crate::ids::{HandleId, StreamId, StreamVersion};
use crate::money::{CostParts, Nanos};

/// Times from a small range. Ties are frequent, and ties reveal a dependence on order.
fn time() -> impl Strategy<Value = DateTime<Utc>> {
    (0..6_i64).prop_map(at)
}

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_750_000_000 + second, 0).expect("a time")
}

fn maybe<T>(values: &[T]) -> impl Strategy<Value = Option<T>> + Clone + use<T>
where
    T: std::fmt::Debug + Clone + 'static,
{
    prop::option::of(select(values.to_vec()))
}

fn words(values: &[&str]) -> impl Strategy<Value = Option<String>> + use<> {
    maybe(&values.iter().map(ToString::to_string).collect::<Vec<_>>())
}

const STATUSES: [Status; 5] =
    [Status::Queued, Status::Ringing, Status::InProgress, Status::Forwarding, Status::Ended];

fn party() -> impl Strategy<Value = Option<PartyFacts>> {
    let presence = || maybe(&[Presence::Valid, Presence::Invalid]);
    let party = (presence(), presence(), any::<bool>(), any::<bool>()).prop_map(
        |(phone, email, name, external_id)| PartyFacts {
            phone,
            email,
            name,
            external_id,
            ..PartyFacts::default()
        },
    );
    prop::option::of(party)
}

/// The resolved person of a message; absent in events of older builds.
fn person() -> impl Strategy<Value = Option<PersonFacts>> {
    let handle = || prop::option::of((0..2_u128).prop_map(|nth| HandleId(Uuid::from_u128(nth))));
    let holders =
        prop::collection::vec((0..2_u128).prop_map(|nth| SubjectId(Uuid::from_u128(nth))), 0..3);
    let person = (any::<bool>(), handle(), handle(), handle(), any::<bool>(), holders);
    let facts =
        person.prop_map(|(contact, external_id, phone, email, has_name, holders)| PersonFacts {
            contact,
            external_id,
            phone,
            email,
            has_name,
            holders,
            ..PersonFacts::default()
        });
    prop::option::of(facts)
}

/// The call at the carrier. The second one is stated by a misconfigured platform.
fn carrier() -> impl Strategy<Value = Option<CarrierCall>> {
    let call = |nth: char| CarrierCall {
        provider: "twilio".into(),
        call_id: format!("CA{}", nth.to_string().repeat(32)),
    };
    maybe(&[call('1'), call('2')])
}

/// Boxed: the strategies of whole events are otherwise too large for the stack of a test.
fn call_facts() -> BoxedStrategy<CallFacts> {
    let ids = (words(&["a-1", "a-2"]), words(&["n-1", "n-2"]), carrier());
    let direction = maybe(&[Direction::Inbound, Direction::Outbound, Direction::Web]);
    let times = (prop::option::of(time()), any::<bool>(), maybe(&STATUSES));
    let people = (party(), person(), annotations::campaigns());
    (ids, direction, times, prop::bool::weighted(0.1), people)
        .prop_map(|((agent_id, phone_number_id, carrier), direction, times, is_test, people)| {
            let (party, person, (campaign, attempt, call_type)) = people;
            CallFacts {
                campaign,
                attempt,
                call_type,
                provider: "vapi".into(),
                carrier,
                provider_call_id: Some("c-1".into()),
                direction,
                agent_id,
                phone_number_id,
                created_at: times.0,
                snapshot_status: times.2,
                is_test,
                party,
                person,
                untimed: times.1,
                implausible: Vec::new(),
                removed: Vec::new(),
            }
        })
        .boxed()
}

fn tool() -> impl Strategy<Value = ToolFact> {
    let at_ms = prop::option::of(0..4_i64);
    let arguments = (words(&["a", "b"]), 0..2_u16, 0..3_u16);
    (words(&["t-1", "t-2", "book"]), select(vec!["", "book", "cancel"]), at_ms, arguments).prop_map(
        |(tool_call_id, tool, at_ms, (arguments, nth, place))| ToolFact {
            tool_call_id,
            tool: tool.into(),
            at_ms,
            arguments,
            nth,
            place,
        },
    )
}

fn cost() -> impl Strategy<Value = Cost> {
    (0..4_i64).prop_map(|total| Cost {
        total_nanos: Nanos(total),
        currency: "USD".into(),
        parts: CostParts::default().balanced_to(Nanos(total)),
    })
}

/// Latency, number of turns, and interruptions by either side.
fn metrics() -> impl Strategy<Value = (Option<i64>, Option<u32>, Option<u32>, Option<u32>)> {
    let count = || prop::option::of(0..3_u32);
    (prop::option::of(700..703_i64), count(), count(), count())
}

fn ended() -> impl Strategy<Value = CallEnded> {
    let parts: Vec<String> = ["transcript", "summary", "messages"].map(String::from).to_vec();
    let reasons = words(&[
        "hangup",
        "manually-canceled",
        "assistant-forwarded-call",
        "call.forwarding.no-answer",
    ]);
    let conversation_parts = (reasons, subsequence(parts, 0..=3));
    let times = (prop::option::of(time()), prop::option::of(time()), prop::option::of(0..4_i64));
    let sums = (prop::option::of(cost()), prop::option::of(any::<bool>()));
    let tools = prop::collection::vec(tool(), 0..4);
    (call_facts(), any::<bool>(), conversation_parts, times, sums, (tools, metrics())).prop_map(
        |(call, report, (ended_reason, conversation), times, (cost, success), (tools, metrics))| {
            let ended = CallEnded {
                call,
                report,
                ended_reason,
                started_at: times.0,
                ended_at: times.1,
                ..CallEnded::default()
            };
            if !report {
                // A bare status has no further fields.
                return ended;
            }
            CallEnded {
                duration_ms: times.2,
                // Nothing else here determines whether a zero is stated, so both cases are
                // generated.
                zero_cost_stated: cost.as_ref().is_some_and(|cost| cost.total_nanos == Nanos(0))
                    && metrics.1 == Some(1),
                cost,
                tools,
                success,
                turn_latency_ms: metrics.0,
                turns: metrics.1,
                user_interruptions: metrics.2,
                assistant_interruptions: metrics.3,
                conversation,
                ..ended
            }
        },
    )
}

fn event() -> impl Strategy<Value = CallEvent> {
    let status = maybe(&STATUSES);
    prop_oneof![
        1 => (call_facts(), prop::option::of(time()))
            .prop_map(|(call, started_at)| CallEvent::Started(CallStarted { call, started_at })),
        1 => (call_facts(), status.clone()).prop_map(|(call, status)| {
            let provider_status = "other".into();
            CallEvent::StatusChanged(CallStatusChanged { call, status, provider_status })
        }),
        3 => (call_facts(), tool(), any::<bool>()).prop_map(|(call, tool, offered)| {
            let answer = ToolAnswer::NotConfigured;
            CallEvent::ToolCalled(CallToolCalled { call, tool, answer, offered, is_async: false })
        }),
        1 => (call_facts(), words(&["number", "assistant"])).prop_map(|(call, destination_kind)| {
            CallEvent::Transferred(CallTransferred { call, destination_kind })
        }),
        1 => call_facts().prop_map(|call| {
            let artifacts = vec![ArtifactUploaded { kind: "log".into(), success: true }];
            CallEvent::RecordingAvailable(CallRecordingAvailable { call, artifacts, has_link: true })
        }),
        3 => ended().prop_map(CallEvent::Ended),
        3 => annotations::annotation(),
        1 => (call_facts(), select(vec!["hang", "transcript"]), status).prop_map(
            |(call, kind, status)| {
                let kind = kind.into();
                CallEvent::MessageReceived(CallMessageReceived { call, kind, status })
            }
        ),
    ]
}

fn time_of_recording(nth: i64) -> DateTime<Utc> {
    at(100 + nth)
}

/// A stored event of a call, and the description of its sealed sections.
#[derive(Debug, Clone)]
struct Stored(Recorded<CallEvent>, SealedSections);

/// Generates a log in the order of its positions.
fn log() -> impl Strategy<Value = Vec<Stored>> {
    let sealed = (prop::option::of(0..3_u128), any::<bool>());
    prop::collection::vec((event(), time(), sealed), 1..14).prop_map(|events| {
        events
            .into_iter()
            .zip(1..)
            .map(|((event, at, sealed), nth)| stored(event, at, sealed, nth))
            .collect()
    })
}

fn stored(event: CallEvent, at: DateTime<Utc>, sealed: (Option<u128>, bool), nth: i64) -> Stored {
    let recorded = Recorded {
        position: Position(nth),
        stream_id: StreamId(Uuid::nil()),
        stream_version: StreamVersion(nth),
        // Event ids are hashes: their order differs from that of the log.
        event_id: EventId(Uuid::new_v5(&Uuid::nil(), &nth.to_be_bytes())),
        occurred_at: at,
        recorded_at: time_of_recording(nth),
        event,
    };
    let (subject, has_party) = sealed;
    let subject = subject.map(|nth| SubjectId(Uuid::from_u128(nth)));
    Stored(recorded, SealedSections { subject, has_party })
}

fn fold<'s>(events: impl IntoIterator<Item = &'s Stored>) -> Call {
    let mut call = Call::default();
    for Stored(recorded, sealed) in events {
        call.evolve(&recorded.by_ref(), *sealed);
    }
    call
}

/// The fields of a call that must not depend on the order of arrival: all except positions.
fn comparable(call: &Call) -> impl PartialEq + std::fmt::Debug + use<> {
    let tools: Vec<_> = call
        .tool_calls()
        .into_iter()
        .map(|tool| (tool.tool_call_id, tool.tool, tool.at_ms))
        .collect();
    (
        (call.status(), call.outcome(), call.ended_reason().map(str::to_owned)),
        (call.started_at(), call.ended_at(), call.duration_ms()),
        (call.cost().cloned(), call.success(), call.is_test()),
        (call.turn_latency_ms(), call.user_interruptions(), call.assistant_interruptions()),
        (call.is_transferred(), call.last_recorded()),
        (call.direction(), call.agent_id().map(str::to_owned)),
        (call.phone_number_id().map(str::to_owned), call.subject_id(), call.contact_id()),
        (call.phone_id(), call.email_id(), call.caller()),
        (call.handles().clone(), call.carrier().cloned()),
        (call.tools_used(), tools, annotations::shown(call)),
        call.conversation().into_keys().map(str::to_owned).collect::<Vec<_>>(),
        call.parties()
            .iter()
            .map(|party| (party.facts, party.precedence.authority))
            .collect::<Vec<_>>(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn any_events_of_a_log_in_any_order_any_number_of_times_are_the_same_call(
        log in log(),
        chosen in any::<u16>(),
        again in prop::collection::vec(any::<Index>(), 0..8),
        shuffled in Just((0..22_usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let some: Vec<&Stored> =
            log.iter().zip(0..).filter(|(_, nth)| chosen >> nth & 1 == 1).map(|(one, _)| one).collect();
        prop_assume!(!some.is_empty());
        let expected = fold(some.iter().copied());
        let mut repeated = some.clone();
        repeated.extend(again.iter().map(|nth| some[nth.index(some.len())]));
        let order = shuffled.iter().filter(|nth| **nth < repeated.len());
        prop_assert_eq!(fold(order.map(|nth| repeated[*nth])), expected);
    }

    #[test]
    fn the_person_is_chosen_by_the_messages_and_not_by_the_contacts_that_the_vault_knew(
        log in log(), others in prop::collection::vec((0..3_u128, any::<bool>()), 14)
    ) {
        let mut resolved_otherwise = log.clone();
        for (Stored(recorded, sealed), (subject, is_contact)) in
            resolved_otherwise.iter_mut().zip(others)
        {
            sealed.subject = sealed.subject.map(|_| SubjectId(Uuid::from_u128(subject)));
            if let Some(person) = &mut recorded.event.call_mut().person {
                person.contact = is_contact;
            }
        }
        let chosen = |log: &[Stored]| {
            fold(log).person().map(|person| {
                let resolved = &person.resolved;
                (resolved.external_id, resolved.phone, resolved.email, resolved.has_name)
            })
        };
        prop_assert_eq!(chosen(&log), chosen(&resolved_otherwise));
    }

    #[test]
    fn a_stored_fold_continues_with_the_same_result(
        log in log(), at in any::<Index>()
    ) {
        let (first, rest) = log.split_at(at.index(log.len() + 1));
        let state = serde_json::to_string(&fold(first)).expect("plain data");
        let mut call: Call = serde_json::from_str(&state).expect("what was written");
        for Stored(recorded, sealed) in rest {
            call.evolve(&recorded.by_ref(), *sealed);
        }
        prop_assert_eq!(call, fold(&log));
    }

    #[test]
    fn whichever_order_the_messages_arrive_in_the_call_shows_the_same(
        log in log(), order in Just((0..14_usize).collect::<Vec<_>>()).prop_shuffle()
    ) {
        // Of two reports with the same time, the one recorded last is the correction; here all
        // times differ.
        let mut log = log;
        for (Stored(recorded, _), nth) in log.iter_mut().zip(10..) {
            if let CallEvent::Ended(ended) = &mut recorded.event && ended.report {
                ended.call.untimed = false;
                recorded.occurred_at = at(nth);
            }
        }
        let expected = comparable(&fold(&log));
        let mut arrived = Vec::new();
        // Commands follow each other: their order is that of the log, whatever comes between.
        let is_annotation = |nth: &usize| annotations::is_annotation(&log[*nth].0.event);
        let order: Vec<_> = order.into_iter().filter(|nth| *nth < log.len()).collect();
        let mut commands: Vec<_> = order.iter().copied().filter(is_annotation).collect();
        commands.sort_unstable();
        let mut commands = commands.into_iter();
        for (nth, position) in order.into_iter().zip(1..) {
            let nth = if is_annotation(&nth) { commands.next().expect("one each") } else { nth };
            let Stored(mut recorded, sealed) = log[nth].clone();
            recorded.position = Position(position);
            recorded.stream_version = StreamVersion(position);
            arrived.push(Stored(recorded, sealed));
        }
        prop_assert_eq!(comparable(&fold(&arrived)), expected);
    }
}
