//! What the read model and the API show of a call.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{Call, Outcome, Rank, ToolCall};
use crate::event::{Direction, Status};
use crate::ids::Position;
use crate::money::Cost;
use crate::plausible;

impl Call {
    /// Which way it went.
    #[must_use]
    pub fn direction(&self) -> Option<Direction> {
        self.direction.as_ref().map(|claim| claim.value)
    }

    /// The assistant.
    #[must_use]
    pub fn agent_id(&self) -> Option<&str> {
        self.agent_id.as_ref().map(|claim| claim.value.as_str())
    }

    /// Our number, by the platform's id.
    #[must_use]
    pub fn phone_number_id(&self) -> Option<&str> {
        self.phone_number_id.as_ref().map(|claim| claim.value.as_str())
    }

    /// Where it stands. The snapshot's status speaks only when nobody else did.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        self.told_status.or(self.snapshot_status)
    }

    /// When it began, as told; else the earliest time known of it.
    #[must_use]
    pub fn started_at(&self) -> Option<DateTime<Utc>> {
        let told = self.started_at.as_ref().map(|claim| claim.value.0);
        told.or(self.earliest).or(self.first_recorded)
    }

    /// The earliest time known of it: when the platform made it, or anybody first spoke of it.
    #[must_use]
    pub fn known_since(&self) -> Option<DateTime<Utc>> {
        self.earliest.or(self.first_recorded)
    }

    /// When it began, if somebody told: a call that nobody took has not begun.
    #[must_use]
    pub fn told_start(&self) -> Option<DateTime<Utc>> {
        self.started_at.as_ref().map(|claim| claim.value.0)
    }

    /// When it ended, as told.
    #[must_use]
    pub fn ended_at(&self) -> Option<DateTime<Utc>> {
        self.ended_at.as_ref().map(|claim| claim.value)
    }

    /// How long it lasted in milliseconds: as told, else between a told start and a told end.
    #[must_use]
    pub fn duration_ms(&self) -> Option<i64> {
        let told = self.duration_ms.as_ref().map(|claim| claim.value);
        told.or_else(|| {
            let Reverse(started_at) = self.started_at.as_ref()?.value;
            plausible::between(started_at, self.ended_at()?)
        })
    }

    /// The provider's reason for the end.
    #[must_use]
    pub fn ended_reason(&self) -> Option<&str> {
        self.ended_reason.as_ref().map(|claim| claim.value.as_str())
    }

    /// Our coarse reading of it; `None` while the call has not ended.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        (self.status() == Some(Status::Ended))
            .then(|| Outcome::of(self.ended_reason().unwrap_or_default(), self.was_answered()))
    }

    /// Whether the assistant spoke with somebody: a message of the conversation was told, or the call
    /// has a length.
    #[must_use]
    pub fn was_answered(&self) -> bool {
        self.answer_told || self.duration_ms().is_some_and(|lasted| lasted > 0)
    }

    /// What it cost.
    #[must_use]
    pub fn cost(&self) -> Option<&Cost> {
        self.cost.as_ref().map(|claim| &claim.value)
    }

    /// The provider's own judgement.
    #[must_use]
    pub fn success(&self) -> Option<bool> {
        self.success.as_ref().map(|claim| claim.value)
    }

    /// The average latency of its complete turns, in milliseconds.
    #[must_use]
    pub fn turn_latency_ms(&self) -> Option<i64> {
        self.turn_latency_ms.as_ref().map(|claim| claim.value)
    }

    /// How often the person was interrupted by the assistant.
    #[must_use]
    pub fn user_interruptions(&self) -> Option<u32> {
        self.user_interruptions.as_ref().map(|claim| claim.value)
    }

    /// How often the assistant was interrupted by the person.
    #[must_use]
    pub fn assistant_interruptions(&self) -> Option<u32> {
        self.assistant_interruptions.as_ref().map(|claim| claim.value)
    }

    /// Whether it went on with somebody else: a transfer was told, and its end does not say that it
    /// failed; or its end says so.
    #[must_use]
    pub fn is_transferred(&self) -> bool {
        let has_failed = self.ended_reason().is_some_and(Outcome::says_transfer_failed);
        (self.transfer_told && !has_failed) || self.outcome() == Some(Outcome::Transferred)
    }

    /// When we last recorded something of it, by our clock: a call that has not ended and of which
    /// nothing was heard for long is stale.
    #[must_use]
    pub fn last_recorded(&self) -> Option<DateTime<Utc>> {
        self.last_recorded
    }

    /// Whether it was marked as a test.
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.is_test
    }

    /// Names of the tools it called, sorted.
    #[must_use]
    pub fn tools_used(&self) -> Vec<String> {
        self.tools.iter().cloned().collect()
    }

    /// Its tool calls, in the order they were made.
    #[must_use]
    pub fn tool_calls(&self) -> Vec<ToolCall> {
        self.tool_calls.in_order()
    }

    /// The reports that tell something of it, weightiest first.
    #[must_use]
    pub fn reports(&self) -> Vec<Position> {
        let weights = [
            self.direction.as_ref().map(|claim| claim.weight),
            self.agent_id.as_ref().map(|claim| claim.weight),
            self.phone_number_id.as_ref().map(|claim| claim.weight),
            self.started_at.as_ref().map(|claim| claim.weight),
            self.ended_at.as_ref().map(|claim| claim.weight),
            self.ended_reason.as_ref().map(|claim| claim.weight),
            self.duration_ms.as_ref().map(|claim| claim.weight),
            self.cost.as_ref().map(|claim| claim.weight),
            self.success.as_ref().map(|claim| claim.weight),
            self.turn_latency_ms.as_ref().map(|claim| claim.weight),
        ];
        let parts = self.conversation.values().map(|claim| claim.weight);
        let mut weights: Vec<_> = weights.into_iter().flatten().chain(parts).collect();
        weights.retain(|weight| weight.rank == Rank::Report && weight.position.0 != 0);
        weights.sort_unstable_by(|one, other| other.cmp(one));
        weights.dedup();
        let mut positions: Vec<Position> = Vec::new();
        for weight in weights {
            if !positions.contains(&weight.position) {
                positions.push(weight.position);
            }
        }
        positions
    }

    /// In which events single turns lie, in the order they were told: what is known of the
    /// conversation until a report tells all of it.
    #[must_use]
    pub fn turns(&self) -> Vec<Position> {
        self.turns.iter().map(|turn| turn.position).collect()
    }

    /// In which event each part of the conversation lies.
    #[must_use]
    pub fn conversation(&self) -> BTreeMap<&str, Position> {
        self.conversation.iter().map(|(part, claim)| (part.as_str(), claim.value)).collect()
    }
}
