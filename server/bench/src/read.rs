//! `bench read`: lists, sums and breakdowns of a tenant with many calls, among many tenants.
//!
//! The server is a separate process, queried over HTTP with sequential requests on one connection, so the
//! measurement is that of a client. Each size has its own ledger.

mod http_client;
mod queries;
mod scans;

use std::sync::Arc;

use chrono::{DateTime, Utc};

use self::http_client::QueryClient;
use self::queries::{BenchQuery, QUERIES};
use self::scans::Scans;
use crate::calls::{self, Generated};
use crate::catch_up::catch_up;
use crate::report::{Goal, Measured, Report, as_f64, peak_memory};
use crate::scratch::Scratch;
use crate::server::Server;
use crate::tenants::tenants;
use crate::throttled_progress::ThrottledProgress;
use ledger_app::api_key::new_key;
use ledger_app::config::Config;
use ledger_core::scope::Scope;

/// Calls of each of the other tenants.
const CALLS_PER_OTHER_TENANT: usize = 3;

/// Parameters of the benchmark.
#[derive(Debug, Clone)]
pub struct ReadPlan {
    /// Numbers of calls of the queried tenant, each measured separately.
    pub calls: Vec<usize>,
    /// Total number of tenants.
    pub tenants: usize,
    /// Number of requests for each query.
    pub requests: usize,
    /// Runs only queries with this text in their name.
    pub only: Option<String>,
    /// Approximate number of events a call.
    pub events_per_call: u32,
    /// Seed of the random generator.
    pub seed: u64,
}

/// Runs the benchmark.
///
/// # Errors
/// The scratch PostgreSQL or the server cannot be started.
pub async fn run(config: &Config, plan: &ReadPlan, step: impl Fn(&str)) -> anyhow::Result<Report> {
    let mut report = Report::new("read");
    let largest = plan.calls.iter().copied().max();
    for size in &plan.calls {
        let is_largest = Some(*size) == largest;
        Scratch::with(config, async |scratch| {
            let results = SizedLedger { scratch, plan, calls: *size }.measure(&step).await?;
            report.postgres = Some(scratch.version().await?);
            report.peak_memory_bytes = report.peak_memory_bytes.max(results.server_memory);
            report.measured.extend(results.measured);
            // Goals are checked at the largest size, which is the hardest.
            if is_largest {
                report.goals = results.goals;
                report.not_there = results.not_there;
            }
            Ok(())
        })
        .await?;
    }
    side_by_side(&mut report.measured);
    Ok(report)
}

/// Groups the measurements of a query at different sizes, to make growth visible.
fn side_by_side(measured: &mut [Measured]) {
    let names: Vec<String> = measured.iter().map(|one| one.what.clone()).collect();
    measured.sort_by_cached_key(|one| names.iter().position(|name| *name == one.what));
}

/// Results of one size.
#[derive(Default)]
struct SizeResults {
    measured: Vec<Measured>,
    goals: Vec<Goal>,
    not_there: Vec<String>,
    server_memory: u64,
}

/// A ledger of one size.
struct SizedLedger<'a> {
    scratch: &'a Scratch,
    plan: &'a ReadPlan,
    calls: usize,
}

/// Number of keys for searches, enough for the rate limit of all queries.
const PEOPLE_KEYS: usize = 50;

/// Everything that the queries need.
struct QuerySetup {
    api_key: String,
    /// Keys for searches by number and address, which are rate limited for each key.
    people_keys: Vec<String>,
    generated: Generated,
    until: DateTime<Utc>,
}

impl SizedLedger<'_> {
    async fn measure(&self, step: &impl Fn(&str)) -> anyhow::Result<SizeResults> {
        let mut results = SizeResults::default();
        let ready = self.generate(&mut results, step).await?;
        let events = ready.generated.events;
        step(&format!("{} calls: into the read models", self.calls));
        let server = Server::start(&self.scratch.dir).await?;
        let seconds = catch_up(&self.scratch.superuser, step).await?;
        results.server_memory = peak_memory(server.pid);
        // A connection reports its statistics to the database when it ends.
        server.stop().await?;
        let mut caught_up = Measured::once("read models, from empty", events, seconds);
        caught_up.peak_memory_bytes = Some(results.server_memory);
        results.measured.push(self.sized(caught_up));
        self.scratch.vacuum_and_checkpoint().await?;

        let scans = Scans::snapshot(&self.scratch.superuser).await?;
        let server = Server::start(&self.scratch.dir).await?;
        let asked = self.ask(&server, ready, &mut results, step).await;
        results.server_memory = results.server_memory.max(peak_memory(server.pid));
        server.stop().await?;
        asked?;
        results.goals.push(scans.since(&self.scratch.superuser).await?);
        Ok(results)
    }

    async fn generate(
        &self,
        results: &mut SizeResults,
        step: &impl Fn(&str),
    ) -> anyhow::Result<QuerySetup> {
        let store = Arc::new(self.scratch.store());
        step(&format!("{} tenants", self.plan.tenants));
        let tenants = tenants(&store, self.plan.tenants).await?;
        let mut shares = vec![CALLS_PER_OTHER_TENANT; tenants.len()];
        shares[0] = self.calls;
        let plan = calls::CallPlan::new(self.plan.seed, self.plan.events_per_call);
        let generated = calls::generate(&store, &tenants, &shares, &plan, step).await?;
        let made = Measured::once("events made", generated.events, generated.seconds);
        results.measured.push(self.sized(made));
        let tenant_id = tenants[0].tenant_id;
        let api_key = new_key(tenant_id);
        let scopes = [Scope::Read, Scope::Admin];
        store.create_api_key(tenant_id, &api_key, &scopes, Some("bench")).await?;
        let mut people_keys = Vec::new();
        for _ in 0..PEOPLE_KEYS {
            let key = new_key(tenant_id);
            let scopes = [Scope::Read, Scope::Personal];
            store.create_api_key(tenant_id, &key, &scopes, Some("bench")).await?;
            people_keys.push(key);
        }
        store.close().await;
        Ok(QuerySetup { api_key, people_keys, generated, until: plan.until })
    }

    /// Runs each query in turn.
    async fn ask(
        &self,
        server: &Server,
        ready: QuerySetup,
        results: &mut SizeResults,
        step: &impl Fn(&str),
    ) -> anyhow::Result<()> {
        let mut http_client = QueryClient::new(&server.url, ready).await?;
        let progress = ThrottledProgress::new(step);
        let is_wanted = |question: &&BenchQuery| {
            self.plan.only.as_deref().is_none_or(|only| question.what.contains(only))
        };
        for question in QUERIES.iter().filter(is_wanted) {
            progress.report(|| format!("{} calls: {}", self.calls, question.what));
            let measured = match http_client.measure(question, self.plan.requests).await? {
                Ok(measured) => measured,
                Err(answer) => {
                    results.not_there.push(format!("{}: {answer}", question.what));
                    continue;
                }
            };
            let what = format!("{}: p99 ms", question.what);
            results.goals.push(Goal::at_most(what, measured.p99_ms, question.limit_ms));
            results.measured.push(self.sized(measured));
        }
        let errors = results.measured.iter().map(|one| one.errors).sum();
        results.goals.push(Goal::at_most("answers other than 200", as_f64(errors), 0.0));
        Ok(())
    }

    fn sized(&self, measured: Measured) -> Measured {
        Measured { calls: Some(self.calls), tenants: Some(self.plan.tenants), ..measured }
    }
}
