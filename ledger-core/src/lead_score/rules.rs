//! The points of the lead score, a setting.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::annotation::words::Word;
use crate::settings::fields::Fields;
use crate::settings::invalid::InvalidSetting;

/// Greatest number of points of one rule, in either direction.
const MAX_POINTS: i64 = 100;
/// Maximum number of dispositions with points.
const MAX_DISPOSITIONS: usize = 200;
/// Points of a repeat caller by default.
const REPEAT_CALLER: i64 = 10;
/// Longest threshold of a long call, in seconds: a day.
const MAX_SECONDS: u32 = 86_400;

/// The points of the rules of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LeadRules {
    /// Points of a call in which the assistant talked to a person.
    pub answered: i64,
    /// Points of a call that lasted at least the threshold.
    pub long_call: i64,
    /// Threshold of a long call, in seconds.
    pub long_call_seconds: u32,
    /// Points of an appointment that was booked in the call.
    pub booked: i64,
    /// Points of a tool that was called.
    pub tool_used: i64,
    /// Points of a call that the platform judged a success.
    pub success: i64,
    /// Points of a call that continued with another party.
    pub transferred: i64,
    /// Points of a score of 4 or 5 by a person.
    pub scored_high: i64,
    /// Points of a score of 1 or 2 by a person.
    pub scored_low: i64,
    /// Points of a call whose contact called before. The value 10 is not serialized, because events of
    /// earlier builds have no such field.
    #[serde(skip_serializing_if = "is_default_of_repeat_callers")]
    pub repeat_caller: i64,
    /// Points of dispositions.
    pub dispositions: BTreeMap<Word, i64>,
}

impl Default for LeadRules {
    fn default() -> Self {
        let points = [
            ("appointment_booked", 20),
            ("follow_up", 15),
            ("not_interested", -40),
            ("wrong_number", -60),
            ("test", -100),
        ];
        let word = |(id, points)| (Word::parse(id).expect("the defaults are words"), points);
        Self {
            answered: 10,
            long_call: 15,
            long_call_seconds: 60,
            booked: 40,
            tool_used: 10,
            success: 10,
            transferred: 5,
            scored_high: 10,
            scored_low: -10,
            repeat_caller: REPEAT_CALLER,
            dispositions: points.map(word).into(),
        }
    }
}

impl LeadRules {
    /// Parses the fields of the setting. An absent field has its default.
    ///
    /// # Errors
    /// [`InvalidSetting`] for a number outside its range, a disposition that is no word, and an unknown
    /// field.
    pub fn parse(fields: BTreeMap<String, Value>) -> Result<Self, InvalidSetting> {
        let mut fields = Fields::root(fields);
        let mut rules = Self::default();
        let slots = [
            ("answered", &mut rules.answered),
            ("long_call", &mut rules.long_call),
            ("booked", &mut rules.booked),
            ("tool_used", &mut rules.tool_used),
            ("success", &mut rules.success),
            ("transferred", &mut rules.transferred),
            ("scored_high", &mut rules.scored_high),
            ("scored_low", &mut rules.scored_low),
            ("repeat_caller", &mut rules.repeat_caller),
        ];
        for (name, slot) in slots {
            if let Some(field) = fields.take(name) {
                *slot = field.signed(-MAX_POINTS..=MAX_POINTS)?;
            }
        }
        if let Some(field) = fields.take("long_call_seconds") {
            rules.long_call_seconds = field.whole(0..=MAX_SECONDS)?;
        }
        if let Some(field) = fields.take("dispositions") {
            rules.dispositions.clear();
            for (name, field) in field.entries(MAX_DISPOSITIONS)? {
                let word = Word::parse(&name).filter(|word| word.as_str() == name);
                let word = word.ok_or_else(|| field.invalid("its name is no disposition"))?;
                rules.dispositions.insert(word, field.signed(-MAX_POINTS..=MAX_POINTS)?);
            }
        }
        fields.finish()?;
        Ok(rules)
    }

    /// The value as a JSON object with every field.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut rules = serde_json::to_value(self).expect("points are plain data");
        rules["repeat_caller"] = json!(self.repeat_caller);
        rules
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_default_of_repeat_callers(points: &i64) -> bool {
    *points == REPEAT_CALLER
}
