//! Helper process, not a test: stops the shared cluster after the tests, however they end.

#[test]
#[ignore = "run by the harness itself"]
fn the_reaper_ends_the_cluster() {
    ledger_tests::run(ledger_tests::cluster::reap());
}
