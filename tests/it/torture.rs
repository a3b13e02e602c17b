//! A short fault-injection run: after faults of every kind no event is lost, doubled, skipped,
//! reordered or leaked.

use std::process::Command;

#[test]
fn under_faults_of_every_kind_no_acknowledged_event_is_lost_doubled_or_leaked() {
    let output = Command::new(env!("CARGO_BIN_EXE_torture"))
        .args([
            "--seed",
            "1",
            "--faults",
            "36",
            "--kills",
            "6",
            "--seconds",
            "34",
            "--output",
            "json",
        ])
        .output()
        .expect("it runs");
    let said = [output.stdout.clone(), output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a summary");
    let count = |what: &str| summary[what].as_u64().unwrap_or(0);
    assert!(count("faults") >= 3 && count("acknowledged") >= 50, "hardly tried: {summary}");
}
