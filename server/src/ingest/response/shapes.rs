//! The shapes of answers to webhooks, as they are written and as the served document describes them.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::api::words::{QuarantinedWord, WebhookStatus};

/// What a webhook is answered with.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum WebhookAnswer {
    /// An informational message.
    Acknowledged(WebhookAcknowledged),
    /// `tool-calls`.
    ToolResults(WebhookToolResults),
    /// `function-call`.
    Function(WebhookFunctionResult),
    /// `assistant-request`.
    Assistant(WebhookAssistant),
    /// A request that nothing is set up for.
    Refused(WebhookRefusal),
    /// `knowledge-base-request`.
    Documents(WebhookDocuments),
}

/// The answer to an informational message.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookAcknowledged {
    /// Whether it is in the log since, was in it before, or is not meant to be there.
    #[schema(value_type = WebhookStatus)]
    pub(super) status: &'static str,
    /// The position of the first of its events; absent when it was ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) position: Option<i64>,
}

/// A message that waits until its tenant can be told.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookQuarantined {
    /// Always the same word.
    #[schema(value_type = QuarantinedWord)]
    pub(super) status: &'static str,
}

/// The results of tool calls, in the order they were asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookToolResults {
    /// One for each tool call.
    pub(super) results: Vec<WebhookToolResult>,
}

/// The result of a tool call: `result` or `error`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WebhookToolResult {
    /// The id as it came.
    pub(super) tool_call_id: Option<String>,
    /// The tool.
    pub(super) name: String,
    /// What it gave back, as a voice can speak it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) result: Option<String>,
    /// Why it was refused, as a voice can speak it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) error: Option<String>,
}

/// The result of the one function of an older message.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookFunctionResult {
    /// What it gave back, as a voice can speak it.
    pub(super) result: String,
}

/// Which assistant answers a call.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WebhookAssistant {
    /// Its id on the platform.
    pub(super) assistant_id: String,
}

/// Why a request is refused.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookRefusal {
    /// A sentence that a voice can speak.
    pub(super) error: String,
}

/// Documents of a knowledge base, in the platform's shape.
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
