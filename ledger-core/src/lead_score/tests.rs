use serde_json::json;

use super::*;

fn points(facts: &LeadFacts<'_>) -> (i64, Vec<(LeadRule, i64)>) {
    let lead = lead_score(facts, &LeadRules::default());
    (lead.score, lead.reasons.iter().map(|reason| (reason.rule, reason.points)).collect())
}

#[test]
fn a_score_is_the_sum_of_its_reasons() {
    let facts = LeadFacts {
        duration_ms: Some(60_000),
        outcome: Some(Outcome::Completed),
        is_answered: true,
        is_booked: true,
        ..LeadFacts::default()
    };
    let reasons = vec![(LeadRule::Answered, 10), (LeadRule::LongCall, 15), (LeadRule::Booked, 40)];
    assert_eq!(points(&facts), (65, reasons));
    assert_eq!(points(&LeadFacts::default()), (0, vec![]));
}

#[test]
fn a_score_stays_between_0_and_100_and_its_reasons_do_not_change() {
    let lost = LeadFacts { disposition: Some("wrong_number"), ..LeadFacts::default() };
    assert_eq!(points(&lost), (0, vec![(LeadRule::Disposition, -60)]));
    let best = LeadFacts {
        duration_ms: Some(i64::MAX),
        outcome: Some(Outcome::Completed),
        is_answered: true,
        is_booked: true,
        has_tools: true,
        success: Some(true),
        is_transferred: true,
        score: Some(5),
        disposition: Some("appointment_booked"),
        called_before: true,
    };
    let (score, reasons) = points(&best);
    assert_eq!((score, reasons.iter().map(|(_, points)| points).sum()), (100, 130_i64));
}

#[test]
fn a_person_who_called_before_has_the_points_of_the_rule() {
    let facts = LeadFacts { called_before: true, ..LeadFacts::default() };
    assert_eq!(points(&facts), (10, vec![(LeadRule::RepeatCaller, 10)]));
    let rules = LeadRules { repeat_caller: 0, ..LeadRules::default() };
    assert_eq!(lead_score(&facts, &rules), LeadScore { score: 0, reasons: vec![] });
}

#[test]
fn a_mailbox_is_no_person() {
    let mailbox = LeadFacts {
        duration_ms: Some(90_000),
        outcome: Some(Outcome::Voicemail),
        is_answered: true,
        ..LeadFacts::default()
    };
    assert_eq!(points(&mailbox), (0, vec![]));
}

#[test]
fn the_points_are_a_setting_with_defaults() {
    let parse = |value| LeadRules::parse(serde_json::from_value(value).expect("an object"));
    let default = LeadRules::default();
    assert_eq!(parse(json!({})).as_ref(), Ok(&default));
    assert_eq!(parse(default.to_json()).as_ref(), Ok(&default));
    for points in [0, 10, -100] {
        let rules = LeadRules { repeat_caller: points, ..LeadRules::default() };
        let stored = serde_json::to_value(&rules).expect("plain");
        assert_eq!(serde_json::from_value::<LeadRules>(stored).ok(), Some(rules.clone()));
        assert_eq!(rules.to_json()["repeat_caller"], points);
    }
    let set = parse(json!({ "booked": -3, "dispositions": { "sold": 100 } })).expect("points");
    assert_eq!((set.booked, set.answered), (-3, default.answered));
    assert_eq!(set.dispositions.len(), 1);
    for (value, field) in [
        (json!({ "booked": 101 }), "booked"),
        (json!({ "booked": 1.5 }), "booked"),
        (json!({ "long_call_seconds": -1 }), "long_call_seconds"),
        (json!({ "dispositions": { "Anna Example": 1 } }), "dispositions"),
        (json!({ "dispositions": { "sold": "1" } }), "dispositions"),
        (json!({ "dispositions": [] }), "dispositions"),
        (json!({ "bookd": 1 }), "bookd"),
    ] {
        assert_eq!(parse(value).expect_err("no points").field, field);
    }
}

proptest::proptest! {
    #[test]
    fn no_points_make_a_score_that_is_none(
        points in proptest::array::uniform9(-100..=100_i64), flags in proptest::prelude::any::<[bool; 6]>(),
        duration_ms in proptest::prelude::any::<Option<i64>>(), score in proptest::option::of(1..=5_u8)
    ) {
        let [answered, long_call, booked, tool_used, success, transferred, scored_high, scored_low, repeat_caller]
            = points;
        let rules = LeadRules {
            answered, long_call, booked, tool_used, success, transferred, scored_high, scored_low,
            repeat_caller, ..LeadRules::default()
        };
        let [is_answered, is_booked, has_tools, succeeded, is_transferred, called_before] = flags;
        let facts = LeadFacts {
            duration_ms, is_answered, is_booked, has_tools, success: Some(succeeded), is_transferred, score,
            called_before, ..LeadFacts::default()
        };
        let lead = lead_score(&facts, &rules);
        let sum: i64 = lead.reasons.iter().map(|reason| reason.points).sum();
        proptest::prop_assert_eq!(lead.score, sum.clamp(0, 100));
        proptest::prop_assert!(lead.reasons.iter().all(|reason| reason.points != 0));
    }
}
