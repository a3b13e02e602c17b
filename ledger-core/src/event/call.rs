//! Facts about calls.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::identity::HandleKind;
use crate::ids::{HandleId, SubjectId};
use crate::money::Cost;

/// Which way a call went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// A person rang us.
    Inbound,
    /// We rang a person.
    Outbound,
    /// Through a browser or an app, no telephone number.
    Web,
}

/// Where a call stands. Ordered: a later state is never undone by an earlier one told late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Waiting to be placed.
    Queued,
    /// The other side is being rung.
    Ringing,
    /// People talk.
    InProgress,
    /// On its way to somebody else.
    Forwarding,
    /// Over.
    Ended,
}

/// Whether a contact value came, and whether it is of the right form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// It came, but is no number or address; kept sealed as given.
    Invalid,
    /// It came and parses; people are found by it.
    Valid,
}

/// What a `party` section holds, without saying it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each says whether one value came")]
pub struct PartyFacts {
    /// A phone number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<Presence>,
    /// An e-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<Presence>,
    /// A name.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub name: bool,
    /// The platform user's own id for the person.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub external_id: bool,
    /// A SIP address.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub sip_uri: bool,
    /// An extension behind the number.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub extension: bool,
}

impl PartyFacts {
    /// Whether the person can be found again by what came.
    #[must_use]
    pub fn identifies(self) -> bool {
        let valid = Some(Presence::Valid);
        self.phone == valid || self.email == valid || self.external_id
    }
}

/// Who the vault took a message to be about, by random ids. Written when the event is sealed; events
/// recorded before handles had ids have none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PersonFacts {
    /// The event's subject is a contact, not the call's own.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub contact: bool,
    /// The handle of the external id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<HandleId>,
    /// The handle of the number, extension and all; a SIP address may carry it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<HandleId>,
    /// The handle of a SIP address without a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sip: Option<HandleId>,
    /// The handle of the e-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<HandleId>,
    /// The contacts it may be about, when several share the handle and no name was told.
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
        let told = [
            (HandleKind::ExternalId, self.external_id),
            (HandleKind::Phone, self.phone),
            (HandleKind::Sip, self.sip),
            (HandleKind::Email, self.email),
        ];
        told.into_iter().filter_map(|(kind, id)| Some((kind, id?)))
    }

    /// The strongest handle.
    #[must_use]
    pub fn strongest(&self) -> Option<(HandleKind, HandleId)> {
        self.handles().next()
    }
}

/// What any message about a call may tell besides its own subject; part of each call event's facts.
/// All of it comes from the provider's snapshot of the call, which is as old as the call itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CallFacts {
    /// The voice platform: `vapi`.
    pub provider: String,
    /// The platform's own id of the call; absent when the message named none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_call_id: Option<String>,
    /// Which way it went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// The assistant that speaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// Our number, by the platform's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_number_id: Option<String>,
    /// When the platform made the call object: the earliest it can have begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<DateTime<Utc>>,
    /// The status inside the snapshot: stale by nature, used only when nothing better is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot_status: Option<Status>,
    /// Marked as a test by the platform's user.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_test: bool,
    /// What the event's `party` section holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub party: Option<PartyFacts>,
    /// Who it was taken to be about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonFacts>,
    /// The message carried no time of its own; the event's `occurred_at` is then ours.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub untimed: bool,
    /// Which fields were told with a value that no call can have: the body keeps it, the facts do not
    /// (`plausible.rs`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub implausible: Vec<String>,
}

/// `call.started`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallStarted {
    /// The call.
    #[serde(flatten)]
    pub call: CallFacts,
    /// When the session opened, when that was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<DateTime<Utc>>,
}

/// `call.status_changed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallStatusChanged {
    /// The call.
    #[serde(flatten)]
    pub call: CallFacts,
    /// The status told; absent when it is one we have no word for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// The provider's own word.
    pub provider_status: String,
}

/// What a tool call was answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolAnswer {
    /// This ledger has no such tool for the tenant; the voice was told so.
    NotConfigured,
}

/// `call.tool_called`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallToolCalled {
    /// The call.
    #[serde(flatten)]
    pub call: CallFacts,
    /// The tool.
    #[serde(flatten)]
    pub tool: ToolFact,
    /// What we answered.
    pub answer: ToolAnswer,
}

/// One tool call: its name and when it was made. Arguments and result are sealed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ToolFact {
    /// The provider's id of the tool call. Old shapes have none, and some models repeat one id (the
    /// tool's name) for all calls of a tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// The function's name.
    pub tool: String,
    /// Milliseconds since the Unix epoch, when told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<i64>,
    /// A keyed digest of the call, the tool and the arguments, made when the arguments are sealed:
    /// two messages with equal digests tell of equal arguments. Absent in events of older builds, of
    /// an erased person, and where only a result is told.
    #[serde(default, rename = "args", skip_serializing_if = "Option::is_none")]
    pub arguments: Option<String>,
    /// How many equal tool calls the same message lists before this one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub nth: u16,
    /// Its place in the list of the message that tells of it live, from 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub place: u16,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
fn is_zero(number: &u16) -> bool {
    *number == 0
}

/// `call.transferred`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallTransferred {
    /// The call.
    #[serde(flatten)]
    pub call: CallFacts,
    /// `assistant`, `step` (of a workflow), `number`, `sip` or the provider's own word; where to is
    /// sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination_kind: Option<String>,
}

impl CallTransferred {
    /// Whether the call stays with the platform: another assistant, or the next step of a workflow,
    /// takes it over.
    #[must_use]
    pub fn is_handoff(&self) -> bool {
        const STAYS: [&str; 5] = ["assistant", "squad", "dynamic", "step", "workflow"];
        self.destination_kind.as_deref().is_some_and(|kind| STAYS.contains(&kind))
    }
}

/// `call.recording_available`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRecordingAvailable {
    /// The call.
    #[serde(flatten)]
    pub call: CallFacts,
    /// What was stored, or failed to be.
    pub artifacts: Vec<ArtifactUploaded>,
}

/// One artifact of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactUploaded {
    /// The provider's word: `recording-mono`, `log`, ….
    pub kind: String,
    /// Whether it was stored.
    pub success: bool,
}

/// `call.ended`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CallEnded {
    /// The call.
    #[serde(flatten)]
    pub call: CallFacts,
    /// True for the full report after the call, false for a bare status.
    pub report: bool,
    /// The provider's reason, open text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_reason: Option<String>,
    /// When the session opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<DateTime<Utc>>,
    /// When it closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<Utc>>,
    /// How long it lasted, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<i64>,
    /// What it cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// The cost is zero and the report says so itself, not only its snapshot of the call. Any other
    /// zero counts less than an amount.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub zero_cost_stated: bool,
    /// The tools it called, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<ToolFact>,
    /// Whether the provider judged the call a success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success: Option<bool>,
    /// The average latency of its complete turns, in whole milliseconds, half rounded up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn_latency_ms: Option<i64>,
    /// How many turns the provider lists a latency for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turns: Option<u32>,
    /// How often the person was interrupted by the assistant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_interruptions: Option<u32>,
    /// How often the assistant was interrupted by the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assistant_interruptions: Option<u32>,
    /// Which parts of the conversation came: `transcript`, `summary`, `messages`,
    /// `structured_data`, `evaluation`, `recordings`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conversation: Vec<String>,
}

/// `call.message_received`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallMessageReceived {
    /// The call, as far as the message named one.
    #[serde(flatten)]
    pub call: CallFacts,
    /// The provider's message type.
    pub kind: String,
    /// What the message shows of the call's status: a model that calls a tool is in a live call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}
