//! Reading the log for read models: each batch once, bounded by events and by bytes, and the next one
//! while this one is written.

use std::ops::ControlFlow;

use ledger_core::ids::{Position, TenantId};
use ledger_store::read::{StoredEvent, scan_after};
use sqlx::{PgConnection, PgPool};
use tokio::task::JoinHandle;

use crate::projector::LogEvent;

/// Bytes of facts and sections that are held at once, about.
const BYTES: usize = 16 << 20;

/// Events of one tenant after a position, and whether there are more.
pub(super) struct Batch {
    pub(super) events: Vec<LogEvent>,
    pub(super) is_full: bool,
}

/// Reads and decodes.
pub(super) async fn read(
    conn: &mut PgConnection,
    tenant_id: TenantId,
    after: Position,
    limit: usize,
) -> sqlx::Result<Batch> {
    let mut events = Vec::new();
    let mut bytes = 0;
    let take = |stored: StoredEvent| {
        bytes += stored.facts.len() + stored.sections.as_ref().map_or(0, Vec::len);
        events.push(LogEvent::new(stored));
        if bytes < BYTES { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let rows = i64::try_from(limit).expect("some thousands");
    scan_after(conn, tenant_id, after, rows, take).await?;
    let is_full = events.len() == limit || bytes >= BYTES;
    Ok(Batch { events, is_full })
}

/// The next batch of a tenant, on its way: the log only grows, so it can be read at any time.
pub(super) struct Ahead {
    pub(super) tenant_id: TenantId,
    pub(super) after: Position,
    task: JoinHandle<sqlx::Result<Batch>>,
}

impl Ahead {
    pub(super) fn start(pool: &PgPool, tenant_id: TenantId, after: Position, limit: usize) -> Self {
        let pool = pool.clone();
        let task = tokio::spawn(async move {
            let mut conn = pool.acquire().await?;
            read(&mut conn, tenant_id, after, limit).await
        });
        Self { tenant_id, after, task }
    }

    pub(super) async fn finish(mut self) -> sqlx::Result<Batch> {
        match (&mut self.task).await {
            Ok(read) => read,
            Err(_) => Err(sqlx::Error::WorkerCrashed),
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.task.abort();
    }
}
