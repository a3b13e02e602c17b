//! A call as the API shows it.

use chrono::{DateTime, Utc};
use ledger_core::call::Call;
use ledger_core::identity::phone_of_sip;
use ledger_core::money::Nanos;
use ledger_core::personal::mask_phone;
use projections::calls::{direction_name, status_name};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::personal::Parties;
use crate::api::words::{CallDirection, CallOutcome, CallStatus, RecordingKind, Speaker};

/// One call. What is not known is `null`, never invented.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CallView {
    /// Our id: the call's stream.
    pub call_id: Uuid,
    /// The voice platform.
    pub provider: String,
    /// The platform's own id.
    pub provider_call_id: String,
    /// `inbound`, `outbound` or `web`.
    #[schema(value_type = Option<CallDirection>)]
    pub direction: Option<&'static str>,
    /// `queued`, `ringing`, `in_progress`, `forwarding` or `ended`.
    #[schema(value_type = Option<CallStatus>)]
    pub status: Option<&'static str>,
    /// Our coarse reading of the end; null while the call has not ended.
    #[schema(value_type = Option<CallOutcome>)]
    pub outcome: Option<&'static str>,
    /// The platform's own reason.
    pub ended_reason: Option<String>,
    /// As told, else the earliest time known of the call.
    pub started_at: Option<DateTime<Utc>>,
    /// As told.
    pub ended_at: Option<DateTime<Utc>>,
    /// Milliseconds.
    pub duration_ms: Option<i64>,
    /// The platform's stated total in nano-dollars (1e-9), exactly.
    pub cost_nanos: Option<i64>,
    /// The same in cents, rounded up.
    pub cost_cents: Option<i64>,
    /// ISO 4217.
    pub currency: Option<String>,
    /// The parts; they add up to the total.
    pub cost_breakdown: Option<CostBreakdown>,
    /// Names, sorted.
    pub tools_used: Vec<String>,
    /// The assistant.
    pub agent_id: Option<String>,
    /// Our number, by the platform's id.
    pub phone_number_id: Option<String>,
    /// The platform's evaluation.
    pub success: Option<bool>,
    /// Marked as a test.
    pub is_test: bool,
    /// Who was on the line.
    pub customer: Customer,
    /// Whether an appointment is linked.
    pub has_appointment: bool,
    /// The linked appointment.
    pub appointment_id: Option<Uuid>,
    /// When it is.
    pub appointment_scheduled_at: Option<DateTime<Utc>>,
    /// Where it stands.
    pub appointment_status: Option<String>,
    /// What it is for.
    pub appointment_service_type: Option<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Disposition.
    pub disposition: Option<String>,
    /// The last event in it.
    pub position: i64,
}

/// The parts of a cost in nano-dollars.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct CostBreakdown {
    /// Telephony.
    pub transport_nanos: i64,
    /// Speech to text.
    pub stt_nanos: i64,
    /// The language model.
    pub llm_nanos: i64,
    /// Text to speech.
    pub tts_nanos: i64,
    /// The platform's fee.
    pub platform_nanos: i64,
    /// What makes the parts add up to the total; may be negative.
    pub other_nanos: i64,
}

/// Who was on the line. Without scope `personal` name and e-mail are null and the phone shows its
/// last two digits.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct Customer {
    /// The contact; null when the call has nobody in particular.
    pub contact_id: Option<Uuid>,
    /// The person's key is destroyed: nobody can read this any more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub erased: bool,
    /// Name.
    #[serde(skip_serializing_if = "Shown::is_hidden")]
    #[schema(value_type = Option<String>)]
    pub name: Shown,
    /// Phone number.
    #[serde(skip_serializing_if = "Shown::is_hidden")]
    #[schema(value_type = Option<String>)]
    pub phone: Shown,
    /// E-mail address.
    #[serde(skip_serializing_if = "Shown::is_hidden")]
    #[schema(value_type = Option<String>)]
    pub email: Shown,
    /// SIP address, when the person called from one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sip_uri: Option<String>,
    /// The extension behind the number, when there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
}

/// A field that is left out after an erasure, and null when it is not known.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(untagged)]
pub enum Shown {
    /// Left out.
    #[default]
    Hidden,
    /// As it is.
    Value(Option<String>),
}

impl Shown {
    fn is_hidden(&self) -> bool {
        matches!(self, Self::Hidden)
    }
}

impl Customer {
    /// Shows the parties of a call to somebody with or without scope `personal`.
    #[must_use]
    pub fn of(call: &Call, parties: &Parties, is_personal: bool) -> Self {
        let contact_id = call.contact_id().map(|contact| contact.0);
        if parties.is_erased {
            return Self { contact_id, erased: true, ..Self::default() };
        }
        let party = &parties.merged;
        // The number of a SIP address is the number.
        let phone = party
            .phone
            .clone()
            .or_else(|| phone_of_sip(party.sip_uri.as_deref()?).map(|phone| phone.e164));
        let masked = phone.as_deref().map(mask_phone);
        let clear = |value: &Option<String>| Shown::Value(value.clone().filter(|_| is_personal));
        Self {
            contact_id,
            erased: false,
            name: clear(&party.name),
            phone: Shown::Value(if is_personal { phone } else { masked }),
            email: clear(&party.email),
            sip_uri: party.sip_uri.clone().filter(|_| is_personal),
            extension: party.extension.clone().filter(|_| is_personal),
        }
    }
}

impl CallView {
    /// Shows a call.
    #[must_use]
    pub fn of(call_id: Uuid, call: &Call, customer: Customer) -> Self {
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
            has_appointment: false,
            appointment_id: None,
            appointment_scheduled_at: None,
            appointment_status: None,
            appointment_service_type: None,
            tags: Vec::new(),
            disposition: None,
            position: call.position.0,
        }
    }
}

/// A call with what was said and done in it. Without scope `personal`, what was said is null.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CallDetail {
    /// The call.
    #[serde(flatten)]
    pub call: CallView,
    /// A summary by somebody's model: a claim, never evidence.
    pub summary: Option<String>,
    /// The transcript.
    pub transcript: Option<String>,
    /// Turns in the order they were spoken.
    pub messages: Option<Vec<MessageView>>,
    /// What the platform extracted.
    pub structured_data: Option<Value>,
    /// Recordings.
    pub recordings: Option<Vec<RecordingView>>,
    /// Notes.
    pub notes: Vec<Value>,
    /// Tool calls in the order they were made.
    pub tool_calls: Vec<ToolCallView>,
}

/// One turn.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MessageView {
    /// `assistant` or `user`.
    #[schema(value_type = Speaker)]
    pub role: String,
    /// What was said.
    pub text: String,
    /// Milliseconds since the Unix epoch.
    pub at_ms: Option<i64>,
}

/// One recording.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RecordingView {
    /// `mono`, `stereo`, `assistant`, `customer` or `video`.
    #[schema(value_type = RecordingKind)]
    pub kind: String,
    /// Where the platform keeps it.
    pub url: String,
}

/// One tool call.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ToolCallView {
    /// The platform's id, unique within its call.
    pub tool_call_id: Option<String>,
    /// The function.
    pub tool: String,
    /// What it was given; null without scope `personal`.
    pub arguments: Option<Value>,
    /// What came back; null without scope `personal`.
    pub result: Option<Value>,
    /// When it was called.
    pub at: Option<DateTime<Utc>>,
}
