//! Opens the sealed sections about the persons of appointments.

use std::collections::HashMap;

use ledger_core::ids::{EventId, TenantId};
use ledger_core::personal::Party;
use ledger_store::read::StoredEvent;
use ledger_store::seal::Opened;
use ledger_store::vault::{OpenedSection, SectionColumn, Vault, VaultError};
use projections::appointments::ListedAppointment;
use uuid::Uuid;

use crate::api::calls::personal::{Parties, merge_party, report_corrupt_section};

/// The events of bookings by position.
pub(super) type BookingEvents = HashMap<i64, EventId>;

/// Names the events of bookings, so that the party of an appointment is told from that of another one of its
/// contact.
pub(super) fn booking_events(events: &[StoredEvent]) -> BookingEvents {
    events.iter().map(|event| (event.position, EventId(event.event_id))).collect()
}

/// Opens the party of each appointment with one lookup of the keys. With the events of the bookings, it is only
/// that of the booking itself; an appointment from the log has no other.
///
/// # Errors
/// [`VaultError`] if the keys are not available at all.
pub(super) async fn open_customers(
    vault: &Vault,
    tenant_id: TenantId,
    appointments: &[ListedAppointment],
    bookings: Option<&BookingEvents>,
) -> Result<Vec<Parties>, VaultError> {
    let column = |listed: &ListedAppointment| listed.appointment.party.clone().unwrap_or_default();
    let columns: Vec<Vec<u8>> = appointments.iter().map(column).collect();
    let columns: Vec<(SectionColumn, &[u8])> =
        columns.iter().map(|column| (SectionColumn::Parties, column.as_slice())).collect();
    let opened = vault.open(tenant_id, &columns).await?;
    let merge = |(listed, sections): (&ListedAppointment, Vec<OpenedSection>)| {
        let appointment = &listed.appointment;
        let is_own = |section: &OpenedSection| {
            let own = |known: &BookingEvents| known.get(&appointment.booked_position).copied();
            bookings.is_none_or(|known| own(known) == Some(section.event_id))
        };
        merge(appointment.contact_id, sections.into_iter().filter(is_own))
    };
    Ok(appointments.iter().zip(opened).map(merge).collect())
}

/// Merges the sections about the contact, which are ordered by precedence.
fn merge(contact_id: Uuid, sections: impl Iterator<Item = OpenedSection>) -> Parties {
    let mut parties = Parties::default();
    let (mut erased, mut restricted, mut clear) = (0, 0, 0);
    for section in sections {
        // The party of a call may be that of several people.
        if section.subject_id.0 != contact_id {
            continue;
        }
        parties.subjects.push(section.subject_id);
        match section.plain.parse(|plain| serde_json::from_slice::<Party>(plain.as_revealed()).ok())
        {
            Opened::Clear(party) => {
                clear += 1;
                merge_party(&mut parties.merged, party);
            }
            Opened::Erased => erased += 1,
            Opened::Restricted => restricted += 1,
            Opened::Corrupt => report_corrupt_section("party"),
        }
    }
    parties.is_erased = erased > 0 && clear == 0 && restricted == 0;
    parties.is_restricted = restricted > 0 && clear == 0;
    parties
}
