//! `calls`: one row per call, and rollups over them.
//!
//! A row of `calls` is a record: the call of a platform, or of a carrier if no platform names it. A
//! carrier's call that a platform names is a part of that record ([`carriers`]).
//!
//! A row is the folded state ([`Call`]) with derived columns to filter and sort by; the caller's
//! personal data is a copy of sealed bytes. Rollups are updated by the difference between the old
//! and the new contribution of a call, so a late, repeated or corrected report counts once.

mod callers;
mod carriers;
mod contribution;
mod derived_tables;
mod handles;
mod left_out;
pub(crate) mod list;
pub mod measurements;
mod measures;
pub mod point_in_time;
mod prefolded;
pub mod provider_listing;
mod rollup;
mod row;
pub mod state;

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use ledger_core::call::{Call, SealedSections};
use ledger_core::envelope::Recorded;
use ledger_core::event::{Direction, Status};
use ledger_core::ids::{EventId, TenantId};
use ledger_store::read::StoredEvent;
use ledger_store::seal::{Sealed, SectionName, pack, unpack};
use sqlx::PgConnection;
use uuid::Uuid;

pub use list::{After, CallFilter, CallRow, StoredCall, find, list};
pub use measures::Measures;
pub use rollup::RollupSet;

use crate::projector::{
    Again, LeftOut, LogEvent, Precomputed, ProjectError, ProjectionBatch, Projector, TenantContext,
    TenantKeys, WriteMode,
};
use contribution::Contribution;
use prefolded::Prefolded;

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

/// Key of a call: tenant id and call id.
type CallKey = (TenantId, Uuid);

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

/// A call with its stored state and the new events of a batch.
struct CallUpdate<'e> {
    key: CallKey,
    before: Option<CallState>,
    events: Vec<(&'e Recorded, &'e LogEvent)>,
}

impl CallUpdate<'_> {
    /// Folds the events into the state and returns it with the change to the rollups.
    fn fold(self) -> (CallState, RollupChange) {
        let tenant_id = self.key.0;
        let was_part = self.before.as_ref().is_some_and(|before| before.is_part);
        let before = self.before.as_ref().map(|before| Contribution::of(tenant_id, &before.call));
        let mut folded = self.before.unwrap_or_default();
        for (recorded, event) in self.events {
            folded.fold(recorded, &event.stored);
            folded.updated_at = folded.updated_at.max(Some(event.updated_at));
        }
        let now = Some(Contribution::of(tenant_id, &folded.call));
        (folded, RollupChange { key: self.key, before, now, was_part })
    }
}

/// Change of the contribution of one call: `before` is `None` for a new call, `now` is `None` for a
/// removed one.
#[derive(Debug, PartialEq, Eq)]
struct RollupChange {
    key: CallKey,
    before: Option<Contribution>,
    now: Option<Contribution>,
    /// True if the row was one of `carrier_calls`, which contributes nothing.
    was_part: bool,
}

/// State of a call after folding, with the sealed `party` sections it refers to.
#[derive(Default)]
pub struct CallState {
    /// The state without personal data.
    pub call: Call,
    parties: HashMap<EventId, Vec<u8>>,
    /// True if the row is one of `carrier_calls`.
    is_part: bool,
    /// Log time of the last event folded since loading; `None` if there was none.
    updated_at: Option<DateTime<Utc>>,
}

impl CallState {
    /// Folds one stored event of the call's stream.
    fn fold(&mut self, recorded: &Recorded, event: &StoredEvent) {
        let parties: Vec<_> = parties(event.sections.as_deref()).collect();
        let sealed = SealedSections { subject: event.subject(), has_party: !parties.is_empty() };
        if let Some(recorded) = recorded.as_call() {
            self.call.evolve(&recorded, sealed);
        }
        self.parties.extend(parties);
    }

    /// Returns the sealed `party` sections in use, by descending precedence, packed as in the log.
    #[must_use]
    pub fn party(&self) -> Option<Vec<u8>> {
        let claims = self.call.parties().iter();
        let sections: Vec<Vec<u8>> =
            claims.filter_map(|claim| self.parties.get(&claim.event_id).cloned()).collect();
        pack(&sections)
    }
}

/// Returns the `party` sections of a column, with the ids of the events they were sealed for.
fn parties(column: Option<&[u8]>) -> impl Iterator<Item = (EventId, Vec<u8>)> {
    let sections = column.and_then(|column| unpack(column).ok()).unwrap_or_default();
    sections.into_iter().filter_map(|bytes| {
        let sealed = Sealed::parse(bytes).ok()?;
        (sealed.name == SectionName::Party).then(|| (sealed.event_id, bytes.to_vec()))
    })
}

async fn load(
    conn: &mut PgConnection,
    wanted: &[TenantKeys],
) -> Result<HashMap<CallKey, CallState>, ProjectError> {
    let all = wanted.iter().flat_map(|one| one.keys.iter().map(|key| (one.tenant.tenant_id, *key)));
    load_keys(conn, all.collect()).await
}

/// Returns the stored states of calls, whether they are records or parts of one.
async fn load_keys(
    conn: &mut PgConnection,
    keys: Vec<CallKey>,
) -> Result<HashMap<CallKey, CallState>, ProjectError> {
    let (tenants, calls): (Vec<Uuid>, Vec<Uuid>) =
        keys.into_iter().map(|(tenant_id, call_id)| (tenant_id.0, call_id)).unzip();
    if calls.is_empty() {
        return Ok(HashMap::new());
    }
    // `offset 0` forces one index lookup per key. A table that is being filled has no statistics,
    // and the planner would read all rows of the tenant for each batch.
    let rows = sqlx::query!(
        r#"select c.tenant_id as "tenant_id!", c.call_id as "call_id!", c.state as "state!", c.party,
                  c.is_part as "is_part!"
             from unnest($1::uuid[], $2::uuid[]) as k (tenant_id, call_id)
            cross join lateral (select tenant_id, call_id, state, party, false as is_part from calls
                                 where tenant_id = k.tenant_id and call_id = k.call_id
                                 union all
                                select tenant_id, call_id, state, party, true from carrier_calls
                                 where tenant_id = k.tenant_id and call_id = k.call_id
                                offset 0) c"#,
        &tenants,
        &calls,
    )
    .fetch_all(conn)
    .await?;
    let mut loaded = HashMap::with_capacity(calls.len());
    for row in rows {
        let call = state::unpack(&row.state)?;
        let parties = parties(row.party.as_deref()).collect();
        let folded = CallState { call, parties, is_part: row.is_part, updated_at: None };
        loaded.insert((TenantId(row.tenant_id), row.call_id), folded);
    }
    Ok(loaded)
}

/// Returns the stored and public name of a direction.
#[must_use]
pub const fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
        Direction::Web => "web",
    }
}

/// Returns the stored and public name of a status.
#[must_use]
pub const fn status_name(status: Status) -> &'static str {
    match status {
        Status::Queued => "queued",
        Status::Ringing => "ringing",
        Status::InProgress => "in_progress",
        Status::Forwarding => "forwarding",
        Status::Ended => "ended",
    }
}
