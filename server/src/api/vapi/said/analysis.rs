//! `analysis`: what a model made of the call.

use ledger_core::call::Call;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{Said, ToldFields};

/// What somebody's model made of the call: claims, never evidence.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api::vapi) struct Analysis {
    /// A summary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::api::vapi) summary: Option<String>,
    /// What was extracted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    structured_data: Option<Value>,
    /// What was extracted, by several definitions.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    structured_data_multi: Option<Value>,
    /// The verdict; without scope `personal` only a plain one, `true` or `false`.
    #[serde(skip_serializing_if = "Option::is_none")]
    success_evaluation: Option<String>,
    #[serde(flatten)]
    #[schema(ignore)]
    told: ToldFields,
}

impl Analysis {
    /// What is known of it; `None` when nothing is.
    pub(in crate::api::vapi) fn of(call: &Call, said: Option<Said<'_>>) -> Option<Self> {
        let extracted = said.and_then(|said| said.extracted()).filter(|told| !is_outputs(told));
        let (multi, single) = match extracted.cloned() {
            Some(many @ Value::Array(_)) => (Some(many), None),
            one => (None, one),
        };
        let plain = call.success().map(|success| success.to_string());
        let told = said.map(|said| said.fields(|told| &told.analysis)).unwrap_or_default();
        let analysis = Self {
            summary: said.and_then(|said| said.summary()),
            structured_data: single.filter(|_| !told.has("structuredData")),
            structured_data_multi: multi.filter(|_| !told.has("structuredDataMulti")),
            success_evaluation: said.and_then(|said| said.evaluation()).or(plain),
            told,
        };
        let is_known = !analysis.told.is_empty()
            || analysis.summary.is_some()
            || analysis.success_evaluation.is_some()
            || analysis.structured_data.is_some()
            || analysis.structured_data_multi.is_some();
        is_known.then_some(analysis)
    }
}

/// Vapi's structured outputs are objects with a name and a result, by id.
pub(super) fn is_outputs(extracted: &Value) -> bool {
    let is_output = |told: &Value| told.get("name").is_some() && told.get("result").is_some();
    extracted.as_object().is_some_and(|all| !all.is_empty() && all.values().all(is_output))
}
