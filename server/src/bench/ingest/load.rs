//! Webhooks at a steady rate, or as fast as some callers can.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use ledger_core::provider::Provider;
use reqwest::Client;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;

use super::follow::Recorded;
use crate::bench::tenants::Tenant;
use crate::bench::{Latencies, Measured, Scratch};
use crate::demo::traffic::{Delivery, Plan, traffic};

/// Calls of a pair of clinics whose webhooks are made up at once.
const CALLS: u32 = 250;
/// What is not answered by then has failed.
const PATIENCE: Duration = Duration::from_secs(10);
/// Above this many unanswered the rate is lost; more would only fill this process.
const IN_FLIGHT: usize = 4_000;

/// A webhook to send: to which target, and its body.
struct Webhook {
    target: usize,
    body: Vec<u8>,
}

/// The sender.
pub(super) struct Load {
    client: Client,
    url: Arc<str>,
    targets: Arc<[Tenant]>,
    seed: u64,
    until: DateTime<Utc>,
    /// Made up and not yet sent.
    ready: VecDeque<Webhook>,
    /// What the last open loop recorded.
    recorded: Vec<Recorded>,
}

/// What came of one webhook.
#[derive(Clone, Copy)]
enum Answered {
    /// With what it recorded, when that is new.
    Well(Duration, Option<Recorded>),
    Otherwise,
}

impl Load {
    pub(super) fn new(url: &str, targets: Vec<Tenant>) -> anyhow::Result<Self> {
        let client = Client::builder().timeout(PATIENCE).pool_max_idle_per_host(512).build()?;
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

    /// Makes sure that this many webhooks that will be recorded are at hand: making them up takes
    /// the same processors. Those of all clinics come in turn, as they would arrive.
    fn make(&mut self, count: usize) {
        let half = self.targets.len() / 2;
        while self.ready.len() < count {
            let mut pairs: Vec<_> = (0..half).map(|nth| self.of_pair(nth, half)).collect();
            while pairs.iter().any(|pair| !pair.is_empty()) {
                self.ready.extend(pairs.iter_mut().filter_map(VecDeque::pop_front));
            }
        }
    }

    /// Webhooks of calls of two clinics, in their order.
    fn of_pair(&mut self, nth: usize, half: usize) -> VecDeque<Webhook> {
        self.seed += 1;
        let plan = Plan { calls: CALLS, days: 30, seed: self.seed, until: self.until };
        let adapter = Provider::Vapi.adapter();
        let recorded = traffic(&plan).deliveries.into_iter().filter(|delivery| {
            let translated = adapter.translate(&delivery.body, None);
            translated.is_ok_and(|translation| !translation.is_telemetry)
        });
        let webhook = |delivery: Delivery| Webhook {
            target: delivery.clinic * half + nth,
            body: delivery.body,
        };
        recorded.map(webhook).collect()
    }

    /// A webhook at each of its moments, answered or not.
    pub(super) async fn open_loop(
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
        let mut tally = Tally::default();
        let began = Instant::now();
        for nth in 0..u32::try_from(count)? {
            let due = began + Duration::from_secs(1) * nth / rate;
            tokio::time::sleep_until(due.into()).await;
            let Some(webhook) = self.ready.pop_front() else { break };
            let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
                tally.errors += 1;
                continue;
            };
            let (client, url, targets) =
                (self.client.clone(), Arc::clone(&self.url), Arc::clone(&self.targets));
            under_way.spawn(async move {
                let _permit = permit;
                send(&client, &url, &targets[webhook.target], webhook.body, due).await
            });
            while let Some(answered) = under_way.try_join_next() {
                tally.count(answered?);
            }
        }
        while let Some(answered) = under_way.join_next().await {
            tally.count(answered?);
        }
        let wal = scratch.wal_bytes().await? - wal;
        self.recorded = std::mem::take(&mut tally.recorded);
        Ok(tally.measured(&format!("{rate} webhooks a second, open loop"), 0, began, wal))
    }

    /// Makes up what a closed loop sends, so that the processors are free for it.
    pub(super) fn prepare_closed_loop(&mut self) {
        self.make(60_000);
    }

    /// What the last open loop recorded.
    pub(super) fn recorded(&mut self) -> Vec<Recorded> {
        std::mem::take(&mut self.recorded)
    }

    /// Each caller sends its next webhook when its last was answered.
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

    /// The same door for what is believed and understood, and not stored: the limit that HTTP, the
    /// proof and the parser set.
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
                let mut tally = Tally::default();
                while began.elapsed() < round
                    && let Some(webhook) = next().await
                {
                    let target = &targets[webhook.target];
                    tally.count(send(&client, &url, target, webhook.body, Instant::now()).await);
                }
                tally
            });
        }
        let mut all = Tally::default();
        while let Some(tally) = under_way.join_next().await {
            let tally = tally?;
            all.latencies.extend(&tally.latencies);
            all.errors += tally.errors;
        }
        let wal = scratch.wal_bytes().await? - wal;
        Ok(all.measured(what, callers, began, wal))
    }
}

/// One measurement under way.
#[derive(Default)]
struct Tally {
    latencies: Latencies,
    recorded: Vec<Recorded>,
    errors: u64,
}

impl Tally {
    fn count(&mut self, answered: Answered) {
        match answered {
            Answered::Well(took, recorded) => {
                self.latencies.record(took);
                self.recorded.extend(recorded);
            }
            Answered::Otherwise => self.errors += 1,
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
    target: &Tenant,
    body: Vec<u8>,
    due: Instant,
) -> Answered {
    let sent = client
        .post(format!("{url}/ingest/{}", target.source_id))
        .header("x-vapi-secret", &target.secret)
        .header("content-type", "application/json")
        .body(body)
        .send()
        .await;
    match sent {
        // Read to its end, so that the connection can be used again.
        Ok(response) if response.status().as_u16() == 200 => match response.bytes().await {
            Ok(body) => Answered::Well(due.elapsed(), recorded(target, &body, due)),
            Err(_) => Answered::Otherwise,
        },
        Ok(_) | Err(_) => Answered::Otherwise,
    }
}

/// What an answer says was recorded now. Repetitions are in the read model already, and the answers
/// to tool calls do not say where they stand.
fn recorded(target: &Tenant, body: &[u8], due: Instant) -> Option<Recorded> {
    #[derive(serde::Deserialize)]
    struct Told<'a> {
        status: &'a str,
        position: i64,
    }
    let told: Told<'_> = serde_json::from_slice(body).ok()?;
    let Tenant { tenant_id, .. } = *target;
    (told.status == "recorded").then_some(Recorded { tenant_id, position: told.position, due })
}
