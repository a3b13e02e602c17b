//! Rolls the epochs of tenants when they are due, one tenant at a time.

use std::time::Duration;

use ledger_store::Store;
use ledger_store::roll::RollError;
use tokio::time::timeout;

use crate::fault::chain;
use crate::workers::StopSignal;

/// Interval between two looks at what is due.
const INTERVAL: Duration = Duration::from_mins(10);
/// Results of a roll, as labels of `ledger_epoch_rolls_total`.
pub const OUTCOMES: [&str; 4] = ["rolled", "running", "waiting", "failed"];

/// Rolls what is due until it is told to stop. A roll that is interrupted is continued by the next one.
pub async fn run(store: &Store, mut stop: StopSignal) {
    loop {
        let work = roll_due(store);
        tokio::select! {
            () = work => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        if timeout(INTERVAL, stop.wait_for(|stop| *stop)).await.is_ok() {
            return;
        }
    }
}

async fn roll_due(store: &Store) {
    if let Ok(Some(oldest)) = store.oldest_epoch().await {
        let age = (store.clock().now() - oldest).num_seconds();
        #[expect(clippy::cast_precision_loss, reason = "seconds are far below 2^52")]
        metrics::gauge!("ledger_epoch_age_seconds").set(age as f64);
    }
    let due = match store.tenants_to_roll().await {
        Ok(due) => due,
        Err(error) => {
            tracing::warn!(error = %chain(&error), "epoch.due_not_read");
            return;
        }
    };
    for tenant_id in due {
        let outcome = match store.roll_epoch(tenant_id).await {
            Ok(_) => "rolled",
            Err(RollError::Running) => "running",
            Err(RollError::Fenced { .. }) => "waiting",
            Err(error) => {
                tracing::error!(%tenant_id, error = %chain(&error), "epoch.roll_failed");
                "failed"
            }
        };
        metrics::counter!("ledger_epoch_rolls_total", "outcome" => outcome).increment(1);
    }
}
