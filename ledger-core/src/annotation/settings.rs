//! Settings of a tenant for what is added to calls: the catalogue of dispositions, the clear fields of
//! contexts, the categories of tags, and the points of the lead score.

pub mod change;
mod dispositions;
mod lists;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub use dispositions::{Disposition, Dispositions};
pub use lists::AnnotationLists;

use super::spelling::Spellings;
use super::words::{ClearFields, ClearValue, Word};
use crate::lead_score::rules::LeadRules;
use crate::text::is_line;

/// Longest text of a clear field, in characters.
const MAX_CLEAR_TEXT: usize = 200;

/// All settings of calls. The default is that of a tenant that has set none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallSettings {
    /// Number of changes.
    pub version: i64,
    /// The catalogue of dispositions.
    pub dispositions: Dispositions,
    /// Ids of all dispositions that catalogues of the tenant have had.
    set_dispositions: BTreeSet<Word>,
    /// Clear fields and categories.
    pub annotations: AnnotationLists,
    /// The points of the lead score.
    pub lead_score: LeadRules,
}

impl CallSettings {
    /// Returns the spellings under which calls may have a disposition, those of former catalogues too.
    #[must_use]
    pub fn disposition_spellings(&self, text: &str) -> Spellings {
        let default = Dispositions::default();
        let ids = default.as_slice().iter().map(|entry| &entry.id);
        Spellings::among(text, ids.chain(&self.set_dispositions))
    }

    /// Divides the fields of a context into those in the clear and the others. A field on the list is
    /// clear if its value is a boolean, a whole number or a short text of one line.
    #[must_use]
    pub fn split_context(
        &self,
        fields: BTreeMap<String, Value>,
    ) -> (ClearFields, BTreeMap<String, Value>) {
        let (mut clear, mut sealed) = (ClearFields::new(), BTreeMap::new());
        for (name, value) in fields {
            let on_list = self.annotations.is_clear(&name);
            match Some(&value).filter(|_| on_list).and_then(clear_value) {
                Some(value) => {
                    clear.insert(name, value);
                }
                None => {
                    sealed.insert(name, value);
                }
            }
        }
        (clear, sealed)
    }
}

fn clear_value(value: &Value) -> Option<ClearValue> {
    let is_clear = |text: &String| text.chars().count() <= MAX_CLEAR_TEXT && is_line(text);
    match value {
        Value::Bool(flag) => Some(ClearValue::Boolean(*flag)),
        Value::Number(number) => number.as_i64().map(ClearValue::Integer),
        Value::String(text) => {
            Some(text).filter(|text| is_clear(text)).cloned().map(ClearValue::Text)
        }
        _ => None,
    }
}
