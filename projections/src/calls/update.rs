//! A call in a batch: its stored state, its new events, and the change to the rollups.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use chrono::{DateTime, Utc};
use ledger_core::call::{Call, SealedSections};
use ledger_core::envelope::Recorded;
use ledger_core::ids::{EventId, TenantId};
use ledger_store::read::StoredEvent;
use ledger_store::seal::{Sealed, SectionName, pack, unpack};
use sqlx::PgConnection;
use uuid::Uuid;

use super::bookings::{BookingRow, Bookings};
use super::contribution::Contribution;
use super::state::unpack as unpack_call;
use crate::projector::{LogEvent, ProjectError, TenantKeys};

/// Key of a call: tenant id and call id.
pub(super) type CallKey = (TenantId, Uuid);

/// A call with its stored state and the new events of a batch.
pub(super) struct CallUpdate<'e> {
    pub(super) key: CallKey,
    pub(super) before: Option<CallState>,
    pub(super) bookings: BookingsChange,
    pub(super) events: Vec<(&'e Recorded, &'e LogEvent)>,
}

/// The appointments of a call before and after a batch.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct BookingsChange {
    pub(super) before: Bookings,
    pub(super) now: Bookings,
}

impl CallUpdate<'_> {
    /// Folds the events into the state and returns it with the change to the rollups.
    pub(super) fn fold(self) -> (CallState, RollupChange) {
        let tenant_id = self.key.0;
        let was_part = self.before.as_ref().is_some_and(|before| before.is_part);
        let bookings = &self.bookings;
        let of = |call: &Call, bookings| Contribution::of(tenant_id, call, bookings);
        let before = self.before.as_ref().map(|before| of(&before.call, &bookings.before));
        let mut folded = self.before.unwrap_or_default();
        for (recorded, event) in self.events {
            folded.fold(recorded, &event.stored);
            folded.updated_at = folded.updated_at.max(Some(event.updated_at));
        }
        let now = Some(of(&folded.call, &bookings.now));
        (folded, RollupChange { key: self.key, before, now, was_part })
    }
}

/// Change of the contribution of one call: `before` is `None` for a new call, `now` is `None` for a
/// removed one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RollupChange {
    pub(super) key: CallKey,
    pub(super) before: Option<Contribution>,
    pub(super) now: Option<Contribution>,
    /// True if the row was one of `carrier_calls`, which contributes nothing.
    pub(super) was_part: bool,
}

/// State of a call after folding, with the sealed `party` sections it refers to.
#[derive(Default)]
pub struct CallState {
    /// The state without personal data.
    pub call: Call,
    pub(super) parties: HashMap<EventId, Vec<u8>>,
    /// True if the row is one of `carrier_calls`.
    pub(super) is_part: bool,
    /// Log time of the last event folded since loading; `None` if there was none.
    pub(super) updated_at: Option<DateTime<Utc>>,
}

impl CallState {
    /// Folds one stored event of the call's stream.
    pub(super) fn fold(&mut self, recorded: &Recorded, event: &StoredEvent) {
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
pub(crate) fn parties(column: Option<&[u8]>) -> impl Iterator<Item = (EventId, Vec<u8>)> {
    let sections = column.and_then(|column| unpack(column).ok()).unwrap_or_default();
    sections.into_iter().filter_map(|bytes| {
        let sealed = Sealed::parse(bytes).ok()?;
        (sealed.name == SectionName::Party).then(|| (sealed.event_id, bytes.to_vec()))
    })
}

/// The stored state of calls.
#[derive(Default)]
pub(super) struct StoredCalls {
    /// The calls with a row.
    pub(super) calls: HashMap<CallKey, CallState>,
    /// The appointments that were booked in each call, whether the call has a row or not.
    pub(super) bookings: HashMap<CallKey, Bookings>,
}

impl StoredCalls {
    /// Adds calls that were loaded later.
    pub(super) fn extend(&mut self, more: Self) {
        self.calls.extend(more.calls);
        self.bookings.extend(more.bookings);
    }
}

/// Loads the stored states of these calls.
pub(super) async fn load(
    conn: &mut PgConnection,
    wanted: &[TenantKeys],
) -> Result<StoredCalls, ProjectError> {
    let all = wanted.iter().flat_map(|one| one.keys.iter().map(|key| (one.tenant.tenant_id, *key)));
    load_keys(conn, all.collect()).await
}

/// Returns the stored states of calls, whether they are records or parts of one, with their
/// appointments.
pub(super) async fn load_keys(
    conn: &mut PgConnection,
    keys: Vec<CallKey>,
) -> Result<StoredCalls, ProjectError> {
    let (tenants, calls): (Vec<Uuid>, Vec<Uuid>) =
        keys.into_iter().map(|(tenant_id, call_id)| (tenant_id.0, call_id)).unzip();
    let mut stored = StoredCalls::default();
    if calls.is_empty() {
        return Ok(stored);
    }
    // `offset 0` forces one index lookup per key. A table that is being filled has no statistics,
    // and the planner would read all rows of the tenant for each batch.
    let rows = sqlx::query!(
        r#"select k.tenant_id as "tenant_id!", k.call_id as "call_id!", c.state as "state?", c.party,
                  c.is_part as "is_part?", b.booking as "booking?"
             from unnest($1::uuid[], $2::uuid[]) as k (tenant_id, call_id)
             left join lateral (select state, party, false as is_part from calls
                                 where tenant_id = k.tenant_id and call_id = k.call_id
                                 union all
                                select state, party, true from carrier_calls
                                 where tenant_id = k.tenant_id and call_id = k.call_id
                                offset 0) c on true
             left join lateral (select row_to_json(a)::text as booking from call_appointments a
                                 where a.tenant_id = k.tenant_id and a.call_id = k.call_id
                                offset 0) b on true
            where c.state is not null or b.booking is not null"#,
        &tenants,
        &calls,
    )
    .fetch_all(conn)
    .await?;
    // A call with several appointments has a row for each.
    for row in rows {
        let key = (TenantId(row.tenant_id), row.call_id);
        if let Some(booking) = row.booking {
            BookingRow::parse(&booking)?.add_to(stored.bookings.entry(key).or_default());
        }
        if let (Some(state), Entry::Vacant(place)) = (row.state, stored.calls.entry(key)) {
            let call = unpack_call(&state)?;
            let parties = parties(row.party.as_deref()).collect();
            let is_part = row.is_part.unwrap_or_default();
            place.insert(CallState { call, parties, is_part, updated_at: None });
        }
    }
    Ok(stored)
}
