//! Generator of a ledger of synthetic calls, with the complete write path except HTTP and signature checks.
//!
//! Bodies are translated, subjects resolved in the vault, sections sealed and events appended by the same
//! code as in a server, in order of time, with the calls of all tenants interleaved. Equal seeds generate
//! equal calls; keys, salts and subject ids are random.

mod body;
mod call_model;
mod timeline;

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use anyhow::Context;
use chrono::{DateTime, Utc};
use fastrand::Rng;
use ledger_core::clock::Clock;
use ledger_core::ids::Ids;
use ledger_core::provider::Provider;
use ledger_store::Store;
use ledger_store::append::AppendRequest;
use ledger_store::record::DeliveryContext;

use self::call_model::CallInputs;
use self::timeline::{TimedMessage, Timeline};
use crate::tenants::BenchTenant;
use crate::throttled_progress::ThrottledProgress;
use ledger_app::system::{SystemClock, SystemIds};

pub(crate) use self::body::number;
pub(crate) use self::call_model::{ASSISTANTS, NUMBERS, TOOLS};

/// Messages that are sealed together. All of them are queued at the append workers before the next chunk.
const CHUNK: usize = 512;
/// Chunks that are sealed while one is appended.
const AHEAD: usize = 3;
/// Attempts for a failed chunk, and the pause between them, so that a disk that stalls for seconds does not
/// discard minutes of work. Events that were appended are recognized as duplicates.
const TRIES: usize = 5;
const PAUSE: Duration = Duration::from_secs(2);
/// Maximum number of calls returned as samples.
const SAMPLES: usize = 500;

/// Parameters of the generator.
#[derive(Debug, Clone, Copy)]
pub struct CallPlan {
    /// Approximate number of events a call; with few, only its start and end.
    pub events_per_call: u32,
    /// Length of the generated period before `until`, in days.
    pub days: u32,
    /// Seed of the random generator.
    pub seed: u64,
    /// End of the last call.
    pub until: DateTime<Utc>,
}

impl CallPlan {
    /// A year of calls before now.
    #[must_use]
    pub fn new(seed: u64, events_per_call: u32) -> Self {
        Self { events_per_call, days: 365, seed, until: SystemClock.now_micros() }
    }

    fn terms(&self, calls: usize) -> CallInputs {
        let people = u32::try_from(calls / 8).unwrap_or(u32::MAX).clamp(50, 50_000);
        CallInputs { seed: self.seed, events_per_call: self.events_per_call, people }
    }

    /// Number of calls needed for at least this many events.
    #[must_use]
    pub fn calls_for(&self, events: usize) -> usize {
        let terms = self.terms(0);
        let (mut calls, mut made) = (0, 0);
        while made < events {
            made += terms.count(calls as u64);
            calls += 1;
        }
        calls
    }
}

/// A generated call of the first tenant, for later queries.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The platform's id of the call.
    pub provider_call_id: String,
    /// Start of the call.
    pub at: DateTime<Utc>,
    /// Number of the caller; `None` if unknown or withheld.
    pub phone: Option<String>,
}

/// Result of the generator.
#[derive(Debug, Clone, Default)]
pub struct Generated {
    /// Number of generated calls.
    pub calls: usize,
    /// Number of appended events.
    pub events: usize,
    /// Duration of the generation, in seconds.
    pub seconds: f64,
    /// Samples of the first tenant's calls.
    pub samples: Vec<Sample>,
}

/// Generates calls: `shares[n]` of them for the nth tenant.
///
/// # Errors
/// A message could not be recorded.
pub async fn generate(
    store: &Arc<Store>,
    tenants: &[BenchTenant],
    shares: &[usize],
    plan: &CallPlan,
    step: impl Fn(&str),
) -> anyhow::Result<Generated> {
    let owners = owners(shares, plan.seed)?;
    let mut done = Generated { calls: owners.len(), ..Generated::default() };
    let every = shares.first().map_or(1, |calls| calls.div_ceil(SAMPLES)).max(1);
    let mut timeline = Timeline::new(plan.terms(owners.len()), owners, plan.days, plan.until);
    let tenants: Arc<[BenchTenant]> = tenants.into();
    let began = Instant::now();
    let progress = ThrottledProgress::new(step);
    let (mut ahead, mut first_calls) = (VecDeque::new(), 0);
    loop {
        while ahead.len() < AHEAD {
            let chunk: Vec<TimedMessage> = timeline.by_ref().take(CHUNK).collect();
            if chunk.is_empty() {
                break;
            }
            for message in chunk.iter().filter(|one| one.place == 0 && one.call_model.tenant == 0) {
                if first_calls % every == 0 {
                    done.samples.push(Sample::of(message));
                }
                first_calls += 1;
            }
            let sealing = seal(Arc::clone(store), Arc::clone(&tenants), chunk.clone());
            ahead.push_back((chunk, tokio::spawn(sealing)));
        }
        let Some((chunk, sealing)) = ahead.pop_front() else { break };
        let mut appended = append(store, sealing.await?).await;
        for _ in 0..TRIES {
            if appended.is_ok() {
                break;
            }
            tokio::time::sleep(PAUSE).await;
            let again = seal(Arc::clone(store), Arc::clone(&tenants), chunk.clone()).await;
            appended = append(store, again).await;
        }
        done.events += appended?;
        progress.report(|| format!("{} calls: {} events made", done.calls, done.events));
    }
    done.seconds = began.elapsed().as_secs_f64();
    Ok(done)
}

impl Sample {
    fn of(message: &TimedMessage) -> Self {
        let call_model = &message.call_model;
        Self {
            provider_call_id: call_model.id.to_string(),
            at: call_model.created_at,
            phone: call_model.caller.filter(|_| !call_model.is_withheld).map(number),
        }
    }
}

/// Assigns a tenant to each call: the shares in random order.
fn owners(shares: &[usize], seed: u64) -> anyhow::Result<Vec<u16>> {
    let mut owners = Vec::with_capacity(shares.iter().sum());
    for (nth, calls) in shares.iter().enumerate() {
        owners.extend(std::iter::repeat_n(u16::try_from(nth)?, *calls));
    }
    Rng::with_seed(seed).shuffle(&mut owners);
    Ok(owners)
}

/// Translates and seals some messages. Their time of recording is set to the time of sending.
async fn seal(
    store: Arc<Store>,
    tenants: Arc<[BenchTenant]>,
    chunk: Vec<TimedMessage>,
) -> anyhow::Result<Vec<AppendRequest>> {
    let adapter = Provider::Vapi.adapter();
    let mut translated = Vec::with_capacity(chunk.len());
    for message in &chunk {
        let BenchTenant { tenant_id, source_id, .. } = tenants[message.call_model.tenant];
        let request_id = SystemIds.ordered();
        let origin = DeliveryContext { tenant_id, provider: "vapi", source_id, request_id };
        let body = body::body(message);
        let translation = adapter.translate(body.as_bytes(), None);
        translated.push((origin, translation.context("a made-up message cannot be read")?));
        // The append workers run on the same few threads.
        tokio::task::yield_now().await;
    }
    let sealing = translated.iter().map(|(origin, translation)| {
        store.seal(origin, &translation.canonical, &translation.drafts)
    });
    let sealed = together(sealing).await.into_iter().collect::<Result<Vec<_>, _>>();
    let mut requests = sealed.context("it cannot be sealed")?;
    for (request, message) in requests.iter_mut().zip(&chunk) {
        for event in request.streams.iter_mut().flat_map(|stream| &mut stream.events) {
            event.recorded_at = message.sent_at;
        }
    }
    Ok(requests)
}

/// Appends the requests in this order, and returns the number of events.
async fn append(
    store: &Store,
    sealed: anyhow::Result<Vec<AppendRequest>>,
) -> anyhow::Result<usize> {
    let requests = sealed?;
    let events = requests.iter().map(|one| one.streams[0].events.len()).sum();
    let appended = together(requests.into_iter().map(|one| store.appender().append(one))).await;
    appended.into_iter().collect::<Result<Vec<_>, _>>().context("it cannot be appended")?;
    Ok(events)
}

/// Polls all futures concurrently, each first in this order, and returns their results.
async fn together<F: Future>(work: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut work: Vec<_> = work.map(Box::pin).collect();
    let begun: Vec<Poll<F::Output>> = poll_fn(|context| {
        Poll::Ready(work.iter_mut().map(|one| one.as_mut().poll(context)).collect())
    })
    .await;
    let mut done = Vec::with_capacity(work.len());
    for (one, begun) in work.into_iter().zip(begun) {
        done.push(match begun {
            Poll::Ready(done) => done,
            Poll::Pending => one.await,
        });
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_calls_as_it_takes_make_the_events() {
        let plan = CallPlan { events_per_call: 8, days: 365, seed: 7, until: DateTime::UNIX_EPOCH };
        let calls = plan.calls_for(1_000) as u64;
        let events = |calls| (0..calls).map(|nth| plan.terms(0).count(nth)).sum::<usize>();
        assert!(events(calls) >= 1_000 && events(calls - 1) < 1_000);
    }

    #[test]
    fn every_tenant_gets_its_share() {
        let owners = owners(&[5, 0, 2], 7).unwrap();
        assert_eq!(owners.len(), 7);
        assert_eq!(owners.iter().filter(|owner| **owner == 2).count(), 2);
        assert!(!owners.contains(&1));
    }
}
