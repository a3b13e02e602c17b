//! Settings of a tenant for calls and contacts: the catalogue of dispositions, the clear fields of
//! contexts and contacts, the categories of tags, the points of the lead score, and the periods of
//! retention.

pub mod change;
mod dispositions;
mod lists;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub use dispositions::{Disposition, Dispositions};
pub use lists::AnnotationLists;

use super::spelling::Spellings;
use super::words::{ClearFields, ClearValue, Word};
use crate::clear::{is_clear_number, is_clear_text};
use crate::contact::ContactSettings;
use crate::lead_score::rules::LeadRules;
use crate::retention::RetentionPolicy;

/// All settings of calls and contacts. The default is that of a tenant that has set none.
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
    /// The clear fields of contacts.
    pub contacts: ContactSettings,
    /// The periods of retention.
    pub retention: RetentionPolicy,
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
    /// clear if its value is a boolean, a whole number of at most six digits, or a word.
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
    match value {
        Value::Bool(flag) => Some(ClearValue::Boolean(*flag)),
        Value::Number(number) => {
            number.as_i64().filter(|number| is_clear_number(*number)).map(ClearValue::Integer)
        }
        Value::String(text) => is_clear_text(text).then(|| ClearValue::Text(text.clone())),
        _ => None,
    }
}
