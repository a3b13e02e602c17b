//! Translation of each message to one event and to the expected response.

use chrono::{DateTime, Utc};

use super::{facts, report};
use crate::envelope::{Correlation, Dedupe, Draft, Sections, StreamKind};
use crate::event::{
    CallEvent, CallFacts, CallMessageReceived, CallStarted, CallToolCalled, CallTransferred,
    Direction, PartyFacts, Presence, Status, ToolAnswer, ToolFact,
};
use crate::json::{Json, fact_id, fact_text};
use crate::personal::ToolIo;
use crate::plausible::FieldValue;
use crate::provider::body::{Body, mark};
use crate::provider::field::{id, text};
use crate::provider::{Reply, ToolRequest, TranslateError, Translation};

/// Kind of a request to a custom function, which has no event name of its own.
const CUSTOM_FUNCTION: &str = "custom_function";

/// Events of Retell, and the name of this module for a custom function.
pub(super) const KINDS: &[&str] = &[
    "call_started",
    "call_ended",
    "call_analyzed",
    "transcript_updated",
    "transfer_started",
    "transfer_bridged",
    "transfer_cancelled",
    "transfer_ended",
    "call_inbound",
    "chat_started",
    "chat_ended",
    "chat_analyzed",
    CUSTOM_FUNCTION,
];

/// Fields with links to recordings and logs.
const LINKS: &[&str] = &[
    "recording_url",
    "recording_multi_channel_url",
    "scrubbed_recording_url",
    "scrubbed_recording_multi_channel_url",
    "public_log_url",
];

const NO_MESSAGE: TranslateError = TranslateError::UnrecognizedMessage(
    "expected a Retell message: an object with an event and a call, or a name, args and a call",
);

const NULL: &Json<'static> = &Json::Null;

pub(super) fn translate(
    message: &[u8],
    region: Option<&str>,
) -> Result<Translation, TranslateError> {
    let mut body = Body::read(message, LINKS)?;
    let removed = body.take_removed();
    let Body { tree, canonical, raw, .. } = body;
    let message = Message::parse(&tree).ok_or(NO_MESSAGE)?;
    let direction = message.direction();
    let (party, party_facts) = facts::party(message.call, direction, region).unzip();
    let needs_region = region.is_none()
        && party_facts.is_some_and(|facts: PartyFacts| facts.phone == Some(Presence::Invalid));
    let occurred_at = message.occurred_at();
    let call = CallFacts { direction, ..facts::call_facts(message.call, occurred_at, party_facts) };
    let provider_call_id = call.provider_call_id.clone();
    let (event, sections, reply) = message.event(call, occurred_at.plausible());
    let draft = Draft {
        correlation: message.correlation(),
        dedupe: Dedupe::Content(0),
        occurred_at: occurred_at.plausible(),
        event,
        sections: Sections { party: party.clone(), raw: Some(raw), ..sections },
    };
    let mut drafts = vec![draft];
    mark(&mut drafts, removed);
    Ok(Translation {
        kind: message.kind.clone(),
        routing: facts::routing(message.call, direction, region),
        provider_call_id,
        party,
        canonical,
        drafts,
        needs_region,
        is_telemetry: message.kind == "transcript_updated",
        reply,
    })
}

/// A parsed message.
struct Message<'m> {
    /// The event of Retell, or [`CUSTOM_FUNCTION`].
    kind: String,
    /// The message without its wrapper.
    root: &'m Json<'m>,
    /// The call, or the object in its place; null without one.
    call: &'m Json<'m>,
}

impl<'m> Message<'m> {
    /// Finds the message in a body. Workflow tools wrap it in `body`.
    fn parse(tree: &'m Json<'m>) -> Option<Self> {
        let root = match tree.get("body") {
            Some(inner) if inner.is_object() && tree.get("event").is_none() => inner,
            _ => tree,
        };
        let object = |key| root.get(key).filter(|value: &&Json<'_>| value.is_object());
        let call = object("call").or_else(|| object("call_inbound"));
        match text(root, "event") {
            Some(event) if call.is_some() || object("chat").is_some() => {
                Some(Self { kind: fact_text(event), root, call: call.unwrap_or(NULL) })
            }
            None if text(root, "name").is_some() && root.get("args").is_some() => {
                Some(Self { kind: CUSTOM_FUNCTION.to_owned(), root, call: call? })
            }
            _ => None,
        }
    }

    /// Returns the direction. The inbound webhook does not state it.
    fn direction(&self) -> Option<Direction> {
        let is_inbound = self.kind == "call_inbound";
        facts::direction(self.call).or(is_inbound.then_some(Direction::Inbound))
    }

    fn correlation(&self) -> Correlation {
        let chat = || self.root.get("chat").and_then(|chat| id(chat, "chat_id"));
        let call = id(self.call, "call_id").map(|id| (StreamKind::Call, id));
        let named = call.or_else(|| chat().map(|id| (StreamKind::Chat, id)));
        named.map_or(Correlation::None, |(kind, id)| Correlation::Named(kind, id.to_owned()))
    }

    /// Returns Retell's time of the message. Only the start and the end of a call have one.
    fn occurred_at(&self) -> FieldValue<DateTime<Utc>> {
        let key = match self.kind.as_str() {
            "call_started" => "start_timestamp",
            "call_ended" | "call_analyzed" => "end_timestamp",
            _ => return FieldValue::Absent,
        };
        self.call.get(key).map_or(FieldValue::Absent, Json::time)
    }

    fn event(&self, call: CallFacts, at: Option<DateTime<Utc>>) -> (CallEvent, Sections, Reply) {
        let alone = |event| (event, Sections::default(), Reply::Acknowledge);
        match self.kind.as_str() {
            "call_started" => alone(CallEvent::Started(CallStarted { call, started_at: at })),
            "call_ended" | "call_analyzed" => {
                let is_report = self.kind == "call_analyzed";
                let (ended, sections) = report::ended(self.call, call, is_report);
                (CallEvent::Ended(ended), sections, Reply::Acknowledge)
            }
            "transfer_bridged" => {
                let destination_kind = self.destination_kind();
                alone(CallEvent::Transferred(CallTransferred { call, destination_kind }))
            }
            "call_inbound" => {
                (self.received(call, Some(Status::Ringing)), Sections::default(), Reply::Assistant)
            }
            CUSTOM_FUNCTION => self.function(call),
            "transcript_updated" | "transfer_started" | "transfer_cancelled" => {
                alone(self.received(call, Some(Status::InProgress)))
            }
            _ => alone(self.received(call, None)),
        }
    }

    fn received(&self, call: CallFacts, status: Option<Status>) -> CallEvent {
        CallEvent::MessageReceived(CallMessageReceived { call, kind: self.kind.clone(), status })
    }

    /// Returns the kind of the destination of a transfer, by the address it has.
    fn destination_kind(&self) -> Option<String> {
        let destination = self.root.get("transfer_destination")?;
        let kinds = [("number", "number"), ("sip_uri", "sip"), ("agent_id", "assistant")];
        let by_key = |(key, kind): &(&str, &'static str)| text(destination, key).map(|_| *kind);
        let kind = kinds.iter().find_map(by_key).or_else(|| text(destination, "type"));
        kind.map(fact_text)
    }

    /// Translates a request to a custom function, which waits for its result. It has no id.
    fn function(&self, call: CallFacts) -> (CallEvent, Sections, Reply) {
        let tool = fact_text(text(self.root, "name").unwrap_or_default());
        let arguments = self.root.get("args").map(Json::to_value);
        let io = ToolIo { nth: 0, arguments, result: None };
        let request = ToolRequest { tool_call_id: None, tool: tool.clone() };
        let called = CallToolCalled {
            call,
            tool: ToolFact { tool, ..ToolFact::default() },
            answer: ToolAnswer::NotConfigured,
            offered: false,
            is_async: false,
        };
        let sections = Sections { tool_io: vec![io], ..Sections::default() };
        (CallEvent::ToolCalled(called), sections, Reply::FunctionResult(request))
    }
}

/// Returns an id in the form of facts.
pub(super) fn fact_id_of(place: &Json<'_>, key: &str) -> Option<String> {
    id(place, key).map(fact_id)
}
