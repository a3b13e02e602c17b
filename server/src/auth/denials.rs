//! Records refused requests in the log and aggregates repeated ones.
//!
//! The first refusal of a kind is appended at once. Repetitions are only counted, and an event with their
//! number is appended at growing intervals; no count is lost. An unauthenticated sender can so add some
//! hundred events a day to a tenant's log, and not one a second.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use ledger_core::actor::Actor;
use ledger_core::event::{AccessDenied, AccessEvent};
use ledger_core::ids::{KeyId, TenantId};
use ledger_store::Store;
use ledger_store::admin_events::Attribution;
use tokio::sync::watch;
use tokio::time::timeout;
use uuid::Uuid;

/// First interval between two events of the same kind. Each further event doubles it.
const INTERVAL: Duration = Duration::from_secs(1);
/// The longest interval. After this time without a refusal, the next one is recorded at once again.
const LONGEST_INTERVAL: Duration = Duration::from_mins(15);
/// Time limit of an append. The refusal is answered even if its event cannot be recorded.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Identifies refusals of the same kind: tenant, source or key, action, and reason.
type DenialKey = (TenantId, Uuid, String, String);

/// The last recorded refusal of a kind, and the number of repetitions since.
struct RecentDenial {
    recorded_at: Instant,
    /// Minimum time until the next event of this kind.
    interval: Duration,
    last_at: Instant,
    /// Repetitions that are counted and not yet recorded.
    since: u64,
    /// Template of the next event.
    denied: AccessDenied,
}

/// Buffer of the refusals of this server.
#[derive(Default)]
pub struct Denials {
    recent: Mutex<HashMap<DenialKey, RecentDenial>>,
}

impl Denials {
    /// Records a refusal, or counts it if one of the same kind was recorded within the interval. A failed
    /// append is logged and does not change the answer.
    pub async fn record(
        &self,
        store: &Store,
        tenant_id: TenantId,
        request_id: Uuid,
        denied: AccessDenied,
    ) {
        metrics::counter!("ledger_access_denied_total", "reason" => denied.reason.clone())
            .increment(1);
        if tenant_id == TenantId::INSTALLATION {
            return; // It has no log: the counter is what tells of it.
        }
        if let Some(denied) = self.admit(tenant_id, denied, Instant::now()) {
            append(store, tenant_id, request_id, denied).await;
        }
    }

    /// Appends due events once a second, and all remaining ones at shutdown.
    pub async fn run_flush_loop(&self, store: &Store, mut stop: watch::Receiver<bool>) {
        while timeout(INTERVAL, stop.wait_for(|stop| *stop)).await.is_err() {
            self.flush(store, Instant::now(), false).await;
        }
        self.flush(store, Instant::now(), true).await;
    }

    /// Appends one event for each kind that is due, or for every kind if `all`.
    async fn flush(&self, store: &Store, now: Instant, all: bool) {
        for (tenant_id, denied) in self.due(now, all) {
            append(store, tenant_id, store.ids().ordered(), denied).await;
        }
    }

    /// Counts the refusal. Returns the event to record now, with the number of suppressed repetitions, or
    /// `None` while the interval lasts.
    fn admit(
        &self,
        tenant_id: TenantId,
        denied: AccessDenied,
        now: Instant,
    ) -> Option<AccessDenied> {
        let who = denied.source_id.or(denied.key_id).unwrap_or_default();
        let key = (tenant_id, who, denied.action.clone(), denied.reason.clone());
        let mut recent = self.recent.lock().expect("nothing panics while holding it");
        let Some(known) = recent.get_mut(&key) else {
            let first = denied.clone();
            let interval = INTERVAL;
            let entry = RecentDenial { recorded_at: now, interval, last_at: now, since: 0, denied };
            recent.insert(key, entry);
            return Some(first);
        };
        known.since += 1;
        known.last_at = now;
        known.is_due(now).then(|| known.record(now))
    }

    /// Returns the events that are due, and removes the kinds without a refusal for the longest interval.
    fn due(&self, now: Instant, all: bool) -> Vec<(TenantId, AccessDenied)> {
        let mut recent = self.recent.lock().expect("nothing panics while holding it");
        let mut due = Vec::new();
        for ((tenant_id, ..), known) in recent.iter_mut() {
            if known.since > 0 && (all || known.is_due(now)) {
                due.push((*tenant_id, known.record(now)));
            }
        }
        recent.retain(|_, known| now.duration_since(known.last_at) < LONGEST_INTERVAL);
        due
    }
}

impl RecentDenial {
    fn is_due(&self, now: Instant) -> bool {
        now.duration_since(self.recorded_at) >= self.interval
    }

    /// Creates the event for the counted repetitions, resets the count and doubles the interval.
    fn record(&mut self, now: Instant) -> AccessDenied {
        let suppressed = self.since - 1;
        self.since = 0;
        self.recorded_at = now;
        self.interval = (self.interval * 2).min(LONGEST_INTERVAL);
        AccessDenied { suppressed, ..self.denied.clone() }
    }
}

async fn append(store: &Store, tenant_id: TenantId, request_id: Uuid, denied: AccessDenied) {
    let actor = denied.key_id.map_or(Actor::Unauthenticated, |key_id| Actor::Key(KeyId(key_id)));
    let by = Attribution { actor, request_id, command_id: None };
    let suppressed = denied.suppressed;
    let event = AccessEvent::Denied(denied);
    let recorded = store.record_tenant_event(tenant_id, by, event, Vec::new());
    match timeout(TIMEOUT, recorded).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => {
            tracing::warn!(error = %error, %tenant_id, suppressed, "audit.denial_not_recorded");
        }
        Err(_) => tracing::warn!(%tenant_id, suppressed, "audit.denial_not_recorded_in_time"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: TenantId = TenantId(Uuid::nil());

    fn denied() -> AccessDenied {
        AccessDenied {
            action: "ingest".into(),
            reason: "signature-invalid".into(),
            source_id: Some(Uuid::nil()),
            key_id: None,
            suppressed: 0,
        }
    }

    #[test]
    fn a_flood_of_refusals_is_counted_not_stored() {
        let (denials, now) = (Denials::default(), Instant::now());
        assert_eq!(denials.admit(TENANT, denied(), now), Some(denied()));
        assert_eq!((0..50).filter_map(|_| denials.admit(TENANT, denied(), now)).count(), 0);
    }

    #[test]
    fn every_refusal_is_in_the_log_by_number_when_all_are_recorded() {
        let (denials, now) = (Denials::default(), Instant::now());
        let recorded = (0..51).filter_map(|_| denials.admit(TENANT, denied(), now));
        let first: u64 = recorded.map(|denied| 1 + denied.suppressed).sum();
        let rest: u64 = denials.due(now, true).iter().map(|(_, last)| 1 + last.suppressed).sum();
        assert_eq!((first, rest), (1, 50));
        assert!(denials.due(now, true).is_empty(), "nothing is told twice");
    }

    #[test]
    fn a_day_of_refusals_is_some_hundred_events_and_none_is_lost() {
        let (denials, start) = (Denials::default(), Instant::now());
        let (mut events, mut refusals) = (0_u64, 0_u64);
        for second in 0..86_400 {
            let now = start + Duration::from_secs(second);
            let admitted = denials.admit(TENANT, denied(), now);
            let due = denials.due(now, false).into_iter().map(|(_, denied)| denied);
            for denied in admitted.into_iter().chain(due) {
                events += 1;
                refusals += 1 + denied.suppressed;
            }
        }
        let rest = denials.due(start + Duration::from_hours(24), true);
        refusals += rest.iter().map(|(_, denied)| 1 + denied.suppressed).sum::<u64>();
        assert_eq!(refusals, 86_400);
        assert!(events < 120, "{events}");
    }

    #[test]
    fn after_a_quiet_time_the_next_refusal_is_recorded_at_once() {
        let (denials, start) = (Denials::default(), Instant::now());
        for second in 0..100 {
            denials.admit(TENANT, denied(), start + Duration::from_secs(second));
        }
        let later = start + Duration::from_secs(100) + LONGEST_INTERVAL;
        denials.due(later, false);
        assert_eq!(denials.admit(TENANT, denied(), later), Some(denied()));
    }
}
