//! Sends the traffic with several concurrent requests, and reads the result back through the API.

use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::Client;
use serde_json::Value;
use tokio::task::JoinSet;

use webhook_traffic::DemoDelivery;

/// Maximum number of concurrent requests. More would only queue in front of two append workers.
const IN_FLIGHT: usize = 16;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Webhook source of one clinic.
#[derive(Debug, Clone)]
pub struct WebhookTarget {
    /// The full URL of its source.
    pub url: String,
    /// The shared secret of the source.
    pub secret: String,
}

/// Number of responses by status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ResponseCounts {
    /// Responses `recorded`, and answered tool calls.
    pub taken: u64,
    /// Responses with status `duplicate`.
    pub duplicates: u64,
    /// Responses with status `ignored`.
    pub ignored: u64,
}

/// Sends every delivery to its clinic's target; `step` is called after each response.
///
/// # Errors
/// Fails on any response other than 200, because the demo has then found a fault.
pub async fn play(
    targets: &[WebhookTarget],
    deliveries: Vec<DemoDelivery>,
    step: impl Fn(),
) -> anyhow::Result<ResponseCounts> {
    let client = Client::builder().timeout(REQUEST_TIMEOUT).build()?;
    let mut responses = ResponseCounts::default();
    let mut in_flight = JoinSet::new();
    for delivery in deliveries {
        if in_flight.len() >= IN_FLIGHT {
            let answered = in_flight.join_next().await.context("some are under way")?;
            responses.count(&answered??);
            step();
        }
        let target = targets[delivery.clinic].clone();
        in_flight.spawn(send(client.clone(), target, delivery));
    }
    while let Some(answered) = in_flight.join_next().await {
        responses.count(&answered??);
        step();
    }
    Ok(responses)
}

impl ResponseCounts {
    fn count(&mut self, answer: &Value) {
        match answer["status"].as_str() {
            Some("duplicate") => self.duplicates += 1,
            Some("ignored") => self.ignored += 1,
            _ => self.taken += 1,
        }
    }
}

async fn send(
    client: Client,
    target: WebhookTarget,
    delivery: DemoDelivery,
) -> anyhow::Result<Value> {
    let response = client
        .post(&target.url)
        .header("x-vapi-secret", &target.secret)
        .header("content-type", "application/json")
        .body(delivery.body)
        .send()
        .await
        .context("the webhook could not be sent")?;
    let status = response.status();
    if status.as_u16() != 200 {
        bail!("a {} webhook was answered {status}", delivery.kind);
    }
    response.json().await.context("the answer is not JSON")
}

/// Returns a tenant's number of calls and the exact sum of their costs in nano-dollars, as the API
/// reports them.
///
/// # Errors
/// Fails if the API does not respond as documented.
pub async fn read_back(base: &str, api_key: &str) -> anyhow::Result<(u64, i64)> {
    let (mut calls, mut cost_nanos) = (0, 0);
    let call = |call: &Value| {
        calls += 1;
        cost_nanos += call["cost_nanos"].as_i64().unwrap_or(0);
    };
    each_item(base, api_key, "calls", call).await?;
    Ok((calls, cost_nanos))
}

/// Counts the appointments through the API.
///
/// # Errors
/// The API could not be read.
pub async fn count_appointments(base: &str, api_key: &str) -> anyhow::Result<u64> {
    let mut appointments = 0;
    each_item(base, api_key, "appointments", |_| appointments += 1).await?;
    Ok(appointments)
}

/// Reads all pages of a list.
async fn each_item(
    base: &str,
    api_key: &str,
    list: &str,
    mut take: impl FnMut(&Value),
) -> anyhow::Result<()> {
    let client = Client::builder().timeout(REQUEST_TIMEOUT).build()?;
    let mut cursor = String::new();
    loop {
        let page: Value = client
            .get(format!("{base}/v1/{list}?limit=200&cursor={cursor}"))
            .bearer_auth(api_key)
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        page["data"].as_array().context("a page has data")?.iter().for_each(&mut take);
        match page["next_cursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => return Ok(()),
        }
    }
}
