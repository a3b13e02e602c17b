//! Enumerations of the API, each defined once: the words that parameters accept and fields contain, and the
//! `enum` schemas of the OpenAPI document.

use std::borrow::Cow;

use ledger_core::provider::Provider;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// Declares enumerations: a type with the schema, and its words in `ALL`.
macro_rules! words {
    ($($(#[doc = $about:literal])+ $name:ident = $($word:literal)|+;)+) => {$(
        $(#[doc = $about])+
        #[derive(Debug)]
        pub struct $name;

        impl $name {
            /// All words of the enumeration, in the order of the document.
            pub const ALL: &'static [&'static str] = &[$($word),+];
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                enumeration(concat!($($about),+).trim(), Self::ALL.iter().copied())
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                stringify!($name).into()
            }
        }
    )+

        /// The schema of each enumeration by name. Parameters only refer to them, so they are added to the
        /// document here.
        #[must_use]
        pub fn schemas() -> Vec<(String, RefOr<Schema>)> {
            let provider = (ProviderName::name().into_owned(), ProviderName::schema());
            vec![provider, $(($name::name().into_owned(), $name::schema())),+]
        }
    };
}

words! {
    /// Direction of a call.
    CallDirection = "inbound" | "outbound" | "web";
    /// Status of a call.
    CallStatus = "queued" | "ringing" | "in_progress" | "forwarding" | "ended";
    /// Coarse result of a call.
    CallOutcome = "completed" | "customer_hung_up" | "no_answer" | "voicemail" | "busy"
        | "transferred" | "silence" | "failed" | "unknown";
    /// Status of an appointment.
    AppointmentStatusName = "pending" | "confirmed" | "completed" | "cancelled" | "no_show";
    /// Change of an appointment.
    AppointmentChangeName = "booked" | "confirmed" | "rescheduled" | "cancelled" | "completed"
        | "no_show";
    /// What a task asks for.
    TaskKindName = "follow_up" | "call_back" | "review";
    /// Status of a task.
    TaskStatusName = "open" | "done" | "cancelled";
    /// What made a task: a request, or a tool call whose outcome could not be confirmed.
    TaskOriginName = "person" | "tool";
    /// Kind of due work.
    DueKindName = "reminder" | "task";
    /// State of an erasure.
    ErasureStateName = "requested" | "refused" | "deferred" | "fenced" | "destroyed" | "final";
    /// Ground of an erasure: Article 17(1)(a) to (f) GDPR, or the retention period of the tenant.
    ErasureGroundName = "17.1.a" | "17.1.b" | "17.1.c" | "17.1.d" | "17.1.e" | "17.1.f" | "retention";
    /// Party that requested an erasure; `other` for one that is named by a text.
    RequesterName = "person" | "representative" | "controller" | "authority" | "other";
    /// Check of the identity of a requester.
    IdentityCheckName = "account" | "known_handle" | "document" | "not_required";
    /// Reason for which an erasure is refused: Article 17(3)(a) to (e) GDPR, or Article 12.
    RefusalReasonName = "17.3.a" | "17.3.b" | "17.3.c" | "17.3.d" | "17.3.e" | "identity_not_proven"
        | "unfounded" | "withdrawn";
    /// Reason for which the term of an erasure is extended.
    ExtensionReasonName = "complexity" | "number_of_requests";
    /// Reason of a legal hold.
    HoldReasonName = "litigation" | "investigation" | "audit";
    /// Reason of a restriction: Article 18(1)(a) to (d) GDPR; `deferral` is set by the ledger.
    RestrictionReasonName = "18.1.a" | "18.1.b" | "18.1.c" | "18.1.d" | "deferral";
    /// State of the keys of a person.
    SubjectStateName = "active" | "restricted" | "fenced" | "destroyed";
    /// Kind of a certificate.
    CertificateKindName = "live" | "final";
    /// Filter by test mark: test calls, other calls, or both.
    TestCalls = "true" | "false" | "any";
    /// Dimension of a breakdown.
    BreakdownBy = "ended_reason" | "outcome" | "tool" | "agent_id" | "direction" | "campaign"
        | "call_type" | "service_type" | "contact" | "duration_bucket" | "hour" | "weekday" | "heatmap" | "cost_part";
    /// Length of a bucket.
    SeriesInterval = "hour" | "day" | "week" | "month";
    /// Grouping dimension of a series.
    SeriesGroup = "direction" | "agent_id" | "ended_reason" | "outcome" | "campaign" | "call_type";
    /// Range to compare sums with.
    ComparedWith = "previous";
    /// Speaker of a turn.
    Speaker = "assistant" | "user";
    /// Tool of voice agents that the ledger answers.
    ToolName = "book" | "availability" | "cancel" | "reschedule" | "look_up" | "escalate";
    /// How the answer to a tool is spoken: in the words of the model, or word by word.
    SpeechName = "model" | "verbatim";
    /// Kind of a note.
    NoteKindName = "general" | "during_call" | "after_call" | "follow_up";
    /// Readers that a note is meant for.
    NoteVisibility = "internal" | "shared";
    /// Reason of an escalation.
    EscalationReasonName = "requested_by_caller" | "complaint" | "emergency" | "billing"
        | "technical_problem" | "not_understood" | "disposition" | "other";
    /// Origin of an escalation.
    EscalationSourceName = "tool" | "api" | "disposition";
    /// Rule of the lead score.
    LeadRuleName = "answered" | "long_call" | "booked" | "tool_used" | "success" | "transferred"
        | "scored_high" | "scored_low" | "disposition" | "repeat_caller";
    /// The origin of a value that is no recorded fact.
    DerivedLabel = "derived";
    /// Channels of a recording.
    RecordingKind = "mono" | "stereo" | "assistant" | "customer" | "video";
    /// Kind of an agent.
    AgentKind = "assistant";
    /// Limit of a plan.
    PlanLimitName = "calls" | "minutes" | "cost_nanos" | "events";
    /// State of a tenant.
    TenantStateName = "active" | "frozen" | "closed";
    /// Name of a setting.
    SettingWord = "plan" | "hours" | "resources" | "services" | "bookings" | "reminders"
        | "dispositions" | "annotations" | "lead_score" | "contacts" | "retention";
    /// Degree to which a limit of a plan is used.
    LimitLevel = "near" | "reached";
    /// Result of an informational message.
    WebhookStatus = "recorded" | "duplicate" | "ignored";
    /// The only status of a message that waits in quarantine.
    QuarantinedWord = "quarantined";
    /// Result of a webhook, as listed by deliveries.
    DeliveryOutcome = "recorded" | "refused" | "quarantined";
    /// Outcome of a webhook that is not in the log.
    FailureOutcome = "refused" | "failed" | "quarantined";
    /// State of the webhook pipeline.
    HealthWord = "ok" | "attention";
    /// Reason why the webhook pipeline needs attention.
    HealthReason = "quarantine-waiting" | "projection-behind";
    /// Kind of a dead letter.
    DeadLetterKind = "quarantine";
    /// State of a message in quarantine.
    QuarantineState = "waiting" | "replayed";
    /// Result of a replay: new in the log, or already there.
    ReplayStatus = "recorded" | "duplicate";
    /// Result of a retry or drop of a parked event.
    ParkedOutcome = "folded" | "parked";
    /// Kind of an entry of a contact's timeline.
    TimelineKindName = "call" | "appointment" | "change" | "note" | "task";
    /// State of an export of a person's data.
    ExportStateName = "requested" | "ready" | "expired" | "failed" | "deleted";
    /// Reason for which the file of an export was not made.
    ExportFailureName = "interrupted" | "outdated" | "erased" | "incomplete" | "storage" | "unavailable";
    /// Form of the file of an export.
    ExportFormatName = "zip";
    /// Class of data with a period of retention.
    RetentionClassName = "calls" | "recordings" | "transcripts" | "contacts";
    /// Kind of a handle that a user adds or ends.
    HandleKindName = "phone" | "email" | "external_id";
    /// State of a version after a command.
    VersionState = "building" | "active" | "cancelled";
    /// State of a version of a read model.
    ProjectionState = "current" | "catching_up" | "halted" | "building" | "previous";
    /// Readiness of the server.
    ReadinessWord = "ready" | "not_ready";
    /// State of a served projection.
    ReadModelState = "current" | "catching_up" | "halted" | "stuck";
    /// State of a background task.
    WorkerWord = "running" | "restarting" | "died" | "stopped";
    /// State of the process.
    HealthStatus = "ok";
    /// Direction of a call in Vapi's words.
    VapiCallType = "inboundPhoneCall" | "outboundPhoneCall" | "webCall";
    /// Status of a call in Vapi's words.
    VapiCallStatus = "queued" | "ringing" | "in-progress" | "forwarding" | "ended";
    /// Table of Vapi's API; only `call` is available here.
    VapiTable = "call";
    /// Aggregate function of an operation.
    VapiOperation = "sum" | "avg" | "count" | "min" | "max" | "history" | "p50" | "p90" | "p95";
    /// Column of an operation.
    VapiColumn = "id" | "duration" | "minutesUsed" | "cost" | "costBreakdown.llm"
        | "costBreakdown.stt" | "costBreakdown.tts" | "costBreakdown.vapi"
        | "costBreakdown.transport";
    /// Grouping dimension of a query.
    VapiGroup = "type" | "assistantId" | "endedReason" | "analysis.successEvaluation" | "status"
        | "outcome" | "tool" | "phoneNumberId" | "durationClass";
    /// Filter value for test calls and others.
    AllCalls = "any";
    /// Length of a step.
    VapiStep = "second" | "minute" | "hour" | "day" | "week" | "month" | "quarter" | "year"
        | "decade" | "century" | "millennium";
}

/// Name of a voice platform with an adapter.
#[derive(Debug)]
pub struct ProviderName;

impl PartialSchema for ProviderName {
    fn schema() -> RefOr<Schema> {
        let all = Provider::ALL.iter().map(|provider| provider.as_str());
        enumeration("Name of a voice platform.", all)
    }
}

impl ToSchema for ProviderName {
    fn name() -> Cow<'static, str> {
        "ProviderName".into()
    }
}

fn enumeration(about: &str, all: impl IntoIterator<Item = &'static str>) -> RefOr<Schema> {
    let schema = ObjectBuilder::new().schema_type(Type::String).description(Some(about));
    schema.enum_values(Some(all)).into()
}
