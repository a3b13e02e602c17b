//! `bench roll`: the roll of the epoch of a tenant with many people, beside webhooks and look-ups.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use fastrand::Rng;
use futures_util::StreamExt;
use futures_util::stream;
use ledger_core::identity::{Handle, PersonIdentifiers};
use ledger_core::ids::{StreamId, TenantId};
use ledger_core::provider::Provider;
use ledger_store::Store;
use ledger_store::record::DeliveryContext;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use ledger_app::config::Config;

use crate::latency::Latencies;
use crate::report::{Goal, Measured, Report, peak_memory};
use crate::scratch::Scratch;
use crate::tenants::{BenchTenant, tenants};

/// People that are made at once.
const AT_ONCE: usize = 512;
/// Of this many webhooks one is about a new person.
const NEW_EVERY: u64 = 10;
/// People that are looked up after the roll.
const SAMPLE: usize = 2_000;
/// Goals: seconds for 100,000 people, and ratio of the latencies.
const GOAL_SECONDS: f64 = 15.0;
const GOAL_RATIO: f64 = 2.0;

/// The size of the measurement.
#[derive(Debug, Clone, Copy)]
pub struct RollPlan {
    /// Number of people of the tenant.
    pub people: usize,
    /// Webhooks per second.
    pub rate: u32,
    /// Duration of the webhooks before the roll, in seconds.
    pub seconds: u64,
}

/// Runs the benchmark.
///
/// # Errors
/// The scratch database cannot be used, or a person is not found after the roll.
pub async fn run(config: &Config, plan: &RollPlan, step: impl Fn(&str)) -> anyhow::Result<Report> {
    Scratch::with(config, async |scratch| {
        let store = Arc::new(scratch.store());
        let measured = measure(scratch, &store, plan, step).await;
        store.close().await;
        measured
    })
    .await
}

async fn measure(
    scratch: &Scratch,
    store: &Arc<Store>,
    plan: &RollPlan,
    step: impl Fn(&str),
) -> anyhow::Result<Report> {
    let mut report = Report::new("roll");
    report.postgres = Some(scratch.version().await?);
    let tenant = tenants(store, 1).await?.pop().context("a tenant")?;
    step(&format!("making {} people", plan.people));
    let began = Instant::now();
    make_people(store, tenant.tenant_id, plan.people).await?;
    let making = began.elapsed().as_secs_f64();
    report.measured.push(Measured::once("make people", plan.people, making));
    scratch.vacuum_and_checkpoint().await?;

    step(&format!("{} webhooks a second, {} s before the roll", plan.rate, plan.seconds));
    let before =
        traffic(store, &tenant, plan, 0, |elapsed| elapsed < Duration::from_secs(plan.seconds))
            .await?;
    step("the roll");
    let is_rolling = Arc::new(AtomicBool::new(true));
    let rolling = tokio::spawn({
        let (store, is_rolling, tenant_id) =
            (Arc::clone(store), Arc::clone(&is_rolling), tenant.tenant_id);
        async move {
            let began = Instant::now();
            let rolled = store.roll_epoch(tenant_id).await;
            is_rolling.store(false, Ordering::Release);
            rolled.map(|rolled| (rolled, began.elapsed()))
        }
    });
    let during =
        traffic(store, &tenant, plan, 1_000_000, |_| is_rolling.load(Ordering::Acquire)).await?;
    let (rolled, took) = rolling.await??;
    step("looking up people");
    look_up(store, tenant.tenant_id, plan.people).await?;

    let rows = usize::try_from(rolled.subjects + rolled.indexes)?;
    report.measured.push(Measured::once("roll: rows moved", rows, took.as_secs_f64()));
    let callers = 1;
    let [before_p99] = before.latencies.quantiles_ms([0.99]);
    let [during_p99] = during.latencies.quantiles_ms([0.99]);
    for (what, one) in
        [("webhooks before the roll", &before), ("webhooks during the roll", &during)]
    {
        let rounds = [f64::from(plan.rate)];
        let mut measured = Measured::new(what, callers, &one.latencies, &rounds);
        measured.errors = one.errors;
        report.measured.push(measured);
    }
    #[expect(clippy::cast_precision_loss, reason = "a count of people")]
    let goal = GOAL_SECONDS * (plan.people as f64 / 100_000.0).max(0.2);
    #[expect(clippy::cast_precision_loss, reason = "a count of errors")]
    let errors = (before.errors + during.errors) as f64;
    report.goals = vec![
        Goal::at_most("duration of the roll, s", took.as_secs_f64(), goal),
        Goal::at_most("p99 of webhooks, during / before", during_p99 / before_p99, GOAL_RATIO),
        Goal::at_most("failed webhooks", errors, 0.0),
    ];
    report.peak_memory_bytes = peak_memory(std::process::id());
    Ok(report)
}

fn number(nth: u64) -> String {
    format!("+1555{:07}", nth % 10_000_000)
}

/// The handles and the name of a person.
fn person(nth: u64) -> PersonIdentifiers {
    let phone = Handle::phone(&number(nth), None);
    let email = Handle::email(&format!("person{nth}@example.com"));
    PersonIdentifiers {
        handles: std::iter::once(phone).chain(email).collect(),
        name: Some(format!("given{} family{}", nth % 5_000, nth % 40_009)),
    }
}

async fn make_people(store: &Store, tenant_id: TenantId, people: usize) -> anyhow::Result<()> {
    let made = stream::iter(0..people as u64).map(|nth| async move {
        let stream_id = StreamId(store.ids().ordered());
        store.vault().resolve(tenant_id, stream_id, person(nth)).await
    });
    let mut made = made.buffer_unordered(AT_ONCE);
    while let Some(made) = made.next().await {
        made?;
    }
    Ok(())
}

async fn look_up(store: &Store, tenant_id: TenantId, people: usize) -> anyhow::Result<()> {
    let mut rng = Rng::with_seed(2);
    for _ in 0..SAMPLE.min(people) {
        let nth = rng.u64(..people as u64);
        for handle in person(nth).handles {
            let found = store.vault().find(tenant_id, &handle).await?;
            ensure!(
                found.contacts.len() == 1,
                "person {nth} has {} contacts",
                found.contacts.len()
            );
        }
    }
    Ok(())
}

/// Latencies and failures of webhooks.
#[derive(Default)]
struct Traffic {
    latencies: Latencies,
    errors: u64,
}

/// Records webhooks at the steady rate, while `goes_on` after the elapsed time.
async fn traffic(
    store: &Arc<Store>,
    tenant: &BenchTenant,
    plan: &RollPlan,
    first_new: u64,
    goes_on: impl Fn(Duration) -> bool,
) -> anyhow::Result<Traffic> {
    let mut rng = Rng::with_seed(first_new);
    let mut ticks = interval(Duration::from_secs(1) / plan.rate.max(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (began, mut under_way, mut all) = (Instant::now(), JoinSet::new(), Traffic::default());
    let mut sent = 0;
    while goes_on(began.elapsed()) {
        let due = ticks.tick().await.into_std();
        sent += 1;
        let nth = if sent % NEW_EVERY == 0 {
            plan.people as u64 + first_new + sent
        } else {
            rng.u64(..plan.people as u64)
        };
        let (store, tenant) = (Arc::clone(store), tenant.clone());
        under_way.spawn(async move {
            let recorded = record(&store, &tenant, nth).await;
            (recorded, due.elapsed())
        });
        while let Some(ended) = under_way.try_join_next() {
            all.add(ended?);
        }
    }
    while let Some(ended) = under_way.join_next().await {
        all.add(ended?);
    }
    Ok(all)
}

impl Traffic {
    fn add(&mut self, (recorded, took): (anyhow::Result<()>, Duration)) {
        match recorded {
            Ok(()) => self.latencies.record(took),
            Err(error) => {
                tracing::warn!(error = %error, "bench.webhook_failed");
                self.errors += 1;
            }
        }
    }
}

/// Records a webhook about a person: resolve, seal, append.
async fn record(store: &Store, tenant: &BenchTenant, nth: u64) -> anyhow::Result<()> {
    let call = store.ids().ordered();
    let body = json!({ "message": {
        "type": "status-update",
        "status": "in-progress",
        "timestamp": 1_793_610_061_250_i64,
        "call": { "id": call, "type": "inboundPhoneCall" },
        "customer": {
            "number": number(nth),
            "email": format!("person{nth}@example.com"),
            "name": format!("given{} family{}", nth % 5_000, nth % 40_009),
        },
    } });
    let adapter = Provider::Vapi.adapter();
    let understood = adapter.translate(body.to_string().as_bytes(), None)?;
    let origin = DeliveryContext {
        tenant_id: tenant.tenant_id,
        provider: Provider::Vapi.as_str(),
        source_id: tenant.source_id,
        request_id: store.ids().ordered(),
    };
    store.record(&origin, &understood.canonical, &understood.drafts).await?;
    Ok(())
}
