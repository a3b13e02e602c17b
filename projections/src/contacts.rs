//! `contacts`: one row per contact that an event names: an event of the contact itself, the message
//! of a call, or a booking.
//!
//! Personal data are copies of sealed bytes. Sums over calls are in `contact_calls` of the read model
//! `calls`, and appointments in theirs; a query joins both. A contact that was merged keeps its row;
//! a query adds up the rows of a survivor and its parts.

mod current;
mod list;
mod row;
mod timeline;
mod write;

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use ledger_core::event::{AppointmentEvent, Event, PartyFacts};
use ledger_core::ids::TenantId;
use sqlx::PgConnection;
use uuid::Uuid;

pub use current::current;
pub use list::{After, ContactFigures, ContactFilter, ListedContact, find, list, listed_by_id};
pub use row::{Claim, Claims, Contact};
pub use timeline::{TimelineAfter, TimelineEntry, TimelineKind, TimelineTask, timeline};
use write::ContactKey;

use crate::projector::{
    Again, LeftOut, LogEvent, Precomputed, ProjectError, ProjectionBatch, Projector, TenantKeys,
    WriteMode,
};

/// The projector of the `contacts` read model.
pub struct Contacts;

#[async_trait]
impl Projector for Contacts {
    fn name(&self) -> &'static str {
        "contacts"
    }

    fn schema_version(&self) -> i32 {
        1
    }

    fn handles(&self, stream_kind: &str) -> bool {
        matches!(stream_kind, "contact" | "call" | "appointment")
    }

    /// The contact that an event names; the stream if it names none.
    fn key(&self, event: &LogEvent) -> Uuid {
        contact_of(event).unwrap_or_else(|| event.stream())
    }

    fn has_own_keys(&self) -> bool {
        true
    }

    async fn load<'e>(
        &self,
        conn: &mut PgConnection,
        wanted: &[TenantKeys],
        _: Precomputed,
    ) -> Result<Box<dyn ProjectionBatch<'e> + 'e>, ProjectError> {
        let known = write::load(conn, wanted).await?;
        Ok(Box::new(ContactBatch { known, changed: BTreeMap::new() }))
    }

    async fn leave_out(
        &self,
        conn: &mut PgConnection,
        one: LeftOut<'_>,
    ) -> Result<Again, ProjectError> {
        sqlx::query!(
            "delete from contacts where tenant_id = $1 and contact_id = $2",
            one.tenant.tenant_id.0,
            self.key(one.event),
        )
        .execute(conn)
        .await?;
        Ok(Again::Key)
    }
}

/// Returns the contact that an event names. The own subject of a call is no contact.
fn contact_of(event: &LogEvent) -> Option<Uuid> {
    match &event.recorded().ok()?.event {
        Event::Contact(_) => Some(event.stream()),
        Event::Call(call) => {
            let facts = call.call();
            let party = facts.party.unwrap_or_default();
            // Events recorded before subjects had kinds: every identified person is a contact.
            let person = facts.person.as_ref();
            let is_contact = person.map_or_else(|| party.identifies(), |person| person.contact);
            event.stored.subject().filter(|_| is_contact).map(|subject| subject.0)
        }
        Event::Appointment(AppointmentEvent::Booked(booked)) => {
            // A booking by the id of a contact has no party.
            let is_contact = booked.party.is_none_or(PartyFacts::identifies);
            is_contact.then_some(booked.contact_id.0)
        }
        _ => None,
    }
}

/// A batch of events, folded as they arrive.
struct ContactBatch {
    /// Stored rows without events in the batch so far.
    known: HashMap<ContactKey, Contact>,
    /// Rows with events in the batch, each with whether it differs from the stored one.
    changed: BTreeMap<ContactKey, (Option<Contact>, bool)>,
}

#[async_trait]
impl<'e> ProjectionBatch<'e> for ContactBatch {
    fn apply(&mut self, tenant_id: TenantId, event: &'e LogEvent) -> Result<(), ProjectError> {
        event.recorded()?;
        let Some(contact_id) = contact_of(event) else { return Ok(()) };
        let key = (tenant_id, contact_id);
        let known = &mut self.known;
        let (row, is_changed) =
            self.changed.entry(key).or_insert_with(|| (known.remove(&key), false));
        *is_changed |= Contact::evolve(row, contact_id, event)?;
        Ok(())
    }

    async fn write(&mut self, conn: &mut PgConnection, _: WriteMode) -> Result<(), ProjectError> {
        let changed = std::mem::take(&mut self.changed);
        let rows: Vec<_> = changed
            .into_iter()
            .filter_map(|((tenant_id, _), (row, is_changed))| {
                Some((tenant_id, row.filter(|_| is_changed)?))
            })
            .collect();
        write::upsert(conn, &rows).await
    }
}
