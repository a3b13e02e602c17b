//! `doctor`: the list of its checks, and the problems it detects.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::test_dir::{DirectAccess, TestDir};

/// Every check, in output order.
const CHECKS: [&str; 25] = [
    "version",
    "data_dir",
    "disk",
    "postgres_programs",
    "open_files",
    "memory",
    "database",
    "durability",
    "encoding",
    "clock",
    "connections",
    "roles",
    "transactions",
    "wraparound",
    "migrations",
    "root_key",
    "keyring",
    "epochs",
    "read_models",
    "parked_events",
    "quarantine",
    "bookings",
    "async_tools",
    "backups",
    "wal_archive",
];

/// Checks that depend on the machine and the build, not on the ledger.
const OF_THE_MACHINE: [&str; 4] = ["version", "disk", "open_files", "memory"];

/// Runs `doctor`; returns the exit code and the JSON document.
fn doctor(test_dir: &TestDir, args: &[&str]) -> (i32, Value) {
    let ran = test_dir.run(&[&["doctor", "--output", "json"], args].concat());
    let report = serde_json::from_str(&ran.stdout);
    (ran.code, report.unwrap_or_else(|error| panic!("{error}: {} {}", ran.stdout, ran.stderr)))
}

fn checks(report: &Value) -> Vec<&Value> {
    report["checks"].as_array().expect("a list").iter().collect()
}

fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    let found = checks(report).into_iter().find(|check| check["check"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {report}"))
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

#[test]
fn doctor_in_an_empty_directory_fails_nothing_and_creates_nothing() {
    let test_dir = TestDir::new();
    let (code, report) = doctor(&test_dir, &[]);
    assert_eq!((code, &report["ok"]), (0, &json!(true)), "{report}");
    assert!(text(check(&report, "database"), "observed").contains("nothing is there yet"));
    assert_eq!(fs::read_dir(test_dir.dir()).expect("our own directory").count(), 0);
}

#[test]
fn an_unreachable_database_fails_without_its_password_in_the_output() {
    let test_dir = TestDir::new();
    let url = "postgres://ledger:hush-hush@127.0.0.1:1/ledger";
    let (code, report) = doctor(&test_dir, &["--database-url", url]);
    assert_eq!((code, &report["ok"]), (1, &json!(false)));
    assert_eq!(check(&report, "database")["state"], "failed");
    assert!(check(&report, "database")["hint"].is_string());
    assert!(!report.to_string().contains("hush-hush"), "{report}");
    assert_eq!(fs::read_dir(test_dir.dir()).expect("our own directory").count(), 0);
}

#[tokio::test]
async fn doctor_passes_a_sound_ledger_and_detects_every_fault() {
    let test_dir = TestDir::new();
    let tenant = test_dir.json(&["tenant", "create", "--slug", "acme"]);
    let tenant = text(&tenant, "tenant_id").to_owned();
    let mut direct = DirectAccess::new(&test_dir).await;
    let (code, report) = doctor(&test_dir, &[]);
    assert_eq!((code, &report["ok"]), (0, &json!(true)), "{report}");
    let names: Vec<&str> = checks(&report).iter().map(|check| text(check, "check")).collect();
    assert_eq!(names, CHECKS, "scripts know them by these names");
    for check in checks(&report) {
        let fields: Vec<_> = check.as_object().expect("a check").keys().collect();
        assert_eq!(fields, ["check", "hint", "observed", "state", "target"]);
        if !OF_THE_MACHINE.contains(&text(check, "check")) {
            assert_eq!((&check["state"], &check["hint"]), (&json!("ok"), &Value::Null), "{check}");
        }
    }

    for (fault, mended, name, state) in [
        ("alter role ledger_app bypassrls", "alter role ledger_app nobypassrls", "roles", "failed"),
        (
            "update public._sqlx_migrations set success = false where version = 3",
            "update public._sqlx_migrations set success = true where version = 3",
            "migrations",
            "failed",
        ),
        (
            "update public._sqlx_migrations set version = 9999 where version = 1",
            "update public._sqlx_migrations set version = 1 where version = 9999",
            "migrations",
            "failed",
        ),
        (
            "alter system set full_page_writes = off; select pg_reload_conf()",
            "alter system reset full_page_writes; select pg_reload_conf()",
            "durability",
            "failed",
        ),
        (
            "update projection.checkpoints set halted = 'event type x.y is not known to this build'",
            "update projection.checkpoints set halted = null",
            "read_models",
            "failed",
        ),
        (
            "insert into projection.parked (tenant_id, parked_id, projection, version, key, position,
             event_type, reason)
             values (gen_random_uuid(), gen_random_uuid(), 'calls', 2, gen_random_uuid(), 1, 'x.y', 'z')",
            "delete from projection.parked",
            "parked_events",
            "warning",
        ),
        (
            "insert into ledger.quarantine values ('00000000-0000-0000-0000-000000000000',
             gen_random_uuid(), gen_random_uuid(), 'd', 'no-single-route', 'b', now())",
            "delete from ledger.quarantine",
            "quarantine",
            "warning",
        ),
    ] {
        if name == "read_models" {
            // A checkpoint, as a running server would create it.
            let made = format!(
                "insert into projection.checkpoints (tenant_id, projection, version)
                 values ('{tenant}', 'calls', 2) on conflict do nothing"
            );
            direct.execute(&made).await;
        }
        direct.execute(fault).await;
        let (code, report) = doctor(&test_dir, &[]);
        assert_eq!(check(&report, name)["state"], state, "{fault}: {report}");
        assert!(check(&report, name)["hint"].is_string(), "{fault}");
        assert_eq!(code, i32::from(state == "failed"), "{fault}");
        direct.execute(mended).await;
    }
    assert_eq!(doctor(&test_dir, &[]).0, 0, "all is mended");

    assert_file_faults_are_detected(&test_dir, &tenant);
    direct.close().await;
}

/// Inserts an event with the facts of a golden sample, without the checks of an append.
async fn insert(
    direct: &mut DirectAccess,
    tenant: &str,
    stream: (&str, &str),
    sample: &str,
    meta: &str,
) {
    let (stream_id, kind) = stream;
    let event_type = sample.split_once(".v").expect("a version").0;
    let facts = format!("{}/../tests/fixtures/golden/{sample}.json", env!("CARGO_MANIFEST_DIR"));
    let facts = fs::read_to_string(facts).expect("a sample");
    let position =
        format!("(select max(position) + 1 from ledger.events where tenant_id = '{tenant}')");
    let statement = format!(
        "insert into ledger.events (tenant_id, position, stream_id, stream_kind, stream_version, event_id,
                event_type, schema_version, occurred_at, recorded_at, facts, meta, leaf_hash)
         values ('{tenant}', {position}, '{stream_id}', '{kind}', {position}, gen_random_uuid(),
                '{event_type}', 1, now(), now(), '{facts}', '{meta}', sha256(''))"
    );
    direct.execute(&statement).await;
}

#[tokio::test]
async fn bookings_that_differ_from_schedules_fail_and_asynchronous_tools_are_named() {
    let test_dir = TestDir::new();
    let tenant = test_dir.json(&["tenant", "create", "--slug", "acme"]);
    let tenant = text(&tenant, "tenant_id").to_owned();
    let mut direct = DirectAccess::new(&test_dir).await;
    let day = ("6f0e1c52-33b1-4f0c-9a61-000000000001", "schedule");
    insert(&mut direct, &tenant, day, "schedule.slot_taken.v1", "{}").await;
    let (code, report) = doctor(&test_dir, &[]);
    let found = check(&report, "bookings");
    assert_eq!((code, &found["state"]), (1, &json!("failed")), "{report}");
    let entry = "acme: appointment 00000000-0000-0000-0000-000000000006 is not the appointment of its \
                 entry in the schedule of main on 2026-03-02";
    assert!(text(found, "observed").starts_with("1 differences;"), "{found}");
    assert!(text(found, "observed").contains(entry), "{found}");
    assert_eq!(check(&report, "async_tools")["state"], "ok");

    let call = ("6f0e1c52-33b1-4f0c-9a61-000000000002", "call");
    let source = "6f0e1c52-33b1-4f0c-9a61-0000000000aa";
    let meta = format!(r#"{{"source_id":"{source}"}}"#);
    insert(&mut direct, &tenant, call, "call.tool_called.v1-async", &meta).await;
    let report = doctor(&test_dir, &[]).1;
    let found = check(&report, "async_tools");
    assert_eq!(found["state"], "warning");
    let observed = format!("1 asynchronous; acme: bookAppointment of source {source}, 1 calls");
    assert_eq!(text(found, "observed"), observed);
    direct.close().await;
}

fn assert_file_faults_are_detected(test_dir: &TestDir, tenant: &str) {
    let set_mode = |path: &str, mode| {
        let path = test_dir.data().join(path);
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("our own file");
    };
    set_mode("root.key", 0o644);
    let (code, report) = doctor(test_dir, &[]);
    assert_eq!((code, &check(&report, "root_key")["state"]), (1, &json!("failed")), "{report}");
    assert!(text(check(&report, "root_key"), "hint").contains("chmod 600"));
    set_mode("root.key", 0o600);

    let usual = fs::metadata(test_dir.data()).expect("it is there").permissions().mode();
    set_mode("", usual | 0o022);
    assert_eq!(check(&doctor(test_dir, &[]).1, "data_dir")["state"], "failed");
    set_mode("", usual);

    let key = test_dir.data().join("keyring").join(tenant).join("1.tek");
    let kept = fs::read(&key).expect("a key file");
    let installation = test_dir.data().join("keyring/00000000-0000-0000-0000-000000000000/1.tek");
    fs::copy(installation, &key).expect("another tenant's key in its place");
    let (code, report) = doctor(test_dir, &[]);
    assert_eq!((code, &check(&report, "keyring")["state"]), (1, &json!("failed")));
    assert!(text(check(&report, "keyring"), "observed").contains(tenant), "{report}");
    fs::remove_file(&key).expect("it goes");
    let report = doctor(test_dir, &[]).1;
    assert!(text(check(&report, "keyring"), "observed").contains("is missing"), "{report}");
    fs::write(&key, kept).expect("it comes back");
    assert_eq!(doctor(test_dir, &[]).0, 0, "all is mended");
}
