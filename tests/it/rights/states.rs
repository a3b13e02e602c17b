//! Frozen and closed tenants.

use std::time::{Duration, Instant};

use ledger_store::tenants::TenantState;
use ledger_tests::{OwnDatabase, TestLedger, messages, run};
use reqwest::Method;
use serde_json::{Value, json};

use super::{command, send, set_state, vault_rows};
use crate::bad_input::problem;

/// Time of the tool calls, in milliseconds since the Unix epoch.
const AT: i64 = 1_764_500_000_000;

fn tool_call(call: &str, tool_call_id: &str) -> String {
    json!({ "message": {
        "type": "tool-calls", "timestamp": 1_764_500_000_000_i64,
        "call": { "id": call, "type": "inboundPhoneCall",
                  "customer": { "number": "+15550100177" } },
        "toolCallList": [{ "id": tool_call_id, "type": "function",
                           "function": { "name": "lookupPrice", "arguments": {} } }],
    } })
    .to_string()
}

#[test]
fn personal_reads_of_a_frozen_tenant_work_and_are_audited() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        tenant.post_ok(messages::report("before the frost").to_string()).await;
        let call = tenant.only_call().await;
        let reads = tenant.facts_of("access.personal_data_read").await.len();
        set_state(&ledger.store, tenant.tenant_id, TenantState::Frozen).await;

        let path = format!("/v1/calls/{}", call["call_id"].as_str().expect("an id"));
        assert_eq!(tenant.get(&path).await["customer"], call["customer"]);
        assert_eq!(tenant.get("/v1/calls").await["data"][0]["customer"], call["customer"]);
        assert_eq!(tenant.get_with(&tenant.read_key, "/v1/calls").await.0, 200);
        let refused = tenant.request(&tenant.read_key, "/v1/keys").send().await.expect("an answer");
        problem(refused, 403, "scope-missing").await;
        let facts = tenant.facts_of("access.personal_data_read").await;
        assert_eq!(facts.len(), reads + 2, "each read is in the log");
        assert_eq!(tenant.facts_of("access.denied").await.len(), 1);
    });
}

#[test]
fn a_frozen_tenant_answers_repetitions_and_accepts_no_new_event() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let (report, tool) = (messages::report("known").to_string(), tool_call("tools", "tool-1"));
        let recorded = tenant.post_ok(report.clone()).await;
        let answered = tenant.post_ok(tool.clone()).await;
        let log = tenant.recorded().await;
        set_state(&ledger.store, tenant.tenant_id, TenantState::Frozen).await;
        let vault = vault_rows(tenant.tenant_id).await;

        let again = tenant.post_ok(report).await;
        assert_eq!(again, json!({ "status": "duplicate", "position": recorded["position"] }));
        assert_eq!(tenant.post_ok(tool).await, answered, "the first answer");
        let customer = json!({ "number": "+15550100188", "name": "Test Person" });
        let new = messages::from(messages::report("new"), &customer).to_string();
        problem(tenant.webhook(new).send().await.expect("an answer"), 403, "tenant-not-active")
            .await;
        let new_tool = tenant.post_ok(tool_call("other tools", "tool-2")).await;
        assert_eq!(new_tool["results"][0]["toolCallId"], "tool-2");
        assert_ne!(new_tool["results"][0]["error"], answered["results"][0]["error"]);
        assert_eq!(tenant.recorded().await, log, "nothing is added to the log");
        assert_eq!(vault_rows(tenant.tenant_id).await, vault, "no key and no index of a person");

        set_state(&ledger.store, tenant.tenant_id, TenantState::Active).await;
        assert_eq!(tenant.post(tool_call("other tools", "tool-2")).await.0, 200);
        assert!(tenant.recorded().await.len() > log.len());
    });
}

/// A message that requests the results of these tool calls, each given by its id and the `time`
/// argument.
fn asked(call: &str, tool_calls: &[(&str, &str)], timestamp: i64) -> String {
    let listed = tool_calls.iter().map(|(id, starts_at)| {
        json!({ "id": id, "type": "function",
                "function": { "name": "lookupPrice", "arguments": { "at": starts_at } } })
    });
    json!({ "message": {
        "type": "tool-calls", "timestamp": timestamp,
        "call": { "id": call, "type": "inboundPhoneCall",
                  "customer": { "number": "+15550100177" } },
        "toolCallList": listed.collect::<Value>(),
    } })
    .to_string()
}

#[test]
fn a_known_tool_call_in_another_body_gets_its_first_answer_in_every_state() {
    run(async {
        let ledger = TestLedger::shared().await;
        for state in [TenantState::Frozen, TenantState::Closed] {
            let tenant = ledger.tenant().await;
            let first = tenant.post_ok(asked("c-1", &[("t-1", "nine"), ("t-2", "ten")], AT)).await;
            let (one, two) = (&first["results"][0], &first["results"][1]);
            let old = json!({ "message": { "type": "function-call", "timestamp": AT, "call": { "id": "c-1" },
                "functionCall": { "name": "lookupPrice", "parameters": { "at": "noon" } } } });
            let heard = tenant.post_ok(old.to_string()).await;
            let log = tenant.recorded().await;
            let vault = vault_rows(tenant.tenant_id).await;
            set_state(&ledger.store, tenant.tenant_id, state).await;

            let again = tenant.post_ok(asked("c-1", &[("t-2", "ten")], AT + 1)).await;
            assert_eq!(again, json!({ "results": [two] }), "alone and at another time");
            let mixed =
                tenant.post_ok(asked("c-1", &[("t-3", "one"), ("t-1", "nine")], AT + 2)).await;
            assert_eq!(mixed["results"][1], *one);
            assert_eq!(mixed["results"][0]["toolCallId"], "t-3");
            let refused = mixed["results"][0]["error"].as_str().expect("a refusal");
            assert!(refused.contains("Nothing was done"), "{refused}");
            assert_ne!(mixed["results"][0]["error"], one["error"], "nothing is recorded of it");
            // The platform's id identifies the tool call, even if the model sends other arguments.
            let other_words = tenant.post_ok(asked("c-1", &[("t-1", "9 o'clock")], AT + 3)).await;
            assert_eq!(other_words, json!({ "results": [one] }));
            let elsewhere = tenant.post_ok(asked("c-2", &[("t-1", "nine")], AT + 4)).await;
            assert_eq!(
                elsewhere["results"][0]["error"], refused,
                "another call's id is another id"
            );
            let mut old = old;
            old["message"]["timestamp"] = json!(AT + 5);
            assert_eq!(tenant.post_ok(old.to_string()).await, heard, "the shape without an id");
            old["message"]["functionCall"]["parameters"] = json!({ "at": "midnight" });
            assert_ne!(tenant.post_ok(old.to_string()).await, heard);

            assert_eq!(tenant.recorded().await, log, "nothing is added to the log");
            assert_eq!(
                vault_rows(tenant.tenant_id).await,
                vault,
                "no key and no index of a person"
            );
        }
    });
}

#[test]
fn an_id_that_is_the_name_of_its_tool_is_known_by_its_arguments() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let named = |at: &str, time| asked("c-1", &[("lookupPrice", at)], time);
        let first = tenant.post_ok(named("nine", AT)).await;
        set_state(&ledger.store, tenant.tenant_id, TenantState::Frozen).await;
        assert_eq!(tenant.post_ok(named("nine", AT + 1)).await, first);
        let other = tenant.post_ok(named("ten", AT + 2)).await;
        assert_ne!(other["results"][0]["error"], first["results"][0]["error"]);
    });
}

#[test]
fn the_keys_of_a_closed_tenant_read_nothing_and_can_be_revoked() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let admin = ledger.key(tenant.tenant_id, &["admin"]).await;
        let known = tenant.post_ok(messages::report("before the end").to_string()).await;
        let keys = tenant.get_with(&admin, "/v1/keys").await.1;
        let key_id = keys["data"][1]["key_id"].as_str().expect("an id").to_owned();
        set_state(&ledger.store, tenant.tenant_id, TenantState::Closed).await;

        for path in ["/v1/calls", "/v1/keys", "/call", "/v1/usage"] {
            assert_eq!(tenant.get_with(&admin, path).await.0, 403, "{path}");
        }
        let refused = tenant.request(&tenant.key, "/v1/calls").send().await.expect("an answer");
        problem(refused, 403, "tenant-closed").await;
        let again = tenant.post_ok(messages::report("before the end").to_string()).await;
        assert_eq!(again, json!({ "status": "duplicate", "position": known["position"] }));
        assert_eq!(tenant.post(messages::report("after it").to_string()).await.0, 403);

        let revoked =
            send(&tenant, &admin, Method::DELETE, &format!("/v1/keys/{key_id}"), "").await;
        assert_eq!(revoked.status(), 204);
        assert_eq!(tenant.facts_of("tenant.key_revoked").await, [json!({ "key_id": key_id })]);
        let source = format!("/v1/sources/{}", tenant.source_id);
        let (status, rotated) =
            command(&tenant, &admin, Method::POST, &format!("{source}/rotate-secret")).await;
        assert_eq!(status, 200, "{rotated}");
        let disabled = command(&tenant, &admin, Method::POST, &format!("{source}/disable")).await;
        assert_eq!(disabled.0, 200);
        let enabled = command(&tenant, &admin, Method::POST, &format!("{source}/enable")).await;
        assert_eq!((enabled.0, &enabled.1["code"]), (403, &json!("tenant-closed")));

        set_state(&ledger.store, tenant.tenant_id, TenantState::Active).await;
        assert_eq!(tenant.get_with(&admin, "/v1/keys").await.0, 200);
    });
}

#[test]
fn a_state_is_in_the_log_once() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        for state in [
            TenantState::Active,
            TenantState::Frozen,
            TenantState::Frozen,
            TenantState::Closed,
            TenantState::Active,
        ] {
            set_state(&ledger.store, tenant.tenant_id, state).await;
        }
        let change = |from: &str, to: &str| json!({ "from": from, "to": to });
        assert_eq!(
            tenant.facts_of("tenant.state_changed").await,
            [change("active", "frozen"), change("frozen", "closed"), change("closed", "active")]
        );
        let author = ledger.store.operator();
        let nobody = ledger_core::ids::TenantId(uuid::Uuid::from_u128(404));
        let set = ledger.store.set_tenant_state(&author, nobody, TenantState::Frozen).await;
        assert_eq!(set.expect("the database answers"), None);
    });
}

#[test]
fn another_server_acts_on_a_state_within_seconds() {
    run(async {
        let own = OwnDatabase::create().await;
        let (ledger, other) = (own.server().await, own.server().await);
        let tenant = ledger.tenant().await;
        let beside = tenant.through(&other);
        beside.post_ok(messages::report("it is known there").to_string()).await;
        assert_eq!(beside.get_with(&tenant.read_key, "/v1/calls").await.0, 200);
        set_state(&ledger.store, tenant.tenant_id, TenantState::Closed).await;
        let begun = Instant::now();
        while beside.get_with(&tenant.read_key, "/v1/calls").await.0 != 403 {
            assert!(begun.elapsed() < Duration::from_secs(6), "the documented lifetime is 5 s");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let refused: Value = beside.post(messages::report("new").to_string()).await.1;
        assert_eq!(refused["code"], "tenant-not-active");
        ledger.stop().await;
        other.stop().await;
    });
}
