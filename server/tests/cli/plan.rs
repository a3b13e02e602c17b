//! `tenant plan`: show, set and remove the limits of a plan.

use serde_json::{Value, json};

use crate::test_dir::TestDir;

#[test]
fn each_limit_of_a_plan_is_set_and_removed_independently() {
    let test_dir = TestDir::new();
    let tenant = test_dir.json(&["tenant", "create", "--slug", "acme"]);
    test_dir.json(&["tenant", "create", "--slug", "other"]);
    let plan = |options: &[&str]| {
        let mut shown = test_dir.json(&[&["tenant", "plan", "--tenant", "acme"], options].concat());
        assert_eq!(shown["tenant_id"].take(), tenant["tenant_id"], "{options:?}");
        ["calls", "minutes", "cost_nanos", "events"].map(|name| shown[name].as_i64())
    };
    let events = || test_dir.json(&["tenant", "list"])[0]["events"].clone();

    assert_eq!(plan(&[]), [None; 4], "no plan, no limits");
    assert_eq!(plan(&["--calls", "none"]), [None; 4]);
    assert_eq!(events(), 1, "to show is no fact, nor is what changes nothing");
    let two = ["--calls", "1000", "--cost-usd", "99.50"];
    assert_eq!(plan(&two), [Some(1000), None, Some(99_500_000_000), None]);
    assert_eq!(events(), 2);
    assert_eq!(plan(&two), [Some(1000), None, Some(99_500_000_000), None]);
    assert_eq!(events(), 2, "the same again is no fact");
    let others = ["--minutes", "2500", "--events", "9223372036854775807", "--calls", "none"];
    assert_eq!(plan(&others), [None, Some(2500), Some(99_500_000_000), Some(i64::MAX)]);
    assert_eq!(plan(&["--cost-usd", "0.000000001"])[2], Some(1));
    assert_eq!(plan(&[]), [None, Some(2500), Some(1), Some(i64::MAX)]);
    let none = ["--minutes", "none", "--cost-usd", "none", "--events", "none"];
    assert_eq!(plan(&none), [None; 4]);

    assert_eq!(
        plan_events(&test_dir),
        [
            json!({ "calls": 1000, "cost_nanos": 99_500_000_000_i64 }),
            json!({ "minutes": 2500, "cost_nanos": 99_500_000_000_i64, "events": i64::MAX }),
            json!({ "minutes": 2500, "cost_nanos": 1, "events": i64::MAX }),
            json!({}),
        ]
    );
    let other = test_dir.json(&["tenant", "plan", "--tenant", "other"]);
    assert_eq!(other["minutes"], Value::Null, "each tenant has its own");
    let shown =
        test_dir.run(&["--output", "table", "tenant", "plan", "--tenant", "acme", "--calls", "7"]);
    assert!(shown.stdout.contains("calls: 7\n"), "{}", shown.stdout);
    assert_eq!(test_dir.json(&["verify"])["ok"], true);
}

/// Returns the plan events of the log, each of which must be by an operator.
fn plan_events(test_dir: &TestDir) -> Vec<Value> {
    let exported = test_dir.run(&["export", "events", "--format", "ndjson"]);
    let lines = exported
        .stdout
        .lines()
        .map(|line| -> Value { serde_json::from_str(line).expect("one document a line") });
    let set = lines.filter(|line| line["type"] == "tenant.plan_limits_set");
    set.map(|mut line| {
        assert_eq!(line["meta"]["actor"], "operator", "{line}");
        line["facts"].take()
    })
    .collect()
}

#[test]
fn an_impossible_limit_is_refused_with_its_option() {
    let test_dir = TestDir::new();
    let counts = [
        "0",
        "-1",
        "-0",
        "1.5",
        "1e3",
        "9223372036854775808",
        "many",
        "",
        " 7",
        "None",
        "+7",
        "nan",
    ];
    for option in ["--calls", "--minutes", "--events"] {
        for amount in counts {
            refuse(&test_dir, option, amount);
        }
    }
    for amount in [
        "0",
        "0.00",
        "-1",
        "-0.5",
        "1e3",
        "0.0000000001",
        "10000000000",
        "1,5",
        "$5",
        "5 USD",
        "",
        ".",
        "1.2.3",
        "1_000",
        "NaN",
        "99999999999999999999999999999999",
    ] {
        refuse(&test_dir, "--cost-usd", amount);
    }
    assert_eq!(test_dir.run(&["tenant", "plan"]).code, 2, "it says whose");
    let missing = test_dir.run(&["tenant", "plan", "--tenant", "acme", "--calls"]);
    assert_eq!(missing.code, 2);
    assert!(missing.stderr.contains("--calls"), "{}", missing.stderr);
    assert!(!test_dir.data().exists(), "nothing was set up for any of them");
}

fn refuse(test_dir: &TestDir, option: &str, amount: &str) {
    let ran = test_dir.run(&["tenant", "plan", "--tenant", "acme", option, amount]);
    assert_eq!(ran.code, 2, "{option} {amount}: {}", ran.stderr);
    assert!(ran.stderr.contains(option), "{option} {amount}: {}", ran.stderr);
    assert!(ran.stderr.contains("above zero"), "{option} {amount}: {}", ran.stderr);
    assert_eq!(ran.stdout, "", "{option} {amount}");
}
