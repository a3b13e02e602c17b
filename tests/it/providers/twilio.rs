//! Twilio's callbacks: forms, queries and JSON, signed for the public URL.

use aws_lc_rs::digest::{SHA256, digest};
use ledger_core::provider::Provider;
use ledger_tests::{TestLedger, fixtures, run};
use reqwest::Client;
use serde_json::json;

use super::{ProviderSource, send, send_ok, twilio_signature};
use crate::bad_input::problem;

fn form(name: &str) -> String {
    String::from_utf8(fixtures::bytes(&format!("twilio/{name}"))).expect("UTF-8")
}

fn callback(status: &str, second: u32) -> String {
    format!(
        "CallSid=CA00000000000000000000000000000001&AccountSid=AC1&Direction=inbound\
         &From=%2B15550100123&To=%2B15550100124&CallStatus={status}\
         &Timestamp=Thu%2C+12+Feb+2026+11%3A48%3A{second:02}+%2B0000"
    )
}

#[test]
fn the_captured_end_of_a_call_becomes_a_call() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let source = ProviderSource::new(&tenant, Provider::Twilio).await;
        let body = form("voice-status.completed.outbound-human.form");
        assert_eq!(send_ok(source.form(&body)).await["status"], "recorded");
        assert_eq!(send_ok(source.form(&body)).await["status"], "duplicate");
        let call = tenant.only_call().await;
        assert_eq!(call["provider"], "twilio");
        assert_eq!(call["provider_call_id"], "CAbe982f58915a2def4cf7aaa1f1766236");
        assert_eq!((&call["status"], &call["outcome"]), (&json!("ended"), &json!("completed")));
        assert_eq!(call["duration_ms"], 49_000);
        assert_eq!(call["direction"], "outbound");
        assert_eq!(call["customer"]["phone"], "+15550100112");
        assert_eq!(call["analysis"], json!(null), "Twilio reports none");
        assert_eq!(call["cost_nanos"], json!(null), "unknown is not zero");
    });
}

#[test]
fn a_query_a_form_and_json_of_one_callback_are_one_event() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let source = ProviderSource::new(&tenant, Provider::Twilio).await;
        let body = callback("ringing", 1);
        let recorded = send_ok(source.query(&body)).await;
        assert_eq!(recorded["status"], "recorded");
        let position = &recorded["position"];
        let again = send_ok(source.form(&body)).await;
        assert_eq!(again, json!({ "status": "duplicate", "position": position }));
        let json = ledger_core::provider::form::to_json(body.as_bytes()).expect("a form");
        let url = format!("{}?bodySHA256={}", source.url(), hex::encode(digest(&SHA256, &json)));
        let request = Client::new()
            .post(&url)
            .header("content-type", "application/json")
            .header("x-twilio-signature", twilio_signature(&url, ""))
            .body(json);
        assert_eq!(send_ok(request).await, again);
        assert_eq!(tenant.recorded().await.len(), 1);
    });
}

#[test]
fn a_form_with_repeated_keys_and_its_own_query_is_recorded() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let source = ProviderSource::new(&tenant, Provider::Twilio).await;
        let body = format!("{}&Digits=2&Digits=1&Digits=2", callback("ringing", 1));
        let url = format!("{}?store=a%20b&x=1", source.url());
        let request = Client::new()
            .post(&url)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("x-twilio-signature", twilio_signature(&url, &body))
            .body(body);
        assert_eq!(send_ok(request).await["status"], "recorded");
    });
}

#[test]
fn a_callback_that_is_not_signed_for_this_url_and_these_fields_is_refused() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let source = ProviderSource::new(&tenant, Provider::Twilio).await;
        let (body, url) = (callback("ringing", 1), source.url());
        let altered = source.form(&body).body(body.replace("ringing", "failed"));
        let other_query = format!("{url}?{}", body.replace("ringing", "failed"));
        let query_signature = twilio_signature(&format!("{url}?{body}"), "");
        let unsigned = Client::new().post(&url).body(body.clone());
        let json = Client::new()
            .post(&url)
            .header("content-type", "application/json")
            .header("x-twilio-signature", twilio_signature(&url, ""))
            .body("{}");
        for (request, code) in [
            (unsigned, "signature-missing"),
            (altered, "signature-invalid"),
            (source.form_signed_for("https://evil.example.com/x", &body), "signature-invalid"),
            (source.form_signed_for(&format!("{url}/"), &body), "signature-invalid"),
            (
                Client::new().get(&other_query).header("x-twilio-signature", query_signature),
                "signature-invalid",
            ),
            (json, "signature-invalid"),
            (source.form(&body).header("x-forwarded-host", "evil.example.com"), ""),
        ] {
            match code {
                // The header is not from a proxy, so it changes nothing.
                "" => assert_eq!(send_ok(request).await["status"], "recorded"),
                code => drop(problem(request.send().await.expect("an answer"), 401, code).await),
            }
        }
        assert_eq!(tenant.recorded().await.len(), 1);
    });
}

#[test]
fn a_slash_at_the_end_of_the_url_is_part_of_what_is_signed() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let source = ProviderSource::new(&tenant, Provider::Twilio).await;
        let (body, url) = (callback("ringing", 1), format!("{}/", source.url()));
        let request = Client::new()
            .post(&url)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("x-twilio-signature", twilio_signature(&url, &body))
            .body(body);
        assert_eq!(send_ok(request).await["status"], "recorded");
    });
}

#[test]
fn a_signature_of_one_source_proves_nothing_at_another_tenants() {
    run(async {
        let ledger = TestLedger::shared().await;
        let (one, two) = (ledger.tenant().await, ledger.tenant().await);
        let source = ProviderSource::new(&one, Provider::Twilio).await;
        // Both have the same token, and the URL differs.
        let other = ProviderSource::new(&two, Provider::Twilio).await;
        let body = callback("ringing", 1);
        let replayed = other.form_signed_for(&source.url(), &body);
        problem(replayed.send().await.expect("an answer"), 401, "signature-invalid").await;
        assert_eq!(send_ok(source.form(&body)).await["status"], "recorded");
        assert!(two.recorded().await.is_empty());
    });
}

#[test]
fn a_message_that_is_no_callback_is_refused_after_the_proof() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let source = ProviderSource::new(&tenant, Provider::Twilio).await;
        for (body, code) in [
            ("Digits=1", "unrecognized-message"),
            ("", "unrecognized-message"),
            ("CallSid=%ff&CallStatus=ringing", "body-not-utf8"),
        ] {
            let answer = source.form(body).send().await.expect("an answer");
            problem(answer, 400, code).await;
        }
        let answer = source.query("Digits=1").send().await.expect("an answer");
        problem(answer, 400, "unrecognized-message").await;
        let many = "a=1&".repeat(600);
        let request = Client::new()
            .post(source.url())
            .header("content-type", "application/x-www-form-urlencoded")
            .header("x-twilio-signature", "AAAA")
            .body(many);
        problem(request.send().await.expect("an answer"), 401, "signature-invalid").await;
        assert!(tenant.recorded().await.is_empty());
    });
}

#[test]
fn a_request_with_head_records_nothing() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let source = ProviderSource::new(&tenant, Provider::Twilio).await;
        let url = format!("{}?{}", source.url(), callback("ringing", 1));
        let signature = twilio_signature(&url, "");
        let request = Client::new().head(&url).header("x-twilio-signature", signature);
        assert_eq!(request.send().await.expect("an answer").status(), 405);
        assert!(tenant.recorded().await.is_empty());
    });
}

#[test]
fn a_source_of_vapi_accepts_no_message_in_a_url() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let url = tenant.url(&format!("/ingest/{}?type=hang", tenant.source_id));
        let request = Client::new().get(&url).header("x-vapi-secret", &tenant.secret);
        problem(request.send().await.expect("an answer"), 400, "unrecognized-message").await;
        let unsigned = Client::new().get(&url).send().await.expect("an answer");
        problem(unsigned, 401, "signature-missing").await;
    });
}

#[test]
fn a_recording_is_shown_with_the_call_to_keys_that_may_see_it() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let source = ProviderSource::new(&tenant, Provider::Twilio).await;
        send_ok(source.form(&callback("completed", 45))).await;
        for nth in 1..=2 {
            let recording = format!(
                "CallSid=CA00000000000000000000000000000001&RecordingSid=RE{nth}\
                 &RecordingStatus=completed&RecordingChannels={nth}\
                 &RecordingUrl=https%3A%2F%2Fapi.twilio.com%2Frecordings%2FRE{nth}\
                 &RecordingStartTime=Thu%2C+12+Feb+2026+11%3A48%3A0{nth}+%2B0000"
            );
            send_ok(source.form(&recording)).await;
        }
        let call = tenant.only_call().await;
        assert_eq!(
            call["recordings"],
            json!([
                { "kind": "mono", "url": "https://api.twilio.com/recordings/RE1" },
                { "kind": "stereo", "url": "https://api.twilio.com/recordings/RE2" },
            ])
        );
        let path = format!("/v1/calls/{}", call["call_id"].as_str().expect("an id"));
        let (_, masked) = tenant.get_with(&tenant.read_key, &path).await;
        assert_eq!(masked["recordings"], json!(null));
    });
}

#[test]
fn a_callback_in_quarantine_is_replayed_with_its_provider() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let shared = ledger_core::ids::TenantId::INSTALLATION;
        let source = ProviderSource::of(&tenant, shared, Provider::Twilio).await;
        let (status, answer) = send(source.form(&callback("ringing", 1))).await;
        assert_eq!((status, &answer["status"]), (202, &json!("quarantined")));
        let key = ledger.key(shared, &["admin"]).await;
        let (_, page) = tenant.get_with(&key, "/v1/quarantine?limit=200").await;
        let mut entries = page["data"].as_array().expect("a page").iter();
        let entry = entries.find(|it| it["source_id"] == json!(source.source_id));
        let id = entry.expect("an entry")["quarantine_id"].as_str().expect("an id").to_owned();
        let kind = ledger_store::source::RouteKind::PhoneNumber;
        let route =
            tenant.store.add_route(tenant.tenant_id, source.source_id, kind, "+15550100124");
        route.await.expect("a route");
        let replay = tenant.url(&format!("/v1/quarantine/{id}/replay"));
        assert_eq!(
            send_ok(Client::new().post(replay).bearer_auth(&key)).await["status"],
            "recorded"
        );
        let call = tenant.only_call().await;
        assert_eq!((&call["provider"], &call["status"]), (&json!("twilio"), &json!("ringing")));
        let again = send_ok(source.form(&callback("ringing", 1))).await;
        assert_eq!(again["status"], "duplicate");
    });
}
