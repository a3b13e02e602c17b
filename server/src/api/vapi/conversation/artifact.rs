//! `artifact`: the recorded content of a call.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::analysis::is_outputs;
use super::messages::{Messages, ModelMessage, VapiMessage, messages, model_messages, moments};
use super::{ReportedFields, VapiConversation};

/// Recorded content of a call: messages, transcript, recordings and extracted data.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Artifact {
    /// Turns and tool calls. Absent unless the time of every turn is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<VapiMessage>>)]
    pub(crate) messages: Option<Messages>,
    /// The same messages in the format of language models.
    #[serde(rename = "messagesOpenAIFormatted", skip_serializing_if = "Vec::is_empty")]
    messages_open_ai_formatted: Vec<ModelMessage>,
    /// Transcript of the whole call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) transcript: Option<String>,
    /// URL of the recording with both sides in one channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) recording_url: Option<String>,
    /// URL of the recording with one channel per side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stereo_recording_url: Option<String>,
    /// URL of the video recording.
    #[serde(skip_serializing_if = "Option::is_none")]
    video_recording_url: Option<String>,
    /// URLs of the same recordings by channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    recording: Option<Recording>,
    /// Extracted data, by the id of their definition.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    structured_outputs: Option<Value>,
    /// All other fields that Vapi reported for the artifact: `variableValues`, `nodes`,
    /// `transfers`, `performanceMetrics`, `logUrl` and others.
    #[serde(flatten)]
    #[schema(value_type = HashMap<String, Value>)]
    reported: ReportedFields,
}

/// URLs of recordings by channel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Recording {
    /// Recording with one channel per side.
    #[serde(skip_serializing_if = "Option::is_none")]
    stereo_url: Option<String>,
    /// Recording with video.
    #[serde(skip_serializing_if = "Option::is_none")]
    video_url: Option<String>,
    /// Recordings with one channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    mono: Option<Mono>,
}

/// URLs of recordings with one channel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Mono {
    /// Recording of both sides.
    #[serde(skip_serializing_if = "Option::is_none")]
    combined_url: Option<String>,
    /// Recording of the assistant only.
    #[serde(skip_serializing_if = "Option::is_none")]
    assistant_url: Option<String>,
    /// Recording of the customer only.
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_url: Option<String>,
}

impl Artifact {
    /// Builds the artifact from the opened sections; `None` if nothing is known.
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
