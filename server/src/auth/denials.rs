//! Refusals on their way to the log: a flood of them is counted, not stored one by one, and no count
//! is lost.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use ledger_core::event::{AccessDenied, Event};
use ledger_core::ids::TenantId;
use ledger_store::Store;
use tokio::sync::watch;
use tokio::time::timeout;
use uuid::Uuid;

/// Of refusals alike, one is recorded in this time; the rest are counted.
const INTERVAL: Duration = Duration::from_secs(1);
/// Who is refused hears so, whether or not the log can be told.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whose refusal, at which source or key, of what, and why.
type Like = (TenantId, Uuid, String, String);

/// One that was recorded, and those like it since.
struct Recent {
    recorded_at: Instant,
    /// Of which none was recorded.
    since: u64,
    /// What they are alike in.
    denied: AccessDenied,
}

/// The refusals of a server.
#[derive(Default)]
pub struct Denials {
    recent: Mutex<HashMap<Like, Recent>>,
}

impl Denials {
    /// Records a refusal, or counts it when one like it was recorded a moment ago. A refusal that
    /// cannot be recorded is still a refusal; the failure is logged.
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
        if let Some(denied) = self.admit(tenant_id, denied) {
            append(store, tenant_id, request_id, denied).await;
        }
    }

    /// Records what was only counted and is due, once a second, and what is left when told to stop.
    pub async fn keep(&self, store: &Store, mut stop: watch::Receiver<bool>) {
        while timeout(INTERVAL, stop.wait_for(|stop| *stop)).await.is_err() {
            self.flush(store, INTERVAL).await;
        }
        self.flush(store, Duration::ZERO).await;
    }

    /// Records what was only counted since at least `age`. One event stands for all of them.
    async fn flush(&self, store: &Store, age: Duration) {
        for (tenant_id, denied) in self.due(age) {
            append(store, tenant_id, store.ids().ordered(), denied).await;
        }
    }

    /// The event to record now, with how many were counted since the last one.
    fn admit(&self, tenant_id: TenantId, mut denied: AccessDenied) -> Option<AccessDenied> {
        let who = denied.source_id.or(denied.key_id).unwrap_or_default();
        let like = (tenant_id, who, denied.action.clone(), denied.reason.clone());
        let mut recent = self.recent.lock().expect("nothing panics while holding it");
        if let Some(known) = recent.get_mut(&like) {
            known.since += 1;
            if known.recorded_at.elapsed() < INTERVAL {
                return None;
            }
            denied.suppressed = known.since - 1;
        }
        let entry = Recent { recorded_at: Instant::now(), since: 0, denied: denied.clone() };
        recent.insert(like, entry);
        Some(denied)
    }

    /// Takes out what is older than `age`; what was counted of it is to be recorded.
    fn due(&self, age: Duration) -> Vec<(TenantId, AccessDenied)> {
        let mut recent = self.recent.lock().expect("nothing panics while holding it");
        let old = recent.extract_if(|_, known| known.recorded_at.elapsed() >= age);
        let counted = old.filter(|(_, known)| known.since > 0);
        let event = |((tenant_id, ..), known): (Like, Recent)| {
            (tenant_id, AccessDenied { suppressed: known.since - 1, ..known.denied })
        };
        counted.map(event).collect()
    }
}

async fn append(store: &Store, tenant_id: TenantId, request_id: Uuid, denied: AccessDenied) {
    let actor = denied.key_id.map_or_else(|| "unproven".to_owned(), |key| format!("key:{key}"));
    let suppressed = denied.suppressed;
    let event = Event::AccessDenied(denied);
    let recorded = store.record_own(tenant_id, &actor, request_id, &event, Vec::new());
    match timeout(PATIENCE, recorded).await {
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
            reason: "proof-wrong".into(),
            source_id: Some(Uuid::nil()),
            key_id: None,
            suppressed: 0,
        }
    }

    #[test]
    fn a_flood_of_refusals_is_counted_not_stored() {
        let denials = Denials::default();
        assert_eq!(denials.admit(TENANT, denied()), Some(denied()));
        assert_eq!((0..50).filter_map(|_| denials.admit(TENANT, denied())).count(), 0);
    }

    #[test]
    fn every_refusal_is_in_the_log_by_number_when_all_are_recorded() {
        let denials = Denials::default();
        let recorded = (0..51).filter_map(|_| denials.admit(TENANT, denied()));
        let first: u64 = recorded.map(|denied| 1 + denied.suppressed).sum();
        let rest: u64 =
            denials.due(Duration::ZERO).iter().map(|(_, last)| 1 + last.suppressed).sum();
        assert_eq!((first, rest), (1, 50));
        assert!(denials.due(Duration::ZERO).is_empty(), "nothing is told twice");
    }
}
