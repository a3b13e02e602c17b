//! JSON view of the person of a call or an appointment, masked without scope `personal`.

use ledger_core::call::Call;
use ledger_core::identity::phone_of_sip;
use ledger_core::personal::mask_phone;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::personal::Parties;

/// The other party of a call. Without scope `personal`, name and e-mail address are null and only the last
/// two digits of the phone number are visible.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct Customer {
    /// Id of the contact; null if the person is not known.
    pub contact_id: Option<Uuid>,
    /// True if the person's key is destroyed, so that the fields cannot be read any more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub erased: bool,
    /// True if the processing of the person's data is restricted (Article 18 GDPR), and the key lacks scope
    /// `compliance`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub restricted: bool,
    /// Name as reported by the platform or a tool.
    #[serde(skip_serializing_if = "Masked::is_hidden")]
    #[schema(value_type = Option<String>)]
    pub name: Masked,
    /// Phone number in E.164, masked without scope `personal`.
    #[serde(skip_serializing_if = "Masked::is_hidden")]
    #[schema(value_type = Option<String>)]
    pub phone: Masked,
    /// E-mail address as reported by the platform or a tool.
    #[serde(skip_serializing_if = "Masked::is_hidden")]
    #[schema(value_type = Option<String>)]
    pub email: Masked,
    /// SIP address, if the person called from one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sip_uri: Option<String>,
    /// Extension of the phone number, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
}

/// A personal field: absent after an erasure, null if unknown.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(untagged)]
pub enum Masked {
    /// Absent from the JSON.
    #[default]
    Hidden,
    /// The value, or null if unknown.
    Value(Option<String>),
}

impl Masked {
    fn is_hidden(&self) -> bool {
        matches!(self, Self::Hidden)
    }
}

impl Customer {
    /// Builds the view of the other party. `is_personal` states whether the caller has scope `personal`.
    #[must_use]
    pub fn of(call: &Call, parties: &Parties, is_personal: bool) -> Self {
        Self::known(call.contact_id().map(|contact| contact.0), parties, is_personal)
    }

    /// Builds the view of a person, from what the opened sections tell.
    #[must_use]
    pub fn known(contact_id: Option<Uuid>, parties: &Parties, is_personal: bool) -> Self {
        if parties.is_erased {
            return Self { contact_id, erased: true, ..Self::default() };
        }
        if parties.is_restricted {
            return Self { contact_id, restricted: true, ..Self::default() };
        }
        let party = &parties.merged;
        // A SIP address with a phone number counts as that number.
        let phone = party
            .phone
            .clone()
            .or_else(|| phone_of_sip(party.sip_uri.as_deref()?).map(|phone| phone.e164));
        let masked = phone.as_deref().map(mask_phone);
        let clear = |value: &Option<String>| Masked::Value(value.clone().filter(|_| is_personal));
        Self {
            contact_id,
            erased: false,
            restricted: false,
            name: clear(&party.name),
            phone: Masked::Value(if is_personal { phone } else { masked }),
            email: clear(&party.email),
            sip_uri: party.sip_uri.clone().filter(|_| is_personal),
            extension: party.extension.clone().filter(|_| is_personal),
        }
    }
}
