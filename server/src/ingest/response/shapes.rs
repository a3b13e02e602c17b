//! Response bodies of webhooks, for serialization and for the OpenAPI document.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::api::words::{QuarantinedWord, WebhookStatus};

/// Body of the response to a webhook, by kind of message.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum WebhookAnswer {
    /// Response to an informational message.
    Acknowledged(WebhookAcknowledged),
    /// Response to `tool-calls`.
    ToolResults(WebhookToolResults),
    /// Response to `function-call`.
    Function(WebhookFunctionResult),
    /// Response to `assistant-request`.
    Assistant(WebhookAssistant),
    /// Response to a request for which nothing is configured.
    Refused(WebhookRefusal),
    /// Response to `knowledge-base-request`.
    Documents(WebhookDocuments),
}

/// Response to an informational message.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookAcknowledged {
    /// Whether it was recorded now, was recorded before, or is not recorded by design.
    #[schema(value_type = WebhookStatus)]
    pub(super) status: &'static str,
    /// Position of the message's first event; absent if the message was ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) position: Option<i64>,
}

/// Response to a message that waits in quarantine because no single tenant was found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookQuarantined {
    /// Always `quarantined`.
    #[schema(value_type = QuarantinedWord)]
    pub(super) status: &'static str,
}

/// Results of tool calls, in the order of the request.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookToolResults {
    /// One result for each tool call of the request.
    pub(super) results: Vec<WebhookToolResult>,
}

/// Result of one tool call: either `result` or `error` is set.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WebhookToolResult {
    /// Id of the tool call as received; null if the request had none.
    pub(super) tool_call_id: Option<String>,
    /// Name of the tool.
    pub(super) name: String,
    /// Result as text that the assistant can say.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) result: Option<String>,
    /// Reason of the refusal as text that the assistant can say.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) error: Option<String>,
}

/// Result of the single function of an older message.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookFunctionResult {
    /// Result or error as text that the assistant can say.
    pub(super) result: String,
}

/// The assistant that answers a call.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WebhookAssistant {
    /// Id of the assistant on the platform.
    pub(super) assistant_id: String,
}

/// Refusal of a request.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookRefusal {
    /// Reason as a sentence that the assistant can say.
    pub(super) error: String,
}

/// Documents of a knowledge base, in the platform's format.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct WebhookDocuments(pub(super) Value);

impl PartialSchema for WebhookDocuments {
    fn schema() -> RefOr<Schema> {
        let document = ObjectBuilder::new().schema_type(Type::Object);
        let documents = ArrayBuilder::new()
            .items(document)
            .description(Some("What fits the question; none is kept here."));
        ObjectBuilder::new()
            .description(Some("Documents of a knowledge base, in the platform's shape."))
            .property("documents", documents)
            .required("documents")
            .into()
    }
}

impl ToSchema for WebhookDocuments {
    fn name() -> Cow<'static, str> {
        "WebhookDocuments".into()
    }
}
