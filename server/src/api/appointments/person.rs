//! The person of a booking: a contact by id, or name, number and e-mail address.

use ledger_core::event::{PartyFacts, Presence};
use ledger_core::identity::{Handle, PersonIdentifiers, normal_name, read_number};
use ledger_core::ids::{StreamId, SubjectId};
use ledger_core::personal::Party;
use ledger_store::vault::Subject;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::auth::Caller;
use crate::http::fields;
use crate::problem::ApiError;

/// The person that an appointment is for. A number or address of another name makes a contact of its own.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContactRequest {
    /// Name of the person.
    #[serde(deserialize_with = "fields::required_text")]
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// Telephone number; a national one is read in the tenant's country.
    #[serde(default, deserialize_with = "fields::text")]
    #[schema(min_length = 1, max_length = 200)]
    phone: Option<String>,
    /// E-mail address.
    #[serde(default, deserialize_with = "fields::text")]
    #[schema(min_length = 1, max_length = 200)]
    email: Option<String>,
}

/// The person of a request, before it is resolved.
#[derive(Clone)]
pub(super) enum PersonRequest {
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

impl PersonRequest {
    /// Takes `contact` or `contact_id`.
    ///
    /// # Errors
    /// 422 if there is none or both, and for a malformed field.
    pub(super) fn of(
        contact_id: Option<Uuid>,
        contact: Option<ContactRequest>,
        country: Option<&str>,
    ) -> Result<Self, ApiError> {
        match (contact_id, contact) {
            (Some(id), None) => Ok(Self::Contact(SubjectId(id))),
            (None, Some(contact)) => {
                party(contact, country).map(Self::Party).map_err(|error| error.within("contact"))
            }
            (Some(_), Some(_)) => {
                Err(ApiError::field("contact", "send either contact or contact_id"))
            }
            (None, None) => Err(ApiError::field("contact", "it is missing")),
        }
    }

    /// Finds the contact, or finds or makes the one of the name and handles. Its key is durable.
    ///
    /// # Errors
    /// 422 for a contact that the tenant does not have; 503 if the keys are not available.
    pub(super) async fn resolve(
        self,
        app: &App,
        caller: &Caller,
        stream_id: StreamId,
    ) -> Result<Person, ApiError> {
        match self {
            Self::Contact(id) => {
                let subject = contact(app, caller, "contact_id", id).await?;
                Ok(Person { subject, is_known: true, party: None })
            }
            Self::Party(party) => {
                let given = PersonIdentifiers::of(&party, facts(&party));
                let vault = app.store.vault();
                let resolved = vault.resolve(caller.tenant_id(), stream_id, given).await?;
                let is_known = resolved.person.contact;
                Ok(Person { subject: resolved.subject, is_known, party: Some(party) })
            }
        }
    }
}

/// Returns a contact of the tenant.
///
/// # Errors
/// 422 about `field` if there is no such contact, the same for another tenant's.
pub(in crate::api) async fn contact(
    app: &App,
    caller: &Caller,
    field: &str,
    id: SubjectId,
) -> Result<Subject, ApiError> {
    let known = app.store.vault().contact(caller.tenant_id(), id).await?;
    known.ok_or_else(|| ApiError::field(field, "there is no such contact"))
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

fn party(request: ContactRequest, country: Option<&str>) -> Result<Party, ApiError> {
    let ContactRequest { name, phone, email } = request;
    check_name(&name)?;
    let number = phone.map(|text| {
        let number = read_number(&text, country.filter(|country| !country.is_empty()));
        number.ok_or_else(|| ApiError::field("phone", "it is no telephone number"))
    });
    let number = number.transpose()?;
    if email.as_deref().is_some_and(|text| text.contains('<') || Handle::email(text).is_none()) {
        return Err(ApiError::field("email", "it is no e-mail address"));
    }
    let (phone, extension) = number.map_or((None, None), |n| (Some(n.e164), n.extension));
    Ok(Party { name: Some(name), phone, email, extension, ..Party::default() })
}

/// Checks that a text can be the name of a person, without parts that change how other text is displayed.
fn check_name(name: &str) -> Result<(), ApiError> {
    if name.contains(['<', '>']) {
        return Err(ApiError::field("name", "it holds markup"));
    }
    let is_hidden = |c: char| {
        matches!(c, '\u{AD}' | '\u{61C}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')
    };
    if name.contains(is_hidden) {
        return Err(ApiError::field("name", "it holds invisible characters or marks of direction"));
    }
    if normal_name(name).is_none() {
        return Err(ApiError::field("name", "it is no name"));
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
            assert_eq!(
                (refused.status.as_u16(), refused.errors[0].pointer.as_str()),
                (422, "/name")
            );
        }
    }
}
