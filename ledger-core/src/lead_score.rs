//! The lead score of a call: how promising the person on the line is, derived from the facts of the
//! call and of earlier calls of its contact by the tenant's points. It is computed when a call is read, never stored, and explained by the
//! rules that applied.

pub mod rules;

use serde::Serialize;

use self::rules::LeadRules;
use crate::call::{Call, Outcome};

/// Version of the rules and of their facts. A change of either is a new version, because the same call
/// may then have another score.
pub const VERSION: u32 = 2;

/// A rule that may give points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
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
    /// The person called before.
    RepeatCaller,
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
#[expect(clippy::struct_excessive_bools, reason = "each is a fact that a rule of its own asks for")]
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
    /// Whether the contact of the call called before it.
    pub called_before: bool,
}

impl<'c> LeadFacts<'c> {
    /// Takes the facts from a call, and those that are not in it: whether an appointment was booked in it, and
    /// whether its contact called before.
    #[must_use]
    pub fn of(call: &'c Call, is_booked: bool, called_before: bool) -> Self {
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
            called_before,
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
        (LeadRule::RepeatCaller, facts.called_before, rules.repeat_caller),
    ];
    let reasons: Vec<_> = points
        .into_iter()
        .filter(|(_, applies, points)| *applies && *points != 0)
        .map(|(rule, _, points)| LeadReason { rule, points })
        .collect();
    let sum: i64 = reasons.iter().map(|reason| reason.points).sum();
    LeadScore { score: sum.clamp(0, 100), reasons }
}

#[cfg(test)]
mod tests;
