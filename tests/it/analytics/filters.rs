//! The sums for any filters and any range equal those of the calls that the same filters match.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::{America, Asia, Australia, Tz};
use ledger_tests::fixtures::Message;
use ledger_tests::{TestLedger, TestTenant, cluster, run};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use super::agree::{assert_matches_calls, calls};
use super::{at, format_time, post_all, report, summary};

const FIRST: &str = "2026-10-27T03:00:00Z";

/// Call number `nth` of a varied sequence: some not ended, some marked as tests, some with
/// customers.
fn various(nth: i64) -> Message {
    let began = at(FIRST) + TimeDelta::seconds(nth * 3_671) + TimeDelta::microseconds(nth % 3);
    let call = format!("c-{nth}");
    let of = |words: &[&str]| words[usize::try_from(nth).expect("few") % words.len()].to_owned();
    if nth % 9 == 4 {
        let word = of(&["queued", "ringing", "in-progress", "forwarding"]);
        return Message::status(&call, &word, began.timestamp_millis())
            .call_field("createdAt", json!(format_time(began)));
    }
    let mut message = report(&call, began, nth * 6_101 % 700_000)
        .field(
            "endedReason",
            json!(of(&["customer-ended-call", "voicemail", "customer-busy", "x"])),
        )
        .call_field("type", json!(of(&["inboundPhoneCall", "outboundPhoneCall", "webCall"])))
        .call_field("metadata", json!({ "is_test": nth % 7 == 2 }));
    if nth % 5 != 0 {
        message = message
            .field("cost", of(&["0.1", "0.07", "0.0394", "1.1", "7.275e-05"]))
            .call_field("assistantId", json!(of(&["a-1", "a-2"])));
    }
    if nth % 3 == 0 {
        let tools = [json!([{ "id": "t", "name": "book" }]), {
            json!([{ "id": "t", "name": "book" }, { "id": "u", "name": "look" }])
        }];
        message = message.field("toolCalls", &tools[usize::from(nth % 2 == 0)]);
    }
    if nth % 4 == 1 {
        let number = format!("+155501001{:02}", nth % 5);
        message = message.field("customer", json!({ "number": number }));
    }
    if nth % 6 == 1 {
        let verdict = nth % 12 == 1;
        message = message.field("analysis", json!({ "successEvaluation": verdict.to_string() }));
    }
    message
}

async fn tenant_with_calls() -> TestTenant {
    let tenant = TestLedger::shared().await.tenant_in_zone("America/New_York").await;
    let messages: Vec<Message> = (0..260).map(various).collect();
    post_all(&tenant, &messages).await;
    tenant
}

fn filters() -> impl Strategy<Value = Vec<&'static str>> {
    let all = vec![
        "direction=inbound",
        "status=ended",
        "status=ringing",
        "outcome=voicemail",
        "ended_reason=customer-busy",
        "agent_id=a-1",
        "tool=book",
        "tool=look",
        "min_cost_nanos=70000000",
        "phone=%2B15550100101",
        "provider_call_id=c-12",
    ];
    subsequence(all, 0..3)
}

/// Instants around the calls, on full units of time and off them.
fn instant() -> impl Strategy<Value = DateTime<Utc>> {
    let step = select(vec![1, 1_000_000, 1_800_000_000, 3_600_000_000, 86_400_000_000_i64]);
    (-86_400_000_000..1_100_000_000_000_i64, step).prop_map(|(micros, step)| {
        at("2026-10-27T00:00:00Z") + TimeDelta::microseconds(micros / step * step)
    })
}

fn names_twice(filters: &[&str]) -> bool {
    let names: Vec<_> = filters.iter().filter_map(|filter| filter.split('=').next()).collect();
    names.iter().enumerate().any(|(nth, name)| names[..nth].contains(name))
}

#[test]
fn sums_equal_those_over_the_pages_of_the_same_calls() {
    let tenant = run(tenant_with_calls());
    let zones = select(vec![Tz::UTC, America::New_York, Asia::Kolkata, Australia::Lord_Howe]);
    let ends = (prop::option::weighted(0.8, instant()), prop::option::weighted(0.8, instant()));
    let config = Config { cases: 40, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(
            &(filters(), ends, zones),
            |(filters, (one, other), zone): (Vec<&str>, (Option<_>, Option<_>), Tz)| {
                prop_assume!(!names_twice(&filters));
                let (from, to) = match (one, other) {
                    (Some(one), Some(other)) => (Some(one.min(other)), Some(one.max(other))),
                    ends => ends,
                };
                let from =
                    from.map(|from| format!("&from={}", format_time(from))).unwrap_or_default();
                let to = to.map(|to| format!("&to={}", format_time(to))).unwrap_or_default();
                run(assert_matches_calls(
                    &tenant,
                    &format!("{}{from}{to}", filters.join("&")),
                    zone,
                ));
                Ok(())
            },
        )
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn people_are_counted_once_each() {
    run(async {
        let tenant = tenant_with_calls().await;
        for query in [
            "",
            "direction=inbound",
            "from=2026-10-29T00:00:00Z&to=2026-11-03T00:00:00Z",
            "agent_id=a-2&from=2026-10-29T00:00:00Z",
            "phone=%2B15550100101",
            "phone=%2B15550100199",
            "tool=book",
            "tool=book&from=2026-10-29T00:00:00Z&to=2026-11-03T00:00:00Z",
            "tool=book&min_cost_nanos=1",
        ] {
            for is_test in ["false", "true", "any"] {
                let found = calls(&tenant, &format!("{query}&is_test={is_test}")).await;
                let ids: Vec<uuid::Uuid> = found
                    .iter()
                    .map(|call| {
                        call["call_id"].as_str().and_then(|id| id.parse().ok()).expect("an id")
                    })
                    .collect();
                let people: i64 = sqlx::query_scalar(
                    "select count(distinct person_id) from read.calls
                      where tenant_id = $1 and call_id = any ($2)",
                )
                .bind(tenant.tenant_id.0)
                .bind(&ids)
                .fetch_one(&mut cluster::superuser().await)
                .await
                .expect("the read model answers");
                let actual = summary(&tenant, &format!("{query}&is_test={is_test}")).await;
                assert_eq!(actual["unique_contacts"], people, "{query} {is_test}");
                assert_eq!(actual["calls"], found.len(), "{query} {is_test}");
            }
        }
    });
}

#[test]
fn a_query_of_sums_over_one_persons_calls_is_audited() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let of = json!({ "number": "+15550100101" });
        let call = report("c-1", at(FIRST), 1_000).field("customer", &of);
        post_all(&tenant, &[call]).await;
        for path in ["analytics/summary", "analytics/timeseries", "analytics/funnel", "agents"] {
            let before = tenant.facts_of("access.personal_data_read").await.len();
            super::ask(&tenant, &format!("/v1/{path}")).await;
            assert_eq!(tenant.facts_of("access.personal_data_read").await.len(), before);
            super::ask(&tenant, &format!("/v1/{path}?phone=%2B15550100101")).await;
            let looks = tenant.facts_of("access.personal_data_read").await;
            assert_eq!(looks.len(), before + 1, "{path}");
            assert_eq!(looks[before]["action"], "calls.find");
        }
    });
}
