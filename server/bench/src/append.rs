//! `bench append`: group commit, compared with one request per commit, single-row inserts and batch inserts.
//!
//! Closed loop: each caller waits for its answer before its next event. The methods run in turn for several
//! rounds, so that disturbances of the machine affect all of them.

mod events;
mod limits;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use ledger_core::ids::{Ids, TenantId};
use ledger_store::Store;
use ledger_store::append::append;
use sqlx::postgres::PgPoolOptions;
use sqlx::{Executor, PgPool};
use tokio::task::JoinSet;

use self::events::{Events, noise};
use self::limits::Positions;
use crate::latency::Latencies;
use crate::report::{Goal, Measured, Report, peak_memory};
use crate::scratch::Scratch;
use ledger_app::config::Config;
use ledger_app::system::SystemIds;

/// Connections of the methods with one request per commit; more of them make those slower.
const CONNECTIONS: usize = 32;
/// Rows of a batch insert, and batches in flight; the same as the appender's own limits.
const BATCH: usize = 512;
const BATCHES: usize = 2;
const WARM_UP: Duration = Duration::from_millis(500);

/// Parameters of the benchmark.
#[derive(Debug, Clone)]
pub struct AppendPlan {
    /// Numbers of concurrent callers, each measured separately.
    pub callers: Vec<usize>,
    /// Numbers of tenants, each measured separately.
    pub tenants: Vec<usize>,
    /// Duration of a round, in seconds.
    pub seconds: u64,
    /// Number of rounds of each measurement.
    pub rounds: usize,
    /// Rows in the log before the first measurement; 0 empties the log before each one.
    pub rows: i64,
}

/// Method of storing an event durably.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AppendMethod {
    /// The ledger's appender, which groups requests into commits.
    GroupCommit,
    /// The same SQL function with one request per commit.
    OnePerCommit,
    /// Single-row insert without the append function.
    BareInsert,
    /// Insert of 512 rows without the append function.
    BareBatch,
}

impl AppendMethod {
    fn name(self) -> &'static str {
        match self {
            Self::GroupCommit => "group commit",
            Self::OnePerCommit => "one request per commit, same function",
            Self::BareInsert => "bare one-row insert per commit",
            Self::BareBatch => "bare 512-row inserts, two at once",
        }
    }
}

/// Runs the benchmark.
///
/// # Errors
/// The scratch PostgreSQL cannot be used.
pub async fn run(
    config: &Config,
    plan: &AppendPlan,
    step: impl Fn(&str),
) -> anyhow::Result<Report> {
    Scratch::with(config, async |scratch| measure(scratch, plan, step).await).await
}

async fn measure(
    scratch: &Scratch,
    plan: &AppendPlan,
    step: impl Fn(&str),
) -> anyhow::Result<Report> {
    let mut report = Report::new("append");
    report.postgres = Some(scratch.version().await?);
    let bench = Bench::new(scratch, plan).await?;
    for tenants in &plan.tenants {
        for callers in &plan.callers {
            let mut methods = vec![AppendMethod::GroupCommit, AppendMethod::OnePerCommit];
            if *tenants > 1 {
                methods.push(AppendMethod::BareInsert);
            }
            if *callers == plan.callers.iter().copied().max().unwrap_or(0) && *tenants > 1 {
                methods.push(AppendMethod::BareBatch);
            }
            step(&format!("{callers} callers over {tenants} tenants"));
            report.measured.extend(bench.measure_methods(&methods, *callers, *tenants).await?);
        }
    }
    report.goals = goals(&report.measured);
    report.peak_memory_bytes = peak_memory(std::process::id());
    bench.store.close().await;
    Ok(report)
}

/// Goals for the figures that this run measured.
fn goals(measured: &[Measured]) -> Vec<Goal> {
    let find = |method: AppendMethod, callers: usize| {
        measured.iter().find(|one| {
            one.what == method.name()
                && (one.callers == callers || method == AppendMethod::BareBatch)
                && one.tenants.is_some_and(|tenants| tenants > 1)
        })
    };
    let mut goals = Vec::new();
    for (callers, rate, p99_ms, times) in [(32, 12_000.0, 10.0, 3.0), (512, 30_000.0, 0.0, 6.0)] {
        let Some(group) = find(AppendMethod::GroupCommit, callers) else { continue };
        let ratio = |other: &Measured| group.per_second / other.per_second;
        goals.push(Goal::at_least(format!("{callers} callers: events/s"), group.per_second, rate));
        if p99_ms > 0.0 {
            goals.push(Goal::at_most(format!("{callers} callers: p99 ms"), group.p99_ms, p99_ms));
        }
        if let Some(other) = find(AppendMethod::OnePerCommit, callers) {
            let what = format!("{callers} callers: times one request per commit, same function");
            goals.push(Goal::at_least(what, ratio(other), times));
        }
        if callers == 32
            && let Some(other) = find(AppendMethod::BareInsert, callers)
        {
            let what = format!("{callers} callers: times a bare insert per commit");
            goals.push(Goal::at_least(what, ratio(other), 1.0));
        }
        if callers == 512
            && let Some(other) = find(AppendMethod::BareBatch, callers)
        {
            let what = format!("{callers} callers: share of bare 512-row inserts");
            goals.push(Goal::at_least(what, ratio(other), 0.6));
        }
    }
    goals
}

struct Bench<'a> {
    scratch: &'a Scratch,
    plan: &'a AppendPlan,
    store: Store,
    tenants: Vec<TenantId>,
    noise: Arc<[u8]>,
    positions: Positions,
}

impl<'a> Bench<'a> {
    async fn new(scratch: &'a Scratch, plan: &'a AppendPlan) -> anyhow::Result<Self> {
        let count = plan.tenants.iter().copied().max().unwrap_or(1);
        let tenants: Vec<TenantId> =
            std::iter::repeat_with(|| TenantId(SystemIds.ordered())).take(count).collect();
        let ids: Vec<uuid::Uuid> = tenants.iter().map(|tenant| tenant.0).collect();
        sqlx::query(
            "insert into ledger.tenants (tenant_id, slug, name, timezone, country, created_at)
             select id, id::text, 'bench', 'UTC', 'US', now() from unnest($1::uuid[]) id",
        )
        .bind(ids)
        .execute(&scratch.superuser)
        .await
        .context("the tenants cannot be made")?;
        if plan.rows > 0 {
            limits::fill(&scratch.superuser, &tenants, plan.rows).await?;
        }
        let store = scratch.store();
        let positions = Positions::default();
        Ok(Self { scratch, plan, store, tenants, noise: noise(), positions })
    }

    /// Measures all methods with this many callers, alternating in each round.
    async fn measure_methods(
        &self,
        methods: &[AppendMethod],
        callers: usize,
        tenants: usize,
    ) -> anyhow::Result<Vec<Measured>> {
        let mut sums: Vec<MethodResults> =
            methods.iter().map(|_| MethodResults::default()).collect();
        for round in 0..self.plan.rounds {
            for (method, sum) in methods.iter().zip(&mut sums) {
                if self.plan.rows == 0 {
                    self.scratch.empty().await?;
                }
                self.round(*method, callers, tenants, round, sum).await?;
            }
        }
        let done = methods.iter().zip(sums).map(|(method, sum)| {
            let callers = if *method == AppendMethod::BareBatch { BATCHES } else { callers };
            let mut measured = Measured::new(method.name(), callers, &sum.latencies, &sum.rates);
            measured.tenants = Some(tenants);
            measured.wal_bytes = Some(per(sum.wal_bytes, sum.events));
            measured.errors = sum.errors;
            measured
        });
        Ok(done.collect())
    }

    async fn round(
        &self,
        method: AppendMethod,
        callers: usize,
        tenants: usize,
        round: usize,
        sum: &mut MethodResults,
    ) -> anyhow::Result<()> {
        let pool = self.pool(method, callers).await?;
        let tasks = if method == AppendMethod::BareBatch { BATCHES } else { callers };
        let tenants: Arc<[TenantId]> = self.tenants[..tenants].into();
        let caller = |nth: usize| {
            let events = Events::new(
                Arc::clone(&tenants),
                Arc::clone(&self.noise),
                (round * 10_000 + nth) as u64,
            );
            Caller { method, events, pool: pool.clone(), positions: self.positions.clone() }
        };
        let started = Instant::now() + WARM_UP;
        let until = started + Duration::from_secs(self.plan.seconds);
        let mut under_way = JoinSet::new();
        for nth in 0..tasks {
            under_way.spawn(caller(nth).run(self.store.appender().clone(), started, until));
        }
        tokio::time::sleep_until(started.into()).await;
        let wal = self.scratch.wal_bytes().await?;
        let mut events = 0;
        while let Some(done) = under_way.join_next().await {
            let done = done?;
            sum.latencies.extend(&done.latencies);
            sum.errors += done.errors;
            events += done.events;
        }
        let wal = self.scratch.wal_bytes().await? - wal;
        sum.rates.push(per(events, 1) / started.elapsed().as_secs_f64());
        sum.wal_bytes += wal;
        sum.events += events;
        pool.close().await;
        Ok(())
    }

    /// Opens the connections of a method before the measurement starts.
    async fn pool(&self, method: AppendMethod, callers: usize) -> anyhow::Result<PgPool> {
        let len = match method {
            AppendMethod::GroupCommit => 1,
            AppendMethod::BareBatch => BATCHES,
            AppendMethod::OnePerCommit | AppendMethod::BareInsert => callers.min(CONNECTIONS),
        };
        let role =
            if method == AppendMethod::OnePerCommit { "set role ledger_app" } else { "select 1" };
        let len = u32::try_from(len)?;
        let options = PgPoolOptions::new()
            .max_connections(len)
            .min_connections(len)
            .test_before_acquire(false)
            .after_connect(move |conn, _| {
                Box::pin(async move {
                    conn.execute(role).await?;
                    Ok(())
                })
            });
        options.connect_with(self.scratch.database.clone()).await.context("no connections")
    }
}

/// Results of a method over all rounds.
#[derive(Default)]
struct MethodResults {
    latencies: Latencies,
    rates: Vec<f64>,
    wal_bytes: u64,
    events: u64,
    errors: u64,
}

#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark")]
fn per(bytes: u64, events: u64) -> f64 {
    if events == 0 { 0.0 } else { bytes as f64 / events as f64 }
}

struct Caller {
    method: AppendMethod,
    events: Events,
    pool: PgPool,
    positions: Positions,
}

#[derive(Default)]
struct CallerDone {
    latencies: Latencies,
    events: u64,
    errors: u64,
}

impl Caller {
    /// Appends until the time is over; appends that began before `from` are warm-up and not counted.
    async fn run(
        mut self,
        appender: ledger_store::appender::Appender,
        from: Instant,
        until: Instant,
    ) -> CallerDone {
        let mut done = CallerDone::default();
        loop {
            let began = Instant::now();
            if began >= until {
                return done;
            }
            let (made, took) = self.once(&appender).await;
            if began < from {
                continue;
            }
            match made {
                Ok(events) => {
                    done.events += events;
                    done.latencies.record(took);
                }
                Err(error) => {
                    tracing::warn!(error = %error, "bench.append_failed");
                    done.errors += 1;
                }
            }
        }
    }

    /// Stores one request or batch. Returns the number of events, and the duration without that of generating
    /// them.
    async fn once(
        &mut self,
        appender: &ledger_store::appender::Appender,
    ) -> (anyhow::Result<u64>, Duration) {
        if self.method == AppendMethod::BareBatch {
            // Each event is the first of its own call, as in a batch of the appender.
            let requests: Vec<_> =
                std::iter::repeat_with(|| self.events.first_of_a_call()).take(BATCH).collect();
            let insert = limits::insert_many(&self.pool, &self.positions, &requests);
            let (made, took) = timed(insert).await;
            return (made.map(|()| BATCH as u64).map_err(Into::into), took);
        }
        let request = self.events.next();
        let (made, took) = match self.method {
            AppendMethod::GroupCommit => {
                timed(async { appender.append(request).await.map(drop).map_err(Into::into) }).await
            }
            AppendMethod::OnePerCommit => timed(self.append_alone(&request)).await,
            AppendMethod::BareInsert | AppendMethod::BareBatch => {
                let version = self.events.version();
                let insert = limits::insert_one(&self.pool, &self.positions, &request, version);
                timed(async { insert.await.map_err(Into::into) }).await
            }
        };
        (made.map(|()| 1), took)
    }

    async fn append_alone(
        &self,
        request: &ledger_store::append::AppendRequest,
    ) -> anyhow::Result<()> {
        let mut conn = self.pool.acquire().await?;
        let answers = append(&mut conn, &[request]).await?;
        anyhow::ensure!(
            matches!(answers.as_slice(), [ledger_store::append::AppendOutcome::Appended(_)]),
            "not appended: {answers:?}"
        );
        Ok(())
    }
}

async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let began = Instant::now();
    let done = work.await;
    (done, began.elapsed())
}
