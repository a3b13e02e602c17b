//! `calls`: one row per call, and the sums over them. The row is the fold ([`Call`]) and columns
//! derived from it to filter and sort by; who was on the line is a copy of sealed bytes. A sum is kept
//! as the difference between what a call contributed before and what it contributes now, so that a
//! report told late, twice or corrected counts once.

mod ahead;
mod contribution;
pub mod dialect;
pub mod history;
mod list;
mod measures;
mod rollup;
mod row;
mod side;
pub mod state;

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use ledger_core::call::{Call, Carried};
use ledger_core::envelope::Recorded;
use ledger_core::event::{Direction, Status};
use ledger_core::ids::EventId;
use ledger_store::StoreError;
use ledger_store::read::StoredEvent;
use ledger_store::seal::{Sealed, SectionName, pack, unpack};
use sqlx::PgConnection;
use uuid::Uuid;

pub use list::{After, CallRow, Filter, find, list};
pub use measures::Measures;
pub use rollup::Cut;

use crate::projector::{Fold, LogEvent, Prepared, ProjectError, Projector, Tenant, Way};
use ahead::Ahead;
use contribution::Contribution;

/// The projector.
pub struct Calls;

#[async_trait]
impl Projector for Calls {
    fn name(&self) -> &'static str {
        "calls"
    }

    fn shape(&self) -> i32 {
        3
    }

    fn wants(&self, stream_kind: &str) -> bool {
        stream_kind == "call"
    }

    fn prepare(&self, tenant: Tenant, events: &[LogEvent]) -> Prepared {
        Prepared::new(Ahead::of(
            tenant.tenant_id,
            events.iter().filter(|event| self.wants(&event.stored.stream_kind)),
        ))
    }

    async fn load<'e>(
        &self,
        conn: &mut PgConnection,
        tenant: Tenant,
        keys: &[Uuid],
        prepared: Prepared,
    ) -> Result<Box<dyn Fold<'e> + 'e>, ProjectError> {
        let known = load(conn, tenant, keys).await?;
        let ahead = prepared.into().unwrap_or_default();
        Ok(Box::new(Batch { tenant, known, ahead, events: BTreeMap::new() }))
    }
}

/// The calls of a batch.
struct Batch<'e> {
    tenant: Tenant,
    /// Those that were there before.
    known: HashMap<Uuid, Folded>,
    /// Those that were taken for new, with what is told of them.
    ahead: Ahead,
    /// What is told of each, in order.
    events: BTreeMap<Uuid, Vec<(&'e Recorded, &'e StoredEvent)>>,
}

#[async_trait]
impl<'e> Fold<'e> for Batch<'e> {
    fn take(&mut self, event: &'e LogEvent) -> Result<(), ProjectError> {
        let recorded = event.recorded()?;
        self.events.entry(event.key()).or_default().push((recorded, &event.stored));
        Ok(())
    }

    async fn write(&mut self, conn: &mut PgConnection, way: Way) -> Result<(), ProjectError> {
        let (mut new, mut known) = (Vec::new(), Vec::new());
        for (call_id, events) in std::mem::take(&mut self.events) {
            let before = self.known.remove(&call_id);
            let list = if before.is_some() { &mut known } else { &mut new };
            list.push(Touched { call_id, before, events });
        }
        let ahead = std::mem::take(&mut self.ahead);
        let changes = row::write(conn, self.tenant.tenant_id, (new, ahead), known, way).await?;
        side::write(conn, self.tenant.tenant_id, &changes, way).await?;
        rollup::write(conn, self.tenant, &changes, way).await
    }
}

/// A call, and what is told of it.
struct Touched<'e> {
    call_id: Uuid,
    before: Option<Folded>,
    events: Vec<(&'e Recorded, &'e StoredEvent)>,
}

impl Touched<'_> {
    /// Folds what is told.
    fn fold(self) -> (Folded, Change) {
        let before = self.before.as_ref().map(|before| Contribution::of(&before.call));
        let mut folded = self.before.unwrap_or_default();
        for (recorded, stored) in self.events {
            folded.fold(recorded, stored);
        }
        let now = Contribution::of(&folded.call);
        (folded, Change { call_id: self.call_id, before, now })
    }
}

/// What a call contributed to the sums before, nothing when it is new, and what it does now.
#[derive(Debug, PartialEq, Eq)]
struct Change {
    call_id: Uuid,
    before: Option<Contribution>,
    now: Contribution,
}

/// A call and the sealed parties its claims point to.
#[derive(Default)]
pub struct Folded {
    /// The fold.
    pub call: Call,
    parties: HashMap<EventId, Vec<u8>>,
}

impl Folded {
    /// Folds one stored event of the call's stream.
    ///
    /// # Errors
    /// [`StoreError::Decode`] when this build cannot read it.
    pub fn take(&mut self, event: &StoredEvent) -> Result<(), StoreError> {
        self.fold(&event.decode()?, event);
        Ok(())
    }

    fn fold(&mut self, recorded: &Recorded, event: &StoredEvent) {
        let parties: Vec<_> = parties(event.sections.as_deref()).collect();
        let carried = Carried { subject: event.subject(), has_party: !parties.is_empty() };
        self.call.evolve(recorded, carried);
        self.parties.extend(parties);
    }

    /// The sealed parties that still count, best first, packed as in the log.
    #[must_use]
    pub fn party(&self) -> Option<Vec<u8>> {
        let claims = self.call.parties().iter();
        let sections: Vec<Vec<u8>> =
            claims.filter_map(|claim| self.parties.get(&claim.event_id).cloned()).collect();
        pack(&sections)
    }
}

/// The party sections of a column, by the event they were sealed for.
fn parties(column: Option<&[u8]>) -> impl Iterator<Item = (EventId, Vec<u8>)> {
    let sections = column.and_then(|column| unpack(column).ok()).unwrap_or_default();
    sections.into_iter().filter_map(|bytes| {
        let sealed = Sealed::parse(bytes).ok()?;
        (sealed.name == SectionName::Party).then(|| (sealed.event_id, bytes.to_vec()))
    })
}

async fn load(
    conn: &mut PgConnection,
    tenant: Tenant,
    keys: &[Uuid],
) -> Result<HashMap<Uuid, Folded>, ProjectError> {
    // One look-up a key, whatever the planner thinks of a table that is being filled and has no
    // statistics yet: it would read all of the tenant's rows for each batch.
    let rows = sqlx::query!(
        r#"select c.call_id as "call_id!", c.state as "state!", c.party
             from unnest($2::uuid[]) as k (call_id)
            cross join lateral (select call_id, state, party from calls
                                 where tenant_id = $1 and call_id = k.call_id
                                offset 0) c"#,
        tenant.tenant_id.0,
        keys,
    )
    .fetch_all(conn)
    .await?;
    let mut loaded = HashMap::with_capacity(keys.len());
    for row in rows {
        let call = state::unpack(&row.state)?;
        let parties = parties(row.party.as_deref()).collect();
        loaded.insert(row.call_id, Folded { call, parties });
    }
    Ok(loaded)
}

/// The stored and shown name of a direction.
#[must_use]
pub const fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
        Direction::Web => "web",
    }
}

/// The stored and shown name of a status.
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
