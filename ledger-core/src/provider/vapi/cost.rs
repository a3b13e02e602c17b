//! What a call cost, from the places a message tells it in.
//!
//! `cost` and `costBreakdown` are rounded to four decimals, `costs[]` is not, so their parts need
//! not add up; the stated total is what was billed. All of it is decimal text made exact.

use rust_decimal::Decimal;

use super::message::Message;
use crate::json::Json;
use crate::money::{Cost, CostParts, Nanos};

/// The named parts, and what Vapi calls each in `costBreakdown` and as a type in `costs[]`.
const PARTS: [(&str, &str); 5] = [
    ("transport", "transport"),
    ("stt", "transcriber"),
    ("llm", "model"),
    ("tts", "voice"),
    ("vapi", "vapi"),
];

/// Other sums of money in `costBreakdown`; the rest of its fields count tokens and characters.
const OTHER_SUMS: [&str; 3] = ["chat", "voicemailDetectionCost", "knowledgeBaseCost"];
const ANALYSIS_SUMS: [&str; 4] =
    ["summary", "structuredData", "successEvaluation", "structuredOutput"];

/// The cost; `None` when nothing tells one. Zero is a cost (own provider keys), but never beats an
/// amount told elsewhere in the same message: snapshots say zero until somebody has counted.
pub(super) fn cost(message: &Message<'_>) -> Option<Cost> {
    let places = message.money_places();
    let totals = places.into_iter().flatten().flat_map(totals);
    let total = non_zero_or_first(totals.filter_map(Nanos::from_decimal), |nanos| nanos.0 == 0)?;
    let parts = places.into_iter().flatten().flat_map(parts);
    let parts = non_zero_or_first(parts, |parts| *parts == CostParts::default());
    Some(Cost {
        total_nanos: total,
        currency: "USD".to_owned(),
        parts: parts.unwrap_or_default().balanced_to(total),
    })
}

fn non_zero_or_first<T>(
    candidates: impl Iterator<Item = T>,
    is_zero: impl Fn(&T) -> bool,
) -> Option<T> {
    let mut first = None;
    for candidate in candidates {
        if !is_zero(&candidate) {
            return Some(candidate);
        }
        first = first.or(Some(candidate));
    }
    first
}

/// Every total one place tells, best first.
fn totals<'m>(place: &'m Json<'m>) -> impl Iterator<Item = Decimal> + 'm {
    let stated = [place.get("cost").and_then(Json::as_decimal)];
    let breakdowns = || breakdowns(place);
    stated
        .into_iter()
        .chain(breakdowns().map(|breakdown| breakdown.get("total")?.as_decimal()))
        .chain(entries(place).map(sum_of_entries))
        .chain(breakdowns().map(sum_of_breakdown))
        .flatten()
}

/// Every list of parts one place tells, best first.
fn parts<'m>(place: &'m Json<'m>) -> impl Iterator<Item = CostParts> + 'm {
    let named = breakdowns(place)
        .map(|breakdown| named_parts(|(key, _)| breakdown.get(key).and_then(Json::as_decimal)));
    let listed = entries(place).map(|entries| {
        named_parts(|(_, kind)| {
            sum(entries.iter().filter(|entry| is_of_type(entry, kind)).filter_map(amount))
        })
    });
    named.chain(listed).flatten()
}

/// `costBreakdown` and `costs`, where they are objects (`{"total": …, "stt": …}`).
fn breakdowns<'m>(place: &'m Json<'m>) -> impl Iterator<Item = &'m Json<'m>> {
    ["costBreakdown", "costs"]
        .into_iter()
        .filter_map(|key| place.get(key))
        .filter(|it| it.is_object())
}

/// `costs`, where it is a list.
fn entries<'m>(place: &'m Json<'m>) -> impl Iterator<Item = &'m [Json<'m>]> {
    ["costs", "costBreakdown"].into_iter().filter_map(|key| Some(place.get(key)?.items()))
}

fn named_parts(read: impl Fn((&str, &str)) -> Option<Decimal>) -> Option<CostParts> {
    let amounts = PARTS.map(|part| read(part).and_then(Nanos::from_decimal));
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

fn sum_of_entries(entries: &[Json<'_>]) -> Option<Decimal> {
    sum(entries.iter().filter_map(amount))
}

fn sum_of_breakdown(breakdown: &Json<'_>) -> Option<Decimal> {
    let analysis = breakdown.get("analysisCostBreakdown");
    let named = PARTS.iter().map(|(key, _)| breakdown.get(key));
    let others = OTHER_SUMS.iter().map(|key| breakdown.get(key));
    let within = ANALYSIS_SUMS.iter().map(|key| analysis.and_then(|analysis| analysis.get(key)));
    sum(named.chain(others).chain(within).flatten().filter_map(Json::as_decimal))
}

/// The exact sum. `None` of nothing, and of what no decimal holds.
fn sum(mut amounts: impl Iterator<Item = Decimal>) -> Option<Decimal> {
    let first = amounts.next()?;
    amounts.try_fold(first, Decimal::checked_add)
}

fn amount(entry: &Json<'_>) -> Option<Decimal> {
    entry.get("cost")?.as_decimal()
}

fn is_of_type(entry: &Json<'_>, kind: &str) -> bool {
    entry.get("type").and_then(Json::as_str) == Some(kind)
}
