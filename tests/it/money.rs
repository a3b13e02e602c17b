//! The cost of a call is the decimal text of the provider, to the last digit, and sums are exact.

use ledger_tests::fixtures::{self, Message};
use ledger_tests::ledger::status_and_json;
use ledger_tests::{TestLedger, TestTenant, run};
use serde_json::{Value, json};
use tokio::task::JoinSet;

const NANOS: i128 = 1_000_000_000;

/// Converts a decimal text to nano-dollars by digits alone, rounding half to even after the ninth.
pub(crate) fn nanos(text: &str) -> i64 {
    let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let value: i128 = format!("{whole}{part}").parse().expect("digits");
    let places = i32::try_from(part.len()).expect("short") - exponent.parse::<i32>().expect("one");
    let exact = if places <= 9 {
        value * 10_i128.pow((9 - places).try_into().expect("small"))
    } else {
        let unit = 10_i128.pow((places - 9).try_into().expect("small"));
        let (quotient, rest) = (value.div_euclid(unit), value.rem_euclid(unit));
        let rounds_up = rest * 2 > unit || (rest * 2 == unit && quotient % 2 != 0);
        quotient + i128::from(rounds_up)
    };
    i64::try_from(exact).expect("it fits")
}

fn parts(call: &Value) -> i64 {
    let breakdown = call["cost_breakdown"].as_object().expect("parts");
    breakdown.values().map(|part| part.as_i64().expect("a whole number")).sum()
}

async fn call_of(tenant: &TestTenant, body: String) -> Value {
    tenant.post_ok(body).await;
    tenant.only_call().await
}

/// Returns the call of a report with these fields.
async fn call_of_report(fields: &[(&str, &str)]) -> Value {
    let tenant = TestLedger::shared().await.tenant().await;
    let report =
        fields.iter().fold(Message::report("c-1"), |it, (key, value)| it.field(key, value));
    call_of(&tenant, report.body()).await
}

#[test]
fn a_cost_is_its_decimal_text_and_cents_are_rounded_up_exactly() {
    run(async {
        for (text, cents) in [
            ("0", 0),
            ("0.0", 0),
            ("0.07", 7),
            ("0.14", 14),
            ("0.28", 28),
            ("0.55", 55),
            ("0.57", 57),
            ("1.1", 110),
            ("2.2", 220),
            ("0.29", 29),
            ("1.15", 115),
            ("0.1088", 11),
            ("0.000000001", 1),
            ("0.0700000001", 7),
            ("0.070000001", 8),
            ("0.0000000005", 0),
            ("0.00562928", 1),
            ("7.275e-05", 1),
            ("1.1E2", 11_000),
            ("9999.999999999", 1_000_000_i64),
            ("0.30000000000000004", 30),
            ("\"0.07\"", 7),
        ] {
            let call = call_of_report(&[("cost", text)]).await;
            assert_eq!(call["cost_nanos"], nanos(text.trim_matches('"')), "{text}");
            assert_eq!(call["cost_cents"], cents, "{text}");
            assert_eq!(call["currency"], "USD");
            assert_eq!(parts(&call), call["cost_nanos"].as_i64().expect("a cost"), "{text}");
        }
    });
}

#[test]
fn each_captured_report_has_the_cost_of_its_text_and_its_parts_add_up() {
    let captured = [
        ("vapi/end-of-call-report.webcall-with-costs.json", Some(("0.0394", 4))),
        ("vapi/end-of-call-report.official-skill-example.json", Some(("0.15", 15))),
        ("vapi/end-of-call-report.inbound-intake-no-cost.json", None),
        ("vapi/end-of-call-report.inbound-squad-two-assistants.json", None),
        ("vapi/api-get-call.inbound-analysis.sanitized.json", Some(("0.0107", 2))),
        ("vapi/api-get-call.outbound-live.sanitized.json", Some(("0.0565", 6))),
        ("vapi/api-get-call.outbound-voicemail.json", Some(("0.069", 7))),
        ("vapi/api-get-call.outbound-voicemail-greeting.json", Some(("0.0658", 7))),
        ("vapi/api-create-call-response.outbound.json", None),
        ("vapi-legacy/chattyai-06_end-of-call_flat.json", None),
        ("vapi-legacy/chattyai-07_end-of-call_qa_transcript.json", None),
        (
            "vapi-legacy/chattyai-08_end-of-call-report_function_call_messages.constructed.json",
            Some(("0.14", 14)),
        ),
        ("vapi-legacy/voxanne-01_end-of-call-report_minimal.json", None),
        ("vapi-legacy/voxanne-03_end-of-call-report_metadata_org.json", None),
        (
            "vapi-legacy/voxanne-04_end-of-call-report_costs_tools_sentiment.json",
            Some(("2.5", 250)),
        ),
    ];
    run(async {
        for (name, cost) in captured {
            let tenant = TestLedger::shared().await.tenant().await;
            let body = String::from_utf8(fixtures::bytes(name)).expect("UTF-8");
            let call = call_of(&tenant, body.clone()).await;
            let Some((text, cents)) = cost else {
                for field in ["cost_nanos", "cost_cents", "currency", "cost_breakdown"] {
                    assert_eq!(call[field], Value::Null, "{name}: {field}");
                }
                continue;
            };
            assert!(body.contains(text), "{name} does not say {text}");
            assert_eq!(call["cost_nanos"], nanos(text), "{name}");
            assert_eq!(call["cost_cents"], cents, "{name}");
            assert_eq!(parts(&call), nanos(text), "{name}");
        }
    });
}

#[test]
fn a_cost_is_read_from_every_possible_field() {
    run(async {
        let listed = r#"[{"type":"model","cost":0.01},{"type":"voice","cost":0.02}]"#;
        let breakdown = r#"{"llm":0.01,"tts":0.02,"total":0.04}"#;
        assert_eq!(
            call_of_report(&[("cost", "0.05"), ("costs", listed)]).await["cost_nanos"],
            50_000_000
        );
        let both = call_of_report(&[("costBreakdown", breakdown), ("costs", listed)]).await;
        assert_eq!(both["cost_nanos"], 40_000_000);
        let wanted = json!({ "transport_nanos": 0, "stt_nanos": 0, "llm_nanos": 10_000_000,
                             "tts_nanos": 20_000_000, "platform_nanos": 0, "other_nanos": 10_000_000 });
        assert_eq!(both["cost_breakdown"], wanted);
        assert_eq!(call_of_report(&[("costs", listed)]).await["cost_nanos"], 30_000_000);
        for (key, value) in [("cost", "0.03"), ("costBreakdown", breakdown), ("costs", listed)] {
            let tenant = TestLedger::shared().await.tenant().await;
            let inside = Message::report("c-1").call_field(key, value).body();
            let nanos = if key == "costBreakdown" { 40_000_000 } else { 30_000_000 };
            assert_eq!(call_of(&tenant, inside).await["cost_nanos"], nanos, "{key}");
        }
    });
}

#[test]
fn a_call_on_own_keys_costs_zero_and_a_call_without_a_cost_is_not_free() {
    run(async {
        let free =
            call_of_report(&[("cost", "0"), ("costBreakdown", r#"{"llm":0,"total":0}"#)]).await;
        assert_eq!((&free["cost_nanos"], &free["cost_cents"]), (&json!(0), &json!(0)));
        assert_eq!(parts(&free), 0);
        for none in ["null", "[]", "{}", "\"\"", "\"free\"", "true"] {
            assert_eq!(
                call_of_report(&[("cost", none)]).await["cost_nanos"],
                Value::Null,
                "{none}"
            );
        }
    });
}

#[test]
fn a_status_sets_no_cost_from_a_snapshot_with_zero() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let ended = Message::status("c-1", "ended", 1_750_000_000_000).call_field("cost", "0");
        assert_eq!(call_of(&tenant, ended.body()).await["cost_nanos"], Value::Null);
    });
}

#[test]
fn the_sum_over_two_thousand_calls_is_the_exact_decimal_sum() {
    run(async {
        const CALLS: usize = 2000;
        // Fewer than a source may have in progress at once.
        const AT_ONCE: usize = 250;
        let tenant = TestLedger::shared().await.tenant().await;
        let texts = ["0.1", "0.07", "0.0394", "1.1", "0.00562928", "7.275e-05", "0.000000001"];
        let (mut posts, mut answers) = (JoinSet::new(), Vec::new());
        let mut sum = 0;
        for nth in 0..CALLS {
            let text = texts[nth % texts.len()];
            sum += nanos(text);
            let request =
                tenant.webhook(Message::report(&format!("c-{nth}")).field("cost", text).body());
            if posts.len() == AT_ONCE {
                answers.extend(posts.join_next().await.map(|answer| answer.expect("no panic")));
            }
            posts.spawn(
                async move { status_and_json(request.send().await.expect("an answer")).await },
            );
        }
        answers.extend(posts.join_all().await);
        let refused: Vec<_> = answers.iter().filter(|(status, _)| *status != 200).collect();
        assert!(refused.is_empty(), "{} refused: {:?}", refused.len(), refused.first());
        tenant.settle().await;
        let (mut shown, mut count, mut next) = (0, 0, String::new());
        loop {
            let path = format!("/v1/calls?limit=200{next}");
            let (_, page) = tenant.get_with(&tenant.read_key, &path).await;
            for call in page["data"].as_array().expect("a page") {
                shown += call["cost_nanos"].as_i64().expect("a cost");
                count += 1;
            }
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            next = format!("&cursor={cursor}");
        }
        assert_eq!((count, shown), (CALLS, sum));
        let stored: i64 = sqlx::query_scalar(
            "select sum(cost_nanos)::bigint from read.calls where tenant_id = $1",
        )
        .bind(tenant.tenant_id.0)
        .fetch_one(&mut ledger_tests::cluster::superuser().await)
        .await
        .expect("the read model answers");
        assert_eq!(stored, sum);
    });
}

#[test]
fn the_decimal_helper_of_these_tests_is_correct() {
    assert_eq!(i128::from(nanos("1")), NANOS);
    assert_eq!(nanos("0.1088"), 108_800_000);
    assert_eq!(nanos("7.275e-05"), 72_750);
    assert_eq!((nanos("0.0000000005"), nanos("0.0000000015")), (0, 2));
}
