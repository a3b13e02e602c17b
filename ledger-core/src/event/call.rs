//! Call events and their facts.

mod annotated;
mod carrier;
mod party;
mod removed;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::annotation::words::{Campaign, Word};
use crate::money::Cost;

pub use annotated::{
    CallCampaignSet, CallContextSet, CallDispositioned, CallEscalated, CallNoteAdded,
    CallNoteEdited, CallNoteRemoved, CallScored, CallTagged, CallTestMarked, CallUntagged,
    CampaignField,
};
pub use carrier::CarrierCall;
pub use party::{PartyFacts, PersonFacts, Presence};
pub use removed::{RemovedClass, RemovedData, RemovedFrom};

events! {
    /// An event of a call, a chat, a session, or a webhook without such an object.
    CallEvent {
        /// The provider opened a media session.
        Started(CallStarted) = "call.started" v 1;
        /// The provider reported a status that neither starts nor ends the call.
        StatusChanged(CallStatusChanged) = "call.status_changed" v 1;
        /// The assistant called a tool.
        ToolCalled(CallToolCalled) = "call.tool_called" v 1;
        /// The call was transferred, to a person or to another assistant.
        Transferred(CallTransferred) = "call.transferred" v 1;
        /// A recording or a log was uploaded, or its upload failed.
        RecordingAvailable(CallRecordingAvailable) = "call.recording_available" v 1;
        /// The call ended, as reported by a bare status or by the end-of-call report.
        Ended(CallEnded) = "call.ended" v 1;
        /// A message about a call without an event type of its own; stored whole, sealed.
        MessageReceived(CallMessageReceived) = "call.message_received" v 1;
        /// A note was written; its text is in the section `annotation`.
        NoteAdded(CallNoteAdded) = "call.note_added" v 1;
        /// A note was changed.
        NoteEdited(CallNoteEdited) = "call.note_edited" v 1;
        /// A note was removed. Its text stays in the log, sealed.
        NoteRemoved(CallNoteRemoved) = "call.note_removed" v 1;
        /// A tag was put on the call, or got another category.
        Tagged(CallTagged) = "call.tagged" v 1;
        /// A tag was taken off the call.
        Untagged(CallUntagged) = "call.untagged" v 1;
        /// The call got a disposition of the tenant's catalogue, or lost it.
        Dispositioned(CallDispositioned) = "call.dispositioned" v 1;
        /// A person scored the call.
        Scored(CallScored) = "call.scored" v 1;
        /// The call was marked as a test, or as none.
        TestMarked(CallTestMarked) = "call.test_marked" v 1;
        /// The call was escalated to a person.
        Escalated(CallEscalated) = "call.escalated" v 1;
        /// The context of the call was set.
        ContextSet(CallContextSet) = "call.context_set" v 1;
        /// Campaign, attempt or type of the call were set.
        CampaignSet(CallCampaignSet) = "call.campaign_set" v 1;
    }
}

impl CallEvent {
    /// Returns the facts common to all call events.
    #[must_use]
    pub const fn call(&self) -> &CallFacts {
        match self {
            Self::Started(facts) => &facts.call,
            Self::StatusChanged(facts) => &facts.call,
            Self::ToolCalled(facts) => &facts.call,
            Self::Transferred(facts) => &facts.call,
            Self::RecordingAvailable(facts) => &facts.call,
            Self::Ended(facts) => &facts.call,
            Self::MessageReceived(facts) => &facts.call,
            Self::NoteAdded(facts) => &facts.call,
            Self::NoteEdited(facts) => &facts.call,
            Self::NoteRemoved(facts) => &facts.call,
            Self::Tagged(facts) => &facts.call,
            Self::Untagged(facts) => &facts.call,
            Self::Dispositioned(facts) => &facts.call,
            Self::Scored(facts) => &facts.call,
            Self::TestMarked(facts) => &facts.call,
            Self::Escalated(facts) => &facts.call,
            Self::ContextSet(facts) => &facts.call,
            Self::CampaignSet(facts) => &facts.call,
        }
    }

    /// Returns the facts common to all call events, for a change.
    pub const fn call_mut(&mut self) -> &mut CallFacts {
        match self {
            Self::Started(facts) => &mut facts.call,
            Self::StatusChanged(facts) => &mut facts.call,
            Self::ToolCalled(facts) => &mut facts.call,
            Self::Transferred(facts) => &mut facts.call,
            Self::RecordingAvailable(facts) => &mut facts.call,
            Self::Ended(facts) => &mut facts.call,
            Self::MessageReceived(facts) => &mut facts.call,
            Self::NoteAdded(facts) => &mut facts.call,
            Self::NoteEdited(facts) => &mut facts.call,
            Self::NoteRemoved(facts) => &mut facts.call,
            Self::Tagged(facts) => &mut facts.call,
            Self::Untagged(facts) => &mut facts.call,
            Self::Dispositioned(facts) => &mut facts.call,
            Self::Scored(facts) => &mut facts.call,
            Self::TestMarked(facts) => &mut facts.call,
            Self::Escalated(facts) => &mut facts.call,
            Self::ContextSet(facts) => &mut facts.call,
            Self::CampaignSet(facts) => &mut facts.call,
        }
    }
}

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
    /// Answered, with the conversation in progress.
    InProgress,
    /// Being forwarded to another party.
    Forwarding,
    /// Ended, in whatever way.
    Ended,
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
    /// The call at its telephone carrier, if the platform reported it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carrier: Option<CarrierCall>,
    /// Creation time of the call object at the platform: a lower bound of the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<DateTime<Utc>>,
    /// Status in the snapshot. Often outdated; used only if no message reported a status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot_status: Option<Status>,
    /// True if the platform's customer marked the call as a test.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_test: bool,
    /// The campaign that the call is a part of, as the platform's customer stated it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campaign: Option<Campaign>,
    /// Number of the attempt to reach the person, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// Type of the call in the words of the platform's customer, such as `collections`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_type: Option<Word>,
    /// Kinds of values in the event's `party` section; absent without a section.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub party: Option<PartyFacts>,
    /// The resolved person; absent in events without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonFacts>,
    /// True if the message had no time; `occurred_at` of the event is then the recording time.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub untimed: bool,
    /// Names of fields with a value that is impossible for a call, or that may not be a fact. The sealed body keeps the value,
    /// the facts omit it (`plausible.rs`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub implausible: Vec<String>,
    /// Data that may not be stored and was removed from the message: in the first event of a message.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<RemovedData>,
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
    /// The tool did what was asked; the assistant was given the result.
    Done,
    /// The tool did nothing; the assistant was given a question or the reason.
    Refused,
    /// The message had no tenant when it arrived: nothing was done, and the assistant was told that the
    /// system cannot be reached. It was replayed later.
    NotAnswered,
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
    /// True if the answer told the caller a time that is free, or the time of a new appointment.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub offered: bool,
    /// Whether the platform declared the tool as asynchronous: it does not wait for the response and tells
    /// the caller nothing of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_async: bool,
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
    /// True if the event has a sealed link to a recording.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_link: bool,
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
    /// `evaluation`, `recordings`, `analysis`.
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
