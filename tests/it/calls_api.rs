//! `/v1/calls`: filters match exactly, and a misspelt parameter is refused with its name.

mod docs;
mod pages;
mod past;
mod people;

use ledger_tests::fixtures::Message;
use ledger_tests::{TestLedger, TestTenant, run};
use serde_json::{Value, json};

use crate::bad_input::problem;

/// A report of a call that began on a day of March 2026.
fn report(call: &str, day: u32, reason: &str) -> Message {
    Message::report(call)
        .field("endedReason", json!(reason))
        .field("startedAt", json!(format!("2026-03-{day:02}T10:00:00Z")))
}

fn customer(number: &str, email: &str) -> Value {
    json!({ "number": number, "email": email, "name": "Example Person" })
}

/// A tenant with calls of every kind; a higher number is a newer call.
async fn tenant_with_calls() -> TestTenant {
    let tenant = TestLedger::shared().await.tenant().await;
    let started = |message: Message, day: u32| {
        message.call_field("createdAt", json!(format!("2026-03-{day:02}T10:00:00Z")))
    };
    let calls = [
        report("c-01", 1, "customer-ended-call")
            .field("cost", "0.07")
            .field("customer", customer("+15550100101", "ada@example.com"))
            .field("toolCalls", json!([{ "id": "t-1", "name": "book" }]))
            .call_field("type", json!("inboundPhoneCall"))
            .call_field("assistantId", json!("a-1")),
        report("c-02", 2, "voicemail")
            .field("cost", "0.14")
            .field("customer", customer("+15550100102", "bo@example.com"))
            .call_field("type", json!("outboundPhoneCall"))
            .call_field("assistantId", json!("a-2")),
        report("c-03", 3, "silence-timed-out")
            .field("cost", "0.28")
            .field(
                "toolCalls",
                json!([{ "id": "t-1", "name": "book" }, { "id": "t-2", "name": "look" }]),
            )
            .call_field("type", json!("webCall"))
            .call_field("assistantId", json!("a-1"))
            .call_field("metadata", json!({ "is_test": true })),
        report("c-04", 4, "assistant-ended-call")
            .field("cost", "0")
            .field("customer", customer("+15550100101", "other@example.com")),
        report("c-05", 5, "customer-did-not-answer"),
        report("c-06", 6, "customer-busy"),
        report("c-07", 7, "assistant-forwarded-call"),
        report("c-08", 8, "pipeline-error-openai-llm-failed"),
        report("c-09", 9, "a-reason-of-next-year"),
        started(Message::status("c-10", "queued", 1_773_136_800_000), 10),
        started(Message::status("c-11", "ringing", 1_773_223_200_000), 11),
        started(Message::status("c-12", "in-progress", 1_773_309_600_000), 12),
        started(Message::status("c-13", "forwarding", 1_773_396_000_000), 13),
    ];
    for call in calls {
        tenant.post_ok(call.body()).await;
    }
    tenant.settle().await;
    tenant
}

/// Returns the provider's ids of the calls that match a query, in response order.
async fn found(tenant: &TestTenant, query: &str) -> Vec<String> {
    let (status, page) = tenant.get_with(&tenant.key, &format!("/v1/calls?{query}")).await;
    assert_eq!(status, 200, "{query}: {page}");
    let ids = page["data"].as_array().expect("a page").iter();
    ids.map(|call| call["provider_call_id"].as_str().expect("an id").to_owned()).collect()
}

#[test]
fn each_filter_returns_exactly_its_calls_newest_first() {
    run(async {
        let tenant = tenant_with_calls().await;
        for (query, calls) in [
            ("", "13 12 11 10 09 08 07 06 05 04 03 02 01"),
            ("from=2026-03-12T10:00:00Z", "13 12"),
            ("from=2026-03-12T11:00:00%2B01:00", "13 12"),
            ("to=2026-03-02T10:00:00Z", "01"),
            ("from=2026-03-02T10:00:00Z&to=2026-03-04T10:00:00Z", "03 02"),
            ("provider_call_id=c-05", "05"),
            ("provider_call_id=c-0", ""),
            ("direction=inbound", "01"),
            ("direction=outbound", "02"),
            ("direction=web", "03"),
            ("status=queued", "10"),
            ("status=ringing", "11"),
            ("status=in_progress", "12"),
            ("status=forwarding", "13"),
            ("status=ended", "09 08 07 06 05 04 03 02 01"),
            ("outcome=completed", "04"),
            ("outcome=customer_hung_up", "01"),
            ("outcome=no_answer", "05"),
            ("outcome=voicemail", "02"),
            ("outcome=busy", "06"),
            ("outcome=transferred", "07"),
            ("outcome=silence", "03"),
            ("outcome=failed", "08"),
            ("outcome=unknown", "09"),
            ("ended_reason=voicemail", "02"),
            ("ended_reason=Voicemail", ""),
            ("agent_id=a-1", "03 01"),
            ("tool=book", "03 01"),
            ("tool=look", "03"),
            ("tool=boo", ""),
            ("min_cost_nanos=140000000", "03 02"),
            ("min_cost_nanos=140000001", "03"),
            ("min_cost_nanos=0", "04 03 02 01"),
            ("is_test=true", "03"),
            ("is_test=false&status=ended&agent_id=a-1", "01"),
            ("phone=%2B15550100101", "04 01"),
            ("phone=%2B1%20(555)%20010-0101", "04 01"),
            ("phone=(555)%20010-0101", "04 01"),
            ("phone=555.010.0101", "04 01"),
            ("phone=%2B15550100199", ""),
            // Both addresses had one number; each matches only the calls that reported it.
            ("email=ada@example.com", "01"),
            ("email=%20OTHER@Example.com", "04"),
            ("email=bo@example.com", "02"),
            ("email=nobody@example.com", ""),
            ("phone=%2B15550100102&email=bo@example.com", "02"),
            ("phone=%2B15550100102&email=nobody@example.com", ""),
            ("direction=web&status=ended&outcome=silence&tool=look&min_cost_nanos=1", "03"),
            ("direction=&status=", "13 12 11 10 09 08 07 06 05 04 03 02 01"),
        ] {
            let wanted: Vec<String> =
                calls.split_whitespace().map(|nr| format!("c-{nr}")).collect();
            assert_eq!(found(&tenant, query).await, wanted, "{query}");
        }
    });
}

#[test]
fn a_misspelt_or_unknown_parameter_is_refused_with_its_name() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let call = "/v1/calls/6a1f2b54-93d0-5c1e-8d27-4f0b91ce77a3";
        for (path, name) in [
            ("/v1/calls?from=yesterday", "from"),
            ("/v1/calls?to=2026-13-01", "to"),
            ("/v1/calls?from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z", "from"),
            ("/v1/calls?direction=sideways", "direction"),
            ("/v1/calls?status=finished", "status"),
            ("/v1/calls?outcome=good", "outcome"),
            ("/v1/calls?min_cost_nanos=0.5", "min_cost_nanos"),
            ("/v1/calls?min_cost_nanos=9223372036854775808", "min_cost_nanos"),
            ("/v1/calls?phone=nobody", "phone"),
            ("/v1/calls?email=nobody", "email"),
            ("/v1/calls?is_test=maybe", "is_test"),
            ("/v1/calls?agent_id=a%00b", "agent_id"),
            ("/v1/calls?limit=many", "limit"),
            ("/v1/calls?limit=0", "limit"),
            ("/v1/calls?limit=-1", "limit"),
            ("/v1/calls?limit=201", "limit"),
            ("/v1/calls?min_position=last", "min_position"),
            ("/v1/calls?has_appointment=maybe", "has_appointment"),
            ("/v1/calls?attempt=first", "attempt"),
            ("/v1/calls?tag=", "tag"),
            ("/v1/calls?disposition=", "disposition"),
            (&format!("{call}?as_of=lately"), "as_of"),
            (&format!("{call}?min_position=last"), "min_position"),
            (&format!("{call}/events?min_position=last"), "min_position"),
        ] {
            let response = tenant.request(&tenant.key, path).send().await.expect("an answer");
            let problem = problem(response, 400, "invalid-parameter").await;
            assert_eq!(problem["errors"][0]["pointer"], format!("/{name}"), "{path}");
            assert!(
                problem["detail"].as_str().is_some_and(|text| text.contains(name)),
                "{problem}"
            );
        }
        for path in ["/v1/calls", call, &format!("{call}/events")] {
            let path = format!("{path}?colour=red");
            let response = tenant.request(&tenant.read_key, &path).send().await.expect("an answer");
            let problem = problem(response, 400, "unknown-parameter").await;
            assert_eq!(problem["errors"][0]["pointer"], "/colour", "{path}");
        }
    });
}

#[test]
fn times_beyond_the_calendar_match_nothing_or_are_refused() {
    run(async {
        let tenant = tenant_with_calls().await;
        for time in [
            "%2B262142-12-31T23:59:59Z",
            "-262143-01-01T00:00:00Z",
            "-4800-01-01T00:00:00Z",
            "0000-01-01T00:00:00Z",
            "9999-12-31T23:59:60Z",
        ] {
            for name in ["from", "to"] {
                let (status, page) =
                    tenant.get_with(&tenant.read_key, &format!("/v1/calls?{name}={time}")).await;
                assert!(status == 200 || status == 400, "{name}={time}: {status} {page}");
            }
        }
    });
}

#[test]
fn an_unused_number_matches_no_call() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let withheld =
            report("c-1", 1, "hangup").field("customer", json!({ "number": "anonymous" }));
        tenant.post_ok(withheld.body()).await;
        tenant.settle().await;
        assert_eq!(found(&tenant, "").await, ["c-1"]);
        assert_eq!(found(&tenant, "phone=%2B15550100101").await, [""; 0]);
    });
}
