//! The cost of a call, from all places in a message.
//!
//! `cost` and `costBreakdown` are rounded to four decimals and `costs[]` is not, so the parts need
//! not add up. The stated total is the billed amount. All amounts are parsed exactly from decimal
//! text.

mod amounts;

use self::amounts::{breakdowns, entries, is_of_type, parts, sum_of_breakdown, sum_of_entries};
use super::message::Message;
use super::report::unreadable;
use crate::json::{Json, fact_text};
use crate::money::{Cost, CostParts, Nanos};
use crate::plausible::{self, FieldValue, add_implausible};

/// Cost found in a message.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ReportCost {
    /// The cost; `None` if the message has none.
    pub(super) cost: Option<Cost>,
    /// True if the cost is zero and the report states it itself.
    pub(super) is_stated_zero: bool,
}

/// Returns the cost of the call.
///
/// In each place, the total is `cost`, else `costBreakdown.total`, else the sum of `costs`. A zero
/// in the message itself is a cost (the customer uses own provider keys). The snapshot of the call
/// inside a report has zero until the cost is known, so a zero there is ignored. An implausible
/// amount is listed in `implausible`, and the next one is used.
pub(super) fn cost(message: &Message<'_>, implausible: &mut Vec<String>) -> ReportCost {
    let mut total_of = |place| match total(place) {
        Total::Plausible(nanos) => Some(nanos),
        Total::Implausible => {
            add_implausible(implausible, "cost");
            None
        }
        Total::Absent => None,
    };
    let own = message.message_objects().into_iter().filter_map(&mut total_of);
    let own = non_zero_or_first(own, |nanos| nanos.0 == 0);
    let snapshot = message.call().and_then(total_of).filter(|nanos| nanos.0 != 0);
    let Some(total_nanos) = own.filter(|nanos| nanos.0 != 0).or(snapshot).or(own) else {
        return ReportCost::default();
    };
    let parts = message.cost_objects().into_iter().flatten().flat_map(parts);
    let parts = non_zero_or_first(parts, |parts| *parts == CostParts::default());
    let parts = parts.unwrap_or_default().balanced_to(total_nanos);
    let is_stated_zero = total_nanos.0 == 0 && !message.is_call_object();
    ReportCost {
        cost: Some(Cost { total_nanos, currency: "USD".to_owned(), parts }),
        is_stated_zero,
    }
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

type Total = FieldValue<Nanos>;

/// Returns the total in one place.
fn total<'m>(place: &'m Json<'m>) -> Total {
    let stated = place.get("cost").map_or(Total::Absent, stated);
    let mut totals = [stated].into_iter().chain(
        breakdowns(place)
            .map(|breakdown| breakdown.get("total").map_or(Total::Absent, self::stated)),
    );
    let mut found = Total::Absent;
    for total in totals.by_ref() {
        match total {
            Total::Plausible(_) => return total,
            Total::Implausible => found = total,
            Total::Absent => {}
        }
    }
    let summed = || {
        let listed = entries(place).find(|entries| !entries.is_empty());
        match listed {
            Some(entries) => sum_of_entries(entries),
            None => breakdowns(place).find_map(sum_of_breakdown),
        }
    };
    match summed().map(plausible::total) {
        Some(total) if total != Total::Implausible || found == Total::Absent => total,
        _ => found,
    }
}

fn stated(value: &Json<'_>) -> Total {
    value.as_decimal().map_or_else(|| unreadable(value), plausible::total)
}

/// Returns the model of the summary, which is only stated with its cost.
pub(super) fn summary_model(message: &Message<'_>) -> Option<String> {
    let places = message.cost_objects().into_iter().flatten();
    let is_summary = |entry: &&Json<'_>| {
        is_of_type(entry, "analysis")
            && entry.get("analysisType").and_then(Json::as_str) == Some("summary")
    };
    let entry = places.flat_map(entries).flatten().find(is_summary)?;
    let model = entry.path(&["model", "model"]).and_then(Json::as_str);
    model.filter(|model| !model.trim().is_empty()).map(fact_text)
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
    fn the_cost_of_every_report_is_exactly_its_decimal_text() {
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
                let crate::event::CallEvent::Ended(ended) = draft.event else { continue };
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
    fn the_stated_total_has_precedence_over_any_sum() {
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

    fn zero_stated(fields: &str) -> bool {
        ended(&format!(r#"{{"message":{{"type":"end-of-call-report",{fields}}}}}"#))
            .zero_cost_stated
    }

    #[test]
    fn a_stated_zero_is_a_cost_and_has_precedence_over_no_amount() {
        assert_eq!(total(r#""cost":0"#), Some(0));
        assert_eq!(total(r#""cost":0,"call":{"cost":2.5}"#), Some(2_500_000_000));
        assert_eq!(total(r#""cost":2.5,"call":{"cost":0}"#), Some(2_500_000_000));
        assert_eq!(total(r#""cost":0,"costBreakdown":{"total":0.0}"#), Some(0));
        assert_eq!(total(r#""cost":0.1,"call":{"cost":2.5}"#), Some(100_000_000));
        for stated in
            [r#""cost":0"#, r#""cost":"0.00","call":{"cost":0}"#, r#""costs":[{"cost":0}]"#]
        {
            assert_eq!((total(stated), zero_stated(stated)), (Some(0), true), "{stated}");
        }
        assert!(!zero_stated(r#""cost":0.1"#));
    }

    #[test]
    fn the_zero_of_the_snapshot_in_a_report_is_no_cost() {
        for snapshot in [
            r#"{"cost":0}"#,
            r#"{"cost":0,"costBreakdown":{"total":0}}"#,
            r#"{"costs":[{"cost":0.0}]}"#,
        ] {
            assert_eq!(total(&format!(r#""call":{snapshot}"#)), None, "{snapshot}");
        }
        let object = r#"{"id":"c","type":"inboundPhoneCall","status":"ended","cost":0}"#;
        let ended = ended(object);
        assert_eq!(ended.cost.map(|cost| cost.total_nanos), Some(Nanos(0)));
        assert!(!ended.zero_cost_stated, "a call object may be read before its cost is known");
    }

    #[test]
    fn the_stated_total_counts_even_if_its_parts_are_more() {
        assert_eq!(total(r#""cost":0,"costs":[{"type":"model","cost":0.02}]"#), Some(0));
        assert_eq!(total(r#""costBreakdown":{"total":0},"costs":[{"cost":0.02}]"#), Some(0));
        assert_eq!(
            total(r#""cost":0.5,"costs":[{"type":"model","cost":0.02}]"#),
            Some(500_000_000)
        );
    }

    #[test]
    fn a_list_with_an_entry_that_cannot_be_read_has_no_sum() {
        for odd in [
            r#"{"type":"voice","cost":"?"}"#,
            r#"{"type":"voice"}"#,
            r#"{"type":"voice","cost":null}"#,
            "7",
            r#"{"cost":{"usd":1}}"#,
        ] {
            let listed = format!(r#""costs":[{{"type":"model","cost":0.1}},{odd}]"#);
            assert_eq!(total(&listed), None, "{odd}");
            assert_eq!(total(&format!(r#""cost":0.3,{listed}"#)), Some(300_000_000), "{odd}");
            assert_eq!(
                total(&format!(r#"{listed},"costBreakdown":{{"total":0.2}}"#)),
                Some(200_000_000)
            );
        }
        assert_eq!(total(r#""costBreakdown":{"stt":0.01,"llm":"?"}"#), None);
    }

    #[test]
    fn more_decimals_than_a_decimal_holds_are_rounded_to_the_nano() {
        let listed = r#""costs":[{"type":"model","cost":0.1},{"type":"voice","cost":0.0501428571428571428571428571429}]"#;
        assert_eq!(total(listed), Some(150_142_857));
        assert_eq!(total(r#""costs":[{"cost":0.1},{"cost":5.55e-17}]"#), Some(100_000_000));
        assert_eq!(total(r#""cost":1e-400"#), Some(0));
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
    fn an_impossible_amount_is_listed_and_not_a_fact() {
        let implausible = |fields: &str| {
            ended(&format!(r#"{{"message":{{"type":"end-of-call-report",{fields}}}}}"#))
                .call
                .implausible
        };
        for absurd in [
            "1e400",
            "9223372036.8",
            "10000.000000001",
            "-10001",
            "99999999999",
            "-9.2e9",
            "79228162514264337593543950335",
        ] {
            let stated = format!(r#""cost":{absurd}"#);
            assert_eq!(
                (total(&stated), implausible(&stated)),
                (None, vec!["cost".to_owned()]),
                "{absurd}"
            );
            assert_eq!(
                total(&format!(r#"{stated},"costBreakdown":{{"total":0.2}}"#)),
                Some(200_000_000)
            );
            let listed = format!(r#""costs":[{{"cost":{absurd}}},{{"cost":0.1}}]"#);
            assert_eq!(total(&listed).filter(|nanos| *nanos < 0), None, "{absurd}");
        }
        for text in ["\"free\"", "true", "{}"] {
            let stated = format!(r#""cost":{text}"#);
            assert_eq!((total(&stated), implausible(&stated)), (None, vec![]), "{text}");
        }
        assert_eq!(total(r#""cost":10000"#), Some(10_000_000_000_000));
        let parts =
            cost_of(r#""cost":0.5,"costBreakdown":{"stt":9.2e9,"llm":0.2}"#).expect("a cost").parts;
        assert_eq!((parts.stt_nanos, parts.llm_nanos), (Nanos(0), Nanos(200_000_000)));
    }
}
