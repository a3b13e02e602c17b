//! Bookings by the tool of a voice agent at a steady rate, beside webhooks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Days, Utc};
use futures_util::future::try_join_all;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{BookPlan, RESOURCES, first_day};
use crate::ingest::load::Load as WebhookLoad;
use crate::latency::Latencies;
use crate::report::{Measured, as_f64};
use crate::scratch::Scratch;
use crate::tenants::BenchTenant;

/// Length of an appointment, in minutes.
const MINUTES: u64 = 15;
/// Appointments of a resource on a day.
const A_DAY: usize = 40;
/// Days from the first one to those of the tools, after those of the bursts.
const FIRST_DAY: u64 = 60;

/// The load of tools and webhooks.
pub(super) struct Load<'a> {
    scratch: &'a Scratch,
    client: Client,
    urls: Arc<[String]>,
    tenant: BenchTenant,
    /// One load of webhooks for each server.
    webhooks: Vec<WebhookLoad>,
}

impl<'a> Load<'a> {
    pub(super) fn new(
        scratch: &'a Scratch,
        urls: &Arc<[String]>,
        targets: &[BenchTenant],
    ) -> anyhow::Result<Self> {
        let others = targets[1..].to_vec();
        let load = |url: &String| WebhookLoad::new(url, others.clone());
        Ok(Self {
            scratch,
            client: Client::builder().timeout(Duration::from_secs(10)).build()?,
            urls: Arc::clone(urls),
            tenant: targets[0].clone(),
            webhooks: urls.iter().map(load).collect::<Result<_, _>>()?,
        })
    }

    /// Runs both loads; returns the measurements of the tools and of the webhooks.
    pub(super) async fn run(&mut self, plan: &BookPlan) -> anyhow::Result<(Measured, Measured)> {
        let count = usize::try_from(u64::from(plan.rate) * plan.seconds)?;
        let rate = plan.webhooks / u32::try_from(self.urls.len())?.max(1);
        for load in &mut self.webhooks {
            load.make(usize::try_from(u64::from(rate) * plan.seconds)?);
        }
        let webhooks = async {
            let loads = self.webhooks.iter_mut();
            let running = loads.map(|load| load.open_loop(self.scratch, rate, plan.seconds));
            let measured = try_join_all(running).await?;
            anyhow::Ok(measured.into_iter().reduce(|one, other| slowest(one, &other)))
        };
        let tools = book(&self.client, &self.urls, &self.tenant, plan, count);
        let (webhooks, tools) = tokio::join!(webhooks, tools);
        let mut webhooks = webhooks?.unwrap_or_else(|| Measured::once("webhooks", 0, 1.0));
        webhooks.what = format!("{} webhooks a second beside", plan.webhooks);
        webhooks.wal_bytes = None;
        Ok((tools?, webhooks))
    }
}

/// The results of two servers: their rates together, the larger percentiles.
fn slowest(one: Measured, other: &Measured) -> Measured {
    Measured {
        per_second: one.per_second + other.per_second,
        rounds_per_second: [
            one.rounds_per_second[0] + other.rounds_per_second[0],
            one.rounds_per_second[1] + other.rounds_per_second[1],
        ],
        p50_ms: one.p50_ms.max(other.p50_ms),
        p95_ms: one.p95_ms.max(other.p95_ms),
        p99_ms: one.p99_ms.max(other.p99_ms),
        answered: one.answered + other.answered,
        errors: one.errors + other.errors,
        ..one
    }
}

/// Sends the message of a tool call at each due time. The latency counts from then.
async fn book(
    client: &Client,
    urls: &[String],
    tenant: &BenchTenant,
    plan: &BookPlan,
    count: usize,
) -> anyhow::Result<Measured> {
    let mut under_way = JoinSet::new();
    let began = Instant::now();
    for nth in 0..count {
        let due = began + Duration::from_secs(1) * u32::try_from(nth)? / plan.rate;
        tokio::time::sleep_until(due.into()).await;
        let url = format!("{}/ingest/{}", urls[nth % urls.len()], tenant.source_id);
        let request = client.post(url).header("x-vapi-secret", &tenant.secret).json(&message(nth));
        under_way.spawn(async move {
            let answer = request.send().await.ok()?.json::<Value>().await.ok()?;
            let is_booked = answer["results"][0]["result"].is_string();
            if !is_booked {
                tracing::warn!(answer = %answer["results"][0]["error"], "bench.book");
            }
            is_booked.then(|| due.elapsed())
        });
    }
    let (mut latencies, mut errors) = (Latencies::default(), 0);
    while let Some(answer) = under_way.join_next().await {
        match answer? {
            Some(took) => latencies.record(took),
            None => errors += 1,
        }
    }
    let rate = as_f64(latencies.count()) / began.elapsed().as_secs_f64();
    let what = format!("{} bookings by tools a second over {RESOURCES} resources", plan.rate);
    let mut measured = Measured::new(&what, 0, &latencies, &[rate]);
    measured.errors = errors;
    Ok(measured)
}

/// The start of a booking: each resource in turn, then the next time.
fn start(nth: usize) -> DateTime<Utc> {
    let place = nth / RESOURCES;
    let (day, of_day) = ((place / A_DAY) as u64, (place % A_DAY) as u64);
    first_day() + Days::new(FIRST_DAY + day) + Duration::from_mins(8 * 60 + MINUTES * of_day)
}

/// A message with a tool call, of a call and a person of its own.
fn message(nth: usize) -> Value {
    let arguments = json!({
        "name": format!("Person {}", letters(nth)),
        "startTime": start(nth).to_rfc3339(),
        "duration_minutes": MINUTES,
        "resource": format!("r-{}", nth % RESOURCES),
    });
    json!({ "message": {
        "type": "tool-calls",
        "toolCallList": [{
            "id": format!("tool-{nth}"), "type": "function",
            "function": { "name": "bookAppointment", "arguments": arguments },
        }],
        "call": {
            "id": format!("book-call-{nth}"),
            "customer": { "number": format!("+1555{:07}", 1_000_000 + nth) },
        },
    } })
}

/// A number in letters, because names have no digits.
fn letters(mut number: usize) -> String {
    let mut text = String::new();
    loop {
        text.push(char::from(b'a' + u8::try_from(number % 26).unwrap_or_default()));
        number /= 26;
        if number == 0 {
            return text;
        }
    }
}
