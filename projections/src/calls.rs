//! `calls`: one row per call, and rollups over them.
//!
//! A row of `calls` is a record: the call of a platform, or of a carrier if no platform names it. A
//! carrier's call that a platform names is a part of that record (`carriers.rs`).
//!
//! A row is the folded state ([`Call`](ledger_core::call::Call)) with derived columns to filter and sort by; the caller's
//! personal data is a copy of sealed bytes. Rollups are updated by the difference between the old
//! and the new contribution of a call, so a late, repeated or corrected report counts once.

mod callers;
mod carriers;
mod contacts;
mod contribution;
mod derived_tables;
mod handles;
mod left_out;
pub(crate) mod list;
pub mod measurements;
mod measures;
mod names;
pub mod point_in_time;
mod prefolded;
pub mod provider_listing;
mod rollup;
mod row;
pub mod state;
mod update;

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use chrono_tz::Tz;
use ledger_core::envelope::Recorded;
use ledger_core::ids::TenantId;
use sqlx::PgConnection;

pub use list::{After, CallFilter, CallRow, StoredCall, find, list};
pub use measures::Measures;
pub use names::{direction_name, status_name};
pub use rollup::RollupSet;
pub use update::CallState;
pub(crate) use update::parties;

use crate::projector::{
    Again, LeftOut, LogEvent, Precomputed, ProjectError, ProjectionBatch, Projector, TenantContext,
    TenantKeys, WriteMode,
};
use prefolded::Prefolded;
use update::{CallKey, CallUpdate, load};

/// The projector of the `calls` read model.
pub struct Calls;

#[async_trait]
impl Projector for Calls {
    fn name(&self) -> &'static str {
        "calls"
    }

    fn schema_version(&self) -> i32 {
        4
    }

    fn handles(&self, stream_kind: &str) -> bool {
        stream_kind == "call"
    }

    fn precompute(&self, tenant: TenantContext, events: &[LogEvent]) -> Precomputed {
        Precomputed::new(Prefolded::of(
            tenant.tenant_id,
            events.iter().filter(|event| self.handles(&event.stored.stream_kind)),
        ))
    }

    async fn load<'e>(
        &self,
        conn: &mut PgConnection,
        wanted: &[TenantKeys],
        precomputed: Precomputed,
    ) -> Result<Box<dyn ProjectionBatch<'e> + 'e>, ProjectError> {
        let known = load(conn, wanted).await?;
        let prefolded = precomputed.into().unwrap_or_default();
        let zones = wanted.iter().map(|one| (one.tenant.tenant_id, one.tenant.zone)).collect();
        Ok(Box::new(CallBatch { zones, known, prefolded, events: BTreeMap::new() }))
    }

    async fn leave_out(
        &self,
        conn: &mut PgConnection,
        one: LeftOut<'_>,
    ) -> Result<Again, ProjectError> {
        left_out::remove(conn, one.tenant, one.event.stream()).await?;
        Ok(Again::Key)
    }
}

/// A batch of events, grouped by call.
struct CallBatch<'e> {
    zones: HashMap<TenantId, Tz>,
    /// Stored state of the calls that exist already.
    known: HashMap<CallKey, CallState>,
    /// Calls folded speculatively as new ones.
    prefolded: Prefolded,
    /// Events of each call, in log order.
    events: BTreeMap<CallKey, Vec<(&'e Recorded, &'e LogEvent)>>,
}

#[async_trait]
impl<'e> ProjectionBatch<'e> for CallBatch<'e> {
    fn apply(&mut self, tenant_id: TenantId, event: &'e LogEvent) -> Result<(), ProjectError> {
        let recorded = event.recorded()?;
        self.events.entry((tenant_id, event.stream())).or_default().push((recorded, event));
        Ok(())
    }

    async fn write(
        &mut self,
        conn: &mut PgConnection,
        mode: WriteMode,
    ) -> Result<(), ProjectError> {
        let (mut new, mut known) = (Vec::new(), Vec::new());
        for (key, events) in std::mem::take(&mut self.events) {
            let before = self.known.remove(&key);
            let list = if before.is_some() { &mut known } else { &mut new };
            list.push(CallUpdate { key, before, events });
        }
        let prefolded = std::mem::take(&mut self.prefolded);
        let changes = row::write(conn, (new, prefolded), known, mode).await?;
        let changes = carriers::join(conn, changes, mode).await?;
        derived_tables::write(conn, &changes, mode).await?;
        rollup::write(conn, &self.zones, &changes, mode).await
    }
}
