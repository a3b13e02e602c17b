//! Bookings that are sent at once over REST.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::bail;
use ledger_app::system::SystemIds;
use ledger_core::ids::{Ids, TenantId};
use reqwest::Client;
use serde_json::{Value, json};
use sqlx::Row;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::latency::Latencies;
use crate::report::{Measured, as_f64};
use crate::scratch::Scratch;

/// Timeout of a request, after which it counts as failed.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The client of a tenant that books.
pub(super) struct Burst {
    client: Client,
    urls: Arc<[String]>,
    api_key: Arc<str>,
}

/// The answers of a burst.
#[derive(Default)]
pub(super) struct Answers {
    latencies: Latencies,
    /// Time from the first request to the last answer.
    took: Duration,
    booked: u64,
    taken: u64,
    others: u64,
}

/// The answers of several bursts.
pub(super) struct Together {
    pub(super) measured: Measured,
    /// The longest time from the first request to the last answer, in milliseconds.
    pub(super) last_ms: f64,
    pub(super) booked: f64,
    pub(super) taken: f64,
    pub(super) others: f64,
}

impl Burst {
    pub(super) fn new(urls: &Arc<[String]>, api_key: &str) -> anyhow::Result<Self> {
        let client = Client::builder().timeout(TIMEOUT).pool_max_idle_per_host(2_048).build()?;
        Ok(Self { client, urls: Arc::clone(urls), api_key: api_key.into() })
    }

    /// Sends `count` bookings at once, each for a person and with an `Idempotency-Key` of its own.
    pub(super) async fn run(
        &self,
        count: usize,
        body: impl Fn(usize) -> Value,
    ) -> anyhow::Result<Answers> {
        let barrier = Arc::new(Barrier::new(count + 1));
        let mut under_way = JoinSet::new();
        for nth in 0..count {
            let mut body = body(nth);
            let key = SystemIds.random();
            let name = format!("Person {}", key.simple());
            body["contact"] =
                json!({ "name": name, "email": format!("{}@example.com", key.simple()) });
            let url = format!("{}/v1/appointments", self.urls[nth % self.urls.len()]);
            let request = self.client.post(url).bearer_auth(&self.api_key);
            let request = request.header("idempotency-key", key.to_string()).json(&body);
            let barrier = Arc::clone(&barrier);
            under_way.spawn(async move {
                barrier.wait().await;
                let began = Instant::now();
                let Ok(response) = request.send().await else {
                    return (began.elapsed(), 0, Value::Null);
                };
                let status = response.status().as_u16();
                let body: Value = response.json().await.unwrap_or_default();
                (began.elapsed(), status, body["code"].clone())
            });
        }
        barrier.wait().await;
        let began = Instant::now();
        let mut answers = Answers::default();
        while let Some(done) = under_way.join_next().await {
            let (took, status, code) = done?;
            answers.latencies.record(took);
            match status {
                201 => answers.booked += 1,
                409 if code == "slot-taken" => answers.taken += 1,
                _ => {
                    tracing::warn!(status, %code, "bench.book");
                    answers.others += 1;
                }
            }
        }
        answers.took = began.elapsed();
        Ok(answers)
    }
}

/// The bursts of all rounds as one measurement.
pub(super) fn together(what: &str, rounds: &[Answers]) -> Together {
    let mut latencies = Latencies::default();
    for round in rounds {
        latencies.extend(&round.latencies);
    }
    let rate = |round: &Answers| as_f64(round.latencies.count()) / round.took.as_secs_f64();
    let rates: Vec<_> = rounds.iter().map(rate).collect();
    let callers = rounds.first().map_or(0, |round| round.latencies.count());
    let callers = usize::try_from(callers).unwrap_or_default();
    let sum = |count: fn(&Answers) -> u64| as_f64(rounds.iter().map(count).sum());
    let mut measured = Measured::new(what, callers, &latencies, &rates);
    measured.errors = rounds.iter().map(|round| round.others).sum();
    let longest = rounds.iter().map(|round| round.took).max().unwrap_or_default();
    Together {
        measured,
        last_ms: longest.as_secs_f64() * 1_000.0,
        booked: sum(|round| round.booked),
        taken: sum(|round| round.taken),
        others: sum(|round| round.others),
    }
}

/// The appointments that must be in the log.
pub(super) struct Expected {
    pub(super) booked: usize,
    pub(super) by_tools: usize,
}

impl Expected {
    /// Compares the log with what was answered.
    ///
    /// # Errors
    /// The numbers differ: an acknowledged booking is missing, or one is doubled.
    pub(super) async fn check(&self, scratch: &Scratch, tenant_id: TenantId) -> anyhow::Result<()> {
        let row = sqlx::query(
            "select count(*) from ledger.events where tenant_id = $1 and event_type = 'appointment.booked'",
        )
        .bind(tenant_id.0)
        .fetch_one(&scratch.superuser)
        .await?;
        let recorded = usize::try_from(row.get::<i64, _>(0))?;
        let expected = self.booked + self.by_tools;
        if recorded != expected {
            bail!("{recorded} appointments are in the log, and {expected} were acknowledged");
        }
        Ok(())
    }
}
