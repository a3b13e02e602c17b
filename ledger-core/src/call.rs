//! The state of a call, folded from its events.
//!
//! [`Call::evolve`] is a merge: the same events give the same call in any order and with any
//! repetition. Each field is a last-writer-wins register ([`Claim`]) with a precedence
//! ([`Weight`]): the end-of-call report wins over a status, a status over the snapshot, and
//! otherwise the later provider time wins. Two reports with the same provider time differ only in
//! the order of their recording. This is the single case in which the order of arrival matters
//! (`docs/decisions/0005-folding-calls.md`).

mod caller;
mod claim;
mod outcome;
mod person;
mod shown;
mod tools;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use caller::Caller;
pub use claim::{Claim, Rank, Weight};
pub use outcome::Outcome;
pub use person::{PartyClaim, PersonClaim};
pub use tools::{IoRef, ToolCall, ToolCalls};

use crate::envelope::Recorded;
use crate::event::{CallEnded, CallFacts, Direction, Event, Status, ToolFact};
use crate::ids::{EventId, Position, SubjectId};
use crate::money::Cost;

/// State of a call, folded from the events recorded so far. Serialised as the `state` column of the
/// read model. Holds no personal data, only references to the sealed sections.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Call {
    /// The voice platform, such as `vapi`.
    pub provider: String,
    /// Id of the call at the platform; empty if no event had one.
    pub provider_call_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<Claim<Direction>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_id: Option<Claim<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_number_id: Option<Claim<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    told_status: Option<Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot_status: Option<Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<Claim<Reverse<DateTime<Utc>>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    earliest: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_recorded: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_recorded: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<Claim<DateTime<Utc>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_reason: Option<Claim<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<Claim<i64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<Claim<Cost>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    success: Option<Claim<bool>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    turn_latency_ms: Option<Claim<i64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_interruptions: Option<Claim<u32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    assistant_interruptions: Option<Claim<u32>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_test: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    transfer_told: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    answer_told: bool,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    tools: BTreeSet<String>,
    #[serde(skip_serializing_if = "ToolCalls::is_empty")]
    tool_calls: ToolCalls,
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<PersonClaim>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parties: Vec<PartyClaim>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    conversation: BTreeMap<String, Claim<Position>>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    turns: BTreeSet<TurnRef>,
    /// Position of the last folded event.
    pub position: Position,
}

/// Reference to an event with a single spoken turn. The order is that of the provider's times.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct TurnRef {
    told_at: Option<DateTime<Utc>>,
    event_id: EventId,
    position: Position,
}

/// Message kind of a single spoken turn. Old configurations append a parameter to it.
const TRANSCRIPT: &str = "transcript";

/// Properties of the sections that are sealed with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Carried {
    /// Subject of the sections.
    pub subject: Option<SubjectId>,
    /// True if one of the sections is a `party` section.
    pub has_party: bool,
}

impl Call {
    /// Folds one event of this call's stream. Events that are not about a call change nothing.
    /// `carried` describes the sections sealed with the event.
    pub fn evolve(&mut self, recorded: &Recorded, carried: Carried) {
        let (facts, rank) = match &recorded.event {
            Event::CallStarted(started) => (&started.call, Rank::Status),
            Event::CallStatusChanged(changed) => (&changed.call, Rank::Status),
            Event::CallToolCalled(called) => (&called.call, Rank::Status),
            Event::CallTransferred(transferred) => (&transferred.call, Rank::Status),
            Event::CallRecordingAvailable(available) => (&available.call, Rank::Status),
            Event::CallMessageReceived(received) => (&received.call, Rank::Status),
            Event::CallEnded(ended) if ended.report => (&ended.call, Rank::Report),
            Event::CallEnded(ended) => (&ended.call, Rank::Status),
            Event::TenantCreated(_)
            | Event::KeyCreated(_)
            | Event::KeyRevoked(_)
            | Event::SourceCreated(_)
            | Event::SourceChanged(_)
            | Event::SourceDisabled(_)
            | Event::SourceEnabled(_)
            | Event::SourceSecretRotated(_)
            | Event::StateChanged(_)
            | Event::RouteAdded(_)
            | Event::PlanLimitsSet(_)
            | Event::AccessDenied(_)
            | Event::QuarantineReplayed(_)
            | Event::EventDropped(_)
            | Event::PersonalDataRead(_) => return,
        };
        let weight = Weight::of(rank, facts.untimed, recorded);
        self.take_snapshot(facts, weight, recorded);
        self.take_person(facts, weight, recorded, carried);
        self.take_event(weight, recorded);
        self.position = self.position.max(recorded.position);
    }

    /// Applies the facts common to all call events.
    fn take_snapshot(&mut self, facts: &CallFacts, weight: Weight, recorded: &Recorded) {
        if self.provider.is_empty() {
            self.provider.clone_from(&facts.provider);
            self.provider_call_id = facts.provider_call_id.clone().unwrap_or_default();
        }
        Claim::offer(&mut self.direction, facts.direction, weight);
        Claim::offer(&mut self.agent_id, facts.agent_id.clone(), weight);
        Claim::offer(&mut self.phone_number_id, facts.phone_number_id.clone(), weight);
        self.snapshot_status = self.snapshot_status.max(facts.snapshot_status);
        self.is_test |= facts.is_test;
        self.note_earliest(facts.created_at);
        if !facts.untimed {
            self.note_earliest(Some(recorded.occurred_at));
        }
        let recorded_at = recorded.recorded_at;
        self.first_recorded =
            Some(self.first_recorded.map_or(recorded_at, |first| first.min(recorded_at)));
        self.last_recorded = self.last_recorded.max(Some(recorded_at));
    }

    fn take_event(&mut self, weight: Weight, recorded: &Recorded) {
        match &recorded.event {
            Event::CallStarted(started) => {
                self.reach(Some(Status::InProgress));
                self.start(started.started_at, weight);
            }
            Event::CallStatusChanged(changed) => self.reach(changed.status),
            Event::CallToolCalled(called) => {
                self.reach(Some(Status::InProgress));
                self.name_tools([&called.tool]);
                self.tool_calls.take_live(&called.tool, weight, recorded);
            }
            // A handoff: another assistant continues the conversation.
            Event::CallTransferred(transferred) if transferred.is_handoff() => {
                self.reach(Some(Status::InProgress));
            }
            Event::CallTransferred(_) => {
                self.reach(Some(Status::Forwarding));
                self.transfer_told = true;
            }
            Event::CallEnded(ended) => self.take_end(ended, weight, recorded),
            Event::CallMessageReceived(received) => {
                self.reach(received.status);
                if received.kind.starts_with(TRANSCRIPT) {
                    self.turns.insert(TurnRef {
                        told_at: weight.told_at,
                        event_id: recorded.event_id,
                        position: recorded.position,
                    });
                }
            }
            _ => {}
        }
    }

    fn take_end(&mut self, ended: &CallEnded, weight: Weight, recorded: &Recorded) {
        self.reach(Some(Status::Ended));
        self.start(ended.started_at, weight);
        Claim::offer(&mut self.ended_at, ended.ended_at, weight);
        Claim::offer(&mut self.ended_reason, ended.ended_reason.clone(), weight);
        Claim::offer(&mut self.duration_ms, ended.duration_ms, weight);
        // A zero that the report does not state itself dates from before the cost was known.
        let is_amount = |cost: &Cost| cost.total_nanos.0 != 0 || ended.zero_cost_stated;
        let weak = Weight { rank: Rank::Snapshot, position: Position(0), ..weight };
        let of_cost = if ended.cost.as_ref().is_some_and(is_amount) { weight } else { weak };
        Claim::offer(&mut self.cost, ended.cost.clone(), of_cost);
        Claim::offer(&mut self.success, ended.success, weight);
        Claim::offer(&mut self.turn_latency_ms, ended.turn_latency_ms, weight);
        Claim::offer(&mut self.user_interruptions, ended.user_interruptions, weight);
        Claim::offer(&mut self.assistant_interruptions, ended.assistant_interruptions, weight);
        self.name_tools(&ended.tools);
        self.tool_calls.take_report(&ended.tools, weight, recorded);
        for part in &ended.conversation {
            let mut slot = self.conversation.remove(part);
            Claim::offer(&mut slot, Some(recorded.position), weight);
            self.conversation.extend(slot.map(|claim| (part.clone(), claim)));
        }
    }

    /// Adds the names of tools. A tool call that is reported by its id only has an empty name and
    /// is skipped.
    fn name_tools<'t>(&mut self, tools: impl IntoIterator<Item = &'t ToolFact>) {
        let names = tools.into_iter().map(|tool| &tool.tool);
        self.tools.extend(names.filter(|name| !name.is_empty()).cloned());
    }

    fn reach(&mut self, status: Option<Status>) {
        self.answer_told |= status == Some(Status::InProgress);
        self.told_status = self.told_status.max(status);
    }

    /// Merges a start time. A report overrides; of the starts reported during the call the earliest
    /// wins, regardless of the time of its message.
    fn start(&mut self, at: Option<DateTime<Utc>>, weight: Weight) {
        let told_at = weight.told_at.filter(|_| weight.rank == Rank::Report);
        Claim::offer(&mut self.started_at, at.map(Reverse), Weight { told_at, ..weight });
    }

    fn note_earliest(&mut self, at: Option<DateTime<Utc>>) {
        self.earliest = match (self.earliest, at) {
            (Some(known), Some(at)) => Some(known.min(at)),
            (known, at) => known.or(at),
        };
    }
}

#[cfg(test)]
mod history_tests;
#[cfg(test)]
mod tests;
