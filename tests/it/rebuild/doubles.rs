//! Test doubles of the `calls` projector that inject faults.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use ledger_core::ids::TenantId;
use projections::calls::Calls;
use projections::event_counts::EventCounts;
use projections::simple;
use projections::{
    Again, LeftOut, LogEvent, Precomputed, ProjectError, ProjectionBatch, Projector, TenantContext,
    TenantKeys, WriteMode,
};
use sqlx::PgConnection;
use tokio::sync::{Notify, Semaphore};
use uuid::Uuid;

/// The fault that a double adds to the behaviour of `calls`.
#[derive(Clone)]
pub(super) enum Double {
    /// Panics at a call, when it is loaded, folded or written.
    Panics(Uuid, Panics),
    /// Signals that it has reached a tenant, and waits until the gate opens.
    Waits(TenantId, Arc<Gate>),
    /// Delays each batch of some tenants.
    Delays(Vec<TenantId>, Duration),
    /// Counts the preparations of a batch, and panics in every second one.
    CountsPreparations(Arc<AtomicUsize>),
    /// Counts the loads of stored state.
    CountsLoads(Arc<AtomicUsize>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Panics {
    Loading,
    Folding,
    Writing,
}

/// A point at which a projector is held.
pub(super) struct Gate {
    pub(super) reached: Notify,
    pub(super) open: Semaphore,
}

impl Gate {
    pub(super) fn shut() -> Arc<Self> {
        Arc::new(Self { reached: Notify::new(), open: Semaphore::new(0) })
    }

    pub(super) fn open(&self) {
        self.open.add_permits(Semaphore::MAX_PERMITS);
    }
}

/// Returns the read models with a double in place of `calls`.
pub(super) fn with(double: Double) -> Vec<Arc<dyn Projector>> {
    vec![Arc::new(double), simple::projector(EventCounts)]
}

#[async_trait]
impl Projector for Double {
    fn name(&self) -> &'static str {
        Calls.name()
    }

    fn schema_version(&self) -> i32 {
        Calls.schema_version()
    }

    fn handles(&self, stream_kind: &str) -> bool {
        Calls.handles(stream_kind)
    }

    fn precompute(&self, tenant: TenantContext, events: &[LogEvent]) -> Precomputed {
        if let Self::CountsPreparations(times) = self {
            assert!(times.fetch_add(1, Ordering::SeqCst) % 2 == 0, "on purpose");
        }
        Calls.precompute(tenant, events)
    }

    async fn load<'e>(
        &self,
        conn: &mut PgConnection,
        wanted: &[TenantKeys],
        precomputed: Precomputed,
    ) -> Result<Box<dyn ProjectionBatch<'e> + 'e>, ProjectError> {
        let mut panics = None;
        let is_of = |key: &Uuid| wanted.iter().any(|one| one.keys.contains(key));
        let is_at = |at: &[TenantId]| wanted.iter().any(|one| at.contains(&one.tenant.tenant_id));
        match self {
            Self::Panics(key, when) if is_of(key) => panics = Some((*key, *when)),
            Self::Waits(at, gate) if is_at(&[*at]) => {
                gate.reached.notify_one();
                let _ = gate.open.acquire().await.expect("it is never closed");
            }
            Self::CountsLoads(times) => {
                times.fetch_add(1, Ordering::SeqCst);
            }
            Self::Delays(at, length) if is_at(at) => {
                tokio::time::sleep(*length).await;
            }
            _ => {}
        }
        assert!(panics.is_none_or(|(_, when)| when != Panics::Loading), "on purpose");
        let inner = Calls.load(conn, wanted, precomputed).await?;
        Ok(Box::new(Batch { inner, panics, is_loaded: false }))
    }

    async fn leave_out(
        &self,
        conn: &mut PgConnection,
        one: LeftOut<'_>,
    ) -> Result<Again, ProjectError> {
        Calls.leave_out(conn, one).await
    }
}

struct Batch<'e> {
    inner: Box<dyn ProjectionBatch<'e> + 'e>,
    panics: Option<(Uuid, Panics)>,
    is_loaded: bool,
}

#[async_trait]
impl<'e> ProjectionBatch<'e> for Batch<'e> {
    fn apply(&mut self, tenant_id: TenantId, event: &'e LogEvent) -> Result<(), ProjectError> {
        if let Some((key, when)) = self.panics
            && key == event.stream()
        {
            assert!(when != Panics::Folding, "on purpose");
            self.is_loaded = true;
        }
        self.inner.apply(tenant_id, event)
    }

    async fn write(
        &mut self,
        conn: &mut PgConnection,
        mode: WriteMode,
    ) -> Result<(), ProjectError> {
        self.inner.write(conn, mode).await?;
        assert!(!self.is_loaded, "on purpose");
        Ok(())
    }
}
