//! `artifact`: what a call left behind.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::analysis::is_outputs;
use super::messages::{Messages, ModelMessage, VapiMessage, messages, model_messages, moments};
use super::{ReportedFields, VapiConversation};

/// What the call left behind.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Artifact {
    /// What was said and which tools were called. Left out unless the time of every turn is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<VapiMessage>>)]
    pub(crate) messages: Option<Messages>,
    /// The same, as language models read it.
    #[serde(rename = "messagesOpenAIFormatted", skip_serializing_if = "Vec::is_empty")]
    messages_open_ai_formatted: Vec<ModelMessage>,
    /// The transcript.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) transcript: Option<String>,
    /// Both sides in one channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) recording_url: Option<String>,
    /// A channel for each side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stereo_recording_url: Option<String>,
    /// With pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    video_recording_url: Option<String>,
    /// The same recordings, by channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    recording: Option<Recording>,
    /// What was extracted, by the id of its definition.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    structured_outputs: Option<Value>,
    /// Everything else Vapi told of it, in its place: `variableValues`, `nodes`, `transfers`,
    /// `performanceMetrics`, `logUrl` and others.
    #[serde(flatten)]
    #[schema(value_type = HashMap<String, Value>)]
    reported: ReportedFields,
}

/// Recordings by channel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Recording {
    /// A channel for each side.
    #[serde(skip_serializing_if = "Option::is_none")]
    stereo_url: Option<String>,
    /// With pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    video_url: Option<String>,
    /// In one channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    mono: Option<Mono>,
}

/// Recordings in one channel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Mono {
    /// Both sides.
    #[serde(skip_serializing_if = "Option::is_none")]
    combined_url: Option<String>,
    /// The assistant alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    assistant_url: Option<String>,
    /// The person alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_url: Option<String>,
}

impl Artifact {
    /// What is known of it; `None` when nothing is.
    pub(crate) fn of(
        conversation: VapiConversation<'_>,
        started_at: Option<DateTime<Utc>>,
    ) -> Option<Self> {
        let tools = conversation.call.tool_calls();
        let moments = moments(&conversation, &tools);
        let recording = recording(&conversation);
        let reported = conversation.fields(|reported| &reported.artifact);
        let formatted = (!reported.has("messagesOpenAIFormatted"))
            .then(|| model_messages(&conversation, &moments));
        let artifact = Self {
            messages: messages(&conversation, &moments, started_at),
            messages_open_ai_formatted: formatted.unwrap_or_default(),
            transcript: conversation.transcript(),
            recording_url: conversation.recording("mono"),
            stereo_recording_url: conversation.recording("stereo"),
            video_recording_url: conversation.recording("video"),
            recording: (recording != Recording::default() && !reported.has("recording"))
                .then_some(recording),
            structured_outputs: conversation
                .extracted()
                .filter(|extracted| is_outputs(extracted) && !reported.has("structuredOutputs"))
                .cloned(),
            reported,
        };
        let is_known = !moments.is_empty()
            || !artifact.reported.is_empty()
            || artifact.messages.is_some()
            || artifact.transcript.is_some()
            || artifact.recording.is_some()
            || artifact.structured_outputs.is_some();
        is_known.then_some(artifact)
    }
}

fn recording(conversation: &VapiConversation<'_>) -> Recording {
    let mono = Mono {
        combined_url: conversation.recording("mono"),
        assistant_url: conversation.recording("assistant"),
        customer_url: conversation.recording("customer"),
    };
    Recording {
        stereo_url: conversation.recording("stereo"),
        video_url: conversation.recording("video"),
        mono: (mono != Mono::default()).then_some(mono),
    }
}
