//! A source with its own signature scheme accepts requests with a valid signature only.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use ledger_core::clock::Clock;
use ledger_core::ids::SourceId;
use ledger_core::provider::Provider;
use ledger_core::provider::signature::{Algorithm, Encoding, SignatureScheme};
use ledger_store::source::NewSource;
use ledger_tests::{TestLedger, TestTenant, messages, run};
use reqwest::{Client, RequestBuilder};
use server::system::SystemClock;

use crate::bad_input::problem;

const SECRET: &str = "example-signing-secret";

fn scheme() -> SignatureScheme {
    SignatureScheme {
        algorithm: Algorithm::Sha512,
        signature_header: "x-acme-signature".into(),
        timestamp_header: Some("x-acme-time".into()),
        payload: "{method}|{timestamp}|{body}".into(),
        encoding: Encoding::Base64,
        prefix: "sig=".into(),
        ..SignatureScheme::default()
    }
}

async fn source(tenant: &TestTenant) -> SourceId {
    let new = NewSource {
        tenant_id: tenant.tenant_id,
        provider: Provider::Vapi,
        secret: SECRET,
        name: None,
        record_all: false,
        assistant_id: None,
        tools: None,
    };
    tenant.store.create_signed_source(&new, Some(&scheme())).await.expect("a source")
}

fn post(tenant: &TestTenant, source_id: SourceId, body: &str) -> RequestBuilder {
    Client::new().post(tenant.url(&format!("/ingest/{source_id}"))).body(body.to_owned())
}

fn signed(body: &str, at: DateTime<Utc>) -> [(&'static str, String); 2] {
    let time = at.timestamp().to_string();
    let text = format!("POST|{time}|{body}");
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA512, SECRET.as_bytes()), text.as_bytes());
    [("x-acme-signature", format!("sig={}", STANDARD.encode(tag))), ("x-acme-time", time)]
}

#[test]
fn a_source_with_a_scheme_accepts_signed_requests_only() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let source_id = source(&tenant).await;
        let body = messages::report("signed").to_string();
        let now = SystemClock.now();
        let with = |headers: [(&'static str, String); 2]| {
            let request = post(&tenant, source_id, &body);
            headers.into_iter().fold(request, |request, (name, value)| request.header(name, value))
        };
        let old = now - chrono::TimeDelta::minutes(6);
        let other = messages::report("other").to_string();
        for (request, code) in [
            (post(&tenant, source_id, &body), "signature-missing"),
            (post(&tenant, source_id, &body).header("x-vapi-secret", SECRET), "signature-missing"),
            (post(&tenant, source_id, &body).bearer_auth(SECRET), "signature-missing"),
            (with(signed(&other, now)), "signature-invalid"),
            (with(signed(&body, old)), "signature-expired"),
        ] {
            problem(request.send().await.expect("an answer"), 401, code).await;
        }
        assert!(tenant.recorded().await.is_empty());
        let taken = with(signed(&body, now)).send().await.expect("an answer");
        assert_eq!(taken.status(), 200);
        assert_eq!(tenant.recorded().await.len(), 1);
        // Another source of the tenant is not affected.
        assert_eq!(tenant.post_ok(body.clone()).await["status"], "duplicate");
    });
}
