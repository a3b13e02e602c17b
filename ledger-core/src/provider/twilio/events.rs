//! Translation of a callback to one event.

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;

use crate::envelope::{Correlation, Dedupe, Draft, Sections, StreamKind};
use crate::event::{
    ArtifactUploaded, CallEnded, CallEvent, CallFacts, CallMessageReceived, CallRecordingAvailable,
    CallStarted, CallStatusChanged, Direction, PartyFacts, Presence, Status,
};
use crate::json::{Json, fact_id, fact_text};
use crate::personal::{Conversation, Party, Recording, normalise_phone};
use crate::plausible::{self, FieldValue, add_implausible};
use crate::provider::body::{Body, mark};
use crate::provider::field::{id, person, text};
use crate::provider::{Reply, Routing, TranslateError, Translation};

/// Fields with a link to a recording.
const LINKS: &[&str] = &["RecordingUrl"];

const NO_CALLBACK: TranslateError = TranslateError::UnrecognizedMessage(
    "expected a Twilio voice callback: an object with a CallSid, a CallStatus or a RecordingSid",
);

pub(super) fn translate(
    message: &[u8],
    region: Option<&str>,
) -> Result<Translation, TranslateError> {
    let mut body = Body::read(message, LINKS)?;
    let removed = body.take_removed();
    let Body { tree, canonical, raw, .. } = body;
    let kind = kind(&tree).ok_or(NO_CALLBACK)?;
    let (party, party_facts) = party(&tree, region).unzip();
    let needs_region = region.is_none()
        && party_facts.is_some_and(|facts: PartyFacts| facts.phone == Some(Presence::Invalid));
    let occurred_at = occurred_at(&tree, kind);
    let call = call_facts(&tree, occurred_at, party_facts);
    let (event, conversation) = event(&tree, kind, call, occurred_at.plausible());
    let call_sid = id(&tree, "CallSid");
    let draft = Draft {
        correlation: call_sid.map_or(Correlation::None, |call_sid| {
            Correlation::Named(StreamKind::Call, call_sid.to_owned())
        }),
        dedupe: Dedupe::Content(0),
        occurred_at: occurred_at.plausible(),
        event,
        sections: Sections {
            party: party.clone(),
            conversation,
            raw: Some(raw),
            ..Sections::default()
        },
    };
    let mut drafts = vec![draft];
    mark(&mut drafts, removed);
    Ok(Translation {
        kind: kind.to_owned(),
        routing: Routing {
            phone_number: business_number(&tree).and_then(|raw| normalise_phone(raw, region)),
            ..Routing::default()
        },
        provider_call_id: call_sid.map(fact_id),
        party,
        canonical,
        drafts,
        needs_region,
        is_telemetry: false,
        reply: Reply::Acknowledge,
    })
}

/// Returns the kind of a callback by its fields; `None` if it is none of Twilio Voice.
fn kind(tree: &Json<'_>) -> Option<&'static str> {
    let has = |key| text(tree, key).is_some();
    if has("RecordingSid") && has("RecordingStatus") {
        return Some("recording-status");
    }
    match (has("DialCallStatus"), has("CallStatus"), has("CallSid")) {
        (true, _, true) => Some("dial-action"),
        (_, true, true) => Some("call-status"),
        (_, _, true) => Some("other-callback"),
        _ => None,
    }
}

fn event(
    tree: &Json<'_>,
    kind: &'static str,
    mut call: CallFacts,
    at: Option<DateTime<Utc>>,
) -> (CallEvent, Option<Conversation>) {
    let word = text(tree, "CallStatus").unwrap_or_default();
    match (kind, word) {
        ("recording-status", _) => recording(tree, call),
        ("call-status", "in-progress" | "answered") => {
            (CallEvent::Started(CallStarted { call, started_at: at }), None)
        }
        ("call-status", "completed" | "busy" | "no-answer" | "failed" | "canceled") => {
            let duration_ms = duration_ms(tree, "CallDuration", &mut call);
            let ended = CallEnded {
                call,
                report: false,
                ended_reason: Some(word.to_owned()),
                ended_at: at,
                duration_ms,
                ..CallEnded::default()
            };
            (CallEvent::Ended(ended), None)
        }
        ("call-status", _) => {
            let changed =
                CallStatusChanged { call, status: status(word), provider_status: fact_text(word) };
            (CallEvent::StatusChanged(changed), None)
        }
        _ => {
            let received =
                CallMessageReceived { call, kind: kind.to_owned(), status: status(word) };
            (CallEvent::MessageReceived(received), None)
        }
    }
}

/// Returns the status of a call that is not over.
fn status(word: &str) -> Option<Status> {
    match word {
        "queued" | "initiated" => Some(Status::Queued),
        "ringing" => Some(Status::Ringing),
        "in-progress" | "answered" => Some(Status::InProgress),
        _ => None,
    }
}

/// Returns the event of a recording, and its link to be sealed.
fn recording(tree: &Json<'_>, call: CallFacts) -> (CallEvent, Option<Conversation>) {
    let is_stereo = text(tree, "RecordingChannels") == Some("2");
    let kind = if is_stereo { "stereo" } else { "mono" };
    let word = text(tree, "RecordingStatus").unwrap_or_default();
    if word == "in-progress" {
        let kind = "recording-status".to_owned();
        let status = Some(Status::InProgress);
        return (CallEvent::MessageReceived(CallMessageReceived { call, kind, status }), None);
    }
    let success = word == "completed";
    let artifacts = vec![ArtifactUploaded { kind: format!("recording-{kind}"), success }];
    let url = text(tree, "RecordingUrl").filter(|_| success);
    let conversation = url.map(|url| Conversation {
        recordings: vec![Recording { kind: kind.to_owned(), url: url.to_owned() }],
        ..Conversation::default()
    });
    let available = CallRecordingAvailable { call, artifacts, has_link: conversation.is_some() };
    (CallEvent::RecordingAvailable(available), conversation)
}

fn call_facts(
    tree: &Json<'_>,
    occurred_at: FieldValue<DateTime<Utc>>,
    party: Option<PartyFacts>,
) -> CallFacts {
    let mut implausible = Vec::new();
    if occurred_at == FieldValue::Implausible {
        add_implausible(&mut implausible, "occurred_at");
    }
    CallFacts {
        provider: "twilio".to_owned(),
        provider_call_id: id(tree, "CallSid").map(fact_id),
        direction: direction(tree),
        party,
        untimed: occurred_at.plausible().is_none(),
        implausible,
        ..CallFacts::default()
    }
}

fn direction(tree: &Json<'_>) -> Option<Direction> {
    match text(tree, "Direction")? {
        "inbound" => Some(Direction::Inbound),
        word if word.starts_with("outbound") => Some(Direction::Outbound),
        _ => None,
    }
}

/// Returns the person on the line: the calling party of an inbound call, the called one of an
/// outbound call. A client of an app (`client:…`) has no number.
fn party(tree: &Json<'_>, region: Option<&str>) -> Option<(Party, PartyFacts)> {
    let keys = match direction(tree)? {
        Direction::Inbound => ["From", "Caller"],
        Direction::Outbound | Direction::Web => ["To", "Called"],
    };
    let address = keys.into_iter().find_map(|key| text(tree, key))?;
    (!address.starts_with("client:")).then(|| person(address, region))
}

fn business_number<'m>(tree: &'m Json<'m>) -> Option<&'m str> {
    match direction(tree)? {
        Direction::Inbound => text(tree, "To"),
        Direction::Outbound | Direction::Web => text(tree, "From"),
    }
}

/// Returns Twilio's time of the callback. A recording callback states only the start and the length
/// of the recording.
fn occurred_at(tree: &Json<'_>, kind: &str) -> FieldValue<DateTime<Utc>> {
    if kind != "recording-status" {
        return time(tree, "Timestamp");
    }
    let start = time(tree, "RecordingStartTime");
    let FieldValue::Plausible(start_at) = start else { return start };
    let seconds = tree.get("RecordingDuration").and_then(Json::as_decimal);
    let lasted = seconds.and_then(|seconds| millis(seconds).plausible()).unwrap_or(0);
    FieldValue::Plausible(start_at + TimeDelta::milliseconds(lasted))
}

/// Reads a time as RFC 2822, as Twilio writes it, or in any other known form.
fn time(tree: &Json<'_>, key: &str) -> FieldValue<DateTime<Utc>> {
    let Some(value) = tree.get(key) else { return FieldValue::Absent };
    match value.as_str().map(DateTime::parse_from_rfc2822) {
        Some(Ok(at)) => plausible::time(at.to_utc()),
        _ => value.time(),
    }
}

/// Reads a duration in whole seconds. `Duration` is in billed minutes and is not read.
fn duration_ms(tree: &Json<'_>, key: &str, call: &mut CallFacts) -> Option<i64> {
    let duration = millis(tree.get(key)?.as_decimal()?);
    if duration == FieldValue::Implausible {
        add_implausible(&mut call.implausible, "duration_ms");
    }
    duration.plausible()
}

fn millis(seconds: Decimal) -> FieldValue<i64> {
    let millis = seconds.checked_mul(Decimal::ONE_THOUSAND);
    millis.map_or(FieldValue::Implausible, plausible::duration_ms)
}
