//! The catalogue of dispositions.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::annotation::spelling::spelling;
use crate::annotation::words::Word;
use crate::settings::fields::{Field, Fields};
use crate::settings::invalid::InvalidSetting;

/// Maximum number of entries.
const MAX_ENTRIES: usize = 200;
/// Maximum length of a label, in characters.
const MAX_LABEL: usize = 100;
/// Description of a word, for faults.
pub(super) const WORD: &str =
    "a word of 1 to 40 letters, digits, -, _, . and :, with at most 6 digits";

/// A disposition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disposition {
    /// Id, unique in the catalogue.
    pub id: Word,
    /// Name for people.
    pub label: String,
    /// Whether a call with it is escalated.
    #[serde(default)]
    pub escalates: bool,
    /// Whether a call with it is marked as a test.
    #[serde(default)]
    pub is_test: bool,
}

/// The dispositions of a tenant, in its order; eight by default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Dispositions(Vec<Disposition>);

impl Default for Dispositions {
    fn default() -> Self {
        let entry = |(id, label): (&str, &str)| Disposition {
            id: Word::parse(id).expect("the defaults are words"),
            label: label.to_owned(),
            escalates: id == "complaint",
            is_test: id == "test",
        };
        let entries = [
            ("appointment_booked", "Appointment booked"),
            ("information_given", "Information given"),
            ("follow_up", "Follow-up needed"),
            ("not_interested", "Not interested"),
            ("not_reached", "Not reached"),
            ("wrong_number", "Wrong number"),
            ("complaint", "Complaint"),
            ("test", "Test call"),
        ];
        Self(entries.map(entry).to_vec())
    }
}

impl Dispositions {
    /// Parses the fields of the setting: `dispositions`, a list of `id`, `label`, `escalates` and
    /// `is_test`. An absent list is the default one.
    ///
    /// # Errors
    /// [`InvalidSetting`] for an id that is no word or is named twice, a missing label, and an unknown
    /// field.
    pub fn parse(fields: BTreeMap<String, Value>) -> Result<Self, InvalidSetting> {
        let mut fields = Fields::root(fields);
        let list = fields.take("dispositions");
        fields.finish()?;
        let Some(list) = list else { return Ok(Self::default()) };
        let mut seen = BTreeSet::new();
        let entries = list.list(MAX_ENTRIES)?.into_iter();
        let entries: Result<_, _> = entries.map(|entry| read(entry, &mut seen)).collect();
        entries.map(Self)
    }

    /// The value as a JSON object with every field.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({ "dispositions": self.0 })
    }

    /// Returns the entry with this id; `-` and `_` are not distinguished.
    #[must_use]
    pub fn find(&self, id: &Word) -> Option<&Disposition> {
        self.0.iter().find(|entry| spelling(entry.id.as_str()) == spelling(id.as_str()))
    }

    /// The entries in the tenant's order.
    #[must_use]
    pub fn as_slice(&self) -> &[Disposition] {
        &self.0
    }
}

fn read(entry: Field, seen: &mut BTreeSet<String>) -> Result<Disposition, InvalidSetting> {
    let mut fields = entry.object()?;
    let field = fields.require("id")?;
    let id = field.parse(WORD, Word::parse)?;
    if !seen.insert(spelling(id.as_str())) {
        return Err(field.invalid("the id is named twice"));
    }
    let label = fields.require("label")?.text(MAX_LABEL)?;
    let mut flag = |name: &str| {
        let flag = fields.take(name).map(|field| field.boolean()).transpose()?;
        Ok::<_, InvalidSetting>(flag.unwrap_or(false))
    };
    let (escalates, is_test) = (flag("escalates")?, flag("is_test")?);
    fields.finish()?;
    Ok(Disposition { id, label, escalates, is_test })
}
