//! Measures the time from a webhook's due time until its event is in the read model.
//!
//! The positions of the projection are polled from outside, so each result is late by at most one poll
//! interval, and never early.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use ledger_core::ids::TenantId;
use sqlx::PgPool;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::latency::Latencies;
use crate::report::{Measured, as_f64};

/// Interval of the polls.
const PAUSE: Duration = Duration::from_millis(4);
/// An event that is not in the read model after this time counts as an error.
const TIMEOUT: Duration = Duration::from_secs(30);

/// An acknowledged event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recorded {
    pub(super) tenant_id: TenantId,
    pub(super) position: i64,
    /// Due time of its webhook.
    pub(super) due: Instant,
}

/// First time at which the projection was seen at a position.
#[derive(Debug, Clone, Copy)]
struct Observation {
    position: i64,
    at: Instant,
}

/// The observed positions of each tenant's projection, in order.
type Observations = HashMap<TenantId, Vec<Observation>>;

/// Polls the positions until stopped.
pub(super) struct VisibilityProbe {
    /// Positions that must be reached before the task ends; `None` until known.
    until: watch::Sender<Option<HashMap<TenantId, i64>>>,
    task: JoinHandle<sqlx::Result<Observations>>,
}

impl VisibilityProbe {
    pub(super) fn start(pool: PgPool) -> Self {
        let until = watch::Sender::new(None);
        let task = tokio::spawn(poll_positions(pool, until.subscribe()));
        Self { until, task }
    }

    /// Waits until all these events are in the read model, and returns their latencies.
    pub(super) async fn stop(self, recorded: Vec<Recorded>) -> anyhow::Result<VisibilityLatencies> {
        let mut until: HashMap<TenantId, i64> = HashMap::new();
        for one in &recorded {
            let last = until.entry(one.tenant_id).or_default();
            *last = one.position.max(*last);
        }
        self.until.send_replace(Some(until));
        let observations = self.task.await??;
        Ok(VisibilityLatencies::of(&recorded, &observations))
    }
}

async fn poll_positions(
    pool: PgPool,
    until: watch::Receiver<Option<HashMap<TenantId, i64>>>,
) -> sqlx::Result<Observations> {
    let mut observations = Observations::new();
    let mut told_to_stop = None;
    loop {
        let positions: Vec<(Uuid, i64)> = sqlx::query_as(
            "select tenant_id, position from read.positions where projection = 'calls'",
        )
        .fetch_all(&pool)
        .await?;
        let at = Instant::now();
        for (tenant_id, position) in positions {
            let known = observations.entry(TenantId(tenant_id)).or_default();
            if known.last().is_none_or(|last| last.position < position) {
                known.push(Observation { position, at });
            }
        }
        if let Some(until) = until.borrow().as_ref() {
            let waited = told_to_stop.get_or_insert(at).elapsed();
            let is_seen = |(tenant, position): (&TenantId, &i64)| {
                let last = observations.get(tenant).and_then(|known| known.last());
                last.is_some_and(|last| last.position >= *position)
            };
            if until.iter().all(is_seen) || waited > TIMEOUT {
                return Ok(observations);
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Latencies of events until they were in the read model.
#[derive(Debug, Default)]
pub(super) struct VisibilityLatencies {
    latencies: Latencies,
    /// Events that were not in the read model within the time limit.
    missed: u64,
    seconds: f64,
}

impl VisibilityLatencies {
    fn of(recorded: &[Recorded], observations: &Observations) -> Self {
        let mut seen = Self::default();
        let mut last = None;
        for one in recorded {
            let known = observations.get(&one.tenant_id).map_or(&[][..], Vec::as_slice);
            let place = known.partition_point(|observation| observation.position < one.position);
            match known.get(place) {
                Some(observation) => {
                    seen.latencies.record(observation.at.saturating_duration_since(one.due));
                    last = last.max(Some(observation.at));
                }
                None => seen.missed += 1,
            }
        }
        let first = recorded.iter().map(|one| one.due).min();
        seen.seconds = first.zip(last).map_or(0.0, |(from, to)| (to - from).as_secs_f64());
        seen
    }

    pub(super) fn measured(&self, what: &str) -> Measured {
        let rate = as_f64(self.latencies.count()) / self.seconds.max(1e-9);
        let mut measured = Measured::new(what, 0, &self.latencies, &[rate]);
        measured.errors = self.missed;
        measured
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_seen_when_the_read_model_first_was_at_it_or_past_it() {
        let tenant_id = TenantId(Uuid::from_u128(1));
        let due = Instant::now();
        let after = |ms| due + Duration::from_millis(ms);
        let observation = |position, ms| Observation { position, at: after(ms) };
        let observations =
            Observations::from([(tenant_id, vec![observation(2, 10), observation(5, 30)])]);
        let event = |position| Recorded { tenant_id, position, due };
        let seen =
            VisibilityLatencies::of(&[event(2), event(3), event(5), event(6)], &observations);
        assert_eq!(seen.missed, 1);
        let shown = seen.latencies.quantiles_ms([0.0, 0.5, 1.0]).map(|ms| format!("{ms:.0}"));
        assert_eq!(shown, ["10", "30", "30"]);
    }
}
