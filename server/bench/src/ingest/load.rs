//! Load generator: webhooks at a steady rate, or as fast as a number of callers can send.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use ledger_core::provider::Provider;
use reqwest::Client;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;

use super::visibility_probe::Recorded;
use crate::latency::Latencies;
use crate::report::Measured;
use crate::scratch::Scratch;
use crate::tenants::BenchTenant;
use webhook_traffic::{DemoDelivery, TrafficPlan, traffic};

/// Calls generated at once for a pair of clinics.
const CALLS: u32 = 250;
/// Timeout of a request, after which it counts as failed.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Limit of requests in flight. A larger number means that the rate is not sustained, and would only fill
/// this process.
const IN_FLIGHT: usize = 4_000;

/// A webhook to send: index of its target, and its body.
struct Webhook {
    target: usize,
    body: Vec<u8>,
}

/// The load generator.
pub(crate) struct Load {
    client: Client,
    url: Arc<str>,
    targets: Arc<[BenchTenant]>,
    seed: u64,
    until: DateTime<Utc>,
    /// Generated webhooks that are not sent yet.
    ready: VecDeque<Webhook>,
    /// Events recorded by the last open loop.
    recorded: Vec<Recorded>,
}

/// Result of one webhook.
#[derive(Clone, Copy)]
enum SendResult {
    /// Latency of a successful answer, and the event if a new one was recorded.
    Accepted(Duration, Option<Recorded>),
    Failed,
}

impl Load {
    pub(crate) fn new(url: &str, targets: Vec<BenchTenant>) -> anyhow::Result<Self> {
        let client = Client::builder().timeout(TIMEOUT).pool_max_idle_per_host(512).build()?;
        let until = DateTime::from_timestamp(1_790_000_000, 0).unwrap_or_default();
        Ok(Self {
            client,
            url: url.into(),
            targets: targets.into(),
            seed: 0,
            until,
            ready: VecDeque::new(),
            recorded: Vec::new(),
        })
    }

    /// Generates webhooks until this many are ready, before a measurement, because generating them uses the
    /// same CPUs. Webhooks of all clinics alternate.
    pub(crate) fn make(&mut self, count: usize) {
        let half = self.targets.len() / 2;
        while self.ready.len() < count {
            let mut pairs: Vec<_> = (0..half).map(|nth| self.of_pair(nth, half)).collect();
            while pairs.iter().any(|pair| !pair.is_empty()) {
                self.ready.extend(pairs.iter_mut().filter_map(VecDeque::pop_front));
            }
        }
    }

    /// Webhooks of calls of two clinics, in order.
    fn of_pair(&mut self, nth: usize, half: usize) -> VecDeque<Webhook> {
        self.seed += 1;
        let plan = TrafficPlan { calls: CALLS, days: 30, seed: self.seed, until: self.until };
        let adapter = Provider::Vapi.adapter();
        let recorded = traffic(&plan).deliveries.into_iter().filter(|delivery| {
            let translated = adapter.translate(&delivery.body, None);
            translated.is_ok_and(|translation| !translation.is_telemetry)
        });
        let webhook = |delivery: DemoDelivery| Webhook {
            target: delivery.clinic * half + nth,
            body: delivery.body,
        };
        recorded.map(webhook).collect()
    }

    /// Sends each webhook at its due time, whether earlier ones are answered or not.
    pub(crate) async fn open_loop(
        &mut self,
        scratch: &Scratch,
        rate: u32,
        seconds: u64,
    ) -> anyhow::Result<Measured> {
        let count = usize::try_from(u64::from(rate) * seconds)?;
        self.make(count);
        let wal = scratch.wal_bytes().await?;
        let room = Arc::new(Semaphore::new(IN_FLIGHT));
        let mut under_way = JoinSet::new();
        let mut counts = LoadCounts::default();
        let began = Instant::now();
        for nth in 0..u32::try_from(count)? {
            let due = began + Duration::from_secs(1) * nth / rate;
            tokio::time::sleep_until(due.into()).await;
            let Some(webhook) = self.ready.pop_front() else { break };
            let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
                counts.errors += 1;
                continue;
            };
            let (client, url, targets) =
                (self.client.clone(), Arc::clone(&self.url), Arc::clone(&self.targets));
            under_way.spawn(async move {
                let _permit = permit;
                send(&client, &url, &targets[webhook.target], webhook.body, due).await
            });
            while let Some(answered) = under_way.try_join_next() {
                counts.count(answered?);
            }
        }
        while let Some(answered) = under_way.join_next().await {
            counts.count(answered?);
        }
        let wal = scratch.wal_bytes().await? - wal;
        self.recorded = std::mem::take(&mut counts.recorded);
        Ok(counts.measured(&format!("{rate} webhooks a second, open loop"), 0, began, wal))
    }

    /// Generates the webhooks of a closed loop, so that the CPUs are free during the measurement.
    pub(super) fn prepare_closed_loop(&mut self) {
        self.make(60_000);
    }

    /// Returns and clears the events recorded by the last open loop.
    pub(super) fn recorded(&mut self) -> Vec<Recorded> {
        std::mem::take(&mut self.recorded)
    }

    /// Runs a closed loop: each caller sends its next webhook after the answer to its last.
    pub(super) async fn closed_loop(
        &mut self,
        scratch: &Scratch,
        callers: usize,
        round: Duration,
    ) -> anyhow::Result<Measured> {
        self.prepare_closed_loop();
        let ready = Arc::new(Mutex::new(std::mem::take(&mut self.ready)));
        let next = move || {
            let ready = Arc::clone(&ready);
            async move { ready.lock().await.pop_front() }
        };
        self.callers("webhooks, closed loop", scratch, callers, round, next).await
    }

    /// Runs a closed loop with webhooks that are authenticated and parsed, but not stored: the limit set by
    /// HTTP, signature check and parser.
    pub(super) async fn ignored(
        &mut self,
        scratch: &Scratch,
        callers: usize,
        round: Duration,
    ) -> anyhow::Result<Measured> {
        let body = br#"{"message":{"type":"model-output","output":"hello","call":{"id":"bench"}}}"#;
        let next = || async { Some(Webhook { target: 0, body: body.to_vec() }) };
        self.callers("limit: telemetry, not stored, closed loop", scratch, callers, round, next)
            .await
    }

    async fn callers<F>(
        &self,
        what: &str,
        scratch: &Scratch,
        callers: usize,
        round: Duration,
        next: impl Fn() -> F + Clone + Send + 'static,
    ) -> anyhow::Result<Measured>
    where
        F: Future<Output = Option<Webhook>> + Send,
    {
        let wal = scratch.wal_bytes().await?;
        let began = Instant::now();
        let mut under_way = JoinSet::new();
        for _ in 0..callers {
            let (client, url, targets, next) = (
                self.client.clone(),
                Arc::clone(&self.url),
                Arc::clone(&self.targets),
                next.clone(),
            );
            under_way.spawn(async move {
                let mut counts = LoadCounts::default();
                while began.elapsed() < round
                    && let Some(webhook) = next().await
                {
                    let target = &targets[webhook.target];
                    counts.count(send(&client, &url, target, webhook.body, Instant::now()).await);
                }
                counts
            });
        }
        let mut all = LoadCounts::default();
        while let Some(counts) = under_way.join_next().await {
            let counts = counts?;
            all.latencies.extend(&counts.latencies);
            all.errors += counts.errors;
        }
        let wal = scratch.wal_bytes().await? - wal;
        Ok(all.measured(what, callers, began, wal))
    }
}

/// Counts of a measurement in progress.
#[derive(Default)]
struct LoadCounts {
    latencies: Latencies,
    recorded: Vec<Recorded>,
    errors: u64,
}

impl LoadCounts {
    fn count(&mut self, answered: SendResult) {
        match answered {
            SendResult::Accepted(took, recorded) => {
                self.latencies.record(took);
                self.recorded.extend(recorded);
            }
            SendResult::Failed => self.errors += 1,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of a benchmark")]
    fn measured(&self, what: &str, callers: usize, began: Instant, wal: u64) -> Measured {
        let count = self.latencies.count() as f64;
        let rate = count / began.elapsed().as_secs_f64();
        let mut measured = Measured::new(what, callers, &self.latencies, &[rate]);
        measured.wal_bytes = (wal > 0 && count > 0.0).then(|| wal as f64 / count);
        measured.errors = self.errors;
        measured
    }
}

async fn send(
    client: &Client,
    url: &str,
    target: &BenchTenant,
    body: Vec<u8>,
    due: Instant,
) -> SendResult {
    let sent = client
        .post(format!("{url}/ingest/{}", target.source_id))
        .header("x-vapi-secret", &target.secret)
        .header("content-type", "application/json")
        .body(body)
        .send()
        .await;
    match sent {
        // The body is read to its end, so that the connection can be reused.
        Ok(response) if response.status().as_u16() == 200 => match response.bytes().await {
            Ok(body) => SendResult::Accepted(due.elapsed(), recorded(target, &body, due)),
            Err(_) => SendResult::Failed,
        },
        Ok(_) | Err(_) => SendResult::Failed,
    }
}

/// The event that an answer reports as newly recorded. Duplicates are in the read model already, and answers
/// to tool calls contain no position.
fn recorded(target: &BenchTenant, body: &[u8], due: Instant) -> Option<Recorded> {
    #[derive(serde::Deserialize)]
    struct IngestAnswer<'a> {
        status: &'a str,
        position: i64,
    }
    let answer: IngestAnswer<'_> = serde_json::from_slice(body).ok()?;
    let BenchTenant { tenant_id, .. } = *target;
    (answer.status == "recorded").then_some(Recorded { tenant_id, position: answer.position, due })
}
