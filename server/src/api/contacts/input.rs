//! Fields of requests about contacts, and their form.

use std::collections::BTreeMap;

use ledger_app::bookings::check_name;
use ledger_core::contact::{
    ContactChange, ContactSettings, CustomFields, CustomValue, DividedFields, MAX_CUSTOM_FIELDS,
    MAX_CUSTOM_TEXT, MAX_TAGS, Word,
};
use ledger_core::event::{ContactField, FieldChanges};
use ledger_core::identity::{Handle, HandleKind, normal_name, read_number};
use ledger_core::personal::Party;
use ledger_core::section::Sections;
use ledger_core::text::{HIDDEN, has_hidden};
use ledger_store::vault::Description;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::http::fields::Change;
use crate::problem::ApiError;

/// Custom fields of a request. An absent field is the default.
#[derive(Debug, Default)]
pub(super) enum CustomChange {
    /// The field is absent: the custom fields stay.
    #[default]
    Keep,
    /// The field is null: all custom fields are removed.
    Remove,
    /// The new custom fields, in place of all others.
    Set(BTreeMap<String, Value>),
}

impl<'de> Deserialize<'de> for CustomChange {
    fn deserialize<D: Deserializer<'de>>(field: D) -> Result<Self, D::Error> {
        let fields = Option::<BTreeMap<String, Value>>::deserialize(field)
            .map_err(|_| D::Error::custom("it is not an object"))?;
        Ok(fields.map_or(Self::Remove, Self::Set))
    }
}

/// The changes of a request, checked: the values for the sections, the facts, and what the vault finds
/// the contact by.
#[derive(Debug, Default)]
pub(super) struct Checked {
    /// The values that are set.
    pub(super) party: Party,
    /// The sealed custom fields, if custom fields are set.
    pub(super) custom: Option<CustomFields>,
    /// The clear ones.
    pub(super) clear: BTreeMap<Word, CustomValue>,
    /// Fields with a value.
    pub(super) set: Vec<ContactField>,
    /// Fields that are removed.
    pub(super) removed: Vec<ContactField>,
    /// The new segment.
    pub(super) segment: Option<Word>,
    /// The new priority.
    pub(super) priority: Option<Word>,
    /// The change of what the contact is found by.
    pub(super) description: Description,
}

/// Kind of a handle in requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HandleWord {
    Phone,
    Email,
    ExternalId,
}

impl HandleWord {
    /// The form of the field, for errors.
    pub(super) const FORM: &str = "choose one of phone, email, external_id";

    /// Parses the word.
    pub(super) fn parse(word: &str) -> Option<Self> {
        match word {
            "phone" => Some(Self::Phone),
            "email" => Some(Self::Email),
            "external_id" => Some(Self::ExternalId),
            _ => None,
        }
    }
}

impl Checked {
    /// Returns the change for the log.
    pub(super) fn change(&self, tags: Option<Vec<Word>>) -> ContactChange {
        let party = (!self.party.is_empty()).then(|| self.party.clone());
        ContactChange {
            fields: FieldChanges {
                set: self.set.clone(),
                removed: self.removed.clone(),
                segment: self.segment.clone(),
                priority: self.priority.clone(),
                clear: self.clear.clone(),
            },
            sections: Sections { party, custom_fields: self.custom.clone(), ..Sections::default() },
            tags,
            ..ContactChange::default()
        }
    }

    /// Takes the name. It identifies the contact together with a handle.
    ///
    /// # Errors
    /// 422 for a text that is no name, or that changes how other text is displayed.
    pub(super) fn name(&mut self, change: Change) -> Result<(), ApiError> {
        match self.note(ContactField::Name, change) {
            Change::Keep => {}
            Change::Remove => self.description.name = Some(None),
            Change::Set(name) => {
                check_name(&name).map_err(|invalid| ApiError::field("name", invalid.detail))?;
                self.description.name = Some(normal_name(&name));
                self.party.name = Some(name);
            }
        }
        Ok(())
    }

    /// Takes the telephone number, which replaces the others of the contact.
    ///
    /// # Errors
    /// 422 for a text that is no telephone number.
    pub(super) fn phone(&mut self, change: Change, country: Option<&str>) -> Result<(), ApiError> {
        let Some(text) = self.handle(ContactField::Phone, HandleKind::Phone, change) else {
            return Ok(());
        };
        let number = read_number(&text, country.filter(|country| !country.is_empty()));
        let number = number.ok_or_else(|| ApiError::field("phone", "it is no telephone number"))?;
        self.description.added.push(Handle::phone(&number.e164, number.extension.as_deref()));
        (self.party.phone, self.party.extension) = (Some(number.e164), number.extension);
        Ok(())
    }

    /// Takes the e-mail address, which replaces the others of the contact.
    ///
    /// # Errors
    /// 422 for a text that is no address, and for a placeholder.
    pub(super) fn email(&mut self, change: Change) -> Result<(), ApiError> {
        let Some(text) = self.handle(ContactField::Email, HandleKind::Email, change) else {
            return Ok(());
        };
        let handle = Handle::email(&text).filter(|_| !text.contains(['<', '>']));
        let handle = handle.ok_or_else(|| ApiError::field("email", "it is no e-mail address"))?;
        self.description.added.push(handle);
        self.party.email = Some(text);
        Ok(())
    }

    /// Takes the external id, which replaces the others of the contact.
    ///
    /// # Errors
    /// 422 for a placeholder.
    pub(super) fn external_id(&mut self, change: Change) -> Result<(), ApiError> {
        let Some(text) = self.handle(ContactField::ExternalId, HandleKind::ExternalId, change)
        else {
            return Ok(());
        };
        let handle = Handle::external_id(&text).filter(|_| !text.contains(['<', '>']));
        let handle = handle.ok_or_else(|| {
            ApiError::field("external_id", "it is no id of a person, such as a placeholder")
        })?;
        self.description.added.push(handle);
        self.party.external_id = Some(text);
        Ok(())
    }

    /// Takes segment and priority.
    ///
    /// # Errors
    /// 422 for a text that is no word.
    pub(super) fn words(&mut self, segment: Change, priority: Change) -> Result<(), ApiError> {
        if let Change::Set(text) = self.note(ContactField::Segment, segment) {
            self.segment = Some(word("segment", &text)?);
        }
        if let Change::Set(text) = self.note(ContactField::Priority, priority) {
            self.priority = Some(word("priority", &text)?);
        }
        Ok(())
    }

    /// Takes the custom fields, which replace all others.
    ///
    /// # Errors
    /// 422 for a name that is no word, for a value of another form, and for a clear field whose value may be
    /// about a person.
    pub(super) fn custom_fields(
        &mut self,
        change: CustomChange,
        settings: &ContactSettings,
    ) -> Result<(), ApiError> {
        match change {
            CustomChange::Keep => {}
            CustomChange::Remove => self.removed.push(ContactField::CustomFields),
            CustomChange::Set(fields) => {
                self.set.push(ContactField::CustomFields);
                let divided = settings.divide(custom(fields)?).map_err(|name| {
                    let detail = format!(
                        "{name} is stored in the clear, so it is true, false, a number of at most 6 digits or a \
                         word of letters, digits, -, _, . and : with at most 40 characters and 6 digits"
                    );
                    ApiError::field("custom_fields", detail)
                })?;
                let DividedFields { clear, sealed } = divided;
                (self.clear, self.custom) = (clear, Some(sealed));
            }
        }
        Ok(())
    }

    /// Notes a field as set or removed, and returns the change.
    fn note(&mut self, field: ContactField, change: Change) -> Change {
        match change {
            Change::Keep => {}
            Change::Remove => self.removed.push(field),
            Change::Set(_) => self.set.push(field),
        }
        change
    }

    /// Notes a change of a handle, which ends the others of its kind. Returns the new value.
    fn handle(&mut self, field: ContactField, kind: HandleKind, change: Change) -> Option<String> {
        if change != Change::Keep {
            self.description.ended.push(kind);
        }
        match self.note(field, change) {
            Change::Set(text) => Some(text),
            Change::Keep | Change::Remove => None,
        }
    }
}

/// Parses the tags of a request.
///
/// # Errors
/// 422 for a text that is no word, and for too many.
pub(super) fn tags(tags: Option<Vec<String>>) -> Result<Option<Vec<Word>>, ApiError> {
    let Some(tags) = tags else { return Ok(None) };
    if tags.len() > MAX_TAGS {
        return Err(ApiError::field("tags", format!("it has more than {MAX_TAGS} tags")));
    }
    tags.iter().map(|tag| word("tags", tag)).collect::<Result<_, _>>().map(Some)
}

/// Parses a word that is stored in the clear.
fn word(field: &str, text: &str) -> Result<Word, ApiError> {
    let form = || format!("it is not {}; it is stored in the clear", Word::FORM);
    Word::parse(text).ok_or_else(|| ApiError::field(field, form()))
}

fn custom(fields: BTreeMap<String, Value>) -> Result<BTreeMap<Word, CustomValue>, ApiError> {
    let invalid = |detail: String| ApiError::field("custom_fields", detail);
    if fields.len() > MAX_CUSTOM_FIELDS {
        return Err(invalid(format!("it has more than {MAX_CUSTOM_FIELDS} fields")));
    }
    let mut custom = BTreeMap::new();
    for (name, value) in fields {
        let name = word("custom_fields", &name)?;
        let value =
            match value {
                Value::Bool(flag) => CustomValue::Flag(flag),
                Value::Number(number) => {
                    let number = number.as_i64();
                    CustomValue::Number(number.ok_or_else(|| {
                        invalid(format!("{name} is not a whole number of 64 bits"))
                    })?)
                }
                Value::String(text) => {
                    if text.chars().count() > MAX_CUSTOM_TEXT {
                        return Err(invalid(format!(
                            "{name} is longer than {MAX_CUSTOM_TEXT} characters"
                        )));
                    }
                    if has_hidden(&text) {
                        return Err(invalid(format!("{name} is wrong: {HIDDEN}")));
                    }
                    CustomValue::Text(text)
                }
                Value::Null | Value::Array(_) | Value::Object(_) => {
                    return Err(invalid(format!("{name} is no text, whole number or boolean")));
                }
            };
        custom.insert(name, value);
    }
    Ok(custom)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(text: &str) -> Change {
        Change::Set(text.to_owned())
    }

    fn pointer(refused: Result<(), ApiError>) -> String {
        let refused = refused.expect_err("it is refused");
        assert_eq!(refused.status.as_u16(), 422);
        refused.errors[0].pointer.clone()
    }

    #[test]
    fn what_is_no_value_of_a_field_is_refused_by_field() {
        let mut checked = Checked::default();
        for name in ["<b>Anna</b>", "Anna\u{202E}annA", "unknown", "123"] {
            assert_eq!(pointer(checked.name(set(name))), "/name", "{name:?}");
        }
        for phone in ["call me maybe", "12", "undefined"] {
            assert_eq!(pointer(checked.phone(set(phone), None)), "/phone", "{phone}");
        }
        for email in ["anna.example.com", "noreply@example.com", "<anna@example.com>"] {
            assert_eq!(pointer(checked.email(set(email))), "/email", "{email}");
        }
        for id in ["lead", "{{customer.id}}", "null", "<b>7</b>"] {
            assert_eq!(pointer(checked.external_id(set(id))), "/external_id", "{id}");
        }
        assert_eq!(pointer(checked.words(set("A b"), Change::Keep)), "/segment");
        assert_eq!(pointer(checked.words(Change::Keep, set("+15550100123"))), "/priority");
        for value in
            [json!({ "A b": 1 }), json!({ "a": 1.5 }), json!({ "a": [] }), json!({ "a": null })]
        {
            let fields = serde_json::from_value(value.clone()).expect("an object");
            let refused =
                checked.custom_fields(CustomChange::Set(fields), &ContactSettings::default());
            assert_eq!(pointer(refused), "/custom_fields", "{value}");
        }
    }

    #[test]
    fn a_number_replaces_the_others_and_its_removal_ends_them() {
        let mut checked = Checked::default();
        checked.phone(set("+1 (555) 010-0123 x7"), None).expect("a number");
        let handle = Handle::phone("+15550100123", Some("7"));
        assert_eq!(checked.description.added, [handle]);
        assert_eq!(checked.description.ended, [HandleKind::Phone]);
        assert_eq!(checked.set, [ContactField::Phone]);
        let mut checked = Checked::default();
        checked.phone(Change::Remove, None).expect("a removal");
        assert_eq!(checked.removed, [ContactField::Phone]);
        assert_eq!((checked.description.added.len(), checked.description.ended.len()), (0, 1));
    }
}
