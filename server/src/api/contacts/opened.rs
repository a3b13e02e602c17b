//! Opens the sealed sections of contacts.

use std::collections::HashMap;

use ledger_core::contact::CustomFields;
use ledger_core::event::ContactField;
use ledger_core::ids::{SubjectId, TenantId};
use ledger_core::personal::Party;
use ledger_store::seal::{Opened, SectionName};
use ledger_store::vault::{OpenedSection, SectionColumn, Vault, VaultError};
use projections::contacts::{Claim, Contact, ListedContact};
use uuid::Uuid;

use crate::api::calls::personal::report_corrupt_section;

/// The values of a contact and its parts, as far as they open.
#[derive(Default)]
pub(super) struct OpenedContact {
    /// The newest value of each field; what a user has set outranks what calls and bookings state.
    pub(super) party: Party,
    /// The newest sealed custom fields.
    pub(super) custom: CustomFields,
    /// True if every section is erased.
    pub(super) is_erased: bool,
    /// True if every section is of a person whose data the caller may not see now.
    pub(super) is_restricted: bool,
    /// Subjects of the opened sections, for the audit event.
    pub(super) subjects: Vec<SubjectId>,
}

/// Opens the sections of each contact and of its parts with one lookup of the keys.
///
/// # Errors
/// [`VaultError`] if the keys are not available at all.
pub(super) async fn open(
    vault: &Vault,
    tenant_id: TenantId,
    contacts: &[ListedContact],
) -> Result<Vec<OpenedContact>, VaultError> {
    let packed = |contact: &Contact| contact.packed().unwrap_or_default();
    let columns: Vec<Vec<u8>> =
        contacts.iter().flat_map(ListedContact::members).map(packed).collect();
    let columns: Vec<(SectionColumn, &[u8])> =
        columns.iter().map(|column| (SectionColumn::Contacts, column.as_slice())).collect();
    let mut opened = vault.open(tenant_id, &columns).await?.into_iter();
    let merge = |listed: &ListedContact| {
        let sections = listed.members().filter_map(|member| Some((member, opened.next()?)));
        merge(listed, sections.collect())
    };
    Ok(contacts.iter().map(merge).collect())
}

/// The claim of a field that counts among those of a contact and its parts.
pub(super) fn newest(listed: &ListedContact, field: ContactField) -> Option<&Claim> {
    let claims = listed.members().filter_map(|member| member.claims.fields.get(&field));
    claims.max_by_key(|claim| (claim.is_set, claim.position))
}

fn merge(listed: &ListedContact, members: Vec<(&Contact, Vec<OpenedSection>)>) -> OpenedContact {
    let mut parties: HashMap<Uuid, Party> = HashMap::new();
    let mut customs: HashMap<Uuid, CustomFields> = HashMap::new();
    let mut opened = OpenedContact::default();
    let (mut erased, mut restricted, mut clear) = (0, 0, 0);
    for (member, sections) in members {
        for section in sections {
            // A section about another person was copied there.
            if section.subject_id.0 != member.contact_id {
                report_corrupt_section(section.name.as_str());
                continue;
            }
            opened.subjects.push(section.subject_id);
            let is_read = match section.plain {
                Opened::Clear(plain) => {
                    clear += 1;
                    let (event, plain) = (section.event_id.0, plain.reveal());
                    match section.name {
                        SectionName::Party => keep(&mut parties, event, &plain),
                        SectionName::CustomFields => keep(&mut customs, event, &plain),
                        _ => false,
                    }
                }
                Opened::Erased => {
                    erased += 1;
                    true
                }
                Opened::Restricted => {
                    restricted += 1;
                    true
                }
                Opened::Corrupt => false,
            };
            if !is_read {
                report_corrupt_section(section.name.as_str());
            }
        }
    }
    opened.is_erased = erased > 0 && clear == 0 && restricted == 0;
    opened.is_restricted = restricted > 0 && clear == 0;
    let party = |field| parties.get(&newest(listed, field)?.event_id?);
    opened.party = Party {
        name: party(ContactField::Name).and_then(|party| party.name.clone()),
        phone: party(ContactField::Phone).and_then(|party| party.phone.clone()),
        extension: party(ContactField::Phone).and_then(|party| party.extension.clone()),
        email: party(ContactField::Email).and_then(|party| party.email.clone()),
        external_id: party(ContactField::ExternalId).and_then(|party| party.external_id.clone()),
        sip_uri: None,
    };
    let custom = newest(listed, ContactField::CustomFields).and_then(|claim| claim.event_id);
    opened.custom = custom.and_then(|event| customs.remove(&event)).unwrap_or_default();
    opened.subjects.sort_unstable();
    opened.subjects.dedup();
    opened
}

/// Parses a section. Returns false if the text does not have the form it was sealed with.
fn keep<T: serde::de::DeserializeOwned>(
    known: &mut HashMap<Uuid, T>,
    event: Uuid,
    plain: &[u8],
) -> bool {
    serde_json::from_slice(plain).map(|value| known.insert(event, value)).is_ok()
}
