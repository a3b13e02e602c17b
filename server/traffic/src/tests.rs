//! Rules of the generated traffic.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::{DemoDelivery, Traffic, TrafficPlan, Truth, clinics, traffic};
use reading::{ParsedMessage, list, members, moment, nanos, walk};

mod reading;

fn plan() -> TrafficPlan {
    let until = DateTime::parse_from_rfc3339("2026-08-20T21:30:00.123Z").unwrap().to_utc();
    TrafficPlan { calls: 400, days: 30, seed: 7, until }
}

fn messages(traffic: &Traffic) -> impl Iterator<Item = (&DemoDelivery, ParsedMessage<'_>)> {
    traffic.deliveries.iter().map(|delivery| (delivery, ParsedMessage::read(&delivery.body)))
}

/// Visits every named value of every body.
fn visit_all(traffic: &Traffic, mut visit: impl FnMut(&str, &Value)) {
    for delivery in &traffic.deliveries {
        let body: Value = serde_json::from_slice(&delivery.body).unwrap();
        walk("", &body, &mut |name, value| visit(name, value));
    }
}

#[test]
fn the_same_plan_gives_the_same_bytes() {
    assert_eq!(traffic(&plan()), traffic(&plan()));
}

#[test]
fn another_seed_gives_other_bytes() {
    assert_ne!(traffic(&plan()), traffic(&TrafficPlan { seed: 8, ..plan() }));
}

#[test]
fn every_body_is_a_message_of_the_type_the_delivery_names() {
    for (delivery, message) in messages(&traffic(&plan())) {
        assert_eq!(message.kind(), delivery.kind);
    }
}

#[test]
fn a_plan_has_exactly_as_many_calls_as_it_says() {
    for calls in [0, 1, 2, 7, 31, 400] {
        let traffic = traffic(&TrafficPlan { calls, ..plan() });
        let ids: BTreeSet<String> = messages(&traffic).map(|(_, m)| m.call_id()).collect();
        assert_eq!(ids.len(), calls as usize);
    }
}

#[test]
fn a_call_belongs_to_one_clinic() {
    let traffic = traffic(&plan());
    let mut owners = BTreeMap::new();
    for (delivery, message) in messages(&traffic) {
        assert_eq!(*owners.entry(message.call_id()).or_insert(delivery.clinic), delivery.clinic);
    }
}

#[test]
fn the_truth_is_what_an_independent_reader_finds() {
    for seed in [7, 8, 9] {
        let traffic = traffic(&TrafficPlan { seed, ..plan() });
        let read = [0, 1].map(|clinic| reading::truth(&traffic.deliveries, clinic));
        assert_eq!(traffic.truth, read);
        assert!(read.iter().all(|truth| truth.cost_nanos > 0));
    }
}

#[test]
fn the_parts_of_a_breakdown_add_up_to_its_total() {
    let other = [
        "total",
        "llmPromptTokens",
        "llmCompletionTokens",
        "llmCachedPromptTokens",
        "ttsCharacters",
    ];
    for (_, message) in messages(&traffic(&plan())) {
        let Some(breakdown) = message.get("costBreakdown") else { continue };
        let breakdown = members(breakdown);
        let analysis = members(breakdown["analysisCostBreakdown"]);
        let parts = breakdown.iter().filter(|(name, _)| {
            name.as_str() != "analysisCostBreakdown" && !other.contains(&name.as_str())
        });
        let sum: i64 = parts.chain(&analysis).map(|(_, amount)| nanos(amount)).sum();
        assert_eq!(sum, nanos(breakdown["total"]));
        assert_eq!(sum, message.cost_nanos());
    }
}

#[test]
fn a_cost_is_the_sum_of_its_entries_rounded_to_four_decimals() {
    for (_, message) in messages(&traffic(&plan())) {
        let Some(costs) = message.get("costs") else { continue };
        let exact: i64 = list(costs).into_iter().map(|entry| nanos(members(entry)["cost"])).sum();
        assert_eq!((exact + 50_000) / 100_000 * 100_000, message.cost_nanos());
    }
}

#[test]
fn a_correction_is_later_and_states_another_cost() {
    let traffic = traffic(&TrafficPlan { calls: 1_000, ..plan() });
    let mut reports: BTreeMap<String, BTreeSet<(DateTime<Utc>, i64)>> = BTreeMap::new();
    for (_, message) in messages(&traffic).filter(|(d, _)| d.kind == "end-of-call-report") {
        let stated = (message.timestamp(), message.cost_nanos());
        reports.entry(message.call_id()).or_default().insert(stated);
    }
    let corrected: Vec<_> = reports.values().filter(|stated| stated.len() > 1).collect();
    assert!((15..60).contains(&corrected.len()));
    for stated in corrected {
        let [first, second] = stated.iter().collect::<Vec<_>>()[..] else { panic!("two reports") };
        assert!(first.0 < second.0 && first.1 != second.1);
    }
}

#[test]
fn nothing_is_sent_or_stamped_outside_the_plan() {
    for (calls, days) in [(400, 30), (200, 1)] {
        let plan = TrafficPlan { calls, days, ..plan() };
        let from = plan.until - TimeDelta::days(plan.days.into());
        let traffic = traffic(&plan);
        for (delivery, message) in messages(&traffic) {
            assert!((from..=plan.until).contains(&message.timestamp()));
            assert!((message.timestamp()..=plan.until).contains(&delivery.sent_at));
        }
        visit_all(&traffic, |name, value| {
            let is_time = name.ends_with("time") || name.ends_with("Time") || name.ends_with("At");
            if let Some(time) = is_time.then(|| moment(value)).flatten() {
                assert!(time <= plan.until, "{name} is {time}");
            }
        });
    }
}

#[test]
fn deliveries_are_in_the_order_to_send() {
    assert!(traffic(&plan()).deliveries.is_sorted_by_key(|delivery| delivery.sent_at));
}

#[test]
fn every_phone_number_is_kept_for_fiction() {
    visit_all(&traffic(&plan()), |name, value| {
        let Value::String(text) = value else { return };
        for (at, _) in text.match_indices('+') {
            let number: String = text[at + 1..].chars().take_while(char::is_ascii_digit).collect();
            assert!(number.is_empty() || is_fictitious(&number), "+{number}");
        }
        if name == "number" || name == "phone" {
            assert!(text == "anonymous" || text.starts_with('+'), "{text}");
        }
    });
}

fn is_fictitious(digits: &str) -> bool {
    let is_american = digits.len() == 11 && digits.starts_with('1') && &digits[4..9] == "55501";
    let is_british = digits.len() == 12 && digits.starts_with("447700900");
    is_american || is_british
}

#[test]
fn every_mail_address_is_at_example_com() {
    visit_all(&traffic(&plan()), |_, value| {
        if let Value::String(text) = value {
            assert!(!text.contains('@') || text.ends_with("@example.com"), "{text}");
        }
    });
}

#[test]
fn no_line_keeps_the_name_of_a_blank() {
    visit_all(&traffic(&TrafficPlan { calls: 1_000, ..plan() }), |name, value| {
        if let (false, Value::String(text)) = (name == "arguments", value) {
            assert!(!text.contains('{') && !text.contains('}'), "{text}");
        }
    });
}

#[test]
fn bodies_are_of_the_size_the_platform_sends() {
    for (delivery, message) in messages(&traffic(&TrafficPlan { calls: 1_000, ..plan() })) {
        let least = if message.is_telemetry() { 500 } else { 1_200 };
        let (kind, bytes) = (delivery.kind, delivery.body.len());
        assert!((least..=12_288).contains(&bytes), "{kind} of {bytes} bytes");
    }
}

#[test]
fn some_deliveries_repeat_and_some_overtake_others() {
    let traffic = traffic(&plan());
    let total = traffic.deliveries.len();
    let repeated: u64 = traffic.truth.iter().map(|truth| truth.duplicates).sum();
    assert!((total * 3 / 100..total * 7 / 100).contains(&usize::try_from(repeated).unwrap()));
    let mut seen = BTreeSet::new();
    let mut newest = BTreeMap::new();
    let mut disordered = BTreeSet::new();
    for (delivery, message) in messages(&traffic) {
        if seen.insert(&delivery.body) && !message.is_telemetry() {
            let newest = newest.entry(message.call_id()).or_insert(message.timestamp());
            // Messages within one second are in random order.
            if message.timestamp() + TimeDelta::seconds(1) < *newest {
                disordered.insert(message.call_id());
            }
            *newest = message.timestamp().max(*newest);
        }
    }
    assert!((24..60).contains(&disordered.len()), "{}", disordered.len());
}

#[test]
fn the_snapshot_of_a_call_is_stale() {
    for (_, message) in messages(&traffic(&plan())) {
        let call = message.object("call");
        assert!(["queued", "ringing"].contains(&reading::text(call["status"]).as_str()));
        assert_eq!(call["updatedAt"].get(), call["createdAt"].get());
    }
}

#[test]
fn a_small_or_empty_plan_is_valid() {
    let nothing = traffic(&TrafficPlan { calls: 0, days: 0, ..plan() });
    assert_eq!(nothing, Traffic { deliveries: Vec::new(), truth: [Truth::default(); 2] });
    for seed in 0..50 {
        let traffic = traffic(&TrafficPlan { calls: 5, days: 1, seed, ..plan() });
        assert_eq!(traffic.truth.map(|truth| truth.calls), [3, 2]);
    }
}

#[test]
fn the_clinics_differ_in_slug_zone_and_country() {
    let [first, second] = clinics();
    assert_ne!(first.slug, second.slug);
    assert_ne!(first.timezone, second.timezone);
    assert_ne!(first.country, second.country);
}
