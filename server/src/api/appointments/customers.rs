//! Opens the sealed sections about the persons of appointments.

use ledger_core::ids::TenantId;
use ledger_core::personal::Party;
use ledger_store::seal::Opened;
use ledger_store::vault::{OpenedSection, SectionColumn, Vault, VaultError};
use projections::appointments::ListedAppointment;
use uuid::Uuid;

use crate::api::calls::personal::{Parties, merge_party, report_corrupt_section};

/// Opens the party of each appointment with one lookup of the keys.
///
/// # Errors
/// [`VaultError`] if the keys are not available at all.
pub(super) async fn open_customers(
    vault: &Vault,
    tenant_id: TenantId,
    appointments: &[ListedAppointment],
) -> Result<Vec<Parties>, VaultError> {
    let column = |listed: &ListedAppointment| listed.appointment.party.clone().unwrap_or_default();
    let columns: Vec<Vec<u8>> = appointments.iter().map(column).collect();
    let columns: Vec<(SectionColumn, &[u8])> =
        columns.iter().map(|column| (SectionColumn::Parties, column.as_slice())).collect();
    let opened = vault.open(tenant_id, &columns).await?;
    let contacts = appointments.iter().map(|listed| listed.appointment.contact_id);
    Ok(contacts.zip(opened).map(|(contact, sections)| merge(contact, sections)).collect())
}

/// Merges the sections about the contact, which are ordered by precedence.
fn merge(contact_id: Uuid, sections: Vec<OpenedSection>) -> Parties {
    let mut parties = Parties::default();
    let (mut erased, mut clear) = (0, 0);
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
            Opened::Corrupt => report_corrupt_section("party"),
        }
    }
    parties.is_erased = erased > 0 && clear == 0;
    parties
}
