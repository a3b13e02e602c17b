//! The lead score of a call: how promising the person on the line is, derived from the facts of the
//! call by the tenant's points. It is computed when a call is read, never stored, and explained by the
//! rules that applied.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::annotation::words::Word;
use crate::call::{Call, Outcome};
use crate::settings::fields::Fields;
use crate::settings::invalid::InvalidSetting;

/// Version of the rules and of their facts. A change of either is a new version, because the same call
/// may then have another score.
pub const VERSION: u32 = 1;

/// Greatest number of points of one rule, in either direction.
const MAX_POINTS: i64 = 100;
/// Maximum number of dispositions with points.
const MAX_DISPOSITIONS: usize = 200;
/// Longest threshold of a long call, in seconds: a day.
const MAX_SECONDS: u32 = 86_400;

/// A rule that may give points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeadRule {
    /// The assistant talked to a person.
    Answered,
    /// The call lasted at least the threshold.
    LongCall,
    /// An appointment was booked in the call.
    Booked,
    /// The assistant called a tool.
    ToolUsed,
    /// The platform judged the call a success.
    Success,
    /// The call continued with another party.
    Transferred,
    /// A person scored the call 4 or 5.
    ScoredHigh,
    /// A person scored the call 1 or 2.
    ScoredLow,
    /// The call has a disposition with points.
    Disposition,
}

/// The points of the rules of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LeadRules {
    /// Points of [`LeadRule::Answered`].
    pub answered: i64,
    /// Points of [`LeadRule::LongCall`].
    pub long_call: i64,
    /// Threshold of a long call, in seconds.
    pub long_call_seconds: u32,
    /// Points of [`LeadRule::Booked`].
    pub booked: i64,
    /// Points of [`LeadRule::ToolUsed`].
    pub tool_used: i64,
    /// Points of [`LeadRule::Success`].
    pub success: i64,
    /// Points of [`LeadRule::Transferred`].
    pub transferred: i64,
    /// Points of [`LeadRule::ScoredHigh`].
    pub scored_high: i64,
    /// Points of [`LeadRule::ScoredLow`].
    pub scored_low: i64,
    /// Points of [`LeadRule::Disposition`], by disposition.
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
            dispositions: points.map(word).into(),
        }
    }
}

/// A rule that applied, with its points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LeadReason {
    /// The rule.
    pub rule: LeadRule,
    /// Its points; never 0.
    pub points: i64,
}

/// A score with its explanation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeadScore {
    /// The sum of the points, at least 0 and at most 100.
    pub score: i64,
    /// The rules that applied, in the order of [`LeadRule`].
    pub reasons: Vec<LeadReason>,
}

/// The facts of a call that the score depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LeadFacts<'c> {
    /// Duration in milliseconds.
    pub duration_ms: Option<i64>,
    /// The coarse outcome.
    pub outcome: Option<Outcome>,
    /// Whether the assistant talked to a person.
    pub is_answered: bool,
    /// Whether an appointment was booked in the call.
    pub is_booked: bool,
    /// Whether a tool was called.
    pub has_tools: bool,
    /// The platform's judgement.
    pub success: Option<bool>,
    /// Whether the call continued with another party.
    pub is_transferred: bool,
    /// The score that a person gave.
    pub score: Option<u8>,
    /// The disposition.
    pub disposition: Option<&'c str>,
}

impl<'c> LeadFacts<'c> {
    /// Takes the facts from a call. `is_booked` is whether an appointment was booked in it.
    #[must_use]
    pub fn of(call: &'c Call, is_booked: bool) -> Self {
        Self {
            duration_ms: call.duration_ms(),
            outcome: call.outcome(),
            is_answered: call.was_answered(),
            is_booked,
            has_tools: call.has_tools(),
            success: call.success(),
            is_transferred: call.is_transferred(),
            score: call.score(),
            disposition: call.disposition(),
        }
    }
}

/// Computes the score from the facts and the points. A mailbox counts as not answered.
#[must_use]
pub fn lead_score(facts: &LeadFacts<'_>, rules: &LeadRules) -> LeadScore {
    let is_person = facts.is_answered && facts.outcome != Some(Outcome::Voicemail);
    let threshold = i64::from(rules.long_call_seconds) * 1_000;
    let is_long = is_person && facts.duration_ms.is_some_and(|lasted| lasted >= threshold);
    let of_disposition = |id: &str| {
        let entry = rules.dispositions.iter().find(|(word, _)| word.as_str() == id);
        entry.map(|(_, points)| *points)
    };
    let of_disposition = facts.disposition.and_then(of_disposition);
    let points = [
        (LeadRule::Answered, is_person, rules.answered),
        (LeadRule::LongCall, is_long, rules.long_call),
        (LeadRule::Booked, facts.is_booked, rules.booked),
        (LeadRule::ToolUsed, facts.has_tools, rules.tool_used),
        (LeadRule::Success, facts.success == Some(true), rules.success),
        (LeadRule::Transferred, facts.is_transferred, rules.transferred),
        (LeadRule::ScoredHigh, facts.score.is_some_and(|score| score >= 4), rules.scored_high),
        (LeadRule::ScoredLow, facts.score.is_some_and(|score| score <= 2), rules.scored_low),
        (LeadRule::Disposition, of_disposition.is_some(), of_disposition.unwrap_or_default()),
    ];
    let reasons: Vec<_> = points
        .into_iter()
        .filter(|(_, applies, points)| *applies && *points != 0)
        .map(|(rule, _, points)| LeadReason { rule, points })
        .collect();
    let sum: i64 = reasons.iter().map(|reason| reason.points).sum();
    LeadScore { score: sum.clamp(0, 100), reasons }
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
}

#[cfg(test)]
mod tests;
