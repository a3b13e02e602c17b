//! The persons of the benchmark: recorded by webhooks and over REST, and erased over REST.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use ledger_app::system::SystemIds;
use ledger_core::ids::Ids;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::latency::Latencies;
use crate::tenants::BenchTenant;

/// Timeout of a request.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Time within which an erasure has its certificate.
const CERTIFICATE: Duration = Duration::from_mins(5);
/// Pause between two looks at an erasure.
const PAUSE: Duration = Duration::from_millis(50);
/// Requests at the same time.
const AT_ONCE: usize = 32;

/// The client of the tenant.
#[derive(Clone)]
pub(super) struct Persons {
    client: Client,
    url: Arc<str>,
    api_key: Arc<str>,
    webhook: Arc<str>,
    secret: Arc<str>,
}

/// Erasures that were requested together.
pub(super) struct Together {
    /// Times from each request to its certificate.
    pub(super) latencies: Latencies,
    /// Time from the first request to the last certificate.
    pub(super) took: Duration,
}

impl Persons {
    pub(super) fn new(url: &str, api_key: &str, tenant: &BenchTenant) -> anyhow::Result<Self> {
        let client = Client::builder().timeout(TIMEOUT).build()?;
        Ok(Self {
            client,
            url: url.into(),
            api_key: api_key.into(),
            webhook: format!("{url}/ingest/{}", tenant.source_id).into(),
            secret: tenant.secret.as_str().into(),
        })
    }

    /// Records a person with calls of some events each, and returns the subject.
    pub(super) async fn with_calls(
        &self,
        nth: usize,
        calls: usize,
        events: usize,
    ) -> anyhow::Result<String> {
        let number = format!("+1555010{nth:04}");
        let mut under_way = JoinSet::new();
        for call in 0..calls {
            let (this, number) = (self.clone(), number.clone());
            under_way.spawn(async move {
                for event in 0..events {
                    this.status(&format!("erase-{nth}-{call}"), event, &number).await?;
                }
                anyhow::Ok(())
            });
            if under_way.len() == AT_ONCE {
                under_way.join_next().await.context("a call")???;
            }
        }
        while let Some(done) = under_way.join_next().await {
            done??;
        }
        let found = json!({ "phone": number });
        let found = self.request(Method::POST, "/v1/subjects/lookup", Some(&found)).await?;
        let subject = found["subjects"][0]["subject_id"].as_str();
        Ok(subject.context("the person is not found")?.to_owned())
    }

    async fn status(&self, call: &str, event: usize, number: &str) -> anyhow::Result<()> {
        let body = json!({ "message": {
            "type": "status-update", "status": "in-progress", "timestamp": event,
            "call": { "id": call },
            "customer": { "number": number, "name": "Bench Person" },
        } });
        let request = self.client.post(&*self.webhook).header("x-vapi-secret", &*self.secret);
        let status = request.json(&body).send().await?.status();
        if !status.is_success() {
            bail!("a webhook was answered {status}");
        }
        Ok(())
    }

    /// Creates contacts, and returns the subjects.
    pub(super) async fn contacts(&self, count: usize) -> anyhow::Result<Vec<String>> {
        let made = each(0..count, |_| {
            let this = self.clone();
            async move {
                let name = SystemIds.random().simple().to_string();
                let body = json!({ "name": format!("Person {name}"), "email": format!("{name}@example.com") });
                let made = this.request(Method::POST, "/v1/contacts", Some(&body)).await?;
                Ok(made["contact_id"].as_str().context("a contact")?.to_owned())
            }
        });
        made.await
    }

    /// Erases a person, and returns the time from the request to the live certificate.
    pub(super) async fn erase(&self, subject: &str) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        let body = json!({ "ground": "17.1.a", "requested_by": "person" });
        let path = format!("/v1/subjects/{subject}/erasure");
        let requested = self.request(Method::POST, &path, Some(&body)).await?;
        let erasure = requested["erasure_id"].as_str().context("an erasure")?;
        let path = format!("/v1/erasures/{erasure}/certificate");
        loop {
            let request = self.client.get(format!("{}{path}", self.url)).bearer_auth(&self.api_key);
            match request.send().await?.status().as_u16() {
                200 => return Ok(begun.elapsed()),
                // 503: as many reads of the tenant as it may have at once are under way.
                404 | 409 | 503 if begun.elapsed() < CERTIFICATE => sleep(PAUSE).await,
                status => bail!("the certificate was answered {status}"),
            }
        }
    }

    /// Erases persons, all of which are requested at once.
    pub(super) async fn erase_together(&self, subjects: &[String]) -> anyhow::Result<Together> {
        let begun = Instant::now();
        let mut under_way = JoinSet::new();
        for subject in subjects {
            let (this, subject) = (self.clone(), subject.clone());
            under_way.spawn(async move { this.erase(&subject).await });
        }
        let mut latencies = Latencies::default();
        while let Some(done) = under_way.join_next().await {
            latencies.record(done??);
        }
        Ok(Together { latencies, took: begun.elapsed() })
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        request = request.bearer_auth(&self.api_key);
        if let Some(body) = body {
            let key = SystemIds.random().to_string();
            request = request.header("idempotency-key", key).json(body);
        }
        let response = request.send().await?;
        let status = response.status();
        let answer: Value = response.json().await.unwrap_or_default();
        if !status.is_success() {
            bail!("{path} was answered {status}: {}", answer["code"]);
        }
        Ok(answer)
    }
}

/// Runs some of the work at the same time, and returns the results in any order.
async fn each<T: Send + 'static, F>(
    all: impl Iterator<Item = usize>,
    work: impl Fn(usize) -> F,
) -> anyhow::Result<Vec<T>>
where
    F: Future<Output = anyhow::Result<T>> + Send + 'static,
{
    let (mut under_way, mut done) = (JoinSet::new(), Vec::new());
    for nth in all {
        under_way.spawn(work(nth));
        if under_way.len() == AT_ONCE
            && let Some(one) = under_way.join_next().await
        {
            done.push(one??);
        }
    }
    while let Some(one) = under_way.join_next().await {
        done.push(one??);
    }
    Ok(done)
}
