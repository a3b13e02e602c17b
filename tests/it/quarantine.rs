//! Replay from quarantine: a delivery without a route is replayed once a route exists, exactly
//! once, and only by the installation.

mod tools;

use ledger_core::ids::{SourceId, TenantId};
use ledger_store::source::route::{RouteError, Routed};
use ledger_store::source::{Period, RouteKind, RouteRejection};
use ledger_tests::cluster::superuser;
use ledger_tests::fixtures::Message;
use ledger_tests::ledger::status_and_json;
use ledger_tests::{OwnDatabase, TestLedger, TestTenant, run};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::bad_input::problem;

const SECRET: &str = "example-shared-secret";

/// A shared source, a tenant that can add routes at it, and a key of the installation.
struct Shared {
    ledger: &'static TestLedger,
    source_id: SourceId,
    tenant: TestTenant,
    key: String,
}

impl Shared {
    async fn new() -> Self {
        let ledger = TestLedger::shared().await;
        Self {
            ledger,
            source_id: ledger.source(TenantId::INSTALLATION, SECRET, false).await,
            tenant: ledger.tenant().await,
            key: ledger.key(TenantId::INSTALLATION, &["admin"]).await,
        }
    }

    async fn send(&self, body: &str) -> (u16, Value) {
        let request = self.tenant.webhook_at(self.source_id, SECRET, body.to_owned());
        status_and_json(request.send().await.expect("an answer")).await
    }

    /// Sends a body that matches no route; returns the id of its quarantine entry.
    async fn quarantine(&self, body: &str) -> String {
        assert_eq!(self.send(body).await.1, json!({ "status": "quarantined" }));
        let entries = self.entries().await;
        entries[0]["quarantine_id"].as_str().expect("entries have ids").to_owned()
    }

    /// Returns the entries of this source, newest first, as the installation's key gets them.
    async fn entries(&self) -> Vec<Value> {
        let (status, page) = self.tenant.get_with(&self.key, "/v1/quarantine?limit=200").await;
        assert_eq!(status, 200, "{page}");
        let entries = page["data"].as_array().expect("a page has data").iter();
        entries.filter(|entry| entry["source_id"] == json!(self.source_id)).cloned().collect()
    }

    async fn add_route(&self, assistant: &str) {
        let store = &self.tenant.store;
        let kind = RouteKind::AssistantId;
        let added = store.add_route(self.tenant.tenant_id, self.source_id, kind, assistant).await;
        added.expect("a route");
    }

    fn replay(&self, id: &str, key: &str) -> reqwest::RequestBuilder {
        let url = format!("http://{}/v1/quarantine/{id}/replay", self.ledger.address);
        Client::new().post(url).bearer_auth(key)
    }

    async fn replayed(&self, id: &str) -> Value {
        let (status, answer) =
            status_and_json(self.replay(id, &self.key).send().await.expect("an answer")).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }
}

/// A report with a secret of the provider, which is removed before anything is stored.
fn report(call: &str, assistant: &str) -> String {
    let server = json!({ "url": "https://example.com/hook", "secret": "provider-secret-of-call" });
    Message::report(call)
        .field("cost", "0.07")
        .field("server", server)
        .call_field("assistantId", json!(assistant))
        .body()
}

#[test]
fn a_delivery_with_a_new_route_is_replayed_and_stays_listed() {
    run(async {
        let shared = Shared::new().await;
        let body = report("replayed", "assistant-1");
        let id = shared.quarantine(&body).await;
        assert_eq!(shared.entries().await[0]["state"], "waiting");

        let refused = shared.replay(&id, &shared.key).send().await.expect("an answer");
        problem(refused, 409, "no-single-route").await;
        assert!(shared.tenant.recorded().await.is_empty());

        shared.add_route("assistant-1").await;
        let first = shared.replayed(&id).await;
        assert_eq!(first["status"], "recorded", "{first}");
        assert_eq!(first["tenant_id"], json!(shared.tenant.tenant_id));
        let again = shared.replayed(&id).await;
        assert_eq!(
            (&again["status"], &again["position"]),
            (&json!("duplicate"), &first["position"])
        );
        assert_eq!(shared.tenant.only_call().await["cost_nanos"], 70_000_000);

        let entries = shared.entries().await;
        assert_eq!(entries.len(), 1);
        for (field, value) in [
            ("state", &json!("replayed")),
            ("tenant_id", &first["tenant_id"]),
            ("position", &first["position"]),
        ] {
            assert_eq!(&entries[0][field], value, "{}", entries[0]);
        }
        let facts = shared.tenant.facts_of("quarantine.replayed").await;
        assert_eq!(facts.len(), 1, "{facts:?}");
        assert_eq!(facts[0]["quarantine_id"], json!(id));
        assert_eq!(facts[0]["position"], first["position"]);
        assert!(facts[0]["key_id"].is_string(), "who asked for it");
    });
}

#[test]
fn a_replayed_delivery_is_a_duplicate_when_sent_again() {
    run(async {
        let shared = Shared::new().await;
        let body = report("sent-again", "assistant-1");
        let id = shared.quarantine(&body).await;
        shared.add_route("assistant-1").await;
        let replayed = shared.replayed(&id).await;
        // The secret is part of the content digest, although it was not stored.
        let (status, answer) = shared.send(&body).await;
        assert_eq!((status, &answer["status"]), (200, &json!("duplicate")), "{answer}");
        assert_eq!(answer["position"], replayed["position"]);

        // The reverse order: the provider sends again before the replay.
        let body = report("sent-before", "assistant-2");
        let id = shared.quarantine(&body).await;
        shared.add_route("assistant-2").await;
        let (_, sent) = shared.send(&body).await;
        assert_eq!(sent["status"], "recorded");
        let replayed = shared.replayed(&id).await;
        assert_eq!(replayed["status"], "duplicate");
        assert_eq!(replayed["position"], sent["position"]);
        assert_eq!(shared.tenant.calls().await.len(), 2);
    });
}

#[test]
fn concurrent_replays_record_once() {
    run(async {
        let shared = Shared::new().await;
        let id = shared.quarantine(&report("raced", "assistant-1")).await;
        shared.add_route("assistant-1").await;
        let mut replays = JoinSet::new();
        for _ in 0..8 {
            let request = shared.replay(&id, &shared.key);
            replays.spawn(async move {
                status_and_json(request.send().await.expect("an answer")).await
            });
        }
        let answers = replays.join_all().await;
        let position = &answers[0].1["position"];
        for (status, answer) in &answers {
            assert_eq!((*status, &answer["position"]), (200, position), "{answer}");
        }
        assert_eq!(shared.tenant.recorded().await.len(), 1);
        assert_eq!(shared.tenant.facts_of("quarantine.replayed").await.len(), 1);
    });
}

#[test]
fn to_a_tenants_key_the_quarantine_is_empty_and_its_entries_missing() {
    run(async {
        let shared = Shared::new().await;
        let id = shared.quarantine(&report("not-yours", "assistant-1")).await;
        // Also for an admin key of the tenant with the route.
        shared.add_route("assistant-1").await;
        let admin = shared.ledger.key(shared.tenant.tenant_id, &["admin", "personal"]).await;
        let (status, page) = shared.tenant.get_with(&admin, "/v1/quarantine").await;
        assert_eq!((status, page), (200, json!({ "data": [], "next_cursor": null })));
        for id in [id.as_str(), "00000000-0000-4000-8000-000000000001", "no-id"] {
            let answer = shared.replay(id, &admin).send().await.expect("an answer");
            problem(answer, 404, "quarantine-entry-not-found").await;
        }
        assert!(shared.tenant.recorded().await.is_empty());
        assert_eq!(shared.entries().await[0]["state"], "waiting");
    });
}

#[test]
fn a_key_of_the_installation_opens_no_tenants_data() {
    run(async {
        let shared = Shared::new().await;
        shared.tenant.post_ok(report("private", "assistant-1")).await;
        let call = shared.tenant.only_call().await["call_id"].clone();
        for path in ["/v1/calls", &format!("/v1/calls/{}", call.as_str().expect("an id"))] {
            let answer = shared.tenant.request(&shared.key, path).send().await.expect("an answer");
            problem(answer, 403, "scope-missing").await;
        }
    });
}

#[test]
fn an_inactive_tenant_accepts_no_replay() {
    run(async {
        let shared = Shared::new().await;
        let id = shared.quarantine(&report("frozen", "assistant-1")).await;
        shared.add_route("assistant-1").await;
        sqlx::query("update ledger.tenants set state = 'frozen' where tenant_id = $1")
            .bind(shared.tenant.tenant_id.0)
            .execute(&mut superuser().await)
            .await
            .expect("a frozen tenant");
        let refused = shared.replay(&id, &shared.key).send().await.expect("an answer");
        problem(refused, 403, "tenant-not-active").await;
        assert_eq!(shared.entries().await[0]["state"], "waiting");
    });
}

#[test]
fn an_old_quarantine_entry_gets_its_digest_from_its_body() {
    run(async {
        let shared = Shared::new().await;
        let body = Message::report("older").call_field("assistantId", json!("assistant-1")).body();
        let id = shared.quarantine(&body).await;
        sqlx::query("update ledger.quarantine set content_sealed = null where source_id = $1")
            .bind(shared.source_id.0)
            .execute(&mut superuser().await)
            .await
            .expect("as an older build left it");
        shared.add_route("assistant-1").await;
        let replayed = shared.replayed(&id).await;
        assert_eq!(shared.send(&body).await.1["position"], replayed["position"]);
        assert_eq!(shared.tenant.calls().await.len(), 1);
    });
}

#[test]
fn the_quarantine_is_paged_newest_first_by_state() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let tenant = ledger.tenant().await;
        let source_id = ledger.source(TenantId::INSTALLATION, SECRET, false).await;
        let key = ledger.key(TenantId::INSTALLATION, &["admin"]).await;
        for nth in 0..5 {
            let body = report(&format!("page-{nth}"), "nobodys");
            let sent = tenant.webhook_at(source_id, SECRET, body).send().await;
            assert_eq!(sent.expect("an answer").status(), 202);
        }
        let (mut seen, mut path) = (Vec::new(), "/v1/quarantine?limit=2".to_owned());
        loop {
            let (status, page) = tenant.get_with(&key, &path).await;
            assert_eq!(status, 200, "{page}");
            let data = page["data"].as_array().expect("a page has data");
            assert!(data.len() <= 2);
            seen.extend(data.iter().map(|entry| entry["quarantine_id"].to_string()));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("/v1/quarantine?limit=2&cursor={cursor}");
        }
        assert_eq!(seen.len(), 5);
        assert!(seen.is_sorted_by(|a, b| a > b), "{seen:?}");
        let count = async |state: &str| {
            let page = tenant.get_with(&key, &format!("/v1/quarantine?state={state}")).await.1;
            page["data"].as_array().map(Vec::len)
        };
        assert_eq!((count("waiting").await, count("replayed").await), (Some(5), Some(0)));
        let wrong = tenant.request(&key, "/v1/quarantine?state=lost").send().await;
        problem(wrong.expect("an answer"), 400, "invalid-parameter").await;
        ledger.stop().await;
    });
}

#[test]
fn an_id_that_changes_its_owner_routes_each_message_by_its_time_of_receipt() {
    run(async {
        let shared = Shared::new().await;
        let buyer = shared.ledger.tenant().await;
        let store = &shared.tenant.store;
        let received = shared.quarantine(&report("before", "assistant-1")).await;
        let change = store.clock().now_micros();
        let route = async |tenant_id, period| {
            let (source_id, kind) = (shared.source_id, RouteKind::AssistantId);
            let routed = Routed { tenant_id, source_id, kind, value: "assistant-1" };
            store.add_route_for(&store.operator(), routed, period).await
        };
        let since = Period::new(Some(change), None).expect("a period");
        route(buyer.tenant_id, since).await.expect("a route");

        // The new owner gets later messages, and not the one that waits.
        assert_eq!(shared.send(&report("after", "assistant-1")).await.1["status"], "recorded");
        assert_eq!(buyer.only_call().await["provider_call_id"], "after");
        let refused = shared.replay(&received, &shared.key).send().await.expect("an answer");
        problem(refused, 409, "no-single-route").await;

        let overlapping = route(shared.tenant.tenant_id, Period::ALWAYS).await;
        assert!(
            matches!(&overlapping, Err(RouteError::Rejected(RouteRejection::Overlap { tenant_id, .. }))
                if *tenant_id == buyer.tenant_id),
            "{overlapping:?}"
        );
        let until = Period::new(None, Some(change)).expect("a period");
        route(shared.tenant.tenant_id, until).await.expect("a route");
        let replayed = shared.replayed(&received).await;
        assert_eq!(replayed["tenant_id"], json!(shared.tenant.tenant_id));
        assert_eq!(shared.tenant.only_call().await["provider_call_id"], "before");
        assert_eq!(buyer.calls().await.len(), 1);
    });
}

#[test]
fn an_ended_route_assigns_no_later_message() {
    run(async {
        let shared = Shared::new().await;
        shared.add_route("assistant-1").await;
        assert_eq!(shared.send(&report("during", "assistant-1")).await.1["status"], "recorded");
        let store = &shared.tenant.store;
        let tenant_id = shared.tenant.tenant_id;
        let (source_id, kind) = (shared.source_id, RouteKind::AssistantId);
        let routed = Routed { tenant_id, source_id, kind, value: "assistant-1" };
        let now = store.clock().now_micros();
        store.end_route(&store.operator(), routed, now).await.expect("an end");
        shared.quarantine(&report("after", "assistant-1")).await;
        assert_eq!(shared.tenant.only_call().await["provider_call_id"], "during");
        assert_eq!(shared.tenant.facts_of("tenant.route_ended").await.len(), 1);
    });
}
