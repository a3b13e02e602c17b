//! x
use ledger_tests::{TestLedger, fixtures, run};

#[test]
fn a_real_report_becomes_a_call() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let report = fixtures::bytes("vapi/end-of-call-report.webcall-with-costs.json");
        let answer = tenant.post_ok(report.clone()).await;
        assert_eq!(answer["status"], "recorded");
        let again = tenant.post_ok(report).await;
        assert_eq!(again["status"], "duplicate");
        assert_eq!(again["position"], answer["position"]);
        let call = tenant.only_call().await;
        println!("{call:#}");
        assert_eq!(call["cost_nanos"], 39_400_000);
    });
}
