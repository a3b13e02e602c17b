//! `bench rebuild`: rebuild of the read model `calls` from the whole log, compared with reading the log only.
//!
//! The limit is one connection that reads the same events in the engine's batch size and decodes them, with
//! no other load. The rows of the rebuild must equal those that were projected live.

mod timed;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use ledger_core::ids::Position;
use ledger_store::Store;
use ledger_store::read::scan_after;
use projections::Runner;

use self::timed::{Rebuilt, rebuild};
use crate::calls::{self, Generated};
use crate::catch_up::catch_up;
use crate::latency::Latencies;
use crate::report::{Goal, Measured, Report, forget_peak_memory, megabytes, peak_memory};
use crate::scratch::Scratch;
use crate::tenants::{BenchTenant, tenants};
use ledger_app::config::Config;

/// Batch size of the engine, in events.
const BATCH: i64 = 8_000;
/// Goals of the benchmark.
const EVENTS_A_SECOND: f64 = 100_000.0;
const SHARE_OF_READING: f64 = 0.5;
const MEMORY_MB: f64 = 300.0;

/// Parameters of the benchmark.
#[derive(Debug, Clone)]
pub struct RebuildPlan {
    /// Minimum number of events.
    pub events: usize,
    /// Numbers of tenants, each measured separately.
    pub tenants: Vec<usize>,
    /// Approximate number of events a call.
    pub events_per_call: u32,
    /// Seed of the random generator.
    pub seed: u64,
}

/// Runs the benchmark.
///
/// # Errors
/// The scratch PostgreSQL cannot be used.
pub async fn run(
    config: &Config,
    plan: &RebuildPlan,
    step: impl Fn(&str),
) -> anyhow::Result<Report> {
    let mut report = Report::new("rebuild");
    for tenants in &plan.tenants {
        let results = Scratch::with(config, async |scratch| {
            report.postgres = Some(scratch.version().await?);
            let store = Arc::new(scratch.store());
            let measured = measure(scratch, &store, plan, *tenants, &step).await;
            store.close().await;
            measured
        })
        .await?;
        let goals = results.goals(*tenants);
        report.goals.extend(goals);
        report.checksums.push(results.rebuilt.checksum);
        let peak = results.measured.iter().filter_map(|one| one.peak_memory_bytes).max();
        report.peak_memory_bytes = peak.unwrap_or_default().max(report.peak_memory_bytes);
        report.measured.extend(results.measured);
    }
    Ok(report)
}

/// Results of one ledger.
struct RebuildResults {
    measured: Vec<Measured>,
    /// Events a second: `read` is the better of two passes, `rate` that of the rebuild.
    read: f64,
    rebuilt: Rebuilt,
    rate: f64,
    memory: u64,
}

async fn measure(
    scratch: &Scratch,
    store: &Arc<Store>,
    plan: &RebuildPlan,
    count: usize,
    step: &impl Fn(&str),
) -> anyhow::Result<RebuildResults> {
    step(&format!("{count} tenants"));
    let tenants = tenants(store, count).await?;
    let Generated { calls, events, seconds, .. } = generate(store, plan, &tenants, step).await?;
    let mut measured = vec![Measured::once("events made", events, seconds)];

    step("into the read models, from empty");
    forget_peak_memory();
    let runner = Runner::start(store, projections::all());
    let caught_up = Measured::once(
        "folded live, from empty",
        events,
        catch_up(&scratch.superuser, step).await?,
    );
    measured.push(with_memory(caught_up));
    runner.stop().await;
    scratch.vacuum_and_checkpoint().await?;

    step("bare reading");
    let before = read(store, &tenants).await?;
    step("rebuild");
    forget_peak_memory();
    let runner = Runner::start(store, projections::all());
    let rebuilt = rebuild(store, step).await?;
    runner.stop().await;
    let again = with_memory(Measured::once("calls rebuilt and shown", events, rebuilt.seconds));
    let filled =
        Measured::once("calls rebuilt, before its indexes", events, rebuilt.filled_seconds);
    let (rate, memory) = (again.per_second, again.peak_memory_bytes.unwrap_or_default());
    step("bare reading, again");
    let after = read(store, &tenants).await?;

    let rates = [before, after].map(|passed| passed.0 / passed.1);
    let what = format!("limit: read and decode, {BATCH} at once, one connection");
    measured.push(Measured::new(&what, 1, &Latencies::default(), &rates));
    measured.extend([filled, again]);
    for one in &mut measured {
        (one.tenants, one.calls) = (Some(count), Some(calls));
    }
    Ok(RebuildResults { measured, read: rates[0].max(rates[1]), rebuilt, rate, memory })
}

async fn generate(
    store: &Arc<Store>,
    plan: &RebuildPlan,
    tenants: &[BenchTenant],
    step: &impl Fn(&str),
) -> anyhow::Result<Generated> {
    let made = calls::CallPlan::new(plan.seed, plan.events_per_call);
    let calls = made.calls_for(plan.events);
    let share = |nth: usize| calls / tenants.len() + usize::from(nth < calls % tenants.len());
    let shares: Vec<usize> = (0..tenants.len()).map(share).collect();
    calls::generate(store, tenants, &shares, &made, step).await
}

/// Reads and decodes every event of these tenants. Returns their number and the seconds.
#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark")]
async fn read(store: &Store, tenants: &[BenchTenant]) -> anyhow::Result<(f64, f64)> {
    let mut conn = store.projector().acquire().await?;
    let (began, mut count) = (Instant::now(), 0_i64);
    for tenant in tenants {
        let mut after = Position(0);
        loop {
            let (mut batch, mut broken) = (0, None);
            scan_after(&mut conn, tenant.tenant_id, after, BATCH, |event| {
                batch += 1;
                after = Position(event.position);
                match event.decode() {
                    Ok(decoded) => {
                        std::hint::black_box(decoded);
                        ControlFlow::Continue(())
                    }
                    Err(error) => {
                        broken = Some(error);
                        ControlFlow::Break(())
                    }
                }
            })
            .await?;
            if let Some(error) = broken {
                return Err(error.into());
            }
            count += batch;
            if batch < BATCH {
                break;
            }
        }
    }
    Ok((count as f64, began.elapsed().as_secs_f64()))
}

fn with_memory(measured: Measured) -> Measured {
    Measured { peak_memory_bytes: Some(peak_memory(std::process::id())), ..measured }
}

impl RebuildResults {
    fn goals(&self, tenants: usize) -> Vec<Goal> {
        let over = |what: &str| format!("{what}, {tenants} tenants");
        let differ = if self.rebuilt.is_as_live { 0.0 } else { 1.0 };
        vec![
            Goal::at_least(over("calls rebuilt, events/s"), self.rate, EVENTS_A_SECOND),
            Goal::at_least(over("share of bare reading"), self.rate / self.read, SHARE_OF_READING),
            Goal::at_most(over("memory of the process, MB"), megabytes(self.memory), MEMORY_MB),
            Goal::at_most(over("checksums that are not the live one's"), differ, 0.0),
        ]
    }
}
