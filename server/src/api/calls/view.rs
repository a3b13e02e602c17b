//! JSON views of a call.

use chrono::{DateTime, Utc};
use ledger_core::annotation::spelling::spelling;
use ledger_core::call::Call;
use ledger_core::ids::TenantId;
use ledger_core::money::Nanos;
use projections::calls::{LinkedAppointment, direction_name, status_name};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::customer::Customer;
use crate::api::annotations::view::{
    ContextView, EscalationView, LeadScoreView, NoteView, TagView,
};
use crate::api::words::{
    AppointmentStatusName, CallDirection, CallOutcome, CallStatus, RecordingKind, Speaker,
};

/// A call. Unknown fields are null; none are estimated.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CallView {
    /// Id of the call's stream.
    pub call_id: Uuid,
    /// Name of the voice platform.
    pub provider: String,
    /// The platform's own id of the call.
    pub provider_call_id: String,
    /// `inbound`, `outbound` or `web`.
    #[schema(value_type = Option<CallDirection>)]
    pub direction: Option<&'static str>,
    /// `queued`, `ringing`, `in_progress`, `forwarding` or `ended`.
    #[schema(value_type = Option<CallStatus>)]
    pub status: Option<&'static str>,
    /// Coarse result of the call, derived from `ended_reason`; null while the call has not ended.
    #[schema(value_type = Option<CallOutcome>)]
    pub outcome: Option<&'static str>,
    /// The platform's own reason for the end.
    pub ended_reason: Option<String>,
    /// Reported start, otherwise the earliest time known of the call.
    pub started_at: Option<DateTime<Utc>>,
    /// Reported end of the call.
    pub ended_at: Option<DateTime<Utc>>,
    /// Reported duration, or end less start, in milliseconds.
    pub duration_ms: Option<i64>,
    /// The platform's reported total in nano-dollars (1e-9), exact.
    pub cost_nanos: Option<i64>,
    /// The reported total in cents, rounded up.
    pub cost_cents: Option<i64>,
    /// ISO 4217 code of the costs.
    pub currency: Option<String>,
    /// Parts of the cost; their sum is the total.
    pub cost_breakdown: Option<CostBreakdown>,
    /// Names of the tools called, sorted, each once.
    pub tools_used: Vec<String>,
    /// Platform's id of the assistant.
    pub agent_id: Option<String>,
    /// Platform's id of the tenant's phone number.
    pub phone_number_id: Option<String>,
    /// The platform's evaluation: true for a success.
    pub success: Option<bool>,
    /// True if the call is marked as a test.
    pub is_test: bool,
    /// The other party of the call.
    pub customer: Customer,
    /// The same call at its telephone carrier; null if the platform names none.
    pub carrier: Option<CarrierView>,
    /// True if an appointment was booked in the call.
    pub has_appointment: bool,
    /// Id of the linked appointment: the one booked last in the call.
    pub appointment_id: Option<Uuid>,
    /// Scheduled start of the linked appointment.
    pub appointment_scheduled_at: Option<DateTime<Utc>>,
    /// Status of the linked appointment.
    #[schema(value_type = Option<AppointmentStatusName>)]
    pub appointment_status: Option<&'static str>,
    /// Service of the linked appointment.
    pub appointment_service_type: Option<String>,
    /// Tags of the call, sorted.
    pub tags: Vec<String>,
    /// Disposition of the call: an id of the setting `dispositions`.
    pub disposition: Option<String>,
    /// Score that a person gave, from 1 to 5.
    #[schema(minimum = 1, maximum = 5)]
    pub score: Option<u8>,
    /// True if the call was ever escalated.
    pub escalated: bool,
    /// Campaign that the call is a part of.
    pub campaign: Option<String>,
    /// Number of the attempt to reach the person, from 1.
    #[schema(minimum = 1, maximum = 1000)]
    pub attempt: Option<u32>,
    /// Type of the call in the tenant's words, in lower case and with `_` for `-`.
    pub call_type: Option<String>,
    /// Log position of the last event of the call's own. Changes of its appointments, of the carrier's call and of the
    /// contact are in the fields without changing it.
    pub position: i64,
}

/// The call at its telephone carrier: a part of the record. All fields after `call_id` are reported by the
/// carrier itself, and null until it does. Its callbacks state no price, so the cost of the call is that of the
/// platform alone.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CarrierView {
    /// Name of the carrier.
    pub provider: String,
    /// The carrier's own id of the call.
    pub provider_call_id: String,
    /// Id of the carrier's call, to read it and its recordings; null if the carrier has not reported it.
    pub call_id: Option<Uuid>,
    /// `queued`, `ringing`, `in_progress` or `ended`.
    #[schema(value_type = Option<CallStatus>)]
    pub status: Option<&'static str>,
    /// The carrier's own reason for the end.
    pub ended_reason: Option<String>,
    /// Time at which the call was answered.
    pub started_at: Option<DateTime<Utc>>,
    /// End of the call.
    pub ended_at: Option<DateTime<Utc>>,
    /// Duration in milliseconds.
    pub duration_ms: Option<i64>,
}

impl CarrierView {
    /// Builds the view of the carrier's call that `call` names, from the state that the carrier reported.
    #[must_use]
    pub fn of(tenant_id: TenantId, call: &Call, reported: Option<&Call>) -> Option<Self> {
        let named = call.carrier()?;
        Some(Self {
            provider: named.provider.clone(),
            provider_call_id: named.call_id.clone(),
            call_id: reported.and_then(|_| call.carrier_call_id(tenant_id)),
            status: reported.and_then(Call::status).map(status_name),
            ended_reason: reported.and_then(Call::ended_reason).map(str::to_owned),
            started_at: reported.and_then(Call::reported_start),
            ended_at: reported.and_then(Call::ended_at),
            duration_ms: reported.and_then(Call::duration_ms),
        })
    }
}

/// Parts of a cost in nano-dollars.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct CostBreakdown {
    /// Cost of telephony.
    pub transport_nanos: i64,
    /// Cost of speech to text.
    pub stt_nanos: i64,
    /// Cost of the language model.
    pub llm_nanos: i64,
    /// Cost of text to speech.
    pub tts_nanos: i64,
    /// Fee of the platform.
    pub platform_nanos: i64,
    /// Difference between the total and the other parts; may be negative.
    pub other_nanos: i64,
}

impl CallView {
    /// Builds the view of a call.
    #[must_use]
    pub fn of(
        call_id: Uuid,
        call: &Call,
        customer: Customer,
        carrier: Option<CarrierView>,
    ) -> Self {
        let cost = call.cost();
        Self {
            call_id,
            provider: call.provider.clone(),
            provider_call_id: call.provider_call_id.clone(),
            direction: call.direction().map(direction_name),
            status: call.status().map(status_name),
            outcome: call.outcome().map(ledger_core::call::Outcome::as_str),
            ended_reason: call.ended_reason().map(str::to_owned),
            started_at: call.started_at(),
            ended_at: call.ended_at(),
            duration_ms: call.duration_ms(),
            cost_nanos: cost.map(|cost| cost.total_nanos.0),
            cost_cents: cost.map(|cost| cost.total_nanos.cents_ceil()),
            currency: cost.map(|cost| cost.currency.clone()),
            cost_breakdown: cost.map(|cost| {
                let Nanos(transport_nanos) = cost.parts.transport_nanos;
                CostBreakdown {
                    transport_nanos,
                    stt_nanos: cost.parts.stt_nanos.0,
                    llm_nanos: cost.parts.llm_nanos.0,
                    tts_nanos: cost.parts.tts_nanos.0,
                    platform_nanos: cost.parts.platform_nanos.0,
                    other_nanos: cost.parts.other_nanos.0,
                }
            }),
            tools_used: call.tools_used(),
            agent_id: call.agent_id().map(str::to_owned),
            phone_number_id: call.phone_number_id().map(str::to_owned),
            success: call.success(),
            is_test: call.is_test(),
            customer,
            carrier,
            has_appointment: false,
            appointment_id: None,
            appointment_scheduled_at: None,
            appointment_status: None,
            appointment_service_type: None,
            tags: call.tags().into_iter().map(str::to_owned).collect(),
            disposition: call.disposition().map(str::to_owned),
            score: call.score(),
            escalated: call.escalated(),
            campaign: call.campaign().map(str::to_owned),
            attempt: call.attempt(),
            call_type: call.call_type().map(spelling),
            position: call.position.0,
        }
    }

    /// Adds the appointment that was booked in the call.
    #[must_use]
    pub fn with_appointment(self, linked: Option<&LinkedAppointment>) -> Self {
        let Some(linked) = linked else { return self };
        Self {
            has_appointment: true,
            appointment_id: Some(linked.appointment_id),
            appointment_scheduled_at: Some(linked.scheduled_at),
            appointment_status: Some(linked.status.as_str()),
            appointment_service_type: linked.service.clone(),
            ..self
        }
    }
}

/// A call with its conversation and tool calls. Without scope `personal`, the texts of the conversation and of tool calls
/// are redacted, and null if the person is erased or restricted.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CallDetail {
    /// Fields of the list view.
    #[serde(flatten)]
    pub call: CallView,
    /// For the call of a carrier that a platform's call names: the id of that record, which the list shows
    /// instead. Null for all other calls.
    pub part_of: Option<Uuid>,
    /// Summary generated by the platform's model: a claim, not evidence.
    pub summary: Option<String>,
    /// Transcript as one text.
    pub transcript: Option<String>,
    /// Turns in the order of the conversation.
    pub messages: Option<Vec<MessageView>>,
    /// Data that the platform extracted from the conversation.
    pub structured_data: Option<Value>,
    /// Links to recordings; null without scope `personal`.
    pub recordings: Option<Vec<RecordingView>>,
    /// Analysis by the platform's model: claims, not evidence. Null if it reported none.
    pub analysis: Option<AnalysisView>,
    /// Notes on the call, in the order in which they were added.
    pub notes: Vec<NoteView>,
    /// The tags of `tags` with their categories.
    pub categorised_tags: Vec<TagView>,
    /// Escalations of the call, in the order of the log.
    pub escalations: Vec<EscalationView>,
    /// Context of the call; null if none was set.
    pub context: Option<ContextView>,
    /// Derived score; null for a test call.
    pub lead_score: Option<LeadScoreView>,
    /// Tool calls in the order they were made.
    pub tool_calls: Vec<ToolCallView>,
    /// True if the call has as many tool calls (1,000), names of tools (200), single turns (2,000), links to recordings
    /// (100) or numbers and addresses (100) as are kept. Its events have all of them.
    pub is_truncated: bool,
}

/// Analysis of a call by the platform, as reported. Unknown fields are null.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AnalysisView {
    /// Sentiment of the person, in the platform's words.
    pub sentiment: Option<String>,
    /// Intent of the person, in the platform's words.
    pub intent: Option<String>,
    /// Summary of the call.
    pub summary: Option<String>,
    /// The platform that reported the analysis.
    pub source: String,
    /// Model that made the analysis, with its version as far as reported.
    pub model_version: Option<String>,
}

/// A turn of the conversation.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MessageView {
    /// `assistant` or `user`.
    #[schema(value_type = Speaker)]
    pub role: String,
    /// Text of the turn.
    pub text: String,
    /// Time of the turn, in milliseconds since the Unix epoch.
    pub at_ms: Option<i64>,
}

/// A recording of the call.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RecordingView {
    /// `mono`, `stereo`, `assistant`, `customer` or `video`.
    #[schema(value_type = RecordingKind)]
    pub kind: String,
    /// URL of the recording at the platform.
    pub url: String,
}

/// A tool call made by the assistant.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ToolCallView {
    /// The platform's id, unique within the call.
    pub tool_call_id: Option<String>,
    /// Name of the tool.
    pub tool: String,
    /// Arguments of the call; redacted without scope `personal`.
    pub arguments: Option<Value>,
    /// Result of the call; redacted without scope `personal`.
    pub result: Option<Value>,
    /// Time of the tool call.
    pub at: Option<DateTime<Utc>>,
}
