//! The setting `contacts`: the custom fields that a tenant keeps in the clear.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fields::{CustomFields, CustomValue, Word};
use crate::clear::{MAX_NAMES, PERSONAL, is_clear_number, is_clear_text, states_personal_data};
use crate::settings::fields::Fields;
use crate::settings::invalid::InvalidSetting;

/// The setting of contacts. The list is empty by default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ContactSettings {
    /// Names of the custom fields that are stored in the clear when they are set. All others are sealed.
    pub clear_custom_fields: BTreeSet<Word>,
}

/// The custom fields of a contact, divided by where they are stored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DividedFields {
    /// Fields for the facts of the event.
    pub clear: BTreeMap<Word, CustomValue>,
    /// Fields for the sealed section.
    pub sealed: CustomFields,
}

impl ContactSettings {
    /// Parses the fields of the setting.
    ///
    /// # Errors
    /// [`InvalidSetting`] for an entry that is no name of a custom field or names something about a person, for more
    /// than 100 entries, and for an unknown field.
    pub fn parse(fields: BTreeMap<String, Value>) -> Result<Self, InvalidSetting> {
        let mut fields = Fields::root(fields);
        let list = fields.take("clear_custom_fields");
        fields.finish()?;
        let mut names = BTreeSet::new();
        for entry in list.map(|list| list.list(MAX_NAMES)).transpose()?.into_iter().flatten() {
            let name = entry.parse(Word::FORM, Word::parse)?;
            if states_personal_data(name.as_str()) {
                return Err(entry.invalid(PERSONAL));
            }
            names.insert(name);
        }
        Ok(Self { clear_custom_fields: names })
    }

    /// Divides custom fields into clear and sealed ones.
    ///
    /// # Errors
    /// The name of a clear field with a value that may be about a person: a text that is not a word of at
    /// most 40 characters and six digits, or a number of more than six digits.
    pub fn divide(&self, fields: BTreeMap<Word, CustomValue>) -> Result<DividedFields, Word> {
        let mut divided = DividedFields::default();
        for (name, value) in fields {
            if !self.clear_custom_fields.contains(&name) {
                divided.sealed.0.insert(name, value);
            } else if is_clear(&value) {
                divided.clear.insert(name, value);
            } else {
                return Err(name);
            }
        }
        Ok(divided)
    }
}

fn is_clear(value: &CustomValue) -> bool {
    match value {
        CustomValue::Flag(_) => true,
        CustomValue::Number(number) => is_clear_number(*number),
        CustomValue::Text(text) => is_clear_text(text),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn parse(value: &Value) -> Result<ContactSettings, InvalidSetting> {
        let fields = serde_json::from_value(value.clone()).expect("an object");
        ContactSettings::parse(fields)
    }

    #[test]
    fn a_name_that_is_no_word_or_is_about_a_person_is_refused_at_its_place() {
        let known =
            parse(&json!({ "clear_custom_fields": ["plan", "visits", "plan"] })).expect("a list");
        assert_eq!(
            serde_json::to_value(&known).expect("JSON"),
            json!({ "clear_custom_fields": ["plan", "visits"] })
        );
        assert_eq!(parse(&json!({})), Ok(ContactSettings::default()));
        for name in
            ["", "Plan", "a b", "t-15550100123", "phone", "first_name", "e-mail", "date-of-birth"]
        {
            let refused = parse(&json!({ "clear_custom_fields": ["plan", name] })).expect_err(name);
            assert_eq!(
                (refused.field.as_str(), refused.is_unknown),
                ("clear_custom_fields/1", false),
                "{name}"
            );
        }
        let many: Vec<String> = (0..=MAX_NAMES).map(|nth| format!("field-{nth}")).collect();
        parse(&json!({ "clear_custom_fields": many })).expect_err("too many");
        assert!(parse(&json!({ "clear_fields": [] })).expect_err("unknown").is_unknown);
    }

    fn value() -> impl Strategy<Value = CustomValue> {
        prop_oneof![
            any::<bool>().prop_map(CustomValue::Flag),
            any::<i64>().prop_map(CustomValue::Number),
            (-9_999_999_i64..9_999_999).prop_map(CustomValue::Number),
            ".{0,50}".prop_map(CustomValue::Text),
            "[a-zA-Z0-9_.-]{0,45}".prop_map(CustomValue::Text),
        ]
    }

    proptest! {
        /// No field is lost or in both parts, and no clear value has room for a telephone number or an address.
        #[test]
        fn fields_are_divided_by_the_list_and_nothing_unsafe_is_clear(
            fields in proptest::collection::btree_map("[a-c]", value(), 0..4),
            listed in proptest::collection::btree_set("[a-c]", 0..4),
        ) {
            let word = |text: &String| Word::parse(text).expect("a word");
            let fields: BTreeMap<_, _> = fields.iter().map(|(name, value)| (word(name), value.clone())).collect();
            let settings = ContactSettings { clear_custom_fields: listed.iter().map(word).collect() };
            match settings.divide(fields.clone()) {
                Err(name) => prop_assert!(settings.clear_custom_fields.contains(&name)),
                Ok(DividedFields { clear, sealed }) => {
                    prop_assert_eq!(clear.len() + sealed.0.len(), fields.len());
                    for (name, value) in &clear {
                        prop_assert!(settings.clear_custom_fields.contains(name));
                        let text = serde_json::to_string(value).expect("JSON");
                        prop_assert!(text.chars().filter(char::is_ascii_digit).count() <= 6, "{}", text);
                        prop_assert!(!text.contains(['@', '+', ' ']), "{}", text);
                    }
                    for name in sealed.0.keys() {
                        prop_assert!(!settings.clear_custom_fields.contains(name));
                    }
                }
            }
        }
    }
}
