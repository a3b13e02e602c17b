//! `bench book`: bookings under contention, over HTTP, on one server process and on several.
//!
//! Each server is a separate process over the same scratch database, so the measurement is that of clients of
//! an installation. The requests of a burst are sent at once and alternate between the servers.

mod burst;
mod tools;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use chrono::{DateTime, Days, NaiveTime, Utc};
use ledger_app::api_key::new_key;
use ledger_app::config::Config;
use ledger_core::clock::Clock;
use ledger_core::scope::Scope;
use ledger_core::settings::{Setting, SettingName};
use ledger_store::Store;
use serde_json::{Value, json};

use self::burst::Burst;
use crate::report::{Goal, Measured, Report, as_f64, peak_memory};
use crate::scratch::Scratch;
use crate::server::Server;
use crate::tenants::{BenchTenant, tenants};

/// Time within which every booking of a burst is decided.
const BURST_MS: f64 = 2_000.0;
/// Goal for the answer to a tool, 99th percentile.
const TOOL_P99_MS: f64 = 100.0;
/// Resources of the tenant; the first ones have the bursts.
const RESOURCES: usize = 50;
/// Tenants: one with the bookings, the others receive the webhooks beside.
const TENANTS: usize = 11;

/// Parameters of the benchmark.
#[derive(Debug, Clone)]
pub struct BookPlan {
    /// Numbers of server processes, each measured separately.
    pub servers: Vec<usize>,
    /// Number of bookings for one time.
    pub overlapping: usize,
    /// Number of bookings for a time of their own on one resource and day, at most 288.
    pub slots: usize,
    /// Bookings by voice tools a second.
    pub rate: u32,
    /// Webhooks a second beside them.
    pub webhooks: u32,
    /// Duration of the steady rate, in seconds.
    pub seconds: u64,
    /// Number of rounds of each burst.
    pub rounds: usize,
}

/// Runs the benchmark.
///
/// # Errors
/// The scratch PostgreSQL or a server cannot be started, or an answer is not one of those expected.
pub async fn run(config: &Config, plan: &BookPlan, step: impl Fn(&str)) -> anyhow::Result<Report> {
    let mut report = Report::new("book");
    for servers in &plan.servers {
        // A database of its own for each number, so that both find it empty.
        Scratch::with(config, async |scratch| {
            report.postgres = Some(scratch.version().await?);
            measure(scratch, plan, *servers, &mut report, &step).await
        })
        .await?;
    }
    Ok(report)
}

async fn measure(
    scratch: &Scratch,
    plan: &BookPlan,
    servers: usize,
    report: &mut Report,
    step: &impl Fn(&str),
) -> anyhow::Result<()> {
    let store = Arc::new(scratch.store());
    let targets = tenants(&store, TENANTS).await?;
    let booked = &targets[0];
    let api_key = set_up(&store, booked).await?;
    store.close().await;
    let mut running = Vec::new();
    for _ in 0..servers {
        running.push(Server::start(&scratch.dir).await?);
    }
    let urls: Arc<[String]> = running.iter().map(|server| server.url.clone()).collect();
    let named = |what: &str| format!("{what}, {}", servers_text(servers));
    let burst = Burst::new(&urls, &api_key)?;
    step(&named("warming up"));
    burst
        .run(32, |nth| booking(&format!("r-{nth}"), first_day() + Duration::from_hours(9), 5))
        .await?;

    let (mut one, mut all) = (Vec::new(), Vec::new());
    for round in 0..plan.rounds {
        let start = first_day() + Days::new(1 + round as u64);
        step(&named("bookings of one time"));
        let overlapping = |nth: usize| {
            // Starts that differ by less than the length overlap all.
            let minutes = u64::try_from(nth % 30).unwrap_or_default();
            booking("r-0", start + Duration::from_mins(9 * 60 + minutes), 45)
        };
        one.push(burst.run(plan.overlapping, overlapping).await?);
        step(&named("bookings of different times of one day"));
        let own = |nth: usize| {
            let minutes = 5 * u64::try_from(nth).unwrap_or_default();
            booking("r-1", start + Duration::from_mins(minutes), 5)
        };
        all.push(burst.run(plan.slots, own).await?);
    }
    step(&named("bookings by tools beside webhooks"));
    let mut load = tools::Load::new(scratch, &urls, &targets)?;
    let (answers, webhooks) = load.run(plan).await?;
    let memory = running.iter().map(|server| peak_memory(server.pid)).max().unwrap_or_default();
    report.peak_memory_bytes = report.peak_memory_bytes.max(memory);
    for server in running {
        server.stop().await?;
    }
    let expected = burst::Expected {
        booked: 32 + plan.rounds * (1 + plan.slots),
        by_tools: usize::try_from(answers.answered)?,
    };
    expected.check(scratch, booked.tenant_id).await?;

    let one = burst::together(&named(&format!("{} overlapping bookings", plan.overlapping)), &one);
    let all = burst::together(&named(&format!("{} free times of one day", plan.slots)), &all);
    let rounds = as_f64(u64::try_from(plan.rounds)?);
    let goal = |what: &str, value, limit| Goal::at_most(named(what), value, limit);
    report.goals.extend([
        goal("overlapping: last answer, ms", one.last_ms, BURST_MS),
        goal("overlapping: neither booked nor slot-taken", one.others, 0.0),
        goal(
            "overlapping: booked more or less than once a round",
            (one.booked - rounds).abs(),
            0.0,
        ),
        goal("free times: last answer, ms", all.last_ms, BURST_MS),
        goal("free times: not booked", all.taken + all.others, 0.0),
        goal("tools: p99 ms", answers.p99_ms, TOOL_P99_MS),
        goal("tools: not booked", as_f64(answers.errors), 0.0),
        goal("webhooks beside: errors", as_f64(webhooks.errors), 0.0),
    ]);
    let limited = |mut measured: Measured, limit| {
        measured.what =
            if measured.what.contains("server") { measured.what } else { named(&measured.what) };
        measured.limit_ms = limit;
        measured
    };
    report.measured.extend([
        limited(one.measured, Some(BURST_MS)),
        limited(all.measured, Some(BURST_MS)),
        limited(answers, Some(TOOL_P99_MS)),
        limited(webhooks, None),
    ]);
    Ok(())
}

fn servers_text(servers: usize) -> String {
    if servers == 1 { "1 server".to_owned() } else { format!("{servers} servers") }
}

/// Sets the resources of the tenant, and creates a key that may book.
async fn set_up(store: &Store, tenant: &BenchTenant) -> anyhow::Result<String> {
    let resources: Vec<Value> =
        (0..RESOURCES).map(|nth| json!({ "id": format!("r-{nth}") })).collect();
    let fields = serde_json::from_value(json!({ "resources": resources }))?;
    let name = SettingName::parse("resources").context("a setting")?;
    let setting = Setting::parse(name, fields).ok().context("a value")?;
    let Setting::Booking(setting) = setting else { bail!("it is a setting of bookings") };
    store.set_booking_setting(&store.operator(), tenant.tenant_id, setting).await?;
    let api_key = new_key(tenant.tenant_id);
    let scopes = [Scope::Read, Scope::Write];
    store.create_api_key(tenant.tenant_id, &api_key, &scopes, Some("bench")).await?;
    Ok(api_key.as_str().to_owned())
}

/// Midnight, UTC, of a day to come.
fn first_day() -> DateTime<Utc> {
    let today = ledger_app::system::SystemClock.now().date_naive();
    (today + Days::new(30)).and_time(NaiveTime::MIN).and_utc()
}

/// The body of a booking.
fn booking(resource: &str, starts_at: DateTime<Utc>, minutes: u32) -> Value {
    json!({ "resource": resource, "starts_at": starts_at, "duration_minutes": minutes })
}
