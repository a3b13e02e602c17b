//! Shared sources: a message is stored for the one tenant with a matching route, or quarantined for
//! an operator. Without exactly one match it is never assigned.

use ledger_core::ids::{SourceId, TenantId};
use ledger_store::source::RouteKind;
use ledger_tests::cluster::superuser;
use ledger_tests::fixtures::{self, Message};
use ledger_tests::ledger::status_and_json;
use ledger_tests::{TestLedger, TestTenant, run};
use serde_json::{Value, json};
use tokio::task::JoinSet;

const SECRET: &str = "example-shared-secret";

/// A source of the installation, and two tenants that can add routes at it.
struct Shared {
    source_id: SourceId,
    one: TestTenant,
    two: TestTenant,
}

impl Shared {
    async fn new() -> Self {
        let ledger = TestLedger::shared().await;
        let source_id = ledger.source(TenantId::INSTALLATION, SECRET, false).await;
        Self { source_id, one: ledger.tenant().await, two: ledger.tenant().await }
    }

    async fn route(&self, tenant: &TestTenant, kind: RouteKind, value: &str) {
        let added = tenant.store.add_route(tenant.tenant_id, self.source_id, kind, value).await;
        added.expect("a route");
    }

    async fn post(&self, body: impl Into<reqwest::Body>) -> (u16, Value) {
        let request = self.one.webhook_at(self.source_id, SECRET, body);
        status_and_json(request.send().await.expect("an answer")).await
    }

    /// Returns the sealed bodies in quarantine.
    async fn quarantined(&self) -> Vec<Vec<u8>> {
        sqlx::query_scalar(
            "select body_sealed from ledger.quarantine where tenant_id = $1 and source_id = $2",
        )
        .bind(TenantId::INSTALLATION.0)
        .bind(self.source_id.0)
        .fetch_all(&mut superuser().await)
        .await
        .expect("the database answers")
    }

    async fn assert_quarantines(&self, body: &str) {
        let before = (self.one.recorded().await, self.two.recorded().await);
        assert_eq!(self.post(body.to_owned()).await, (202, json!({ "status": "quarantined" })));
        assert_eq!((self.one.recorded().await, self.two.recorded().await), before);
    }
}

fn message(call: &str) -> Message {
    Message::report(call).field("cost", "0.07")
}

fn our_number(id: &str, number: &str) -> Value {
    json!({ "id": id, "number": number })
}

#[test]
fn a_message_is_stored_for_the_tenant_with_a_route_for_its_assistant_or_number() {
    run(async {
        let shared = Shared::new().await;
        shared.route(&shared.one, RouteKind::AssistantId, "assistant-1").await;
        shared.route(&shared.one, RouteKind::PhoneNumberId, "number-1").await;
        shared.route(&shared.one, RouteKind::PhoneNumber, "+15550100002").await;
        shared.route(&shared.two, RouteKind::AssistantId, "assistant-2").await;
        let assistant = json!({ "id": "assistant-1" });
        let claimed = [
            message("c-1").call_field("assistantId", json!("assistant-1")),
            message("c-2").field("assistant", &assistant),
            message("c-3").call_field("phoneNumberId", json!("number-1")),
            message("c-4").field("phoneNumber", our_number("number-1", "+15550100099")),
            message("c-5").field("phoneNumber", our_number("number-9", "+15550100002")),
            message("c-6").field("phoneNumber", our_number("number-9", "+1 555-010-0002")),
            message("c-7")
                .call_field("assistantId", json!("assistant-1"))
                .call_field("phoneNumberId", json!("number-1")),
        ];
        for (nth, message) in claimed.iter().enumerate() {
            let (status, answer) = shared.post(message.body()).await;
            assert_eq!(
                (status, &answer["status"]),
                (200, &json!("recorded")),
                "{}",
                message.body()
            );
            assert_eq!(shared.one.recorded().await.len(), nth + 1);
        }
        let other = message("c-1").call_field("assistantId", json!("assistant-2"));
        assert_eq!(shared.post(other.body()).await.1["status"], "recorded");
        assert_eq!(shared.one.calls().await.len(), claimed.len());
        assert_eq!(shared.two.only_call().await["provider_call_id"], "c-1");
        assert!(shared.quarantined().await.is_empty());
    });
}

#[test]
fn a_tool_call_at_a_shared_source_is_answered_for_its_tenant() {
    run(async {
        let shared = Shared::new().await;
        shared.route(&shared.two, RouteKind::AssistantId, "assistant-2").await;
        let tools = Message::tools("c-1", &[("t-1", "book")]);
        let tools = tools.call_field("assistantId", json!("assistant-2"));
        let (status, answer) = shared.post(tools.body()).await;
        assert_eq!((status, &answer["results"][0]["toolCallId"]), (200, &json!("t-1")));
        assert_eq!(shared.two.recorded().await.len(), 1);
        assert!(shared.one.recorded().await.is_empty());
    });
}

#[test]
fn a_national_number_at_a_shared_source_is_read_in_the_country_of_the_tenant() {
    run(async {
        let ledger = TestLedger::shared().await;
        let us = ledger.tenant_in_country("US").await;
        let source_id = ledger.source(TenantId::INSTALLATION, SECRET, false).await;
        let shared = Shared { source_id, two: ledger.tenant_in_country("DE").await, one: us };
        shared.route(&shared.one, RouteKind::AssistantId, "here").await;
        shared.route(&shared.two, RouteKind::AssistantId, "elsewhere").await;
        let customer = json!({ "number": "(555) 010-0123" });
        for (call, assistant) in [("n-1", "here"), ("n-2", "elsewhere")] {
            let routed_message = message(call).field("customer", &customer);
            let (status, _) = shared
                .post(routed_message.call_field("assistantId", json!(assistant)).body())
                .await;
            assert_eq!(status, 200, "{call}");
        }
        let read =
            async |tenant: &TestTenant| tenant.facts_of("call.ended").await[0]["party"].clone();
        assert_eq!(read(&shared.one).await["phone"], "valid");
        shared.one.settle().await;
        shared.two.settle().await;
        let found = shared.one.get("/v1/calls?phone=%2B15550100123").await;
        assert_eq!(found["data"].as_array().map(Vec::len), Some(1), "{found}");
        let found = shared.two.get("/v1/calls?phone=%2B15550100123").await;
        assert_eq!(found["data"], json!([]), "it is another number there");
    });
}

#[test]
fn a_message_without_exactly_one_route_is_quarantined_sealed_and_once() {
    run(async {
        let shared = Shared::new().await;
        shared.route(&shared.one, RouteKind::AssistantId, "assistant-1").await;
        shared.route(&shared.two, RouteKind::PhoneNumberId, "number-2").await;
        let said = json!("Robin Example asked for a quiet room.");
        let unclaimed = message("c-1").field("transcript", &said).body();
        let claimed_twice = message("c-2")
            .field("transcript", &said)
            .call_field("assistantId", json!("assistant-1"))
            .call_field("phoneNumberId", json!("number-2"))
            .body();
        for body in [&unclaimed, &claimed_twice, &unclaimed] {
            shared.assert_quarantines(body).await;
        }
        let waiting = shared.quarantined().await;
        assert_eq!(waiting.len(), 2);
        for sealed in waiting {
            for plain in ["Robin", "transcript", "end-of-call-report", "c-1", "assistant-1"] {
                let shows = sealed.windows(plain.len()).any(|part| part == plain.as_bytes());
                assert!(!shows, "{plain} can be read");
            }
        }
    });
}

#[test]
fn equal_messages_are_quarantined_once_in_any_spelling_and_concurrency() {
    run(async {
        let shared = Shared::new().await;
        let bytes = fixtures::bytes("vapi/hang.inbound.composed.json");
        let compact = fixtures::json("vapi/hang.inbound.composed.json").to_string();
        let mut posts = JoinSet::new();
        for body in std::iter::repeat_n(bytes, 10).chain([compact.into_bytes()]) {
            let request = shared.one.webhook_at(shared.source_id, SECRET, body);
            posts.spawn(async move { request.send().await.expect("an answer").status() });
        }
        assert!(posts.join_all().await.iter().all(|status| *status == 202));
        assert_eq!(shared.quarantined().await.len(), 1);
    });
}

#[test]
fn tool_calls_without_a_route_are_quarantined_and_answered_nothing_was_done() {
    run(async {
        let shared = Shared::new().await;
        // Tool calls are answered: the provider accepts only 200, and needs a text to speak.
        let tools = Message::tools("c-1", &[("t-1", "book")]).body();
        let (status, answer) = shared.post(tools).await;
        assert_eq!((status, &answer["results"][0]["toolCallId"]), (200, &json!("t-1")));
        assert!(answer["results"][0]["error"].is_string(), "{answer}");
        let (status, answer) = shared.post(Message::new("assistant-request", "c-1").body()).await;
        assert_eq!(status, 200);
        assert!(answer["error"].is_string(), "{answer}");
        assert_eq!(shared.quarantined().await.len(), 2);
        assert!(shared.one.recorded().await.is_empty() && shared.two.recorded().await.is_empty());
    });
}

#[test]
fn telemetry_without_a_route_is_not_stored() {
    run(async {
        let shared = Shared::new().await;
        let speech = fixtures::bytes("vapi/speech-update.started.webcall.json");
        assert_eq!(shared.post(speech).await, (200, json!({ "status": "ignored" })));
        assert!(shared.quarantined().await.is_empty());
    });
}

#[test]
fn fields_a_caller_can_set_route_nothing() {
    run(async {
        let shared = Shared::new().await;
        shared.route(&shared.one, RouteKind::AssistantId, "assistant-1").await;
        shared.route(&shared.one, RouteKind::PhoneNumberId, "number-1").await;
        shared.route(&shared.one, RouteKind::PhoneNumber, "+15550100002").await;
        let claims = json!({
            "tenant_id": shared.one.tenant_id, "tenantId": shared.one.tenant_id,
            "org_id": shared.one.tenant_id, "assistantId": "assistant-1",
            "phoneNumberId": "number-1", "phoneNumber": "+15550100002",
        });
        let routed_message = message("c-1")
            .field("metadata", &claims)
            .field("tenantId", json!(shared.one.tenant_id))
            .field("variableValues", &claims)
            .field("customer", json!({ "number": "+15550100002", "metadata": claims }))
            .call_field("metadata", &claims)
            .call_field("orgId", json!(shared.one.tenant_id))
            .call_field("tenantId", json!(shared.one.tenant_id))
            .call_field(
                "assistantOverrides",
                json!({ "variableValues": claims, "metadata": claims }),
            );
        shared.assert_quarantines(&routed_message.body()).await;
    });
}

#[test]
fn a_tenants_own_source_ignores_ids_of_other_tenants() {
    run(async {
        let shared = Shared::new().await;
        shared.route(&shared.two, RouteKind::AssistantId, "assistant-2").await;
        let routed_message = message("c-1")
            .call_field("metadata", json!({ "tenant_id": shared.two.tenant_id }))
            .call_field("assistantId", json!("assistant-2"));
        assert_eq!(shared.one.post_ok(routed_message.body()).await["status"], "recorded");
        assert_eq!(shared.one.recorded().await.len(), 1);
        assert!(shared.two.recorded().await.is_empty());
    });
}

#[test]
fn a_route_at_one_source_does_not_apply_at_another() {
    run(async {
        let (shared, other) = (Shared::new().await, Shared::new().await);
        other.route(&other.one, RouteKind::AssistantId, "assistant-1").await;
        let body = message("c-1").call_field("assistantId", json!("assistant-1")).body();
        shared.assert_quarantines(&body).await;
        assert!(other.one.recorded().await.is_empty());
    });
}

#[test]
fn a_shared_source_requires_its_secret() {
    run(async {
        let shared = Shared::new().await;
        let request = shared.one.webhook_at(shared.source_id, "wrong", message("c-1").body());
        let response = request.send().await.expect("an answer");
        super::bad_input::problem(response, 401, "signature-invalid").await;
        assert!(shared.quarantined().await.is_empty());
    });
}
