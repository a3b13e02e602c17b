//! Facts of call events.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::identity::handle_kind::HandleKind;
use crate::ids::{HandleId, SubjectId};
use crate::money::Cost;

/// Direction of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The person called the platform's number.
    Inbound,
    /// The platform called the person.
    Outbound,
    /// Through a browser or an app, without a phone number.
    Web,
}

/// Status of a call. Ordered: a late message with an earlier status does not undo a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Waiting to be placed.
    Queued,
    /// Ringing at the called party.
    Ringing,
    /// Answered, with the conversation under way.
    InProgress,
    /// Being forwarded to another party.
    Forwarding,
    /// Ended, in whatever way.
    Ended,
}

/// Validity of a contact value that the message had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// Not a valid number or address; kept sealed as given.
    Invalid,
    /// Valid; the person can be identified by it.
    Valid,
}

/// Kinds of values in a `party` section, without the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each says whether one value came")]
pub struct PartyFacts {
    /// Validity of the phone number; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<Presence>,
    /// Validity of the e-mail address; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<Presence>,
    /// True if the section has a name.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub name: bool,
    /// True if the section has the id of the person in the customer's systems.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub external_id: bool,
    /// True if the section has a SIP address.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub sip_uri: bool,
    /// True if the section has an extension behind the number.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub extension: bool,
}

impl PartyFacts {
    /// Returns true if the person can be identified by the values: a valid number or address, or an
    /// external id.
    #[must_use]
    pub fn identifies(self) -> bool {
        let valid = Some(Presence::Valid);
        self.phone == valid || self.email == valid || self.external_id
    }
}

/// The person a message is about, by random ids, as resolved by the vault. Written when the event
/// is sealed; empty in events recorded before handles had ids.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PersonFacts {
    /// True if the event's subject is a contact, false if it is the call's own subject.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub contact: bool,
    /// Handle of the external id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<HandleId>,
    /// Handle of the number with its extension; a SIP address may contain the number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<HandleId>,
    /// Handle of a SIP address without a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sip: Option<HandleId>,
    /// Handle of the e-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<HandleId>,
    /// Contacts that share the handle, if the message had no name to choose between them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<SubjectId>,
    /// The message has handles and a name. A placeholder is no name.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub has_name: bool,
    /// With a name: for each handle, strongest first, the first contact that had the handle with this
    /// name. Empty when it is the event's subject for all handles.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub holders: Vec<SubjectId>,
}

impl PersonFacts {
    /// The handles, strongest first.
    pub fn handles(&self) -> impl Iterator<Item = (HandleKind, HandleId)> {
        let handles = [
            (HandleKind::ExternalId, self.external_id),
            (HandleKind::Phone, self.phone),
            (HandleKind::Sip, self.sip),
            (HandleKind::Email, self.email),
        ];
        handles.into_iter().filter_map(|(kind, id)| Some((kind, id?)))
    }

    /// The strongest handle.
    #[must_use]
    pub fn strongest(&self) -> Option<(HandleKind, HandleId)> {
        self.handles().next()
    }
}

/// Facts that any message about a call may have besides its own; part of the facts of each call
/// event. Their source is the provider's snapshot of the call, which is as old as the call itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CallFacts {
    /// The voice platform, such as `vapi`.
    pub provider: String,
    /// Id of the call at the platform; absent if the message had none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_call_id: Option<String>,
    /// Direction of the call; absent if not reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// Id of the assistant at the platform.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// Id of the business's number at the platform.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_number_id: Option<String>,
    /// Creation time of the call object at the platform: a lower bound of the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<DateTime<Utc>>,
    /// Status in the snapshot. Often outdated; used only if no message reported a status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot_status: Option<Status>,
    /// True if the platform's customer marked the call as a test.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_test: bool,
    /// Kinds of values in the event's `party` section; absent without a section.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub party: Option<PartyFacts>,
    /// The resolved person; absent in events without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonFacts>,
    /// True if the message had no time; `occurred_at` of the event is then the recording time.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub untimed: bool,
    /// Names of fields with a value that is impossible for a call. The sealed body keeps the value,
    /// the facts omit it (`plausible.rs`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub implausible: Vec<String>,
}

/// Facts of `call.started`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallStarted {
    /// Facts common to all call events.
    #[serde(flatten)]
    pub call: CallFacts,
    /// Start of the media session; absent if not reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<DateTime<Utc>>,
}

/// Facts of `call.status_changed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallStatusChanged {
    /// Facts common to all call events.
    #[serde(flatten)]
    pub call: CallFacts,
    /// The reported status; absent if it has no equivalent in [`Status`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// The status in the provider's own words.
    pub provider_status: String,
}

/// The response that a tool call received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolAnswer {
    /// The tenant has no such tool, and the assistant was given that answer.
    NotConfigured,
}

/// Facts of `call.tool_called`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallToolCalled {
    /// Facts common to all call events.
    #[serde(flatten)]
    pub call: CallFacts,
    /// Name, time and digest of the tool call.
    #[serde(flatten)]
    pub tool: ToolFact,
    /// The response of this installation.
    pub answer: ToolAnswer,
}

/// Name and time of one tool call. Arguments and result are sealed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ToolFact {
    /// The provider's id of the tool call. Absent in the old message shape; some models use the
    /// name of the tool as the id of all its calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// Name of the function; empty if only the result was reported.
    pub tool: String,
    /// Milliseconds since the Unix epoch; absent if not reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<i64>,
    /// Keyed digest of the call, the tool and the arguments, made when the arguments are sealed:
    /// equal digests mean equal arguments. Absent in events of older builds, of an erased person,
    /// and where only a result was reported.
    #[serde(default, rename = "args", skip_serializing_if = "Option::is_none")]
    pub arguments: Option<String>,
    /// Number of equal tool calls before this one in the same message.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub nth: u16,
    /// Index of the tool call in the list of the live message, from 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub place: u16,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
fn is_zero(number: &u16) -> bool {
    *number == 0
}

/// Facts of `call.transferred`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallTransferred {
    /// Facts common to all call events.
    #[serde(flatten)]
    pub call: CallFacts,
    /// `assistant`, `step` (of a workflow), `number`, `sip` or the provider's own word. The
    /// destination itself is sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination_kind: Option<String>,
}

impl CallTransferred {
    /// Returns true if the call stays on the platform: another assistant, or the next step of a
    /// workflow, continues it.
    #[must_use]
    pub fn is_handoff(&self) -> bool {
        const STAYS: [&str; 5] = ["assistant", "squad", "dynamic", "step", "workflow"];
        self.destination_kind.as_deref().is_some_and(|kind| STAYS.contains(&kind))
    }
}

/// Facts of `call.recording_available`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRecordingAvailable {
    /// Facts common to all call events.
    #[serde(flatten)]
    pub call: CallFacts,
    /// Artifacts that were uploaded, or failed to be.
    pub artifacts: Vec<ArtifactUploaded>,
}

/// An artifact of a call, such as a recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactUploaded {
    /// Kind in the provider's words: `recording-mono`, `log`, ….
    pub kind: String,
    /// True if the upload succeeded.
    pub success: bool,
}

/// Facts of `call.ended`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CallEnded {
    /// Facts common to all call events.
    #[serde(flatten)]
    pub call: CallFacts,
    /// True for the end-of-call report, false for a bare status.
    pub report: bool,
    /// The provider's reason, as open text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_reason: Option<String>,
    /// Start of the media session; absent if not reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<DateTime<Utc>>,
    /// End of the media session; absent if not reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<Utc>>,
    /// Duration in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<i64>,
    /// Cost of the call; absent if not reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// True if the cost is zero and the report states it itself, not only in its snapshot of the
    /// call. Any other zero has a lower precedence than an amount.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub zero_cost_stated: bool,
    /// Tool calls of the call, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<ToolFact>,
    /// The provider's judgement whether the call was a success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success: Option<bool>,
    /// Average latency of the complete turns, in whole milliseconds, half rounded up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn_latency_ms: Option<i64>,
    /// Number of turns with a latency in the report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turns: Option<u32>,
    /// Number of times the assistant interrupted the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_interruptions: Option<u32>,
    /// Number of times the person interrupted the assistant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assistant_interruptions: Option<u32>,
    /// Sealed parts of the conversation: `transcript`, `summary`, `messages`, `structured_data`,
    /// `evaluation`, `recordings`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conversation: Vec<String>,
}

/// Facts of `call.message_received`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallMessageReceived {
    /// Facts common to all call events, as far as the message identifies a call.
    #[serde(flatten)]
    pub call: CallFacts,
    /// The provider's message type.
    pub kind: String,
    /// Status implied by the message: a model that calls a tool is in a live call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}
