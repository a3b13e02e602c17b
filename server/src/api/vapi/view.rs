//! JSON view of a call in Vapi's form. Unknown fields are absent; none are estimated.

use ledger_core::event::{Direction, Status};
use ledger_core::ids::TenantId;
use ledger_core::money::Cost;
use ledger_core::personal::mask_phone;
use projections::calls::provider_listing::CallListing;
use projections::calls::{direction_name, status_name};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::conversation::{
    Analysis, Artifact, Messages, ReportedFields, VapiConversation, VapiMessage,
};
use super::number::DecimalNumber;
use super::time::Time;
use crate::api::calls::personal::Parties;
use crate::api::words::{VapiCallStatus, VapiCallType};

/// A call in Vapi's form.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VapiCall {
    /// Vapi's id of the call.
    id: String,
    /// Id of the tenant in this ledger.
    org_id: Uuid,
    /// `inboundPhoneCall`, `outboundPhoneCall` or `webCall`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<VapiCallType>)]
    r#type: Option<&'static str>,
    /// `queued`, `ringing`, `in-progress`, `forwarding` or `ended`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<VapiCallStatus>)]
    status: Option<&'static str>,
    /// Vapi's reason for the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_reason: Option<String>,
    /// Earliest time known of the call.
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    /// Time at which this ledger last recorded an event of the call.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
    /// Reported start of the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Time>,
    /// Reported end of the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Time>,
    /// Total cost in USD, exact; absent for other currencies.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    cost: Option<DecimalNumber>,
    /// Parts of the cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_breakdown: Option<VapiCostBreakdown>,
    /// Vapi's id of the assistant.
    #[serde(skip_serializing_if = "Option::is_none")]
    assistant_id: Option<String>,
    /// Vapi's id of the tenant's phone number.
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_number_id: Option<String>,
    /// The other party of the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<VapiCustomer>,
    /// Results of the platform's models about the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    analysis: Option<Analysis>,
    /// Conversation and recordings of the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact: Option<Artifact>,
    /// Copy of the field in `artifact`, where older scripts read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<VapiMessage>>)]
    messages: Option<Messages>,
    /// Copy of the field in `artifact`, where older scripts read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    transcript: Option<String>,
    /// Copy of the field in `analysis`, where older scripts read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<String>,
    /// Copy of the field in `artifact`, where older scripts read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    recording_url: Option<String>,
    /// Copy of the field in `artifact`, where older scripts read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    stereo_recording_url: Option<String>,
    /// All other fields of Vapi's report, unchanged: `costs`, `phoneCallProvider`, `assistantOverrides`,
    /// `squadId`, `workflowId`, `metadata` and others.
    #[serde(flatten)]
    #[schema(value_type = HashMap<String, Value>)]
    reported: ReportedFields,
}

/// Parts of a cost in USD, exact. Their sum is the total.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct VapiCostBreakdown {
    /// Cost of telephony.
    #[schema(value_type = f64)]
    transport: DecimalNumber,
    /// Cost of speech to text.
    #[schema(value_type = f64)]
    stt: DecimalNumber,
    /// Cost of the language model.
    #[schema(value_type = f64)]
    llm: DecimalNumber,
    /// Cost of text to speech.
    #[schema(value_type = f64)]
    tts: DecimalNumber,
    /// Fee of Vapi.
    #[schema(value_type = f64)]
    vapi: DecimalNumber,
    /// Difference between the total and the other parts, which Vapi reports in fields of its own; may be
    /// negative through rounding.
    #[schema(value_type = f64)]
    other: DecimalNumber,
    /// Total cost, the sum of all parts.
    #[schema(value_type = f64)]
    total: DecimalNumber,
    /// Further fields of Vapi's breakdown, unchanged: counts of tokens and characters,
    /// `analysisCostBreakdown`.
    #[serde(flatten)]
    #[schema(value_type = HashMap<String, Value>)]
    reported: ReportedFields,
}

/// The other party of a call. Without scope `personal` only the last two digits of the number are included.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VapiCustomer {
    /// Phone number in E.164, masked without scope `personal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<String>,
    /// Extension of the phone number.
    #[serde(skip_serializing_if = "Option::is_none")]
    extension: Option<String>,
    /// Name of the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// E-mail address of the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// SIP address of a caller without a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    sip_uri: Option<String>,
    /// Id of the person in the system of Vapi's customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<String>,
    /// True if the person's key is destroyed, so that the fields cannot be read any more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    erased: bool,
}

impl VapiCall {
    /// Builds the view of a call. `conversation` is `None` without scope `personal`.
    pub(super) fn of(
        tenant_id: TenantId,
        row: &CallListing,
        parties: &Parties,
        conversation: Option<VapiConversation<'_>>,
    ) -> Self {
        let call = &row.call;
        let cost = call.cost().filter(|cost| cost.currency == "USD");
        let analysis = Analysis::of(call, conversation);
        let artifact =
            conversation.and_then(|conversation| Artifact::of(conversation, call.reported_start()));
        let left = artifact.as_ref();
        Self {
            id: call.provider_call_id.clone(),
            org_id: tenant_id.0,
            r#type: call.direction().map(type_word),
            status: call.status().map(status_word),
            ended_reason: call.ended_reason().map(str::to_owned),
            created_at: Time(row.created_at),
            updated_at: Time(row.updated_at),
            started_at: call.reported_start().map(Time),
            ended_at: call.ended_at().map(Time),
            cost: cost.map(|cost| cost.total_nanos.into()),
            cost_breakdown: cost.map(|cost| VapiCostBreakdown::of(cost, conversation)),
            assistant_id: call.agent_id().map(str::to_owned),
            phone_number_id: call.phone_number_id().map(str::to_owned),
            customer: VapiCustomer::of(parties, conversation.is_some()),
            messages: left.and_then(|left| left.messages.clone()),
            transcript: left.and_then(|left| left.transcript.clone()),
            summary: analysis.as_ref().and_then(|analysis| analysis.summary.clone()),
            recording_url: left.and_then(|left| left.recording_url.clone()),
            stereo_recording_url: left.and_then(|left| left.stereo_recording_url.clone()),
            analysis,
            artifact,
            reported: conversation
                .map(|conversation| conversation.fields(|reported| &reported.call))
                .unwrap_or_default(),
        }
    }
}

impl VapiCostBreakdown {
    fn of(cost: &Cost, conversation: Option<VapiConversation<'_>>) -> Self {
        let parts = &cost.parts;
        Self {
            transport: parts.transport_nanos.into(),
            stt: parts.stt_nanos.into(),
            llm: parts.llm_nanos.into(),
            tts: parts.tts_nanos.into(),
            vapi: parts.platform_nanos.into(),
            other: parts.other_nanos.into(),
            total: cost.total_nanos.into(),
            reported: conversation
                .map(|conversation| conversation.fields(|reported| &reported.cost_breakdown))
                .unwrap_or_default(),
        }
    }
}

impl VapiCustomer {
    fn of(parties: &Parties, is_personal: bool) -> Option<Self> {
        let party = &parties.merged;
        let when_personal = |value: &Option<String>| value.clone().filter(|_| is_personal);
        let masked = party.phone.as_deref().map(mask_phone);
        let customer = if parties.is_erased {
            Self { erased: true, ..Self::default() }
        } else {
            Self {
                number: if is_personal { party.phone.clone() } else { masked },
                extension: when_personal(&party.extension),
                name: when_personal(&party.name),
                email: when_personal(&party.email),
                sip_uri: when_personal(&party.sip_uri),
                external_id: when_personal(&party.external_id),
                erased: false,
            }
        };
        (customer != Self::default()).then_some(customer)
    }
}

/// Vapi's name of a direction.
const fn type_word(direction: Direction) -> &'static str {
    match direction {
        Direction::Inbound => "inboundPhoneCall",
        Direction::Outbound => "outboundPhoneCall",
        Direction::Web => "webCall",
    }
}

/// Vapi's name of a status.
const fn status_word(status: Status) -> &'static str {
    match status {
        Status::Queued => "queued",
        Status::Ringing => "ringing",
        Status::InProgress => "in-progress",
        Status::Forwarding => "forwarding",
        Status::Ended => "ended",
    }
}

/// Vapi's name of a direction given by its stored name.
pub(super) fn type_of(stored: &str) -> &str {
    let all = [Direction::Inbound, Direction::Outbound, Direction::Web];
    let meant = all.into_iter().find(|direction| direction_name(*direction) == stored);
    match meant {
        Some(direction) => type_word(direction),
        None => stored,
    }
}

/// Vapi's name of a status given by its stored name.
pub(super) fn status_of(stored: &str) -> &str {
    let all =
        [Status::Queued, Status::Ringing, Status::InProgress, Status::Forwarding, Status::Ended];
    let meant = all.into_iter().find(|status| status_name(*status) == stored);
    match meant {
        Some(status) => status_word(status),
        None => stored,
    }
}
