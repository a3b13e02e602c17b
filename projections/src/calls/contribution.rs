//! The contribution of one call to the rollups.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use ledger_core::call::{Call, CallerIdentity, Outcome};
use ledger_core::ids::TenantId;
use uuid::Uuid;

use super::bookings::Bookings;
use super::measures::Measures;
use super::names::direction_name;
use super::revenue::Revenue;
use crate::histogram::{bucket_of, class_of};

/// Dimensions and measures of one call. An unknown dimension is an empty string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Contribution {
    pub(super) started_at: DateTime<Utc>,
    pub(super) is_test: bool,
    pub(super) agent_id: String,
    pub(super) direction: &'static str,
    pub(super) outcome: &'static str,
    pub(super) ended_reason: String,
    pub(super) currency: String,
    pub(super) duration_class: &'static str,
    pub(super) duration_bucket: Option<i16>,
    /// Handles and name of the call's person; `None` if the call has no person.
    pub(super) caller: Option<CallerIdentity>,
    /// The contact on the line.
    pub(super) contact_id: Option<Uuid>,
    /// The handles by which the call is found; with those of its carrier's call after
    /// [`carriers::join`](super::carriers::join).
    pub(super) handles: BTreeSet<Uuid>,
    /// Id of the carrier's call that the platform names.
    pub(super) carrier_call_id: Option<Uuid>,
    /// True for the call of a carrier, which a platform may name.
    pub(super) is_carrier_call: bool,
    /// The tools it used, with how often each was called: a tool that a report only names, never.
    pub(super) tools: BTreeMap<String, i64>,
    /// The tags of the call.
    pub(super) tags: BTreeSet<String>,
    /// The appointments that were booked in it; with those of its carrier's call after
    /// [`carriers::join`](super::carriers::join), for the first record that names it.
    pub(super) bookings: Bookings,
    /// Sums of the prices of these appointments.
    pub(super) revenue: Revenue,
    pub(super) measures: Measures,
}

impl Contribution {
    /// Returns the id of the combination of handles and name.
    pub(super) fn person_id(&self) -> Option<Uuid> {
        self.caller.as_ref().map(|caller| caller.caller_id)
    }

    /// Adds appointments that were booked in a part of the call.
    pub(super) fn add_bookings(&mut self, more: &Bookings) {
        if !more.is_empty() {
            self.bookings.extend(more);
            self.count_bookings();
        }
    }

    fn count_bookings(&mut self) {
        self.measures.booked = i64::from(!self.bookings.is_empty());
        self.measures.attended = i64::from(self.bookings.is_attended());
        self.revenue = self.bookings.revenue();
    }

    pub(super) fn of(tenant_id: TenantId, call: &Call, bookings: &Bookings) -> Self {
        let duration_ms = call.duration_ms();
        let cost = call.cost();
        let parts = cost.map(|cost| cost.parts).unwrap_or_default();
        let mut tools: BTreeMap<String, i64> =
            call.tools_used().into_iter().map(|tool| (tool, 0)).collect();
        let mut tool_calls = 0;
        for made in call.tool_calls() {
            tool_calls += 1;
            if let Some(count) = tools.get_mut(&made.tool) {
                *count += 1;
            }
        }
        let measures = Measures {
            calls: 1,
            timed_calls: i64::from(duration_ms.is_some()),
            duration_ms: duration_ms.unwrap_or(0).into(),
            cost_nanos: cost.map_or(0, |cost| cost.total_nanos.0.into()),
            transport_nanos: parts.transport_nanos.0.into(),
            stt_nanos: parts.stt_nanos.0.into(),
            llm_nanos: parts.llm_nanos.0.into(),
            tts_nanos: parts.tts_nanos.0.into(),
            platform_nanos: parts.platform_nanos.0.into(),
            other_nanos: parts.other_nanos.0.into(),
            evaluated: i64::from(call.success().is_some()),
            successes: i64::from(call.success() == Some(true)),
            booked: 0,
            transfers: i64::from(call.is_transferred()),
            tool_calls,
            user_interruptions: call.user_interruptions().map_or(0, i64::from),
            assistant_interruptions: call.assistant_interruptions().map_or(0, i64::from),
            latency_calls: i64::from(call.turn_latency_ms().is_some()),
            latency_ms: call.turn_latency_ms().unwrap_or(0).into(),
            engaged: i64::from(call.is_engaged()),
            offered: i64::from(call.is_offered()),
            attended: 0,
        };
        let mut contribution = Self {
            started_at: call.started_at().unwrap_or(DateTime::UNIX_EPOCH),
            is_test: call.is_test(),
            agent_id: call.agent_id().unwrap_or_default().to_owned(),
            direction: call.direction().map_or("", direction_name),
            outcome: call.outcome().map_or("", Outcome::as_str),
            ended_reason: call.ended_reason().unwrap_or_default().to_owned(),
            currency: cost.map(|cost| cost.currency.clone()).unwrap_or_default(),
            duration_class: duration_ms.map_or("", class_of),
            duration_bucket: duration_ms.map(bucket_of),
            caller: call.caller(),
            contact_id: call.contact_id().map(|contact| contact.0),
            handles: call.handles().clone(),
            carrier_call_id: call.carrier_call_id(tenant_id),
            is_carrier_call: call.is_carrier_call(),
            tools,
            tags: call.tags().into_iter().map(str::to_owned).collect(),
            bookings: bookings.clone(),
            revenue: Revenue::default(),
            measures,
        };
        contribution.count_bookings();
        contribution
    }
}
