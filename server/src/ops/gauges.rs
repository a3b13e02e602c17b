//! Gauges measured at the time of a scrape: readiness, projection lag, disk space, quarantine.

use std::path::Path;

use ledger_app::backups::WAL_DIR;
use ledger_app::workers::WorkerState;
use ledger_store::Store;
use ledger_store::embedded::archive_content;
use ledger_store::stage;
use nix::sys::statvfs::statvfs;
use projections::Progress;
use projections::versions::State;

use super::{OK, check_keyring, in_time, journal};
use crate::app::App;

/// Measures and sets the gauges. A gauge without an answer in time keeps its previous value.
pub(super) async fn measure(app: &App) {
    let store: &Store = &app.store;
    disks(app);
    stages();
    workers(app);
    let migrated = in_time(store.is_migrated()).await;
    ready("database", migrated.is_some());
    ready("migrations", migrated == Some(true));
    ready("keyring", check_keyring(store, migrated.is_some()).await.is_ok());
    ready("journal", journal(store).await == OK);
    if migrated != Some(true) {
        return;
    }
    if let Some(all) = in_time(projections::progress(store.projector())).await {
        read_models(&all);
    }
    if let Some(dir) = &app.backup_dir {
        backups(store, dir).await;
    }
    if let Some((waiting, _)) = in_time(store.quarantine_waiting()).await {
        metrics::gauge!("ledger_quarantine_waiting").set(as_f64(waiting));
    }
}

/// Free and total space of the file systems with the data directory and the keyring. Any directory of a file
/// system will do, not only its mount point.
fn disks(app: &App) {
    let keyring = app.store.keyring().directory();
    let data = app.data_dir.as_deref().map(|dir| ("data", dir));
    for (place, dir) in data.into_iter().chain([("keyring", keyring)]) {
        // For a directory that does not exist yet, the nearest existing parent is measured.
        let Some(found) = dir.ancestors().find_map(|dir| statvfs(dir).ok()) else { continue };
        let bytes =
            |blocks: u64| as_f64(i64::try_from(blocks * found.fragment_size()).unwrap_or(i64::MAX));
        metrics::gauge!("ledger_disk_free_bytes", "place" => place)
            .set(bytes(found.blocks_available()));
        metrics::gauge!("ledger_disk_size_bytes", "place" => place).set(bytes(found.blocks()));
    }
}

/// The last verified backup, and the archive of the write-ahead log.
async fn backups(store: &Store, dir: &Path) {
    if let Some(verified) = in_time(store.backup_verified_at()).await {
        let seconds = verified.map_or(0, |verified| verified.timestamp());
        metrics::gauge!("ledger_backup_verified_timestamp_seconds").set(as_f64(seconds));
    }
    let Ok(content) = archive_content(&dir.join(WAL_DIR)) else { return };
    let bytes = i64::try_from(content.bytes).unwrap_or(i64::MAX);
    metrics::gauge!("ledger_wal_archive_bytes").set(as_f64(bytes));
    if let Some(is_failing) = in_time(store.is_archiver_failing()).await {
        let is_failing = is_failing || content.gap.is_some();
        metrics::gauge!("ledger_wal_archive_failing").set(if is_failing { 1.0 } else { 0.0 });
    }
}

/// Sets the gauges of each served version, and the progress of the version being built.
fn read_models(all: &[Progress]) {
    for one in all.iter().filter(|one| one.version.state == State::Active) {
        let set = |gauge: &'static str, value: f64| {
            metrics::gauge!(gauge, "projection" => one.name().to_owned()).set(value);
        };
        set("ledger_projection_lag_events", as_f64(one.lag_events));
        set("ledger_projection_lag_seconds", as_f64(one.lag_seconds));
        set("ledger_projection_halted_tenants", as_f64(one.halted));
        set("ledger_projection_stalled_tenants", as_f64(one.stalled));
        set("ledger_projection_parked_keys", as_f64(one.parked));
        let is_building = |other: &&Progress| {
            other.version.state == State::Building && other.name() == one.name()
        };
        let ratio = all.iter().find(is_building).map_or(1.0, |building| {
            as_f64(building.events) / as_f64((building.events + building.lag_events).max(1))
        });
        set("ledger_projection_rebuild_ratio", ratio);
    }
}

/// Whether each background task runs.
fn workers(app: &App) {
    for one in app.workers.all() {
        let is_running = one.state == WorkerState::Running;
        metrics::gauge!("ledger_worker_running", "worker" => one.name).set(if is_running {
            1.0
        } else {
            0.0
        });
    }
}

/// CPU time of each stage of a webhook; zero unless the server runs with `--measure-stages`.
fn stages() {
    for (stage, spent) in stage::spent() {
        metrics::gauge!("ledger_stage_cpu_seconds", "stage" => stage.as_str())
            .set(spent.as_secs_f64());
    }
}

fn ready(part: &'static str, is_ready: bool) {
    metrics::gauge!("ledger_ready", "part" => part).set(if is_ready { 1.0 } else { 0.0 });
}

#[expect(clippy::cast_precision_loss, reason = "a gauge needs no digits beyond 2^53")]
fn as_f64(count: i64) -> f64 {
    count as f64
}
