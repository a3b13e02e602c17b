//! Reads the log for read models: each batch once, bounded by events and bytes, and the next batch
//! while the current one is written. Precomputation by the projectors runs in the same background
//! task.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use ledger_core::ids::{Position, TenantId};
use ledger_store::read::{StoredEvent, metadata, scan_after};
use sqlx::{PgConnection, PgPool};
use tokio::task::JoinHandle;

use super::claim::Claim;
use crate::marks::{LogTimes, is_marked, mark};
use crate::panic_guard::catch_panic_sync;
use crate::projector::{LogEvent, Precomputed, Projector, TenantContext, WriteMode};

/// Approximate limit of the facts and sections held in memory, in bytes.
pub(super) const MAX_BATCH_BYTES: usize = 16 << 20;

/// Events of one tenant after a position.
pub(super) struct EventBatch {
    pub(super) events: Vec<LogEvent>,
    pub(super) is_full: bool,
    /// Approximate size of the events, in bytes.
    pub(super) bytes: usize,
    /// Precomputed values by name of the read model.
    precomputed: HashMap<&'static str, Precomputed>,
}

impl EventBatch {
    /// Takes the value precomputed for a version under construction; empty on the second call.
    pub(super) fn precomputed(&mut self, claim: &Claim) -> Precomputed {
        let mine = (claim.mode == WriteMode::Copy)
            .then(|| self.precomputed.remove(claim.projector.name()));
        mine.flatten().unwrap_or_default()
    }

    fn precompute(&mut self, tenant: TenantContext, projectors: &[Arc<dyn Projector>]) {
        for projector in projectors {
            match catch_panic_sync(|| projector.precompute(tenant, &self.events)) {
                Ok(made) => {
                    self.precomputed.insert(projector.name(), made);
                }
                // Applying the events finds the one that panics and parks it.
                Err(error) => tracing::warn!(error, "projection.prepare_panicked"),
            }
        }
    }
}

/// Reads the log for the projectors of a worker.
#[derive(Clone)]
pub(super) struct Reader {
    pub(super) times: LogTimes,
    /// The projectors that read the metadata of events.
    meta_readers: Vec<Arc<dyn Projector>>,
}

impl Reader {
    pub(super) fn of(projectors: &[Arc<dyn Projector>]) -> Self {
        let reads_meta = |projector: &&Arc<dyn Projector>| projector.reads_meta();
        let meta_readers = projectors.iter().filter(reads_meta).cloned().collect();
        Self { times: LogTimes::default(), meta_readers }
    }

    /// Whether the metadata of an event is read. Most events are of calls, whose read models need
    /// none.
    fn needs_meta(&self, event: &LogEvent) -> bool {
        let kind = event.stored.stream_kind.as_str();
        self.meta_readers.iter().any(|projector| projector.handles(kind))
    }
}

/// Reads and decodes events, computes their log times and stores the marks.
pub(super) async fn read(
    conn: &mut PgConnection,
    reader: &Reader,
    (tenant_id, after): (TenantId, Position),
    limit: usize,
) -> sqlx::Result<EventBatch> {
    let mut time = reader.times.at(conn, tenant_id, after).await?;
    let (mut events, mut marks) = (Vec::new(), Vec::new());
    let mut bytes = 0;
    let take = |stored: StoredEvent| {
        bytes += stored.facts.len() + stored.sections.as_ref().map_or(0, Vec::len);
        let updated_at = time.advance(stored.recorded_at);
        if is_marked(stored.position) {
            marks.push((stored.position, updated_at));
        }
        events.push(LogEvent::new(stored, updated_at));
        if bytes < MAX_BATCH_BYTES { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let rows = i64::try_from(limit).expect("some thousands");
    scan_after(conn, tenant_id, after, rows, take).await?;
    mark(conn, tenant_id, &marks).await?;
    let wanted = events.iter().filter(|event| reader.needs_meta(event));
    let positions: Vec<i64> = wanted.map(|event| event.stored.position).collect();
    if !positions.is_empty() {
        let mut all = metadata(conn, tenant_id, &positions).await?;
        for event in &mut events {
            event.set_meta(all.remove(&event.stored.position));
        }
    }
    if let Some(last) = events.last() {
        reader.times.keep(tenant_id, Position(last.stored.position), time);
    }
    let is_full = events.len() == limit || bytes >= MAX_BATCH_BYTES;
    Ok(EventBatch { events, is_full, bytes, precomputed: HashMap::new() })
}

/// Reads the next batch of a tenant in the background. The log is append-only, so the result stays
/// valid.
pub(super) struct ReadAhead {
    pub(super) tenant_id: TenantId,
    pub(super) after: Position,
    task: JoinHandle<sqlx::Result<EventBatch>>,
}

impl ReadAhead {
    /// Starts reading after a position. Projectors of `claims` that fill new versions precompute.
    pub(super) fn start(
        (pool, reader): (&PgPool, &Reader),
        tenant: TenantContext,
        after: Position,
        limit: usize,
        claims: &[Claim],
    ) -> Self {
        let (pool, reader, tenant_id) = (pool.clone(), reader.clone(), tenant.tenant_id);
        let filled = claims.iter().filter(|claim| claim.mode == WriteMode::Copy);
        let filled: Vec<_> = filled.map(|claim| Arc::clone(&claim.projector)).collect();
        let task = tokio::spawn(async move {
            let mut conn = pool.acquire().await?;
            let mut batch = read(&mut conn, &reader, (tenant_id, after), limit).await?;
            drop(conn);
            if filled.is_empty() {
                return Ok(batch);
            }
            // CPU-bound work would block other tasks on a runtime thread.
            let precomputed = tokio::task::spawn_blocking(move || {
                batch.precompute(tenant, &filled);
                batch
            });
            precomputed.await.map_err(|_| sqlx::Error::WorkerCrashed)
        });
        Self { tenant_id, after, task }
    }

    pub(super) async fn finish(mut self) -> sqlx::Result<EventBatch> {
        match (&mut self.task).await {
            Ok(read) => read,
            Err(_) => Err(sqlx::Error::WorkerCrashed),
        }
    }
}

impl Drop for ReadAhead {
    fn drop(&mut self) {
        self.task.abort();
    }
}
