//! `bench erase`: erasures of persons over HTTP, from the request to the live certificate.
//!
//! The time must not depend on the number of events of a person, because an erasure destroys keys and
//! changes no event.

mod persons;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use ledger_app::api_key::new_key;
use ledger_app::config::Config;
use ledger_core::scope::Scope;
use ledger_store::Store;

use self::persons::Persons;
use crate::latency::Latencies;
use crate::report::{Goal, Measured, Report, as_f64, peak_memory};
use crate::scratch::Scratch;
use crate::server::Server;
use crate::tenants::{BenchTenant, tenants};

/// Time from a request to the live certificate on an idle machine, of a person with many events.
const CERTIFIED_MS: f64 = 2_000.0;
/// Time of a person with many events, relative to one with few.
const TIMES_FEW: f64 = 1.5;
/// Erasures a minute.
const PER_MINUTE: f64 = 1_000.0;
/// Events of a person with few.
const FEW: usize = 8;
/// Events of a call of a generated person.
const EVENTS_PER_CALL: usize = 8;

/// Parameters of the benchmark.
#[derive(Debug, Clone)]
pub struct ErasePlan {
    /// Events of each person with many.
    pub events: usize,
    /// Persons with many events, and as many with few, erased one after the other.
    pub rounds: usize,
    /// Persons that are erased together.
    pub persons: usize,
}

/// Runs the benchmark.
///
/// # Errors
/// The scratch PostgreSQL or the server cannot be started, or an erasure has no certificate in time.
pub async fn run(config: &Config, plan: &ErasePlan, step: impl Fn(&str)) -> anyhow::Result<Report> {
    let mut report = Report::new("erase");
    Scratch::with(config, async |scratch| {
        report.postgres = Some(scratch.version().await?);
        measure(scratch, plan, &mut report, &step).await
    })
    .await?;
    Ok(report)
}

async fn measure(
    scratch: &Scratch,
    plan: &ErasePlan,
    report: &mut Report,
    step: &impl Fn(&str),
) -> anyhow::Result<()> {
    let store = Arc::new(scratch.store());
    let tenant = tenants(&store, 1).await?.pop().context("a tenant")?;
    let api_key = key(&store, &tenant).await?;
    store.close().await;
    let server = Server::start(&scratch.dir).await?;
    let persons = Persons::new(&server.url, &api_key, &tenant)?;

    step("recording persons");
    let calls = plan.events.div_ceil(EVENTS_PER_CALL);
    let (mut many, mut few) = (Vec::new(), Vec::new());
    for nth in 0..plan.rounds {
        many.push(persons.with_calls(2 * nth, calls, EVENTS_PER_CALL).await?);
        few.push(persons.with_calls(2 * nth + 1, FEW.div_ceil(EVENTS_PER_CALL), FEW).await?);
    }
    let together = persons.contacts(plan.persons).await?;
    scratch.vacuum_and_checkpoint().await?;

    step("erasing one person after the other");
    let events = format!("request to certificate, a person with {} events", plan.events);
    let of_many = one_by_one(&persons, &events, &many).await?;
    let few_events = format!("request to certificate, a person with {FEW} events");
    let of_few = one_by_one(&persons, &few_events, &few).await?;
    step("erasing many persons");
    let all = persons.erase_together(&together).await?;
    report.peak_memory_bytes = report.peak_memory_bytes.max(peak_memory(server.pid));
    server.stop().await?;

    let what = format!("{} erasures together", together.len());
    let rate = as_f64(all.latencies.count()) / all.took.as_secs_f64();
    let all = Measured::new(&what, together.len(), &all.latencies, &[rate]);
    let ratio = of_many.p50_ms / of_few.p50_ms;
    report.goals.extend([
        Goal::at_most("request to certificate: slowest, ms", of_many.p99_ms, CERTIFIED_MS),
        Goal::at_most("many events relative to few, ratio of medians", ratio, TIMES_FEW),
        Goal::at_least("erasures a minute", rate * 60.0, PER_MINUTE),
    ]);
    report.measured.extend([of_many, of_few, all]);
    Ok(())
}

async fn one_by_one(
    persons: &Persons,
    what: &str,
    subjects: &[String],
) -> anyhow::Result<Measured> {
    let mut latencies = Latencies::default();
    let mut took = Duration::ZERO;
    for subject in subjects {
        let one = persons.erase(subject).await?;
        latencies.record(one);
        took += one;
    }
    let rate = as_f64(latencies.count()) / took.as_secs_f64();
    Ok(Measured::new(what, 1, &latencies, &[rate]))
}

/// Returns an API key that records contacts and erases them.
async fn key(store: &Store, tenant: &BenchTenant) -> anyhow::Result<String> {
    let api_key = new_key(tenant.tenant_id);
    let scopes = [Scope::Read, Scope::Write, Scope::Compliance];
    let new = ledger_store::api_keys::NewKey {
        scopes: &scopes,
        name: None,
        expires_at: Some(store.clock().now() + Duration::from_hours(6)),
    };
    store.create_api_key_by(&store.operator(), tenant.tenant_id, &api_key, &new).await?;
    Ok(api_key)
}
