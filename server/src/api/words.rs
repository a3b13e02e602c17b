//! Lists of words in questions and answers, each once: what a parameter takes, what a field holds, and
//! the `enum` that the served document tells clients.

use std::borrow::Cow;

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// Declares lists of words: a type to name in the document, with its words in `ALL`.
macro_rules! words {
    ($($(#[doc = $about:literal])+ $name:ident = $($word:literal)|+;)+) => {$(
        $(#[doc = $about])+
        #[derive(Debug)]
        pub struct $name;

        impl $name {
            /// The words.
            pub const ALL: &'static [&'static str] = &[$($word),+];
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                enumeration(concat!($($about),+).trim(), Self::ALL)
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                stringify!($name).into()
            }
        }
    )+

        /// The schema of each list, by its name: parameters refer to them, and only bodies bring theirs.
        #[must_use]
        pub fn schemas() -> Vec<(String, RefOr<Schema>)> {
            vec![$(($name::name().into_owned(), $name::schema())),+]
        }
    };
}

words! {
    /// Which way a call went.
    CallDirection = "inbound" | "outbound" | "web";
    /// Where a call stands.
    CallStatus = "queued" | "ringing" | "in_progress" | "forwarding" | "ended";
    /// How a call ended, coarsely.
    CallOutcome = "completed" | "customer_hung_up" | "no_answer" | "voicemail" | "busy"
        | "transferred" | "silence" | "failed" | "unknown";
    /// Which calls count: those marked as tests, the others, or both.
    TestCalls = "true" | "false" | "any";
    /// What sums are told apart by.
    BreakdownBy = "ended_reason" | "outcome" | "tool" | "agent_id" | "direction"
        | "duration_bucket" | "hour" | "weekday" | "heatmap" | "cost_part";
    /// The length of a bucket.
    SeriesInterval = "hour" | "day" | "week" | "month";
    /// What a series is grouped by.
    SeriesGroup = "direction" | "agent_id" | "ended_reason" | "outcome";
    /// What sums are compared with.
    ComparedWith = "previous";
    /// Who spoke.
    Speaker = "assistant" | "user";
    /// Which channels a recording holds.
    RecordingKind = "mono" | "stereo" | "assistant" | "customer" | "video";
    /// What takes calls.
    AgentKind = "assistant";
    /// A voice platform.
    ProviderName = "vapi";
    /// A limit of a plan.
    PlanLimitName = "calls" | "minutes" | "cost_nanos" | "events";
    /// How close the use of a plan is to a limit.
    LimitLevel = "near" | "reached";
    /// What became of an informational message.
    WebhookStatus = "recorded" | "duplicate" | "ignored";
    /// A message waits until its tenant can be told.
    QuarantinedWord = "quarantined";
    /// What became of a webhook, as deliveries list it.
    DeliveryOutcome = "recorded" | "refused" | "quarantined";
    /// What became of a webhook that is not in the log.
    FailureOutcome = "refused" | "failed" | "quarantined";
    /// Whether webhooks fare well.
    HealthWord = "ok" | "attention";
    /// What needs a look.
    HealthReason = "quarantine-waiting" | "read-model-behind";
    /// What a dead letter is.
    DeadLetterKind = "quarantine";
    /// Whether a message still waits.
    QuarantineState = "waiting" | "replayed";
    /// Whether a message is new to the log.
    ReplayStatus = "recorded" | "duplicate";
    /// What became of a parked event.
    ParkedOutcome = "folded" | "parked";
    /// What became of a version of a read model.
    VersionState = "building" | "active" | "cancelled";
    /// Where a version of a read model stands.
    ProjectionState = "current" | "catching_up" | "halted" | "building" | "previous";
    /// Whether webhooks can be taken.
    ReadinessWord = "ready" | "not_ready";
    /// How a read model fares.
    ReadModelState = "current" | "catching_up" | "halted" | "stuck";
    /// Whether the process lives.
    HealthStatus = "ok";
    /// Which way a call went, in Vapi's words.
    VapiCallType = "inboundPhoneCall" | "outboundPhoneCall" | "webCall";
    /// Where a call stands, in Vapi's words.
    VapiCallStatus = "queued" | "ringing" | "in-progress" | "forwarding" | "ended";
    /// A table of Vapi's; `call` alone is kept here.
    VapiTable = "call";
    /// How a figure is made of a column.
    VapiOperation = "sum" | "avg" | "count" | "min" | "max" | "history" | "p50" | "p90" | "p95";
    /// What a figure is about.
    VapiColumn = "id" | "duration" | "minutesUsed" | "cost" | "costBreakdown.llm"
        | "costBreakdown.stt" | "costBreakdown.tts" | "costBreakdown.vapi"
        | "costBreakdown.transport";
    /// What calls are told apart by.
    VapiGroup = "type" | "assistantId" | "endedReason" | "analysis.successEvaluation" | "status"
        | "outcome" | "tool" | "phoneNumberId" | "durationClass";
    /// Both kinds of calls.
    AllCalls = "any";
    /// The length of a step.
    VapiStep = "second" | "minute" | "hour" | "day" | "week" | "month" | "quarter" | "year"
        | "decade" | "century" | "millennium";
}

fn enumeration(about: &str, all: &'static [&'static str]) -> RefOr<Schema> {
    let schema = ObjectBuilder::new().schema_type(Type::String).description(Some(about));
    schema.enum_values(Some(all.iter().copied())).into()
}
