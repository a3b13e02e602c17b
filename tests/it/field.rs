//! Field cases: problems with webhooks from public reports, each with the correct response. A case
//! is a fixture: webhooks to one tenant, then reads, then the required contents of the responses.

mod case;

use case::Case;
use ledger_tests::{TestLedger, fixtures, run};

/// Runs every case of a folder and reports all failures at once.
fn play(folder: &str) {
    run(async {
        let ledger = TestLedger::shared().await;
        let mut failures = Vec::new();
        for name in fixtures::names(folder) {
            let case = Case::load(&name);
            let failed = case.play(ledger).await;
            failures.extend(failed.into_iter().map(|failure| format!("{name}: {failure}")));
        }
        assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    });
}

#[test]
fn every_reported_case_gets_its_correct_response() {
    play("field");
}

#[test]
fn every_variant_of_a_reported_case_gets_its_correct_response() {
    play("field/siblings");
}
