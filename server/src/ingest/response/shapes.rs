//! Response bodies of webhooks, for serialization and for the OpenAPI document.

use std::borrow::Cow;
use std::collections::BTreeMap;

use ledger_core::provider::Provider;
use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::schema::{OneOfBuilder, Schema};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::api::words::{QuarantinedWord, WebhookStatus};

/// The answer to a webhook: an acknowledgement, or the reply in the format of a platform.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct WebhookAnswer(pub(super) Value);

impl WebhookAnswer {
    /// Returns the schemas of the replies, as the adapters describe them.
    fn replies() -> Vec<(String, RefOr<Schema>)> {
        let of_adapter = |provider: &Provider| {
            let text = provider.adapter().reply_schemas();
            let schemas: BTreeMap<String, Schema> =
                serde_json::from_str(text).expect("an adapter's schemas are valid");
            schemas.into_iter().map(|(name, schema)| (name, RefOr::T(schema)))
        };
        Provider::ALL.iter().flat_map(of_adapter).collect()
    }
}

impl PartialSchema for WebhookAnswer {
    fn schema() -> RefOr<Schema> {
        let mut answers = vec![WebhookAcknowledged::name().into_owned()];
        // A schema that another one refers to is a part of a reply, and no reply.
        let replies = Self::replies();
        let text = serde_json::to_string(&replies.iter().map(|it| &it.1).collect::<Vec<_>>());
        let text = text.expect("a schema is plain data");
        let is_part = |name: &str| text.contains(&format!("#/components/schemas/{name}\""));
        answers.extend(replies.into_iter().map(|(name, _)| name).filter(|name| !is_part(name)));
        let choice = answers.iter().map(Ref::from_schema_name);
        let one_of = choice.fold(OneOfBuilder::new(), OneOfBuilder::item);
        one_of.description(Some("The answer to a webhook.")).into()
    }
}

impl ToSchema for WebhookAnswer {
    fn name() -> Cow<'static, str> {
        "WebhookAnswer".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((WebhookAcknowledged::name().into_owned(), WebhookAcknowledged::schema()));
        WebhookAcknowledged::schemas(schemas);
        schemas.extend(Self::replies());
    }
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
