//! A call that a voice platform and its telephone carrier report is one record.

use ledger_core::provider::Provider;
use ledger_tests::{TestLedger, TestTenant, fixtures, messages, run};
use serde_json::{Value, json};

use super::{ProviderSource, send_ok};

const CALL_SID: &str = "CA00000000000000000000000000000001";

/// A callback of Twilio. The calling number differs from the one that Vapi states.
fn callback(call_sid: &str, status: &str, second: u32) -> String {
    format!(
        "CallSid={call_sid}&AccountSid=AC1&Direction=inbound&From=%2B15550100123\
         &To=%2B15550100124&CallStatus={status}&CallDuration=47\
         &Timestamp=Thu%2C+12+Feb+2026+11%3A48%3A{second:02}+%2B0000"
    )
}

/// A message of Vapi about a call with this id at Twilio.
fn carried(mut body: Value, call_sid: &str) -> Value {
    body["message"]["call"]["phoneCallProvider"] = "twilio".into();
    body["message"]["call"]["phoneCallProviderId"] = call_sid.into();
    messages::from(body, &json!({ "number": "+15550100125", "name": "Anna Example" }))
}

/// Sends callbacks of Twilio with these statuses.
async fn twilio(tenant: &TestTenant, call_sid: &str, statuses: &[&str]) {
    let source = ProviderSource::new(tenant, Provider::Twilio).await;
    for (status, second) in statuses.iter().zip(1..) {
        send_ok(source.form(&callback(call_sid, status, second))).await;
    }
}

async fn vapi(tenant: &TestTenant, call: &str, call_sid: &str) {
    tenant.post_ok(carried(messages::report(call), call_sid).to_string()).await;
}

/// Returns the ids of the platforms in the list, sorted.
async fn listed(tenant: &TestTenant, filter: &str) -> Vec<String> {
    tenant.settle().await;
    let page = tenant.get(&format!("/v1/calls?{filter}")).await;
    let calls = page["data"].as_array().unwrap_or_else(|| panic!("{page}")).iter();
    let id = |call: &Value| call["provider_call_id"].as_str().expect("an id").to_owned();
    let mut ids: Vec<_> = calls.map(id).collect();
    ids.sort();
    ids
}

async fn counted(tenant: &TestTenant, filter: &str) -> Value {
    tenant.get(&format!("/v1/analytics/summary?{filter}")).await["calls"].clone()
}

#[test]
fn a_call_of_vapi_and_its_call_at_twilio_are_one_record_with_the_facts_of_both() {
    for is_carrier_first in [true, false] {
        run(async {
            let tenant = TestLedger::shared().await.tenant().await;
            let statuses = ["ringing", "in-progress", "completed"];
            if is_carrier_first {
                twilio(&tenant, CALL_SID, &statuses).await;
                assert_eq!(listed(&tenant, "").await, [CALL_SID], "a record of its own until then");
                assert_eq!(counted(&tenant, "").await, 1);
            }
            vapi(&tenant, "call", CALL_SID).await;
            if !is_carrier_first {
                tenant.settle().await;
                let carrier = tenant.only_call().await["carrier"].clone();
                assert_eq!(carrier["provider_call_id"], CALL_SID);
                assert_eq!((&carrier["call_id"], &carrier["status"]), (&Value::Null, &Value::Null));
                twilio(&tenant, CALL_SID, &statuses).await;
            }
            tenant.settle().await;
            let call = tenant.only_call().await;
            assert_eq!(
                (&call["provider"], &call["cost_nanos"]),
                (&json!("vapi"), &json!(108_800_000))
            );
            assert_eq!(call["duration_ms"], 61_250, "the platform's");
            let carrier = &call["carrier"];
            assert_eq!(carrier["provider"], "twilio");
            assert_eq!(carrier["status"], "ended");
            assert_eq!(carrier["ended_reason"], "completed");
            assert_eq!(carrier["started_at"], "2026-02-12T11:48:02Z");
            assert_eq!(carrier["duration_ms"], 47_000);

            for filter in [
                "",
                "phone=%2B15550100123",
                "phone=%2B15550100125",
                &format!("provider_call_id={CALL_SID}"),
            ] {
                assert_eq!(listed(&tenant, filter).await, ["call"], "{filter}");
                assert_eq!(counted(&tenant, filter).await, 1, "{filter}");
            }
            assert_eq!(tenant.get("/v1/usage?month=2026-11").await["calls"], 1);
            let sums = tenant.get("/v1/analytics/timeseries?interval=month").await;
            let calls = sums["data"].as_array().unwrap_or_else(|| panic!("{sums}")).iter();
            assert_eq!(calls.filter_map(|one| one["calls"].as_i64()).sum::<i64>(), 1);
            let parts = tenant.get("/v1/analytics/breakdown?by=direction").await;
            let rows = parts["data"].as_array().unwrap_or_else(|| panic!("{parts}")).iter();
            assert_eq!(rows.filter_map(|one| one["calls"].as_i64()).sum::<i64>(), 1);
            assert_eq!(tenant.get("/call").await.as_array().map(Vec::len), Some(1));

            // The carrier's call keeps its id.
            let id = carrier["call_id"].as_str().expect("an id");
            let part = tenant.get(&format!("/v1/calls/{id}")).await;
            assert_eq!((&part["provider"], &part["part_of"]), (&json!("twilio"), &call["call_id"]));
            let record =
                tenant.get(&format!("/v1/calls/{}", call["call_id"].as_str().unwrap())).await;
            assert_eq!((&record["part_of"], &record["carrier"]), (&Value::Null, carrier));
        });
    }
}

#[test]
fn a_call_of_retell_and_its_call_at_twilio_are_one_record() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        twilio(&tenant, CALL_SID, &["completed"]).await;
        let source = ProviderSource::new(&tenant, Provider::Retell).await;
        let mut body: Value = fixtures::json("retell/call_ended.docs.json");
        body["call"]["telephony_identifier"] = json!({ "twilio_call_sid": CALL_SID });
        send_ok(source.retell(&body)).await;
        tenant.settle().await;
        let call = tenant.only_call().await;
        assert_eq!(
            (&call["provider"], &call["carrier"]["status"]),
            (&json!("retell"), &json!("ended"))
        );
    });
}

#[test]
fn two_calls_that_name_one_call_of_the_carrier_are_two_records_that_both_have_it() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        vapi(&tenant, "leg-1", CALL_SID).await;
        twilio(&tenant, CALL_SID, &["in-progress", "completed"]).await;
        vapi(&tenant, "leg-2", CALL_SID).await;
        assert_eq!(listed(&tenant, "").await, ["leg-1", "leg-2"]);
        assert_eq!(listed(&tenant, "phone=%2B15550100123").await, ["leg-1", "leg-2"]);
        assert_eq!(counted(&tenant, "").await, 2);
        for call in tenant.calls().await {
            assert_eq!(call["carrier"]["duration_ms"], 47_000);
        }
    });
}

#[test]
fn calls_of_another_tenant_or_another_carrier_call_are_not_joined() {
    run(async {
        let ledger = TestLedger::shared().await;
        let (one, two) = (ledger.tenant().await, ledger.tenant().await);
        vapi(&one, "call", CALL_SID).await;
        twilio(&two, CALL_SID, &["completed"]).await;
        let other = "CA00000000000000000000000000000002";
        twilio(&one, other, &["completed"]).await;
        assert_eq!(listed(&one, "").await, [other, "call"]);
        assert_eq!(listed(&two, "").await, [CALL_SID]);
        assert_eq!(listed(&two, "phone=%2B15550100125").await, [""; 0]);
        let call = &one.get("/v1/calls?provider_call_id=call").await["data"][0];
        assert_eq!(call["carrier"]["call_id"], Value::Null);
    });
}

#[test]
fn a_placeholder_is_the_id_of_no_call_at_a_carrier() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let placeholders = ["undefined", "{{call.sid}}", "CA", "CA0000", "null"];
        for (nth, call_sid) in placeholders.into_iter().enumerate() {
            vapi(&tenant, &format!("call-{nth}"), call_sid).await;
            twilio(&tenant, call_sid, &["completed"]).await;
        }
        tenant.settle().await;
        for call in tenant.calls().await {
            assert_eq!(call["carrier"], Value::Null, "{call}");
        }
        let vapi = listed(&tenant, "").await.into_iter().filter(|id| id.starts_with("call-"));
        assert_eq!(vapi.count(), placeholders.len());
    });
}
