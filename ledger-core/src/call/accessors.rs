//! Accessors of a call for the read model and the API. Each returns the value with the highest
//! precedence; `None` means that no message reported a value.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Authority, Call, Outcome, ToolCall, bounds};
use crate::envelope::StreamKind;
use crate::event::{CarrierCall, Direction, Status};
use crate::ids::{Position, TenantId};
use crate::money::Cost;
use crate::plausible;
use crate::provider::{Adapter, Provider};

/// Shortest conversation, in milliseconds, of a call about which nothing else is known.
const ENGAGED_MS: i64 = 30_000;

impl Call {
    /// Returns the direction of the call.
    #[must_use]
    pub fn direction(&self) -> Option<Direction> {
        self.direction.as_ref().map(|reported| reported.value)
    }

    /// Returns the platform's id of the assistant.
    #[must_use]
    pub fn agent_id(&self) -> Option<&str> {
        self.agent_id.as_ref().map(|reported| reported.value.as_str())
    }

    /// Returns the platform's id of the business's number.
    #[must_use]
    pub fn phone_number_id(&self) -> Option<&str> {
        self.phone_number_id.as_ref().map(|reported| reported.value.as_str())
    }

    /// Returns the call at the telephone carrier, as the platform stated it.
    #[must_use]
    pub fn carrier(&self) -> Option<&CarrierCall> {
        self.carrier.as_ref().map(|reported| &reported.value)
    }

    /// Returns the id that the carrier's call has in the log of `tenant_id`, whether the carrier
    /// reported the call or not. `None` if no carrier's call is stated, if the stated id does not
    /// have the form of the carrier's ids, and for the call of a carrier.
    #[must_use]
    pub fn carrier_call_id(&self, tenant_id: TenantId) -> Option<Uuid> {
        let CarrierCall { provider, call_id } =
            self.carrier().filter(|_| !self.is_carrier_call())?;
        let carrier = Provider::parse(provider)?.adapter();
        let is_named = carrier.is_carrier() && carrier.is_call_id(call_id);
        let kind = StreamKind::Call.as_str();
        is_named.then(|| tenant_id.stream_of(kind, provider, call_id).0)
    }

    /// Returns whether the provider of the call is a telephone carrier.
    #[must_use]
    pub fn is_carrier_call(&self) -> bool {
        Provider::parse(&self.provider).is_some_and(|provider| provider.adapter().is_carrier())
    }

    /// Returns the status. The snapshot's status is used only if no message reported a status.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        self.reported_status.or(self.snapshot_status)
    }

    /// Returns the start: the reported one, else the earliest known time of the call.
    #[must_use]
    pub fn started_at(&self) -> Option<DateTime<Utc>> {
        let stated = self.started_at.as_ref().map(|reported| reported.value.0);
        stated.or(self.earliest).or(self.first_recorded)
    }

    /// Returns the earliest known time: the creation of the call object at the platform, or the
    /// time of the first message.
    #[must_use]
    pub fn earliest_known_at(&self) -> Option<DateTime<Utc>> {
        self.earliest.or(self.first_recorded)
    }

    /// Returns the start only if it was reported. An unanswered call has no start.
    #[must_use]
    pub fn reported_start(&self) -> Option<DateTime<Utc>> {
        self.started_at.as_ref().map(|reported| reported.value.0)
    }

    /// Returns the reported end.
    #[must_use]
    pub fn ended_at(&self) -> Option<DateTime<Utc>> {
        self.ended_at.as_ref().map(|reported| reported.value)
    }

    /// Returns the duration in milliseconds: the reported one, else the difference of a reported
    /// start and a reported end.
    #[must_use]
    pub fn duration_ms(&self) -> Option<i64> {
        let stated = self.duration_ms.as_ref().map(|reported| reported.value);
        stated.or_else(|| {
            let Reverse(started_at) = self.started_at.as_ref()?.value;
            plausible::between(started_at, self.ended_at()?)
        })
    }

    /// Returns the provider's reason for the end.
    #[must_use]
    pub fn ended_reason(&self) -> Option<&str> {
        self.ended_reason.as_ref().map(|reported| reported.value.as_str())
    }

    /// Returns the coarse outcome; `None` while the call has not ended.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        let of_reason = || {
            let reason = self.ended_reason().unwrap_or_default();
            self.adapter().map_or(Outcome::Unknown, |adapter| {
                adapter.outcome_of_reason(reason, self.was_answered())
            })
        };
        (self.status() == Some(Status::Ended)).then(of_reason)
    }

    /// Returns the adapter of the platform, which classifies its reasons. `None` for a platform
    /// without an adapter in this build.
    fn adapter(&self) -> Option<&'static dyn Adapter> {
        Provider::parse(&self.provider).map(Provider::adapter)
    }

    /// Returns true if the assistant talked to a person: a message of the conversation was
    /// reported, or the duration is above zero.
    #[must_use]
    pub fn was_answered(&self) -> bool {
        self.is_answer_reported || self.duration_ms().is_some_and(|lasted| lasted > 0)
    }

    /// Returns true if the call lasted at least 30 seconds, or if a complete turn, a tool call or a
    /// transfer was reported. [`Call::outcome`] distinguishes persons from voicemail.
    #[must_use]
    pub fn is_engaged(&self) -> bool {
        self.duration_ms().is_some_and(|lasted| lasted >= ENGAGED_MS)
            || self.turn_latency_ms.is_some()
            || !self.tool_calls.is_empty()
            || self.is_transferred()
    }

    /// Returns true if the answer of a tool contained a free time or confirmed a booking.
    #[must_use]
    pub fn is_offered(&self) -> bool {
        self.is_offered
    }

    /// Returns the cost; an amount has precedence over an unstated zero.
    #[must_use]
    pub fn cost(&self) -> Option<&Cost> {
        self.cost.as_ref().map(|reported| &reported.value)
    }

    /// Returns the provider's judgement whether the call was a success.
    #[must_use]
    pub fn success(&self) -> Option<bool> {
        self.success.as_ref().map(|reported| reported.value)
    }

    /// Returns the average latency of the complete turns, in milliseconds.
    #[must_use]
    pub fn turn_latency_ms(&self) -> Option<i64> {
        self.turn_latency_ms.as_ref().map(|reported| reported.value)
    }

    /// Returns how often the assistant interrupted the person.
    #[must_use]
    pub fn user_interruptions(&self) -> Option<u32> {
        self.user_interruptions.as_ref().map(|reported| reported.value)
    }

    /// Returns how often the person interrupted the assistant.
    #[must_use]
    pub fn assistant_interruptions(&self) -> Option<u32> {
        self.assistant_interruptions.as_ref().map(|reported| reported.value)
    }

    /// Returns true if the call continued with another party: either a transfer was reported and
    /// the reason for the end does not contradict it, or the reason itself is a transfer.
    #[must_use]
    pub fn is_transferred(&self) -> bool {
        let has_failed = self
            .ended_reason()
            .zip(self.adapter())
            .is_some_and(|(reason, adapter)| adapter.is_failed_transfer(reason));
        (self.is_transfer_reported && !has_failed) || self.outcome() == Some(Outcome::Transferred)
    }

    /// Returns the latest recording time of the call's events, by our clock. A call that has not
    /// ended is stale if this time is long past.
    #[must_use]
    pub fn last_recorded(&self) -> Option<DateTime<Utc>> {
        self.last_recorded
    }

    /// Returns whether a tool was called.
    #[must_use]
    pub fn has_tools(&self) -> bool {
        !self.tools.is_empty()
    }

    /// Returns true if the call has as many tool calls, names of tools, turns, recordings or handles
    /// as it keeps. The log has all of them.
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        self.tool_calls.is_full()
            || self.tools.len() >= bounds::MAX_TOOL_NAMES
            || self.turns.len() >= bounds::MAX_TURNS
            || self.recordings.len() >= bounds::MAX_RECORDINGS
            || self.handles.len() >= bounds::MAX_HANDLES
    }

    /// Returns the names of the called tools, sorted.
    #[must_use]
    pub fn tools_used(&self) -> Vec<String> {
        self.tools.iter().cloned().collect()
    }

    /// Returns the tool calls in the order of their times.
    #[must_use]
    pub fn tool_calls(&self) -> Vec<ToolCall> {
        self.tool_calls.in_order()
    }

    /// Returns the positions of the reports with a value that is in use, highest precedence first.
    #[must_use]
    pub fn reports(&self) -> Vec<Position> {
        let precedences = [
            self.direction.as_ref().map(|reported| reported.precedence),
            self.agent_id.as_ref().map(|reported| reported.precedence),
            self.phone_number_id.as_ref().map(|reported| reported.precedence),
            self.started_at.as_ref().map(|reported| reported.precedence),
            self.ended_at.as_ref().map(|reported| reported.precedence),
            self.ended_reason.as_ref().map(|reported| reported.precedence),
            self.duration_ms.as_ref().map(|reported| reported.precedence),
            self.cost.as_ref().map(|reported| reported.precedence),
            self.success.as_ref().map(|reported| reported.precedence),
            self.turn_latency_ms.as_ref().map(|reported| reported.precedence),
        ];
        let parts = self.conversation.values().map(|reported| reported.precedence);
        let mut precedences: Vec<_> = precedences.into_iter().flatten().chain(parts).collect();
        precedences.retain(|precedence| {
            precedence.authority == Authority::Report && precedence.position.0 != 0
        });
        precedences.sort_unstable_by(|one, other| other.cmp(one));
        precedences.dedup();
        let mut positions: Vec<Position> = Vec::new();
        for precedence in precedences {
            if !positions.contains(&precedence.position) {
                positions.push(precedence.position);
            }
        }
        positions
    }

    /// Returns the positions of the events with single turns, in order of their times. Until a
    /// report has the whole conversation, these turns are all of it.
    #[must_use]
    pub fn turns(&self) -> Vec<Position> {
        self.turns.iter().map(|turn| turn.position).collect()
    }

    /// Returns the positions of the events with a link to a recording, in order of their times. The
    /// recordings of a report are a part of its conversation instead.
    #[must_use]
    pub fn recordings(&self) -> Vec<Position> {
        self.recordings.iter().map(|recording| recording.position).collect()
    }

    /// Returns the position of the event that has each part of the conversation.
    #[must_use]
    pub fn conversation(&self) -> BTreeMap<&str, Position> {
        self.conversation.iter().map(|(part, reported)| (part.as_str(), reported.value)).collect()
    }
}
