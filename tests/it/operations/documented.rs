//! The monitoring page lists exactly the metrics that the server exports.

use std::collections::BTreeMap;
use std::path::Path;

use ledger_tests::{TestLedger, messages, run};
use reqwest::Client;
use serde_json::json;

use super::get;

/// Metrics of servers with a private PostgreSQL, which the server of this test does not have.
const BACKUPS: [&str; 4] = [
    "ledger_backup_verified_timestamp_seconds",
    "ledger_backups_total",
    "ledger_wal_archive_bytes",
    "ledger_wal_archive_failing",
];

/// Returns metrics and their kinds from the table of the page.
fn documented() -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations/monitoring.md");
    let page = std::fs::read_to_string(path).expect("the page");
    let rows = page.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `ledger_")?.split('|');
        let name = cells.next()?.trim().trim_end_matches('`');
        Some((format!("ledger_{name}"), cells.next()?.trim().to_owned()))
    });
    rows.collect()
}

/// Returns metrics and their kinds from `/metrics`.
fn served(metrics: &str) -> BTreeMap<String, String> {
    let families = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let named = families.filter_map(|family| {
        let (name, kind) = family.split_once(' ')?;
        Some((name.to_owned(), kind.to_owned()))
    });
    named.collect()
}

#[test]
fn every_metric_is_documented_and_every_documented_metric_is_served() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        tenant.post_ok(messages::report("documented").to_string()).await;
        tenant.calls().await;
        // A command, which is decided in a group.
        let admin = ledger.key(tenant.tenant_id, &["admin"]).await;
        let set = Client::new().put(tenant.url("/v1/settings/hours")).bearer_auth(&admin);
        let set = set.body(json!({}).to_string()).send().await.expect("an answer");
        assert_eq!(set.status(), 200);
        let metrics = get(ledger, "/metrics").await.text().await.expect("a text");
        let mut documented = documented();
        // Of servers that make backups of a private PostgreSQL.
        documented.retain(|name, _| !BACKUPS.contains(&name.as_str()));
        assert_eq!(served(&metrics), documented);
        for (name, kind) in served(&metrics) {
            let help = format!("# HELP {name} ");
            assert_eq!(metrics.matches(&help).count(), 1, "no HELP of {name}");
            assert!(kind != "summary" && kind != "untyped", "{name} is a {kind}");
        }
        for part in ["database", "migrations", "keyring", "journal"] {
            let line = format!("ledger_ready{{part=\"{part}\"}} 1");
            assert!(metrics.contains(&line), "no {line} in {metrics}");
        }
    });
}

#[test]
fn failure_counters_start_at_zero() {
    run(async {
        let ledger = TestLedger::shared().await;
        let metrics = get(ledger, "/metrics").await.text().await.expect("a text");
        for counter in [
            "ledger_corrupt_sections_total{section=\"party\"}",
            "ledger_access_denied_total{reason=\"signature-expired\"}",
            "ledger_projected_events_total{projection=\"calls\"}",
        ] {
            assert!(metrics.contains(counter), "no {counter} in {metrics}");
        }
    });
}

#[test]
fn metrics_are_text_or_openmetrics_by_the_accept_header() {
    run(async {
        let ledger = TestLedger::shared().await;
        let ask = async |accept: &str| {
            let url = format!("http://{}/metrics", ledger.address);
            let request = reqwest::Client::new().get(url).header("accept", accept);
            let answer = request.send().await.expect("an answer");
            let form = answer.headers()["content-type"].to_str().expect("a text").to_owned();
            (form, answer.text().await.expect("a text"))
        };
        let (form, text) = ask("*/*").await;
        assert_eq!(form, "text/plain; version=0.0.4; charset=utf-8");
        assert!(
            text.contains("# TYPE ledger_webhooks_total counter") || !text.contains("webhooks")
        );
        assert!(!text.contains("# EOF"));
        let (form, open) = ask("application/openmetrics-text;version=1.0.0,text/plain;q=0.5").await;
        assert_eq!(form, "application/openmetrics-text; version=1.0.0; charset=utf-8");
        assert!(open.ends_with("# EOF\n") && open.matches("# EOF").count() == 1);
        assert!(open.contains("# TYPE ledger_access_denied counter\nledger_access_denied_total{"));
        assert!(open.lines().all(|line| !line.is_empty()));
    });
}
