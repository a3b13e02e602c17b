//! Parser for the body of `POST /analytics`.

use chrono::{DateTime, Utc};
use ledger_core::json::without_bom;
use projections::analytics::Dimension;
use serde_json::Value;

use super::fields::{ObjectFields, one_of};
use super::range::TimeRange;

/// A parsed query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) name: String,
    pub(super) group_by: Vec<Group>,
    pub(super) operations: Vec<Operation>,
    pub(super) range: TimeRange,
    /// Filter by test mark; `None` includes test calls and others.
    pub(super) is_test: Option<bool>,
}

/// A grouping dimension with its name in the request.
pub(super) type Group = (&'static str, Dimension);

/// A parsed operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Operation {
    pub(super) verb: Verb,
    pub(super) column: Column,
    pub(super) alias: String,
}

/// Aggregate function of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Sum,
    Avg,
    Count,
    Min,
    Max,
    History,
    /// Percentile of durations, in percent. Not part of Vapi's API.
    Percentile(i64),
}

/// Column of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Id,
    Minutes,
    Cost,
    Transport,
    Stt,
    Llm,
    Tts,
    Vapi,
}

const VERBS: [(&str, (&str, Verb)); 9] = [
    ("sum", ("sum", Verb::Sum)),
    ("avg", ("avg", Verb::Avg)),
    ("count", ("count", Verb::Count)),
    ("min", ("min", Verb::Min)),
    ("max", ("max", Verb::Max)),
    ("history", ("history", Verb::History)),
    ("p50", ("p50", Verb::Percentile(50))),
    ("p90", ("p90", Verb::Percentile(90))),
    ("p95", ("p95", Verb::Percentile(95))),
];

const COLUMNS: [(&str, Column); 9] = [
    ("id", Column::Id),
    ("cost", Column::Cost),
    ("costBreakdown.llm", Column::Llm),
    ("costBreakdown.stt", Column::Stt),
    ("costBreakdown.tts", Column::Tts),
    ("costBreakdown.vapi", Column::Vapi),
    ("costBreakdown.transport", Column::Transport),
    ("duration", Column::Minutes),
    ("minutesUsed", Column::Minutes),
];

/// Columns of Vapi's API without data in this ledger.
const ABSENT: [&str; 7] = [
    "costBreakdown.analysisBreakdown.summary",
    "costBreakdown.transcriber",
    "costBreakdown.ttsCharacters",
    "costBreakdown.llmPromptTokens",
    "costBreakdown.llmCompletionTokens",
    "costBreakdown.llmCachedPromptTokens",
    "concurrency",
];

/// Grouping dimensions: Vapi's names, then those added here.
const GROUPS: [Group; 9] = [
    ("type", Dimension::Direction),
    ("assistantId", Dimension::AgentId),
    ("endedReason", Dimension::EndedReason),
    ("analysis.successEvaluation", Dimension::Success),
    ("status", Dimension::Status),
    ("outcome", Dimension::Outcome),
    ("tool", Dimension::Tool),
    ("phoneNumberId", Dimension::PhoneNumberId),
    ("durationClass", Dimension::DurationClass),
];

impl Query {
    /// True if the query lists single calls.
    pub(super) fn is_history(&self) -> bool {
        self.operations.iter().any(|operation| operation.verb == Verb::History)
    }

    /// True if an operation uses an aggregate function that matches.
    pub(super) fn asks(&self, is_meant: impl Fn(Verb) -> bool) -> bool {
        self.operations.iter().any(|operation| is_meant(operation.verb))
    }

    fn read(
        value: Value,
        path: &str,
        now: DateTime<Utc>,
        faults: &mut Vec<String>,
    ) -> Option<Self> {
        let mut fields = ObjectFields::of(value, path, faults)?;
        match fields.take("table").as_ref().and_then(Value::as_str) {
            Some("call") => {}
            Some("subscription") => {
                fields.fault("table", "subscription is not kept by this ledger");
            }
            _ => fields.fault("table", "must be one of the following values: call, subscription"),
        }
        let name = fields.name("name");
        let group_by = group_by(&mut fields);
        if fields.take("groupByVariableValue").is_some_and(|by| by != Value::Array(Vec::new())) {
            fields.fault("groupByVariableValue", "is not kept apart by this ledger");
        }
        let is_test = match fields.take("isTest") {
            None | Some(Value::Bool(false)) => Some(Some(false)),
            Some(Value::Bool(true)) => Some(Some(true)),
            Some(Value::String(word)) if word == "any" => Some(None),
            Some(_) => {
                fields.fault("isTest", "must be a boolean value or any");
                None
            }
        };
        let range = TimeRange::take(&mut fields, now);
        let mut operations = Vec::new();
        for (path, value) in fields.list("operations") {
            operations.extend(Operation::read(value, &path, fields.faults));
        }
        fields.reject_unknown();
        let query = Self { name: name?, group_by, operations, range: range?, is_test: is_test? };
        query.check_together(path, faults);
        Some(query)
    }

    /// Reports faults that concern several fields together.
    fn check_together(&self, path: &str, faults: &mut Vec<String>) {
        if self.is_history() && self.asks(|verb| verb != Verb::History) {
            faults.push(format!("{path}operations must all be history, or none"));
        }
        let mut names = vec!["date"];
        names.extend(self.group_by.iter().map(|(word, _)| *word));
        for (nth, operation) in self.operations.iter().enumerate() {
            if names.contains(&operation.alias.as_str()) {
                faults.push(format!("{path}operations.{nth}.alias must name nothing else, too"));
            }
            names.push(&operation.alias);
        }
    }
}

impl Operation {
    fn read(value: Value, path: &str, faults: &mut Vec<String>) -> Option<Self> {
        let mut fields = ObjectFields::of(value, path, faults)?;
        let verb = fields.word("operation", &VERBS);
        let column = take_column(&mut fields);
        if let Some(((word, verb), (_, column))) = verb.zip(column) {
            match (verb, column) {
                (Verb::Count, _) | (Verb::Percentile(_), Column::Minutes) => {}
                (Verb::Percentile(_), _) => {
                    fields.fault("operation", &format!("{word} is known of duration only"));
                }
                (_, Column::Id) => {
                    fields.fault("operation", &format!("{word} needs a number, and id is none"));
                }
                _ => {}
            }
        }
        let default = verb.zip(column).map(|((verb, _), (column, _))| default_alias(verb, column));
        let alias = fields.name_or("alias", default);
        fields.reject_unknown();
        let ((_, verb), (_, column)) = verb.zip(column)?;
        Some(Self { verb, column, alias: alias? })
    }
}

/// Parses a request body.
///
/// # Errors
/// Every fault, with the path of its field.
pub(super) fn parse(body: &[u8], now: DateTime<Utc>) -> Result<Vec<Query>, Vec<String>> {
    let body: Value = serde_json::from_slice(without_bom(body)).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        vec![format!("the body is no JSON: it breaks at line {line}, column {column}")]
    })?;
    let mut faults = Vec::new();
    let mut queries = Vec::new();
    if let Some(mut fields) = ObjectFields::of(body, "", &mut faults) {
        for (path, value) in fields.list("queries") {
            queries.extend(Query::read(value, &path, now, fields.faults));
        }
        fields.reject_unknown();
    }
    if faults.is_empty() { Ok(queries) } else { Err(faults) }
}

fn group_by(fields: &mut ObjectFields<'_>) -> Vec<Group> {
    let mut group_by = Vec::new();
    for (_, value) in fields.optional_list("groupBy") {
        let known = GROUPS.iter().find(|(word, _)| value.as_str() == Some(word));
        match known {
            Some(group) if group_by.contains(group) => {
                fields.fault("groupBy", "must name nothing twice");
            }
            Some(group) => group_by.push(*group),
            None => fields.fault("each value in groupBy", &one_of(&GROUPS)),
        }
    }
    group_by
}

fn take_column(fields: &mut ObjectFields<'_>) -> Option<(&'static str, Column)> {
    let value = fields.take("column").unwrap_or_default();
    let column = value.as_str().unwrap_or_default();
    let known = COLUMNS.iter().find(|(word, _)| *word == column).copied();
    if ABSENT.contains(&column) {
        fields.fault("column", &format!("{column} is not kept by this ledger"));
    } else if known.is_none() {
        fields.fault("column", &one_of(&COLUMNS));
    }
    known
}

/// Vapi's default name: `sumCostBreakdownLlm` for the sum of `costBreakdown.llm`.
fn default_alias(verb: &str, column: &str) -> String {
    column.split('.').fold(verb.to_owned(), |alias, part| {
        let (first, rest) = part.split_at(1);
        alias + &first.to_ascii_uppercase() + rest
    })
}

#[cfg(test)]
mod tests;
