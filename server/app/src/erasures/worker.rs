//! Continues open erasures in the background: those that were requested here at once, and all that the
//! read model has after a few seconds. Any number of servers may continue the same erasure.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use ledger_core::ids::{ErasureId, TenantId};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::{ErasureProcess, ErasureRef, OpenErasure, Progress};

/// Most erasures that a process continues at the same time.
const AT_ONCE: usize = 256;
/// Most erasures of one tenant and state in one look at the read model.
const OF_TENANT: i64 = 64;
/// Most erasures in one look at the read model.
const IN_LOOK: i64 = 1_024;
/// Time between two looks.
const INTERVAL: Duration = Duration::from_secs(2);
/// Time until an erasure that waits for a hold or a roll is looked at again. The release of a hold decides it at
/// once.
const RECHECK: Duration = Duration::from_secs(30);
/// Delay after the first failure of an erasure; each further one doubles it.
const FIRST_DELAY: Duration = Duration::from_secs(1);
/// Longest delay after a failure.
const LONGEST_DELAY: Duration = Duration::from_mins(5);
/// Time limit of one run over an erasure.
const TIMEOUT: Duration = Duration::from_mins(2);

/// The background task.
pub struct ErasureWorker {
    process: ErasureProcess,
    requested: Mutex<Vec<ErasureRef>>,
    wakeup: Notify,
    /// Erasures that wait or failed, with the time of the next attempt.
    delays: Mutex<HashMap<ErasureRef, Delay>>,
}

/// When an erasure is continued.
#[derive(Debug, Clone, Copy)]
struct Delay {
    failures: u32,
    /// `None` while it runs.
    next: Option<Instant>,
}

impl ErasureWorker {
    /// Creates the task of a process.
    #[must_use]
    pub fn new(process: ErasureProcess) -> Self {
        Self {
            process,
            requested: Mutex::default(),
            wakeup: Notify::new(),
            delays: Mutex::default(),
        }
    }

    /// The process that the task continues.
    #[must_use]
    pub fn process(&self) -> &ErasureProcess {
        &self.process
    }

    /// Continues an erasure at once.
    pub fn wake(&self, of: ErasureRef) {
        self.requested.lock().unwrap_or_else(PoisonError::into_inner).push(of);
        self.wakeup.notify_one();
    }

    /// Continues erasures until the process stops. Steps under way are abandoned then, and continued by
    /// the next process.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let permits = Arc::new(Semaphore::new(AT_ONCE));
        let mut running = JoinSet::new();
        let mut look = Instant::now();
        while !*stop.borrow() {
            let mut next =
                std::mem::take(&mut *self.requested.lock().unwrap_or_else(PoisonError::into_inner));
            if Instant::now() >= look {
                next.extend(self.look().await);
                look = Instant::now() + INTERVAL;
            }
            for of in next {
                if !self.begin(of) {
                    continue;
                }
                let (this, permits) = (Arc::clone(&self), Arc::clone(&permits));
                running.spawn(async move {
                    let _permit = permits.acquire_owned().await;
                    this.run_one(of).await;
                });
            }
            while running.try_join_next().is_some() {}
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                () = self.wakeup.notified() => {}
                () = tokio::time::sleep_until(look) => {}
            }
        }
        running.shutdown().await;
    }

    /// Reads which erasures are open.
    async fn look(&self) -> Vec<ErasureRef> {
        match self.process.persons.open(OF_TENANT, IN_LOOK).await {
            Ok(open) => {
                note_terms(&open, self.process.store.clock().now());
                self.without_waiting(open).await
            }
            Err(error) => {
                tracing::warn!(error = %error, "erasure.open_not_read");
                Vec::new()
            }
        }
    }

    /// Leaves out those that wait for the roll, with one query for each tenant.
    async fn without_waiting(&self, open: Vec<OpenErasure>) -> Vec<ErasureRef> {
        let (waiting, mut next): (Vec<OpenErasure>, Vec<OpenErasure>) =
            open.into_iter().partition(|one| one.awaits_roll);
        let mut by_tenant: HashMap<TenantId, Vec<OpenErasure>> = HashMap::new();
        for one in waiting {
            by_tenant.entry(one.of.tenant_id).or_default().push(one);
        }
        for (tenant_id, waiting) in by_tenant {
            let ids: Vec<ErasureId> = waiting.iter().map(|one| one.of.erasure_id).collect();
            match self.process.store.vault().rolled_erasures(tenant_id, &ids).await {
                Ok(rolled) => next.extend(
                    waiting.into_iter().filter(|one| rolled.contains_key(&one.of.erasure_id)),
                ),
                Err(error) => tracing::warn!(error = %error, "erasure.rolls_not_read"),
            }
        }
        next.into_iter().map(|one| one.of).collect()
    }

    /// Marks an erasure as running; false if it runs, or waits.
    fn begin(&self, of: ErasureRef) -> bool {
        let mut delays = self.delays.lock().unwrap_or_else(PoisonError::into_inner);
        let known = delays.get(&of).copied();
        let waits = known.is_some_and(|delay| delay.next.is_none_or(|next| Instant::now() < next));
        if !waits {
            let failures = known.map_or(0, |delay| delay.failures);
            delays.insert(of, Delay { failures, next: None });
        }
        !waits
    }

    async fn run_one(&self, of: ErasureRef) {
        let guard = Running { worker: self, of, delay: Some(FIRST_DELAY) };
        let last = ledger_core::erasure::Step::Erased;
        match timeout(TIMEOUT, self.process.run_to(of, last)).await {
            Ok(Ok(Progress::Advanced | Progress::Ended)) => guard.done(None),
            // The verification is repeated with the delays of failures.
            Ok(Ok(Progress::Findings(_))) => {}
            Ok(Ok(Progress::Deferred | Progress::AwaitsRoll)) => guard.done(Some(RECHECK)),
            Ok(Err(error)) => {
                let code = error.code();
                tracing::warn!(erasure_id = %of.erasure_id, code, error = %error, "erasure.step_failed");
                metrics::counter!("ledger_erasure_failures_total", "code" => code).increment(1);
            }
            Err(_) => {
                tracing::warn!(erasure_id = %of.erasure_id, "erasure.step_timed_out");
                metrics::counter!("ledger_erasure_failures_total", "code" => "timed-out")
                    .increment(1);
            }
        }
    }
}

/// An erasure under way. Dropped without [`Running::done`], also by a panic, it failed.
struct Running<'w> {
    worker: &'w ErasureWorker,
    of: ErasureRef,
    delay: Option<Duration>,
}

impl Running<'_> {
    /// Looks at the erasure again after `delay`, or with the next look at the read model.
    fn done(mut self, delay: Option<Duration>) {
        self.delay = None;
        let mut delays = self.worker.delays.lock().unwrap_or_else(PoisonError::into_inner);
        match delay {
            Some(delay) => {
                let next = Some(Instant::now() + delay);
                delays.insert(self.of, Delay { failures: 0, next });
            }
            None => drop(delays.remove(&self.of)),
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let Some(first) = self.delay else { return };
        let mut delays = self.worker.delays.lock().unwrap_or_else(PoisonError::into_inner);
        let failures = delays.get(&self.of).map_or(0, |delay| delay.failures).saturating_add(1);
        let delay = first.saturating_mul(1 << (failures - 1).min(16)).min(LONGEST_DELAY);
        delays.insert(self.of, Delay { failures, next: Some(Instant::now() + delay) });
    }
}

/// Sets the gauges of open erasures by the elapsed share of their term.
fn note_terms(open: &[OpenErasure], now: DateTime<Utc>) {
    let mut counts = [0_u32; 4];
    for one in open {
        counts[share(one, now)] += 1;
    }
    for (name, count) in ["under_half", "half", "four_fifths", "over"].into_iter().zip(counts) {
        metrics::gauge!("ledger_erasures_open", "term" => name).set(count);
    }
}

/// 0 before half of the term, 1 from there to 80 %, 2 before its end, 3 after it. After the live
/// certificate the request is fulfilled towards the person.
fn share(one: &OpenErasure, now: DateTime<Utc>) -> usize {
    if one.is_certified {
        return 0;
    }
    let term = (one.due_at - one.received_at).num_seconds().max(1);
    let elapsed = (now - one.received_at).num_seconds();
    match elapsed.saturating_mul(100) / term {
        ..50 => 0,
        50..80 => 1,
        80..100 => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use ledger_core::ids::SubjectId;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_term_is_counted_by_its_elapsed_share() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().expect("a time");
        let one = OpenErasure {
            of: ErasureRef {
                tenant_id: TenantId(Uuid::nil()),
                subject_id: SubjectId(Uuid::nil()),
                erasure_id: ErasureId(Uuid::nil()),
            },
            is_certified: false,
            awaits_roll: false,
            received_at: at("2026-03-01T00:00:00Z"),
            due_at: at("2026-03-31T00:00:00Z"),
        };
        for (now, expected) in [
            ("2026-03-01T00:00:00Z", 0),
            ("2026-03-15T23:00:00Z", 0),
            ("2026-03-16T00:00:00Z", 1),
            ("2026-03-25T00:00:00Z", 2),
            ("2026-03-31T00:00:00Z", 3),
            ("2027-03-31T00:00:00Z", 3),
        ] {
            assert_eq!(share(&one, at(now)), expected, "{now}");
        }
        assert_eq!(
            share(&OpenErasure { is_certified: true, ..one }, at("2027-01-01T00:00:00Z")),
            0
        );
    }
}
