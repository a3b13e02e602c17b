//! What is so at the moment of a scrape: whether webhooks can be taken, how far the read models are,
//! what waits in quarantine.

use ledger_store::Store;

use super::{check_keyring, in_time};

/// Asks, and sets the gauges. What could not be asked in time keeps its value.
pub(super) async fn measure(store: &Store) {
    let migrated = in_time(store.is_migrated()).await;
    ready("database", migrated.is_some());
    ready("migrations", migrated == Some(true));
    ready("keyring", check_keyring(store, migrated.is_some()).await.is_ok());
    if migrated != Some(true) {
        return;
    }
    for one in in_time(projections::progress(store.projector())).await.unwrap_or_default() {
        let name = one.name().to_owned();
        metrics::gauge!("ledger_projection_lag_events", "projection" => name.clone())
            .set(as_f64(one.lag_events));
        metrics::gauge!("ledger_projection_halted_tenants", "projection" => name)
            .set(as_f64(one.halted));
    }
    if let Some((waiting, _)) = in_time(store.quarantine_waiting()).await {
        metrics::gauge!("ledger_quarantine_waiting").set(as_f64(waiting));
    }
}

fn ready(part: &'static str, is_ready: bool) {
    metrics::gauge!("ledger_ready", "part" => part).set(if is_ready { 1.0 } else { 0.0 });
}

#[expect(clippy::cast_precision_loss, reason = "a gauge needs no digits beyond 2^53")]
fn as_f64(count: i64) -> f64 {
    count as f64
}
