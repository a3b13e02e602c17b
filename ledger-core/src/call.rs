//! The state of a call, folded from its events.
//!
//! [`Call::evolve`] is a merge: the same events give the same call in any order and with any
//! repetition. Each field is a last-writer-wins register ([`Reported`]) with a precedence
//! ([`Precedence`]): the end-of-call report wins over a status, a status over the snapshot, and
//! otherwise the later provider time wins. Two reports with the same provider time differ only in
//! the order of their recording. This is the single case in which the order of arrival matters
//! (`docs/decisions/0005-folding-calls.md`).

mod accessors;
mod annotations;
mod bounds;
mod caller;
mod person;
mod reported;
mod tools;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use annotations::{Context, Escalation, Note, Tag};
pub use caller::CallerIdentity;
pub use person::{PartyReference, ReportedPerson};
pub use reported::{Authority, Precedence, Reported};
pub use tools::{IoRef, ToolCall, ToolCalls};

pub use crate::outcome::Outcome;

use self::annotations::Annotations;
use crate::annotation::words::{Campaign, Word};
use crate::envelope::Recorded;
use crate::event::{CallEnded, CallEvent, CallFacts, CarrierCall, Direction, Status, ToolFact};
use crate::ids::{EventId, Position, SubjectId};
use crate::money::Cost;
use crate::provider::Provider;

/// State of a call, folded from the events recorded so far. Serialised as the `state` column of the
/// read model. Holds no personal data, only references to the sealed sections.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each reported by itself")]
pub struct Call {
    /// The voice platform, such as `vapi`.
    pub provider: String,
    /// Id of the call at the platform; empty if no event had one.
    pub provider_call_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<Reported<Direction>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_id: Option<Reported<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_number_id: Option<Reported<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    carrier: Option<Reported<CarrierCall>>,
    #[serde(rename = "told_status", skip_serializing_if = "Option::is_none")]
    reported_status: Option<Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot_status: Option<Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<Reported<Reverse<DateTime<Utc>>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    earliest: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_recorded: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_recorded: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<Reported<DateTime<Utc>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_reason: Option<Reported<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<Reported<i64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<Reported<Cost>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    success: Option<Reported<bool>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    turn_latency_ms: Option<Reported<i64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_interruptions: Option<Reported<u32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    assistant_interruptions: Option<Reported<u32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    campaign: Option<Reported<Campaign>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<Reported<u32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    call_type: Option<Reported<Word>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_test: bool,
    #[serde(rename = "transfer_told", skip_serializing_if = "std::ops::Not::not")]
    is_transfer_reported: bool,
    #[serde(rename = "answer_told", skip_serializing_if = "std::ops::Not::not")]
    is_answer_reported: bool,
    #[serde(rename = "offered", skip_serializing_if = "std::ops::Not::not")]
    is_offered: bool,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    tools: BTreeSet<String>,
    #[serde(skip_serializing_if = "ToolCalls::is_empty")]
    tool_calls: ToolCalls,
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<ReportedPerson>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parties: Vec<PartyReference>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    handles: BTreeSet<Uuid>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    conversation: BTreeMap<String, Reported<Position>>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    turns: BTreeSet<TurnRef>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    recordings: BTreeSet<TurnRef>,
    #[serde(skip_serializing_if = "Annotations::is_empty")]
    annotations: Annotations,
    /// Position of the last folded event.
    pub position: Position,
}

/// Reference to an event with a single spoken turn or a link to a recording. The order is that of the provider's times.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct TurnRef {
    #[serde(rename = "told_at")]
    reported_at: Option<DateTime<Utc>>,
    event_id: EventId,
    position: Position,
}

impl TurnRef {
    fn of(precedence: Precedence, recorded: &Recorded<&CallEvent>) -> Self {
        Self {
            reported_at: precedence.reported_at,
            event_id: recorded.event_id,
            position: recorded.position,
        }
    }
}

/// Properties of the sections that are sealed with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SealedSections {
    /// Subject of the sections.
    pub subject: Option<SubjectId>,
    /// True if one of the sections is a `party` section.
    pub has_party: bool,
}

impl Call {
    /// Folds one event of this call's stream. `sealed` describes the sections sealed with the event.
    pub fn evolve(&mut self, recorded: &Recorded<&CallEvent>, sealed: SealedSections) {
        let facts = recorded.event.call();
        self.apply_envelope(facts, recorded);
        if self.annotations.apply(recorded) {
            return;
        }
        let authority = match recorded.event {
            CallEvent::Ended(ended) if ended.report => Authority::Report,
            _ => Authority::Status,
        };
        let precedence = Precedence::of(authority, facts.untimed, recorded);
        self.apply_call_facts(facts, precedence, recorded);
        self.apply_person(facts, precedence, recorded, sealed);
        self.apply_event(precedence, recorded);
    }

    /// Applies what every event has, also one that is not a message of the provider.
    fn apply_envelope(&mut self, facts: &CallFacts, recorded: &Recorded<&CallEvent>) {
        if self.provider.is_empty() {
            self.provider.clone_from(&facts.provider);
            self.provider_call_id = facts.provider_call_id.clone().unwrap_or_default();
        }
        let recorded_at = recorded.recorded_at;
        self.first_recorded =
            Some(self.first_recorded.map_or(recorded_at, |first| first.min(recorded_at)));
        self.last_recorded = self.last_recorded.max(Some(recorded_at));
        self.position = self.position.max(recorded.position);
    }

    /// Applies the facts common to all messages.
    fn apply_call_facts(
        &mut self,
        facts: &CallFacts,
        precedence: Precedence,
        recorded: &Recorded<&CallEvent>,
    ) {
        Reported::merge(&mut self.direction, facts.direction, precedence);
        Reported::merge(&mut self.agent_id, facts.agent_id.clone(), precedence);
        Reported::merge(&mut self.phone_number_id, facts.phone_number_id.clone(), precedence);
        Reported::merge(&mut self.carrier, facts.carrier.clone(), precedence);
        Reported::merge(&mut self.campaign, facts.campaign.clone(), precedence);
        Reported::merge(&mut self.attempt, facts.attempt, precedence);
        Reported::merge(&mut self.call_type, facts.call_type.clone(), precedence);
        self.snapshot_status = self.snapshot_status.max(facts.snapshot_status);
        self.is_test |= facts.is_test;
        self.lower_earliest(facts.created_at);
        if !facts.untimed {
            self.lower_earliest(Some(recorded.occurred_at));
        }
    }

    fn apply_event(&mut self, precedence: Precedence, recorded: &Recorded<&CallEvent>) {
        match recorded.event {
            CallEvent::Started(started) => {
                self.advance_status(Some(Status::InProgress));
                self.start(started.started_at, precedence);
            }
            CallEvent::StatusChanged(changed) => self.advance_status(changed.status),
            CallEvent::ToolCalled(called) => {
                self.advance_status(Some(Status::InProgress));
                self.is_offered |= called.offered;
                self.add_tool_names([&called.tool]);
                self.tool_calls.apply_live(&called.tool, precedence, recorded);
            }
            // A handoff: another assistant continues the conversation.
            CallEvent::Transferred(transferred) if transferred.is_handoff() => {
                self.advance_status(Some(Status::InProgress));
            }
            CallEvent::Transferred(_) => {
                self.advance_status(Some(Status::Forwarding));
                self.is_transfer_reported = true;
            }
            CallEvent::Ended(ended) => self.apply_end(ended, precedence, recorded),
            CallEvent::RecordingAvailable(available) if available.has_link => {
                let recording = TurnRef::of(precedence, recorded);
                bounds::insert(&mut self.recordings, recording, bounds::MAX_RECORDINGS);
            }
            CallEvent::MessageReceived(received) => {
                self.advance_status(received.status);
                let provider = Provider::parse(&received.call.provider);
                if provider.is_some_and(|known| known.adapter().is_turn(&received.kind)) {
                    let turn = TurnRef::of(precedence, recorded);
                    bounds::insert(&mut self.turns, turn, bounds::MAX_TURNS);
                }
            }
            // A recording without a link; the others are applied by `Annotations::apply`.
            CallEvent::RecordingAvailable(_)
            | CallEvent::NoteAdded(_)
            | CallEvent::NoteEdited(_)
            | CallEvent::NoteRemoved(_)
            | CallEvent::Tagged(_)
            | CallEvent::Untagged(_)
            | CallEvent::Dispositioned(_)
            | CallEvent::Scored(_)
            | CallEvent::TestMarked(_)
            | CallEvent::Escalated(_)
            | CallEvent::ContextSet(_)
            | CallEvent::CampaignSet(_) => {}
        }
    }

    fn apply_end(
        &mut self,
        ended: &CallEnded,
        precedence: Precedence,
        recorded: &Recorded<&CallEvent>,
    ) {
        self.advance_status(Some(Status::Ended));
        self.start(ended.started_at, precedence);
        Reported::merge(&mut self.ended_at, ended.ended_at, precedence);
        Reported::merge(&mut self.ended_reason, ended.ended_reason.clone(), precedence);
        Reported::merge(&mut self.duration_ms, ended.duration_ms, precedence);
        // A zero that the report does not state itself dates from before the cost was known.
        let is_amount = |cost: &Cost| cost.total_nanos.0 != 0 || ended.zero_cost_stated;
        let weak =
            Precedence { authority: Authority::Snapshot, position: Position(0), ..precedence };
        let of_cost = if ended.cost.as_ref().is_some_and(is_amount) { precedence } else { weak };
        Reported::merge(&mut self.cost, ended.cost.clone(), of_cost);
        Reported::merge(&mut self.success, ended.success, precedence);
        Reported::merge(&mut self.turn_latency_ms, ended.turn_latency_ms, precedence);
        Reported::merge(&mut self.user_interruptions, ended.user_interruptions, precedence);
        Reported::merge(
            &mut self.assistant_interruptions,
            ended.assistant_interruptions,
            precedence,
        );
        self.add_tool_names(&ended.tools);
        self.tool_calls.apply_report(&ended.tools, precedence, recorded);
        for part in &ended.conversation {
            let mut slot = self.conversation.remove(part);
            Reported::merge(&mut slot, Some(recorded.position), precedence);
            self.conversation.extend(slot.map(|reported| (part.clone(), reported)));
        }
    }

    /// Adds the names of tools. A tool call that is reported by its id only has an empty name and
    /// is skipped.
    fn add_tool_names<'t>(&mut self, tools: impl IntoIterator<Item = &'t ToolFact>) {
        let names = tools.into_iter().map(|tool| &tool.tool);
        for name in names.filter(|name| !name.is_empty()) {
            bounds::insert(&mut self.tools, name.clone(), bounds::MAX_TOOL_NAMES);
        }
    }

    fn advance_status(&mut self, status: Option<Status>) {
        self.is_answer_reported |= status == Some(Status::InProgress);
        self.reported_status = self.reported_status.max(status);
    }

    /// Merges a start time. A report overrides; of the starts reported during the call the earliest
    /// wins, regardless of the time of its message.
    fn start(&mut self, at: Option<DateTime<Utc>>, precedence: Precedence) {
        let reported_at =
            precedence.reported_at.filter(|_| precedence.authority == Authority::Report);
        Reported::merge(
            &mut self.started_at,
            at.map(Reverse),
            Precedence { reported_at, ..precedence },
        );
    }

    fn lower_earliest(&mut self, at: Option<DateTime<Utc>>) {
        self.earliest = match (self.earliest, at) {
            (Some(known), Some(at)) => Some(known.min(at)),
            (known, at) => known.or(at),
        };
    }
}

#[cfg(test)]
mod bounds_tests;
#[cfg(test)]
mod history_tests;
#[cfg(test)]
mod tests;
