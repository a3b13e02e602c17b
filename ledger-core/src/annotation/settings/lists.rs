//! The fields of contexts that are stored in the clear, and the categories of tags.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::dispositions::WORD;
use crate::annotation::words::{Word, is_word};
use crate::clear::{MAX_NAMES, PERSONAL, states_personal_data};
use crate::settings::fields::Fields;
use crate::settings::invalid::InvalidSetting;

/// Maximum number of categories.
const MAX_CATEGORIES: usize = 100;
/// Maximum length of the name of a field, in characters.
pub(crate) const MAX_NAME: usize = 64;
/// Description of the name of a clear field, for faults.
const NAME: &str = "a name of 1 to 64 letters, digits, -, _, . and :, with at most 6 digits";

/// The lists of the setting `annotations`; both are empty by default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AnnotationLists {
    /// Names of the fields of a context that are stored in the clear. All others are sealed.
    pub clear_context_fields: BTreeSet<String>,
    /// Categories of tags; any word if the list is empty.
    pub tag_categories: BTreeSet<Word>,
}

impl AnnotationLists {
    /// Parses the fields of the setting.
    ///
    /// # Errors
    /// [`InvalidSetting`] for an entry that is no name or no word, for a name that is about a person, and for an
    /// unknown field.
    pub fn parse(fields: BTreeMap<String, Value>) -> Result<Self, InvalidSetting> {
        let mut fields = Fields::root(fields);
        let mut lists = Self::default();
        if let Some(list) = fields.take("clear_context_fields") {
            for entry in list.list(MAX_NAMES)? {
                let name = |text: &str| is_word(text, MAX_NAME).then(|| text.to_owned());
                let name = entry.parse(NAME, name)?;
                if states_personal_data(&name) {
                    return Err(entry.invalid(PERSONAL));
                }
                lists.clear_context_fields.insert(name);
            }
        }
        if let Some(list) = fields.take("tag_categories") {
            for entry in list.list(MAX_CATEGORIES)? {
                lists.tag_categories.insert(entry.parse(WORD, Word::parse)?);
            }
        }
        fields.finish()?;
        Ok(lists)
    }

    /// Whether a field of a context is stored in the clear. A list of an earlier release may have names that are
    /// refused now; those fields are sealed.
    #[must_use]
    pub fn is_clear(&self, field: &str) -> bool {
        self.clear_context_fields.contains(field) && !states_personal_data(field)
    }

    /// Whether a tag may have the category.
    #[must_use]
    pub fn has_category(&self, category: &Word) -> bool {
        self.tag_categories.is_empty() || self.tag_categories.contains(category)
    }
}
