//! An invalid query is refused with the name of the invalid parameter.

use ledger_tests::{TestLedger, TestTenant, run};

use crate::bad_input::problem;

use super::{at, post_all, report};

const SUMS: [&str; 5] = [
    "/v1/analytics/summary?",
    "/v1/analytics/timeseries?",
    "/v1/analytics/breakdown?by=outcome&",
    "/v1/analytics/funnel?",
    "/v1/agents?",
];

/// A tenant with a call; without one a series has no buckets.
async fn tenant_with_a_call(zone: &str) -> TestTenant {
    let tenant = TestLedger::shared().await.tenant_in_zone(zone).await;
    post_all(&tenant, &[report("c-1", at("2026-11-01T00:00:00Z"), 1_000)]).await;
    tenant
}

async fn assert_refused(tenant: &TestTenant, path: &str, name: &str) {
    let response =
        tenant.request(super::key_for(tenant, path), path).send().await.expect("an answer");
    let code = if name == "colour" { "unknown-parameter" } else { "invalid-parameter" };
    let problem = problem(response, 400, code).await;
    assert_eq!(problem["errors"][0]["pointer"], format!("/{name}"), "{path}");
    assert!(problem["detail"].as_str().is_some_and(|text| text.contains(name)), "{problem}");
}

#[test]
fn a_malformed_common_parameter_is_refused_with_its_name() {
    run(async {
        let tenant = tenant_with_a_call("UTC").await;
        for path in SUMS {
            for (query, name) in [
                ("timezone=Mars/Olympus", "timezone"),
                ("timezone=%2B02:00", "timezone"),
                ("from=yesterday", "from"),
                ("to=2026-13-01", "to"),
                ("from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z", "from"),
                ("from=1926-01-01T00:00:00Z&to=2026-01-01T00:00:00Z", "from"),
                ("from=1926-01-01T00:00:00Z", "from"),
                ("direction=sideways", "direction"),
                ("outcome=good", "outcome"),
                ("status=finished", "status"),
                ("min_cost_nanos=0.5", "min_cost_nanos"),
                ("phone=nobody", "phone"),
                ("is_test=maybe", "is_test"),
                ("agent_id=a%00b", "agent_id"),
                ("tag=", "tag"),
                ("contact_id=1", "contact_id"),
                ("has_appointment=maybe", "has_appointment"),
                ("disposition=", "disposition"),
                ("campaign=", "campaign"),
                ("attempt=first", "attempt"),
                ("call_type=", "call_type"),
                ("min_position=last", "min_position"),
                ("colour=red", "colour"),
                ("is_test=true&is_test=false", "is_test"),
            ] {
                assert_refused(&tenant, &format!("{path}{query}"), name).await;
            }
        }
    });
}

#[test]
fn a_missing_parameter_of_one_query_is_refused_with_its_name() {
    run(async {
        let tenant = tenant_with_a_call("UTC").await;
        let years = "from=2020-01-01T00:00:00Z&to=2026-01-01T00:00:00Z";
        for (path, name) in [
            ("/v1/analytics/summary?compare=next", "compare"),
            ("/v1/analytics/timeseries?interval=century", "interval"),
            ("/v1/analytics/timeseries?interval=minute", "interval"),
            (&format!("/v1/analytics/timeseries?interval=hour&{years}"), "interval"),
            ("/v1/analytics/timeseries?group_by=colour", "group_by"),
            ("/v1/analytics/timeseries?group_by=tool", "group_by"),
            ("/v1/analytics/breakdown", "by"),
            ("/v1/analytics/breakdown?by=colour", "by"),
            ("/v1/usage?month=november", "month"),
            ("/v1/usage?month=2026-13", "month"),
            ("/v1/usage?month=2026-11-01", "month"),
            ("/v1/usage?is_test=maybe", "is_test"),
            ("/v1/usage?min_position=last", "min_position"),
            ("/v1/usage?colour=red", "colour"),
        ] {
            assert_refused(&tenant, path, name).await;
        }
    });
}

#[test]
fn times_at_the_ends_of_the_calendar_are_answered_or_refused() {
    run(async {
        let tenant = tenant_with_a_call("Pacific/Kiritimati").await;
        for path in SUMS {
            for time in ["0000-01-01T00:00:00Z", "9999-12-31T23:59:60Z", "1969-12-31T23:59:59.9Z"] {
                for end in ["from", "to"] {
                    for zone in ["Pacific/Kiritimati", "Pacific/Niue", "Africa/Monrovia"] {
                        let compare =
                            if path.contains("summary") { "&compare=previous" } else { "" };
                        let query = format!("{path}{end}={time}&timezone={zone}{compare}");
                        let (status, answer) = tenant.get_with(&tenant.read_key, &query).await;
                        assert!(status == 200 || status == 400, "{query}: {status} {answer}");
                    }
                }
            }
        }
    });
}
