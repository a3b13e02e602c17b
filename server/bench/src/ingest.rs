//! `bench ingest`: webhooks from HTTP request to commit.
//!
//! The server is a separate process, so the measurement is that of a client. The steady rate is an open loop:
//! each webhook has a due time, and its latency counts from then, whether earlier ones are answered or not.

mod cost;
pub(crate) mod load;
mod visibility_probe;

use std::sync::Arc;
use std::time::Duration;

use crate::catch_up::catch_up;
use crate::report::{Goal, Measured, Report, WebhookCost, as_f64, megabytes, peak_memory};
use crate::scratch::Scratch;
use crate::server::Server;
use crate::tenants::tenants;
use ledger_app::config::Config;

use self::cost::CostSnapshot;
use self::load::Load;
use self::visibility_probe::VisibilityProbe;

/// A rate is sustained if the 99th percentile stays below this and no request fails.
const HELD_P99_MS: f64 = 50.0;
/// Goal for the time until a recorded event is in the read model, 99th percentile.
const SEEN_P99_MS: f64 = 250.0;
/// Goal for the CPU time of a webhook, server and PostgreSQL together.
const COST_US: f64 = 300.0;
/// Callers of the closed loop.
const CALLERS: usize = 64;
/// Number of tenants, one clinic each.
const TENANTS: usize = 20;

/// Parameters of the benchmark.
#[derive(Debug, Clone)]
pub struct IngestPlan {
    /// Steady rate in webhooks a second.
    pub rate: u32,
    /// Duration of the steady rate, in seconds.
    pub seconds: u64,
    /// Duration of each higher rate, in seconds; 0 skips them.
    pub step_seconds: u64,
    /// Duration of the closed loop, in seconds; 0 skips it.
    pub callers_seconds: u64,
}

/// Runs the benchmark.
///
/// # Errors
/// The scratch PostgreSQL or the server cannot be started.
pub async fn run(
    config: &Config,
    plan: &IngestPlan,
    step: impl Fn(&str),
) -> anyhow::Result<Report> {
    Scratch::with(config, async |scratch| measure(scratch, plan, step).await).await
}

async fn measure(
    scratch: &Scratch,
    plan: &IngestPlan,
    step: impl Fn(&str),
) -> anyhow::Result<Report> {
    let mut report = Report::new("ingest");
    report.postgres = Some(scratch.version().await?);
    let store = Arc::new(scratch.store());
    let targets = tenants(&store, TENANTS).await?;
    store.close().await;
    let server = Server::start(&scratch.dir).await?;
    let mut load = Load::new(&server.url, targets)?;

    scratch.keep_wal().await?;
    step("warming up");
    load.open_loop(scratch, plan.rate.max(200), 2).await?;
    step(&format!("{} webhooks a second for {} seconds", plan.rate, plan.seconds));
    catch_up(&scratch.superuser, &step).await?;
    let snapshot = CostSnapshot::take(&scratch.superuser, &server).await?;
    let probe = VisibilityProbe::start(scratch.superuser.clone());
    let steady = load.open_loop(scratch, plan.rate, plan.seconds).await?;
    let seen = probe.stop(load.recorded()).await?;
    let seen = seen.measured(&format!("from due to read model, {} a second", plan.rate));
    let steady_memory = peak_memory(server.pid);
    let cost = spent(scratch, &server, snapshot, &steady, &step).await?;
    report.costs.push(cost);
    report.measured.extend([steady.clone(), seen.clone()]);
    if plan.step_seconds > 0 {
        let held = highest_rate(&mut load, scratch, plan, &step).await?;
        report.measured.extend(held);
    }
    let mut closed_us = None;
    if plan.callers_seconds > 0 {
        let round = Duration::from_secs(plan.callers_seconds);
        step("as fast as the callers can");
        load.prepare_closed_loop();
        catch_up(&scratch.superuser, &step).await?;
        let snapshot = CostSnapshot::take(&scratch.superuser, &server).await?;
        let closed = load.closed_loop(scratch, CALLERS, round).await?;
        let cost = spent(scratch, &server, snapshot, &closed, &step).await?;
        closed_us = Some(cost.total_us);
        report.costs.push(cost);
        report.measured.push(closed);
        step("the same door without a commit");
        report.measured.push(load.ignored(scratch, CALLERS, round).await?);
    }
    report.peak_memory_bytes = peak_memory(server.pid);
    server.stop().await?;
    report.goals = vec![
        Goal::at_most(format!("{} a second: p99 ms", plan.rate), steady.p99_ms, HELD_P99_MS),
        Goal::at_most(format!("{} a second: errors", plan.rate), as_f64(steady.errors), 0.0),
        Goal::at_most(
            format!("{} a second: event to read model, p99 ms", plan.rate),
            seen.p99_ms,
            SEEN_P99_MS,
        ),
        Goal::at_most(
            format!("{} a second: events not seen in the read model", plan.rate),
            as_f64(seen.errors),
            0.0,
        ),
        Goal::at_most("server memory at the steady rate, MB", megabytes(steady_memory), 300.0),
        Goal::at_most(
            "server memory at the highest, MB",
            megabytes(report.peak_memory_bytes),
            300.0,
        ),
    ];
    let cost =
        |us| Goal::at_most(format!("{CALLERS} callers: processor time a webhook, µs"), us, COST_US);
    report.goals.extend(closed_us.map(cost));
    Ok(report)
}

/// The cost of the load since `snapshot`, measured after the projections have caught up.
async fn spent(
    scratch: &Scratch,
    server: &Server,
    snapshot: CostSnapshot,
    measured: &Measured,
    step: &impl Fn(&str),
) -> anyhow::Result<WebhookCost> {
    catch_up(&scratch.superuser, step).await?;
    snapshot.cost(&scratch.superuser, server, (&measured.what, measured.answered)).await
}

/// Doubles the rate until it is not sustained, then bisects. Returns the last sustained measurement and the
/// lowest one that was not.
async fn highest_rate(
    load: &mut Load,
    scratch: &Scratch,
    plan: &IngestPlan,
    step: &impl Fn(&str),
) -> anyhow::Result<Vec<Measured>> {
    let (mut low, mut high) = (plan.rate, None);
    let (mut held, mut lost) = (None, None);
    for _ in 0..9 {
        let rate = match high {
            None => low * 2,
            Some(high) if (high - low) * 8 < high => break,
            Some(high) => low.midpoint(high),
        };
        step(&format!("{rate} webhooks a second for {} seconds", plan.step_seconds));
        let measured = load.open_loop(scratch, rate, plan.step_seconds).await?;
        let kept_up = measured.per_second >= 0.97 * f64::from(rate);
        if measured.errors == 0 && measured.p99_ms <= HELD_P99_MS && kept_up {
            (low, held) = (rate, Some(measured));
        } else {
            (high, lost) = (Some(rate), Some(measured));
        }
    }
    let name = |measured: Option<Measured>, verdict: &str| {
        measured.map(|one| Measured { what: format!("{}, {verdict}", one.what), ..one })
    };
    Ok(name(held, "held").into_iter().chain(name(lost, "not held")).collect())
}
