//! Webhooks of Retell and Twilio over HTTP, in every form they are sent in.

mod carrier;
mod public_url;
mod retell;
mod twilio;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use ledger_core::clock::Clock;
use ledger_core::ids::{SourceId, TenantId};
use ledger_core::provider::{Provider, form};
use ledger_store::source::NewSource;
use ledger_tests::TestTenant;
use ledger_tests::ledger::status_and_json;
use reqwest::{Client, RequestBuilder};
use serde_json::Value;
use server::system::SystemClock;

const SECRET: &str = "example-provider-secret";

/// A source of a provider.
pub(crate) struct ProviderSource<'a> {
    tenant: &'a TestTenant,
    source_id: SourceId,
}

impl<'a> ProviderSource<'a> {
    pub(crate) async fn new(tenant: &'a TestTenant, provider: Provider) -> Self {
        Self::of(tenant, tenant.tenant_id, provider).await
    }

    async fn of(tenant: &'a TestTenant, tenant_id: TenantId, provider: Provider) -> Self {
        let new = NewSource {
            tenant_id,
            provider,
            secret: SECRET,
            name: None,
            record_all: false,
            assistant_id: None,
            tools: None,
        };
        let source_id = tenant.store.create_source(&new).await.expect("a source");
        Self { tenant, source_id }
    }

    fn url(&self) -> String {
        self.tenant.url(&format!("/ingest/{}", self.source_id))
    }

    /// Returns a signed callback of Twilio with a form.
    pub(crate) fn form(&self, form: &str) -> RequestBuilder {
        self.form_signed_for(&self.url(), form)
    }

    /// Returns a callback of Twilio with a form, signed for a URL.
    fn form_signed_for(&self, url: &str, form: &str) -> RequestBuilder {
        Client::new()
            .post(self.url())
            .header("content-type", "application/x-www-form-urlencoded; charset=UTF-8")
            .header("x-twilio-signature", twilio_signature(url, form))
            .body(form.to_owned())
    }

    /// Returns a signed callback of Twilio with its fields in the URL.
    fn query(&self, query: &str) -> RequestBuilder {
        let url = format!("{}?{query}", self.url());
        Client::new().get(&url).header("x-twilio-signature", twilio_signature(&url, ""))
    }

    /// Returns a signed webhook of Retell.
    pub(crate) fn retell(&self, body: &Value) -> RequestBuilder {
        self.retell_at(&body.to_string(), SystemClock.now())
    }

    /// Returns a webhook of Retell, signed at a time.
    fn retell_at(&self, body: &str, at: DateTime<Utc>) -> RequestBuilder {
        let signature = retell_signature(body, at);
        self.retell_with(body).header("x-retell-signature", signature)
    }

    /// Returns a webhook of Retell without a signature.
    fn retell_with(&self, body: &str) -> RequestBuilder {
        Client::new()
            .post(self.url())
            .header("content-type", "application/json")
            .body(body.to_owned())
    }
}

fn retell_signature(body: &str, at: DateTime<Utc>) -> String {
    let time = at.timestamp_millis();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let tag = hmac::sign(&key, format!("{body}{time}").as_bytes());
    format!("v={time},d={}", hex::encode(tag))
}

/// Signs a URL and a form by the documented rule: distinct fields sorted by name, then by value.
fn twilio_signature(url: &str, form: &str) -> String {
    let mut fields = form::fields(form.as_bytes()).expect("a form");
    fields.sort();
    fields.dedup();
    let mut signed = url.as_bytes().to_vec();
    for (name, value) in fields {
        signed.extend_from_slice(&name);
        signed.extend_from_slice(&value);
    }
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, SECRET.as_bytes());
    STANDARD.encode(hmac::sign(&key, &signed))
}

async fn send(request: RequestBuilder) -> (u16, Value) {
    status_and_json(request.send().await.expect("an answer")).await
}

pub(crate) async fn send_ok(request: RequestBuilder) -> Value {
    let (status, answer) = send(request).await;
    assert_eq!(status, 200, "{answer}");
    answer
}
