//! `analysis`: the results of a model's analysis of the call.

use ledger_core::call::Call;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{ReportedFields, VapiConversation};

/// Results of the platform's analysis of the call. They are claims of a model, not evidence.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Analysis {
    /// Summary of the conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) summary: Option<String>,
    /// Data extracted by a single definition.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    structured_data: Option<Value>,
    /// Data extracted by several definitions.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    structured_data_multi: Option<Value>,
    /// The verdict as text; without scope `personal` only a plain verdict, `true` or `false`.
    #[serde(skip_serializing_if = "Option::is_none")]
    success_evaluation: Option<String>,
    #[serde(flatten)]
    #[schema(ignore)]
    reported: ReportedFields,
}

impl Analysis {
    /// Builds the analysis from the known facts and the opened sections; `None` if nothing is
    /// known.
    pub(crate) fn of(call: &Call, conversation: Option<VapiConversation<'_>>) -> Option<Self> {
        let extracted = conversation
            .and_then(|conversation| conversation.extracted())
            .filter(|reported| !is_outputs(reported));
        let (multi, single) = match extracted.cloned() {
            Some(many @ Value::Array(_)) => (Some(many), None),
            one => (None, one),
        };
        let plain = call.success().map(|success| success.to_string());
        let reported = conversation
            .map(|conversation| conversation.fields(|reported| &reported.analysis))
            .unwrap_or_default();
        let analysis = Self {
            summary: conversation.and_then(|conversation| conversation.summary()),
            structured_data: single.filter(|_| !reported.has("structuredData")),
            structured_data_multi: multi.filter(|_| !reported.has("structuredDataMulti")),
            success_evaluation: conversation
                .and_then(|conversation| conversation.evaluation())
                .or(plain),
            reported,
        };
        let is_known = !analysis.reported.is_empty()
            || analysis.summary.is_some()
            || analysis.success_evaluation.is_some()
            || analysis.structured_data.is_some()
            || analysis.structured_data_multi.is_some();
        is_known.then_some(analysis)
    }
}

/// Returns whether the data are Vapi's structured outputs: objects with name and result, by id.
pub(super) fn is_outputs(extracted: &Value) -> bool {
    let is_output =
        |reported: &Value| reported.get("name").is_some() && reported.get("result").is_some();
    extracted.as_object().is_some_and(|all| !all.is_empty() && all.values().all(is_output))
}
