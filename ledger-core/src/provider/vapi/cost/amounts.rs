//! Amounts of one place in a message: `costBreakdown`, by name, and `costs`, a list of entries with a type. The
//! two keys are also seen with each other's form.

use rust_decimal::Decimal;

use crate::json::Json;
use crate::money::{CostParts, Nanos};
use crate::plausible;

/// Named parts: the key in `costBreakdown`, and the type in `costs[]`.
const PARTS: [(&str, &str); 5] = [
    ("transport", "transport"),
    ("stt", "transcriber"),
    ("llm", "model"),
    ("tts", "voice"),
    ("vapi", "vapi"),
];

/// Further amounts in `costBreakdown`; its other fields count tokens and characters.
const OTHER_SUMS: [&str; 3] = ["chat", "voicemailDetectionCost", "knowledgeBaseCost"];
const ANALYSIS_SUMS: [&str; 4] =
    ["summary", "structuredData", "successEvaluation", "structuredOutput"];

/// Returns all lists of parts in one place, best first.
pub(super) fn parts<'m>(place: &'m Json<'m>) -> impl Iterator<Item = CostParts> + 'm {
    let named = breakdowns(place)
        .map(|breakdown| named_parts(|(key, _)| breakdown.get(key).and_then(Json::as_decimal)));
    let listed = entries(place).map(|entries| {
        named_parts(|(_, kind)| {
            sum(entries.iter().filter(|entry| is_of_type(entry, kind)).filter_map(amount))
        })
    });
    named.chain(listed).flatten()
}

/// Returns `costBreakdown` and `costs` where they are objects (`{"total": …, "stt": …}`).
pub(super) fn breakdowns<'m>(place: &'m Json<'m>) -> impl Iterator<Item = &'m Json<'m>> {
    ["costBreakdown", "costs"]
        .into_iter()
        .filter_map(|key| place.get(key))
        .filter(|it| it.is_object())
}

/// Returns `costs` where it is a list.
pub(super) fn entries<'m>(place: &'m Json<'m>) -> impl Iterator<Item = &'m [Json<'m>]> {
    ["costs", "costBreakdown"].into_iter().filter_map(|key| Some(place.get(key)?.items()))
}

fn named_parts(read: impl Fn((&str, &str)) -> Option<Decimal>) -> Option<CostParts> {
    let amounts = PARTS.map(|part| read(part).and_then(|part| plausible::amount(part).plausible()));
    let [transport_nanos, stt_nanos, llm_nanos, tts_nanos, platform_nanos] =
        amounts.map(Option::unwrap_or_default);
    amounts.iter().any(Option::is_some).then_some(CostParts {
        transport_nanos,
        stt_nanos,
        llm_nanos,
        tts_nanos,
        platform_nanos,
        other_nanos: Nanos(0),
    })
}

/// Returns the sum of the entries; `None` if an entry has no amount, because a partial sum is not
/// the total.
pub(super) fn sum_of_entries(entries: &[Json<'_>]) -> Option<Decimal> {
    entries.iter().map(amount).try_fold(Decimal::ZERO, |sum, amount| sum.checked_add(amount?))
}

pub(super) fn sum_of_breakdown(breakdown: &Json<'_>) -> Option<Decimal> {
    let analysis = breakdown.get("analysisCostBreakdown");
    let named = PARTS.iter().map(|(key, _)| breakdown.get(key));
    let others = OTHER_SUMS.iter().map(|key| breakdown.get(key));
    let within = ANALYSIS_SUMS.iter().map(|key| analysis.and_then(|analysis| analysis.get(key)));
    let stated_parts = named.chain(others).chain(within).flatten().filter(|part| part.is_filled());
    let amounts: Option<Vec<Decimal>> = stated_parts.map(Json::as_decimal).collect();
    sum(amounts?.into_iter())
}

/// Returns the exact sum; `None` for an empty list, and on overflow.
fn sum(mut amounts: impl Iterator<Item = Decimal>) -> Option<Decimal> {
    let first = amounts.next()?;
    amounts.try_fold(first, Decimal::checked_add)
}

fn amount(entry: &Json<'_>) -> Option<Decimal> {
    entry.get("cost")?.as_decimal()
}

pub(super) fn is_of_type(entry: &Json<'_>, kind: &str) -> bool {
    entry.get("type").and_then(Json::as_str) == Some(kind)
}
