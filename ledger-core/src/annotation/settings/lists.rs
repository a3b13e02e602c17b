//! The fields of contexts that are stored in the clear, and the categories of tags.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::dispositions::WORD;
use crate::annotation::words::Word;
use crate::settings::fields::Fields;
use crate::settings::invalid::InvalidSetting;

/// Maximum number of entries of each list.
const MAX_ENTRIES: usize = 100;
/// Maximum length of the name of a field, in characters.
pub(crate) const MAX_NAME: usize = 64;

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
    /// [`InvalidSetting`] for an entry that is no name or no word, and an unknown field.
    pub fn parse(fields: BTreeMap<String, Value>) -> Result<Self, InvalidSetting> {
        let mut fields = Fields::root(fields);
        let mut lists = Self::default();
        if let Some(list) = fields.take("clear_context_fields") {
            for entry in list.list(MAX_ENTRIES)? {
                lists.clear_context_fields.insert(entry.text(MAX_NAME)?);
            }
        }
        if let Some(list) = fields.take("tag_categories") {
            for entry in list.list(MAX_ENTRIES)? {
                lists.tag_categories.insert(entry.parse(WORD, Word::parse)?);
            }
        }
        fields.finish()?;
        Ok(lists)
    }

    /// Whether a field of a context is stored in the clear.
    #[must_use]
    pub fn is_clear(&self, field: &str) -> bool {
        self.clear_context_fields.contains(field)
    }

    /// Whether a tag may have the category.
    #[must_use]
    pub fn has_category(&self, category: &Word) -> bool {
        self.tag_categories.is_empty() || self.tag_categories.contains(category)
    }
}
