//! The page on monitoring and what is measured are the same.

use std::collections::BTreeMap;
use std::path::Path;

use ledger_tests::{TestLedger, messages, run};

use super::get;

/// Metrics and their kinds, from the page's table.
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

/// Metrics and their kinds, as they are served.
fn served(metrics: &str) -> BTreeMap<String, String> {
    let families = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let named = families.filter_map(|family| {
        let (name, kind) = family.split_once(' ')?;
        let end = if kind == "counter" { "_total" } else { "" };
        Some((format!("{name}{end}"), kind.to_owned()))
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
        let metrics = get(ledger, "/metrics").await.text().await.expect("a text");
        assert_eq!(served(&metrics), documented());
        for part in ["database", "migrations", "keyring"] {
            let line = format!("ledger_ready{{part=\"{part}\"}} 1");
            assert!(metrics.contains(&line), "no {line} in {metrics}");
        }
    });
}

#[test]
fn what_has_not_failed_yet_is_counted_from_zero() {
    run(async {
        let ledger = TestLedger::shared().await;
        let metrics = get(ledger, "/metrics").await.text().await.expect("a text");
        for counter in [
            "ledger_corrupt_sections_total{section=\"party\"}",
            "ledger_access_denied_total{reason=\"proof-stale\"}",
            "ledger_projected_events_total{projection=\"calls\"}",
        ] {
            assert!(metrics.contains(counter), "no {counter} in {metrics}");
        }
    });
}
