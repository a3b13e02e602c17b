//! The person of a booking: a contact by id, or name, number and e-mail address.

use ledger_core::event::{PartyFacts, Presence};
use ledger_core::identity::{Handle, PersonIdentifiers, normal_name, read_number};
use ledger_core::ids::{StreamId, SubjectId, TenantId};
use ledger_core::personal::Party;
use ledger_core::text::{HIDDEN, is_line};
use ledger_store::Store;
use ledger_store::vault::Subject;

use super::error::{BookingError, InvalidField};

/// The person that an appointment is for. A number or address of another name makes a contact of its own.
#[derive(Clone)]
pub struct NewContact {
    /// Name of the person.
    pub name: String,
    /// Telephone number; a national one is read in the tenant's country.
    pub phone: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
}

/// The person of a booking, before it is resolved.
#[derive(Clone)]
pub(super) enum WantedPerson {
    /// A contact of the tenant.
    Contact(SubjectId),
    /// A person by name and handles.
    Party(Party),
}

/// The resolved person of a booking.
pub(super) struct Person {
    pub(super) subject: Subject,
    pub(super) is_known: bool,
    pub(super) party: Option<Party>,
}

impl WantedPerson {
    /// Takes `contact` or `contact_id`.
    ///
    /// # Errors
    /// If there is none or both, and for a malformed field.
    pub(super) fn of(
        contact_id: Option<SubjectId>,
        contact: Option<NewContact>,
        country: Option<&str>,
    ) -> Result<Self, InvalidField> {
        match (contact_id, contact) {
            (Some(id), None) => Ok(Self::Contact(id)),
            (None, Some(contact)) => party(contact, country).map(Self::Party),
            (Some(_), Some(_)) => {
                Err(InvalidField::new("contact", "send either contact or contact_id"))
            }
            (None, None) => Err(InvalidField::new("contact", "it is missing")),
        }
    }

    /// Finds the contact, or finds or makes the one of the name and handles. Its key is durable.
    ///
    /// # Errors
    /// For a contact that the tenant does not have, and if the keys are not available.
    pub(super) async fn resolve(
        self,
        store: &Store,
        tenant_id: TenantId,
        stream_id: StreamId,
    ) -> Result<Person, BookingError> {
        match self {
            Self::Contact(id) => {
                let subject = contact(store, tenant_id, "contact_id", id).await?;
                Ok(Person { subject, is_known: true, party: None })
            }
            Self::Party(party) => {
                let given = PersonIdentifiers::of(&party, facts(&party));
                let resolved = store.vault().resolve(tenant_id, stream_id, given).await?;
                let is_known = resolved.person.contact;
                Ok(Person { subject: resolved.subject, is_known, party: Some(party) })
            }
        }
    }
}

/// Returns a contact of the tenant; the survivor for a merged one.
///
/// # Errors
/// About `field` if there is no such contact, the same for another tenant's.
pub(super) async fn contact(
    store: &Store,
    tenant_id: TenantId,
    field: &'static str,
    id: SubjectId,
) -> Result<Subject, BookingError> {
    let known = store.vault().standing_contact(tenant_id, id).await?;
    known.ok_or_else(|| InvalidField::new(field, "there is no such contact").into())
}

/// The kinds of values in a party of this module, all of which are valid.
pub(super) fn facts(party: &Party) -> PartyFacts {
    PartyFacts {
        phone: party.phone.as_ref().map(|_| Presence::Valid),
        email: party.email.as_ref().map(|_| Presence::Valid),
        name: party.name.is_some(),
        extension: party.extension.is_some(),
        ..PartyFacts::default()
    }
}

fn party(contact: NewContact, country: Option<&str>) -> Result<Party, InvalidField> {
    let NewContact { name, phone, email } = contact;
    check_name(&name)?;
    let number = phone.map(|text| {
        let number = read_number(&text, country.filter(|country| !country.is_empty()));
        number.ok_or_else(|| InvalidField::new("contact/phone", "it is no telephone number"))
    });
    let number = number.transpose()?;
    if email.as_deref().is_some_and(|text| text.contains('<') || Handle::email(text).is_none()) {
        return Err(InvalidField::new("contact/email", "it is no e-mail address"));
    }
    let (phone, extension) = number.map_or((None, None), |n| (Some(n.e164), n.extension));
    Ok(Party { name: Some(name), phone, email, extension, ..Party::default() })
}

/// Checks that a text can be the name of a person, without parts that change how other text is displayed.
pub fn check_name(name: &str) -> Result<(), InvalidField> {
    if name.contains(['<', '>']) {
        return Err(InvalidField::new("contact/name", "it holds markup"));
    }
    if !is_line(name) {
        return Err(InvalidField::new("contact/name", HIDDEN));
    }
    if normal_name(name).is_none() {
        return Err(InvalidField::new("contact/name", "it is no name"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_letters_of_any_script_and_no_marks_that_change_the_display() {
        for name in ["Anna Example", "Zoë O'Neil-Groß", "נועה", "سارة", "李小龍", "Anna\u{200D}"]
        {
            assert!(check_name(name).is_ok(), "{name:?}");
        }
        for name in
            ["<b>Anna</b>", "Anna\u{202E}annA", "\u{200F}Anna", "Anna\u{2066}", "unknown", "123"]
        {
            let refused = check_name(name).expect_err("no name");
            assert_eq!(refused.field, "contact/name");
        }
    }
}
