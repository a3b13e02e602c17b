//! A call that both its platform and its carrier report is one call.

use ledger_core::provider::Provider;
use ledger_tests::{TestLedger, fixtures, run};
use serde_json::{Value, json};

use super::{ProviderSource, send_ok};

const CALL_SID: &str = "CA00000000000000000000000000000009";

fn vapi(kind: &str, fields: &Value) -> String {
    let mut message = json!({ "type": kind, "call": {
        "id": "0198f2f4-7c1b-7d2e-8a55-3f6f0a9be009", "type": "inboundPhoneCall",
        "phoneCallProvider": "twilio", "phoneCallProviderId": CALL_SID,
        "customer": { "number": "+15550100123" } } });
    let fields = fields.as_object().expect("fields").clone();
    message.as_object_mut().expect("an object").extend(fields);
    json!({ "message": message }).to_string()
}

fn callback(status: &str, rest: &str) -> String {
    format!(
        "CallSid={CALL_SID}&Direction=inbound&From=%2B15550100123&To=%2B15550100124\
         &CallStatus={status}&{rest}"
    )
}

/// A message of the platform or of the carrier.
enum Sent {
    Vapi(String),
    Twilio(String),
}

/// The messages of one call, in the order they are usually sent.
fn messages() -> Vec<Sent> {
    let at = "Timestamp=Thu%2C+12+Feb+2026+11%3A48%3A";
    vec![
        Sent::Twilio(callback("ringing", &format!("{at}01+%2B0000"))),
        Sent::Vapi(vapi(
            "status-update",
            &json!({ "status": "in-progress", "timestamp": 1_770_896_885_000_i64 }),
        )),
        Sent::Twilio(callback("in-progress", &format!("{at}04+%2B0000"))),
        Sent::Vapi(vapi(
            "end-of-call-report",
            &json!({ "timestamp": 1_770_896_930_000_i64, "endedReason": "customer-ended-call",
                "startedAt": "2026-02-12T11:48:05Z", "endedAt": "2026-02-12T11:48:45Z",
                "cost": 0.25 }),
        )),
        Sent::Twilio(callback("completed", &format!("{at}46+%2B0000&CallDuration=42"))),
        Sent::Twilio(format!(
            "CallSid={CALL_SID}&RecordingSid=RE1&RecordingStatus=completed\
             &RecordingUrl=https%3A%2F%2Fapi.twilio.com%2Frecordings%2FRE1"
        )),
    ]
}

async fn call_after(order: &[usize]) -> (Value, Value) {
    let tenant = TestLedger::shared().await.tenant().await;
    let source = ProviderSource::new(&tenant, Provider::Twilio).await;
    let messages = messages();
    for nth in order {
        match &messages[*nth] {
            Sent::Vapi(body) => drop(tenant.post_ok(body.clone()).await),
            Sent::Twilio(form) => drop(send_ok(source.form(form)).await),
        }
    }
    let mut call = tenant.only_call().await;
    for key in ["call_id", "position", "customer"] {
        call.as_object_mut().expect("a call").remove(key);
    }
    let period = "from=2026-02-12T00:00:00Z&to=2026-02-13T00:00:00Z";
    let mut sums = tenant.get(&format!("/v1/analytics/summary?{period}")).await;
    sums.as_object_mut().expect("sums").remove("as_of");
    (call, sums)
}

#[test]
fn a_call_of_a_platform_and_its_carrier_is_one_call_in_any_order() {
    run(async {
        let expected = call_after(&[0, 1, 2, 3, 4, 5]).await;
        let (call, sums) = &expected;
        assert_eq!(call["provider"], "vapi", "the platform has precedence");
        assert_eq!(call["provider_call_id"], "0198f2f4-7c1b-7d2e-8a55-3f6f0a9be009");
        assert_eq!(call["ended_reason"], "customer-ended-call");
        assert_eq!(call["outcome"], "customer_hung_up");
        assert_eq!(call["duration_ms"], 40_000, "as the platform's report says");
        assert_eq!(call["cost_nanos"], 250_000_000);
        assert_eq!(call["recordings"][0]["url"], "https://api.twilio.com/recordings/RE1");
        assert_eq!((&sums["calls"], &sums["cost_nanos"]), (&json!(1), &json!(250_000_000)));
        for order in
            [[5, 4, 3, 2, 1, 0], [4, 0, 5, 3, 2, 1], [3, 1, 2, 0, 5, 4], [1, 3, 5, 0, 4, 2]]
        {
            assert_eq!(call_after(&order).await, expected, "{order:?}");
        }
    });
}

#[test]
fn without_its_report_a_call_has_the_end_that_the_carrier_states() {
    run(async {
        for order in [[1, 4], [4, 1]] {
            let (call, _) = call_after(&order).await;
            assert_eq!((&call["provider"], &call["status"]), (&json!("vapi"), &json!("ended")));
            assert_eq!(call["ended_reason"], "completed");
            assert_eq!(call["outcome"], "completed");
            assert_eq!(call["duration_ms"], 42_000);
        }
    });
}

#[test]
fn a_call_of_retell_joins_the_callbacks_of_its_carrier() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let retell = ProviderSource::new(&tenant, Provider::Retell).await;
        let twilio = ProviderSource::new(&tenant, Provider::Twilio).await;
        let body = fixtures::json("retell/call_analyzed.reconstructed.json");
        let call_sid = body["call"]["telephony_identifier"]["twilio_call_sid"].as_str();
        let form = callback("ringing", "").replace(CALL_SID, call_sid.expect("an id"));
        send_ok(twilio.form(&form)).await;
        send_ok(retell.retell(&body)).await;
        let call = tenant.only_call().await;
        assert_eq!((&call["provider"], &call["status"]), (&json!("retell"), &json!("ended")));
    });
}

#[test]
fn the_calls_of_two_tenants_with_one_carrier_id_stay_apart() {
    run(async {
        let ledger = TestLedger::shared().await;
        let (one, two) = (ledger.tenant().await, ledger.tenant().await);
        let source = ProviderSource::new(&two, Provider::Twilio).await;
        one.post_ok(vapi("status-update", &json!({ "status": "in-progress" }))).await;
        send_ok(source.form(&callback("ringing", ""))).await;
        assert_eq!(one.only_call().await["provider"], "vapi");
        assert_eq!(two.only_call().await["provider"], "twilio");
    });
}
