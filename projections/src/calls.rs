//! `calls`: one row per call, and rollups over them.
//!
//! A row of `calls` is a record: the call of a platform, or of a carrier if no platform names it. A
//! carrier's call that a platform names is a part of that record (`carriers.rs`).
//!
//! A row is the folded state ([`Call`](ledger_core::call::Call)) with derived columns to filter and sort by; the caller's
//! personal data is a copy of sealed bytes. Appointments that were booked in a call belong to its row
//! and its sums (`bookings.rs`). Rollups are updated by the difference between the old
//! and the new contribution of a call, so a late, repeated or corrected report counts once.

mod bookings;
mod callers;
mod carriers;
mod contacts;
mod contribution;
mod derived_tables;
mod earlier;
mod handles;
mod left_out;
pub(crate) mod list;
pub mod measurements;
mod measures;
mod names;
pub mod point_in_time;
mod prefolded;
pub mod provider_listing;
mod revenue;
mod rollup;
mod row;
pub mod state;
mod tags;
mod update;

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use chrono_tz::Tz;
use ledger_core::envelope::{Recorded, StreamKind};
use ledger_core::ids::TenantId;
use sqlx::PgConnection;

pub use earlier::called_before;
pub use list::{After, CallFilter, CallRow, LinkedAppointment, StoredCall, find, list};
pub use measures::Measures;
pub use names::{direction_name, status_name};
pub use revenue::{Priced, Revenue};
pub use rollup::RollupSet;
pub use update::CallState;
pub(crate) use update::parties;

use crate::projector::{
    Again, LeftOut, LogEvent, Precomputed, ProjectError, ProjectionBatch, Projector, TenantContext,
    TenantKeys, WriteMode,
};
use bookings::{AppointmentEvents, Bookings};
use prefolded::Prefolded;
use update::{BookingsChange, CallKey, CallUpdate, RollupChange, StoredCalls, load, load_keys};

/// The kinds of streams that are folded.
const CALL: &str = StreamKind::Call.as_str();
const APPOINTMENT: &str = StreamKind::Appointment.as_str();

/// The projector of the `calls` read model.
pub struct Calls;

#[async_trait]
impl Projector for Calls {
    fn name(&self) -> &'static str {
        "calls"
    }

    fn schema_version(&self) -> i32 {
        5
    }

    fn handles(&self, stream_kind: &str) -> bool {
        matches!(stream_kind, CALL | APPOINTMENT)
    }

    fn precompute(&self, tenant: TenantContext, events: &[LogEvent]) -> Precomputed {
        Precomputed::new(Prefolded::of(
            tenant.tenant_id,
            events.iter().filter(|event| event.stored.stream_kind == CALL),
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
        let appointments = AppointmentEvents::default();
        let events = BTreeMap::new();
        Ok(Box::new(CallBatch { zones, known, prefolded, events, appointments }))
    }

    async fn leave_out(
        &self,
        conn: &mut PgConnection,
        one: LeftOut<'_>,
    ) -> Result<Again, ProjectError> {
        if one.event.stored.stream_kind == CALL {
            left_out::remove(conn, one.tenant, one.event.stream()).await?;
        } else {
            left_out::remove_booking(conn, one.tenant, one.event.stream()).await?;
        }
        Ok(Again::Key)
    }
}

/// A batch of events, grouped by call and by appointment.
struct CallBatch<'e> {
    zones: HashMap<TenantId, Tz>,
    /// Stored state of the calls that exist already.
    known: StoredCalls,
    /// Calls folded speculatively as new ones.
    prefolded: Prefolded,
    /// Events of each call, in log order.
    events: BTreeMap<CallKey, Vec<(&'e Recorded, &'e LogEvent)>>,
    appointments: AppointmentEvents<'e>,
}

impl<'e> CallBatch<'e> {
    /// Folds and writes the states of appointments. Returns the appointments of each call that has
    /// one in the batch, and loads the calls that are not.
    async fn fold_bookings(
        &mut self,
        conn: &mut PgConnection,
    ) -> Result<BTreeMap<CallKey, Bookings>, ProjectError> {
        let changed = bookings::fold(conn, std::mem::take(&mut self.appointments)).await?;
        let unread = bookings::calls_of(&changed);
        let unread = unread.into_iter().filter(|key| !self.events.contains_key(key));
        self.known.extend(load_keys(conn, unread.collect()).await?);
        bookings::write(conn, &changed).await?;
        let mut now: BTreeMap<CallKey, Bookings> = BTreeMap::new();
        for ((tenant_id, appointment_id), (call_id, booking)) in changed {
            let key = (tenant_id, call_id);
            let before = || self.known.bookings.get(&key).cloned().unwrap_or_default();
            now.entry(key).or_insert_with(before).insert(appointment_id, booking);
        }
        Ok(now)
    }

    /// Takes the events and the stored state of a call.
    fn update(&mut self, key: CallKey, now: Option<Bookings>) -> CallUpdate<'e> {
        let before = self.known.bookings.remove(&key).unwrap_or_default();
        let now = now.unwrap_or_else(|| before.clone());
        CallUpdate {
            key,
            before: self.known.calls.remove(&key),
            bookings: BookingsChange { before, now },
            events: self.events.remove(&key).unwrap_or_default(),
        }
    }
}

#[async_trait]
impl<'e> ProjectionBatch<'e> for CallBatch<'e> {
    fn apply(&mut self, tenant_id: TenantId, event: &'e LogEvent) -> Result<(), ProjectError> {
        if event.stored.stream_kind == APPOINTMENT {
            return self.appointments.push(tenant_id, event);
        }
        let recorded = event.recorded()?;
        self.events.entry((tenant_id, event.stream())).or_default().push((recorded, event));
        Ok(())
    }

    async fn write(
        &mut self,
        conn: &mut PgConnection,
        mode: WriteMode,
    ) -> Result<(), ProjectError> {
        let mut bookings = self.fold_bookings(conn).await?;
        let (mut new, mut known) = (Vec::new(), Vec::new());
        for key in self.events.keys().copied().collect::<Vec<_>>() {
            let update = self.update(key, bookings.remove(&key));
            let list = if update.before.is_some() { &mut known } else { &mut new };
            list.push(update);
        }
        let prefolded = std::mem::take(&mut self.prefolded);
        let mut changes = row::write(conn, (new, prefolded), known, mode).await?;
        // The other calls have new states of appointments only. One without a row gets them when its
        // first event is folded.
        for (key, now) in bookings {
            let update = self.update(key, Some(now));
            if update.before.is_some() {
                changes.push(update.fold().1);
            }
        }
        settle(conn, &self.zones, changes, mode).await
    }
}

/// Writes what follows from the changes of calls whose rows are written: the records that they are
/// parts of, derived tables and sums.
async fn settle(
    conn: &mut PgConnection,
    zones: &HashMap<TenantId, Tz>,
    changes: Vec<RollupChange>,
    mode: WriteMode,
) -> Result<(), ProjectError> {
    let changes = carriers::join(conn, changes, mode).await?;
    derived_tables::write(conn, &changes, mode).await?;
    rollup::write(conn, zones, &changes, mode).await
}
