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

#[cfg(test)]
mod tests {
    use super::super::fixtures::{ended, messages, read};
    use super::*;
    use crate::money::parse_decimal;
    use crate::provider::vapi::fixtures::translate;

    fn cost_of(fields: &str) -> Option<Cost> {
        ended(&format!(r#"{{"message":{{"type":"end-of-call-report",{fields}}}}}"#)).cost
    }

    fn total(fields: &str) -> Option<i64> {
        cost_of(fields).map(|cost| cost.total_nanos.0)
    }

    #[test]
    fn every_report_costs_what_its_decimal_text_says() {
        for (file, text) in [
            ("vapi/end-of-call-report.webcall-with-costs.json", "0.0394"),
            ("vapi/end-of-call-report.official-skill-example.json", "0.15"),
            ("vapi/api-get-call.inbound-analysis.sanitized.json", "0.0107"),
            ("vapi/api-get-call.outbound-live.sanitized.json", "0.0565"),
            ("vapi/api-get-call.outbound-voicemail.json", "0.069"),
            ("vapi/api-get-call.outbound-voicemail-greeting.json", "0.0658"),
            (
                "vapi-legacy/chattyai-08_end-of-call-report_function_call_messages.constructed.json",
                "0.14",
            ),
            ("vapi-legacy/voxanne-04_end-of-call-report_costs_tools_sentiment.json", "2.5"),
        ] {
            let cost = ended(&read(file)).cost.expect("a cost");
            assert_eq!(Some(cost.total_nanos), parse_decimal(text).and_then(Nanos::from_decimal));
            assert_eq!(cost.currency, "USD");
        }
    }

    #[test]
    fn parts_and_the_rest_add_up_to_the_total() {
        for (name, body) in messages() {
            for draft in translate(&body).drafts {
                let crate::event::Event::CallEnded(ended) = draft.event else { continue };
                let Some(Cost { total_nanos, parts, .. }) = ended.cost else { continue };
                let sum = parts.transport_nanos.0
                    + parts.stt_nanos.0
                    + parts.llm_nanos.0
                    + parts.tts_nanos.0
                    + parts.platform_nanos.0
                    + parts.other_nanos.0;
                assert_eq!(sum, total_nanos.0, "{name}");
            }
        }
    }

    #[test]
    fn the_stated_total_comes_before_any_sum() {
        let breakdown = r#""costBreakdown":{"stt":0.01,"llm":0.02,"total":0.04}"#;
        let listed = r#""costs":[{"type":"model","cost":0.1},{"type":"new-kind","cost":0.2}]"#;
        assert_eq!(total(&format!(r#""cost":0.05,{breakdown},{listed}"#)), Some(50_000_000));
        assert_eq!(total(&format!("{breakdown},{listed}")), Some(40_000_000));
        assert_eq!(total(listed), Some(300_000_000));
        assert_eq!(
            total(r#""costBreakdown":{"stt":0.01,"llm":"0.02","llmTokens":9}"#),
            Some(30_000_000)
        );
        assert_eq!(total(r#""cost":"0.05""#), Some(50_000_000));
        assert_eq!(total(r#""cost":null,"costs":[],"costBreakdown":{}"#), None);
    }

    #[test]
    fn unrounded_parts_are_summed_before_they_are_rounded() {
        let third = r#"{"type":"model","cost":0.0000000004}"#;
        assert_eq!(total(&format!(r#""costs":[{third},{third},{third}]"#)), Some(1));
        let body =
            read("vapi/api-get-call.outbound-voicemail.json").replace("\"cost\": 0.069,", "");
        let listed = body.replace("\"costBreakdown\"", "\"other\"");
        assert_eq!(ended(&listed).cost.map(|cost| cost.total_nanos), Some(Nanos(68_962_610)));
    }

    #[test]
    fn zero_is_a_cost_but_beats_no_amount() {
        assert_eq!(total(r#""cost":0"#), Some(0));
        assert_eq!(total(r#""cost":0,"call":{"cost":2.5}"#), Some(2_500_000_000));
        assert_eq!(total(r#""cost":2.5,"call":{"cost":0}"#), Some(2_500_000_000));
        assert_eq!(total(r#""cost":0,"costBreakdown":{"total":0.0}"#), Some(0));
        assert_eq!(total(r#""cost":0.1,"call":{"cost":2.5}"#), Some(100_000_000));
    }

    #[test]
    fn parts_come_from_the_breakdown_else_by_the_type_of_each_entry() {
        let entries = r#""cost":1,"costs":[{"type":"transport","cost":0.1},{"type":"transcriber","cost":0.2},
            {"type":"model","cost":0.1},{"type":"model","cost":0.05},{"type":"voice","cost":0.2},
            {"type":"vapi","cost":0.3},{"type":"analysis","cost":0.01},{"type":"model","cost":"?"}]"#;
        let parts = cost_of(entries).expect("a cost").parts;
        let nanos = |cents: i64| Nanos(cents * 10_000_000);
        assert_eq!((parts.transport_nanos, parts.stt_nanos), (nanos(10), nanos(20)));
        assert_eq!((parts.llm_nanos, parts.tts_nanos), (nanos(15), nanos(20)));
        assert_eq!((parts.platform_nanos, parts.other_nanos), (nanos(30), nanos(5)));
        let both = format!(r#"{entries},"costBreakdown":{{"llm":0.4}}"#);
        assert_eq!(cost_of(&both).expect("a cost").parts.llm_nanos, nanos(40));
    }

    #[test]
    fn money_beyond_all_bounds_is_not_told() {
        for absurd in ["1e400", "99999999999", "79228162514264337593543950335", "\"free\"", "true"]
        {
            assert_eq!(total(&format!(r#""cost":{absurd}"#)), None, "{absurd}");
        }
        let most = "79228162514264337593543950335";
        assert_eq!(total(&format!(r#""costs":[{{"cost":{most}}},{{"cost":{most}}}]"#)), None);
        let huge = r#""cost":-9.2e9,"costBreakdown":{"stt":9.2e9,"llm":9.2e9}"#;
        let parts = cost_of(huge).expect("a cost").parts;
        assert_eq!(parts.other_nanos, Nanos(-9_200_000_000_000_000_000));
    }
}
