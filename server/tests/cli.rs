//! The command line: the real program, its exit codes, and its output.

#[path = "cli/appointment.rs"]
mod appointment;
#[path = "cli/backup.rs"]
mod backup;
#[path = "cli/bench.rs"]
mod bench;
#[path = "cli/bookings.rs"]
mod bookings;
#[path = "cli/certificate.rs"]
mod certificate;
#[path = "cli/config.rs"]
mod config;
#[path = "cli/custody.rs"]
mod custody;
#[path = "cli/database.rs"]
mod database;
#[path = "cli/dates.rs"]
mod dates;
#[path = "cli/deploy.rs"]
mod deploy;
#[path = "cli/docs.rs"]
mod docs;
#[path = "cli/doctor.rs"]
mod doctor;
#[path = "cli/drill.rs"]
mod drill;
#[path = "cli/integrity.rs"]
mod integrity;
#[path = "cli/layers.rs"]
mod layers;
#[path = "cli/migrations.rs"]
mod migrations;
#[path = "cli/pipes.rs"]
mod pipes;
#[path = "cli/plan.rs"]
mod plan;
#[path = "cli/projection.rs"]
mod projection;
#[path = "cli/quarantine.rs"]
mod quarantine;
#[path = "cli/rights.rs"]
mod rights;
#[path = "cli/serve.rs"]
mod serve;
#[path = "cli/tenant.rs"]
mod tenant;
#[path = "cli/test_dir.rs"]
mod test_dir;

use std::fs;

use serde_json::json;
use test_dir::TestDir;

#[test]
fn a_ledger_is_set_up_by_a_few_commands() {
    let test_dir = TestDir::new();
    assert_eq!(test_dir.json(&["migrate"])["applied"], ledger_store::MIGRATOR.iter().count());
    assert_eq!(test_dir.json(&["migrate"])["applied"], 0);
    assert_eq!(test_dir.json(&["tenant", "list"]), json!([]));

    let berlin = ["--name", "Acme Dental", "--timezone", "Europe/Berlin", "--country", "de"];
    let tenant = test_dir.json(&[&["tenant", "create", "--slug", "acme"], &berlin[..]].concat());
    assert_eq!(tenant["slug"], "acme");
    let tenants = test_dir.json(&["tenant", "list"]);
    let expected = json!([{
        "tenant_id": tenant["tenant_id"], "slug": "acme", "name": "Acme Dental",
        "timezone": "Europe/Berlin", "state": "active", "events": 1,
    }]);
    assert_eq!(tenants, expected);

    let key = test_dir.json(&["key", "create", "--tenant", "acme", "--scopes", "read,personal"]);
    assert_eq!(key["scopes"], json!(["read", "personal"]));
    assert!(key["api_key"].as_str().is_some_and(|key| key.starts_with("clg_")));
    let id = tenant["tenant_id"].as_str().expect("an id");
    let source = test_dir.json(&["source", "create", "--tenant", id, "--provider", "vapi"]);
    let path = format!("/ingest/{}", source["source_id"].as_str().expect("an id"));
    assert_eq!(source["path"], path);
    assert!(source["secret"].as_str().is_some_and(|secret| secret.len() >= 32));
    let given = ["--provider", "vapi", "--secret", "a-secret-of-ours"];
    let source = test_dir.json(&[&["source", "create", "--tenant", "acme"], &given[..]].concat());
    assert_eq!(source["secret"], "a-secret-of-ours");
    assert_eq!(test_dir.json(&["tenant", "list"])[0]["events"], 4, "each is a fact of its own");
    let signed = ["--provider", "vapi", "--hmac", "--hmac-algorithm", "sha512"];
    let signed = test_dir.json(&[&["source", "create", "--tenant", "acme"], &signed[..]].concat());
    assert!(signed["secret"].is_string());
    assert_eq!(test_dir.json(&["verify"])["ok"], true);
    assert_eq!(test_dir.postgres(), None, "the last command ended what it started");
}

#[test]
fn a_command_that_fails_exits_with_1_and_states_the_remedy() {
    let test_dir = TestDir::new();
    test_dir.json(&["tenant", "create", "--slug", "acme"]);
    let failures: &[(&[&str], &str)] = &[
        (&["tenant", "create", "--slug", "acme"], "acme exists already"),
        (&["key", "create", "--tenant", "nobody", "--scopes", "read"], "tenant list"),
        (&["source", "create", "--tenant", "nobody", "--provider", "vapi"], "no tenant nobody"),
        (&["tenant", "plan", "--tenant", "nobody"], "no tenant nobody"),
        (&["verify", "--tenant", "nobody"], "no tenant nobody"),
        (&["export", "events", "--tenant", "nobody"], "no tenant nobody"),
        (&["export", "events", "--file", "/nowhere/at/all"], "/nowhere/at/all"),
        (
            &["projection", "rebuild", "cals"],
            "no read model cals; there are appointments, calls, contacts, due, erasures, usage",
        ),
        (&["projection", "promote", "cals"], "calls"),
        (&["projection", "rollback", "cals"], "calls"),
        (&["projection", "diff", "cals"], "calls"),
        (&["projection", "cancel", "cals", "--yes"], "calls"),
        (&["projection", "rebuild", "calls", "--tenant", "nobody"], "no tenant nobody"),
        (
            &["projection", "rebuild", "calls", "--resume"],
            "no version of calls is being built: version 2 is shown",
        ),
        (&["projection", "promote", "calls"], "no version of calls is being built"),
        (&["projection", "cancel", "calls", "--yes"], "no version of calls is being built"),
        (&["projection", "rollback", "calls"], "no version before"),
        (&["projection", "diff", "calls"], "no such other version"),
        (&["projection", "diff", "calls", "--against", "2"], "it has 2"),
        (&["parked", "list", "--tenant", "nobody"], "no tenant nobody"),
        (&["parked", "retry", "00000000-0000-4000-8000-000000000001"], "nothing is parked"),
        (&["tenant", "list", "--database-url", "postgres://ledger@127.0.0.1:1/x"], "database"),
        (&["tenant", "list", "--pg-bin", "/nowhere"], "/nowhere"),
    ];
    for (args, said) in failures {
        let ran = test_dir.run(&[&["--output", "json"], *args].concat());
        assert_eq!(ran.code, 1, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(said), "{args:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{args:?}: standard output holds answers only");
    }
    assert_eq!(test_dir.postgres(), None, "a command that failed ended what it started");
}

#[test]
fn a_misspelt_argument_exits_with_2_and_is_named() {
    let test_dir = TestDir::new();
    let mistakes: &[(&[&str], &str)] = &[
        (&[], "Usage"),
        (&["tenat"], "tenat"),
        (&["tenant", "create"], "--slug"),
        (&["tenant", "list", "--outptu", "json"], "--outptu"),
        (&["tenant", "list", "--output", "xml"], "xml"),
        (&["tenant", "create", "--slug", "Acme Dental"], "--slug"),
        (&["tenant", "create", "--slug", "acme", "--timezone", "Mars/Olympus"], "Mars/Olympus"),
        (&["tenant", "create", "--slug", "acme", "--country", "Germany"], "--country"),
        (
            &["tenant", "create", "--slug", "acme", "--country", "uk"],
            "UK is no code of ISO 3166-1; use GB",
        ),
        (&["key", "create", "--tenant", "acme", "--scopes", "reed"], "reed"),
        (&["source", "create", "--tenant", "acme", "--provider", "vappy"], "vapi"),
        (&["source", "create", "--provider", "vapi"], "--tenant"),
        (&["source", "create", "--tenant", "a", "--provider", "vapi", "--secret", "x"], "--secret"),
        (&["source", "create", "--shared", "--provider", "vapi", "--hmac-prefix", "v1,"], "--hmac"),
        (
            &[
                "source",
                "create",
                "--shared",
                "--provider",
                "vapi",
                "--hmac",
                "--hmac-payload",
                "x",
            ],
            "{body}",
        ),
        (&["export", "events", "--format", "xlsx"], "ndjson"),
        (&["demo", "--calls", "1"], "--calls"),
        (&["serve", "--listen", "everywhere"], "--listen"),
        (&["completions", "tcsh"], "tcsh"),
        (&["projection", "cancel", "calls"], "--yes"),
        (&["projection", "rebuild", "calls", "--resume", "--no-promote"], "--resume"),
        (&["projection", "diff", "calls", "--limit", "0"], "--limit"),
        (&["parked", "retry"], "--all"),
        (&["parked", "drop", "00000000-0000-4000-8000-000000000001", "--yes"], "--reason"),
        (&["parked", "drop", "00000000-0000-4000-8000-000000000001", "--reason", "x"], "--yes"),
        (
            &["parked", "drop", "00000000-0000-4000-8000-000000000001", "--reason", " ", "--yes"],
            "--reason",
        ),
        (&["quarantine", "replay"], "--all"),
        (&["quarantine", "show", "not-an-id"], "not-an-id"),
        (&["key", "create", "--installation", "--scopes", "admin,personal"], "--scopes"),
    ];
    for (args, said) in mistakes {
        let ran = test_dir.run(args);
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(said), "{args:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{args:?}");
    }
    assert!(!test_dir.data().exists(), "nothing was set up for any of them");
}

#[test]
fn settings_come_from_flag_environment_file_in_this_order_and_unknown_ones_are_refused() {
    let test_dir = TestDir::new();
    let file = test_dir.dir().join("call-ledger.toml");
    fs::write(&file, "data_dir = \"elsewhere\"\noutput = \"json\"\n").expect("a file");
    let listed = test_dir.run(&["tenant", "list"]);
    assert_eq!((listed.code, listed.stdout.trim()), (0, "[]"), "{}", listed.stderr);
    assert!(test_dir.dir().join("elsewhere/pg").exists() && !test_dir.data().exists());

    let mut command = test_dir.command(&["tenant", "list"]);
    command.env("CALL_LEDGER_OUTPUT", "table").env("CALL_LEDGER_DATA_DIR", "elsewhere");
    let listed = command.output().expect("it runs");
    assert!(String::from_utf8_lossy(&listed.stdout).contains("timezone"), "a table");
    let listed = command.args(["--output", "json"]).output().expect("it runs");
    assert_eq!(String::from_utf8_lossy(&listed.stdout).trim(), "[]");

    fs::write(&file, "listne = \"127.0.0.1:1\"\n").expect("a file");
    let refused = test_dir.run(&["tenant", "list"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("listne"), "{}", refused.stderr);
    assert!(refused.stderr.contains("call-ledger.toml"), "and where: {}", refused.stderr);
    let missing = test_dir.run(&["tenant", "list", "--config", "nowhere.toml"]);
    assert_eq!(missing.code, 2);
    assert!(missing.stderr.contains("nowhere.toml"), "{}", missing.stderr);
}

#[test]
fn every_command_has_a_help_text() {
    let test_dir = TestDir::new();
    for args in [
        &["--help"][..],
        &["demo", "--help"],
        &["dates", "explain", "--help"],
        &["db", "url", "--help"],
        &["db", "psql", "--help"],
        &["db", "start", "--help"],
        &["db", "stop", "--help"],
        &["serve", "--help"],
        &["tenant", "create", "--help"],
        &["tenant", "plan", "--help"],
        &["tenant", "update", "--help"],
        &["settings", "show", "--help"],
        &["settings", "set", "--help"],
        &["tenant", "freeze", "--help"],
        &["tenant", "thaw", "--help"],
        &["tenant", "close", "--help"],
        &["key", "create", "--help"],
        &["key", "list", "--help"],
        &["key", "revoke", "--help"],
        &["source", "create", "--help"],
        &["source", "update", "--help"],
        &["source", "list", "--help"],
        &["source", "rotate-secret", "--help"],
        &["source", "disable", "--help"],
        &["source", "enable", "--help"],
        &["verify", "--help"],
        &["verify", "certificate", "--help"],
        &["verify", "journal", "--help"],
        &["restore", "reconcile", "--help"],
        &["export", "events", "--help"],
        &["projection", "list", "--help"],
        &["projection", "rebuild", "--help"],
        &["projection", "promote", "--help"],
        &["projection", "rollback", "--help"],
        &["projection", "cancel", "--help"],
        &["projection", "diff", "--help"],
        &["parked", "list", "--help"],
        &["parked", "retry", "--help"],
        &["parked", "drop", "--help"],
        &["quarantine", "list", "--help"],
        &["quarantine", "show", "--help"],
        &["quarantine", "replay", "--help"],
        &["doctor", "--help"],
        &["config", "show", "--help"],
        &["config", "check", "--help"],
        &["probe", "--help"],
        &["completions", "--help"],
        &["man", "--help"],
    ] {
        let ran = test_dir.run(args);
        assert_eq!(ran.code, 0);
        assert!(ran.stdout.contains("Example"), "{args:?}: {}", ran.stdout);
    }
    assert!(test_dir.run(&["--version"]).stdout.starts_with("call-ledger "));
}

#[test]
fn the_demo_sends_its_traffic_over_http_and_ends() {
    let test_dir = TestDir::new();
    let demo = test_dir.json(&["demo", "--calls", "20", "--days", "3", "--exit"]);
    assert_eq!(demo["calls"], 20, "{demo}");
    assert!(demo["events"].as_u64().is_some_and(|events| events > 40), "{demo}");
    assert!(demo["url"].as_str().is_some_and(|url| url.starts_with("http://127.0.0.1:")));
    assert!(demo["tenant_id"].is_string() && demo["api_key"].is_string());
    assert!(demo["appointments"].as_u64() > Some(0), "{demo}");
    let models = test_dir.json(&["projection", "list"]);
    for (nth, name) in
        ["appointments", "calls", "contacts", "due", "erasures", "usage"].iter().enumerate()
    {
        let model = &models[nth];
        assert_eq!(
            (&model["name"], &model["state"], &model["tenants"], &model["lag_events"]),
            (&json!(name), &json!("current"), &json!(2), &json!(0)),
            "{models}"
        );
        // Nobody of the demo is erased.
        let has_rows = *name != "erasures";
        assert_eq!(model["rows"].as_i64() > Some(0), has_rows, "{models}");
        assert!(model["checksum"].is_string(), "{models}");
        assert_eq!((&model["parked"], &model["halted"]), (&json!(0), &json!(0)), "{models}");
    }
    assert_eq!(test_dir.json(&["verify"])["ok"], true);
    assert_eq!(test_dir.postgres(), None);
}
