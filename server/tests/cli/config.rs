//! `config`: effective settings and their origins.

use std::fs;

use serde_json::{Value, json};

use crate::test_dir::TestDir;

/// Returns value and origin of a setting in the output of `config show --origin`.
fn value_and_origin(printed: &str, setting: &str) -> (Value, Value) {
    let rows: Vec<Value> = serde_json::from_str(printed).expect("one document");
    let row = rows.into_iter().find(|row| row["setting"] == setting).expect("it is listed");
    (row["value"].clone(), row["origin"].clone())
}

#[test]
fn config_show_prints_every_setting_with_its_origin_and_no_secret() {
    let test_dir = TestDir::new();
    let file = "max_body_bytes = 1000\nconnections = 5\noutput = \"json\"\nlisten = \"[::1]:80\"\n";
    fs::write(test_dir.dir().join("call-ledger.toml"), file).expect("a file");
    let password = "postgres://ledger:hush-hush@db.example.com/ledger";
    let mut command = test_dir.command(&["config", "show", "--origin", "--pg-user", "nobody"]);
    command
        .env("CALL_LEDGER_CONNECTIONS", "7")
        .env("CALL_LEDGER_LISTEN", "127.0.0.1:9")
        .env("CALL_LEDGER_KEYRING", "/keys")
        .env("DATABASE_URL", password);
    let ran = command.output().expect("it runs");
    let printed = String::from_utf8(ran.stdout).expect("a text");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    for (setting, value, origin) in [
        ("connections", "7", "environment CALL_LEDGER_CONNECTIONS"),
        ("listen", "127.0.0.1:9", "environment CALL_LEDGER_LISTEN"),
        ("keyring", "/keys", "environment CALL_LEDGER_KEYRING"),
        ("pg_user", "nobody", "flag --pg-user"),
        ("data_dir", "./data", "default"),
        ("append_lanes", "2", "default"),
    ] {
        assert_eq!(value_and_origin(&printed, setting), (json!(value), json!(origin)));
    }
    let (value, origin) = value_and_origin(&printed, "max_body_bytes");
    assert_eq!(value, "1000");
    let origin = origin.as_str().expect("a text");
    assert!(origin.starts_with("file ") && origin.ends_with("call-ledger.toml"), "{origin}");
    assert_eq!(value_and_origin(&printed, "root_key"), (Value::Null, json!("default")));
    let (value, origin) = value_and_origin(&printed, "database_url");
    assert_eq!((value, origin), (json!("(set, not shown)"), json!("environment DATABASE_URL")));
    assert!(!printed.contains("hush-hush"));
    assert!(!test_dir.data().exists(), "looking makes nothing");
}

#[test]
fn a_setting_that_cannot_be_used_is_named_with_its_variable() {
    let test_dir = TestDir::new();
    for (name, value, said) in [
        ("CALL_LEDGER_CONNECTIONS", "many", "CALL_LEDGER_CONNECTIONS"),
        ("CALL_LEDGER_CONNECTIONS", "0", "connections must be at least 1"),
        ("CALL_LEDGER_LISTEN", "everywhere", "CALL_LEDGER_LISTEN"),
        ("CALL_LEDGER_OUTPUT", "xml", "--output"),
    ] {
        let ran =
            test_dir.command(&["config", "check"]).env(name, value).output().expect("it runs");
        let stderr = String::from_utf8_lossy(&ran.stderr);
        assert_eq!(ran.status.code(), Some(2), "{name}={value}: {stderr}");
        assert!(stderr.contains(said), "{name}={value}: {stderr}");
    }
}

#[test]
fn a_variable_with_our_prefix_and_no_setting_is_only_warned_about() {
    let test_dir = TestDir::new();
    let mut command = test_dir.command(&["config", "check", "--output", "json"]);
    // Kubernetes sets variables of this form for a service with this name.
    command.env("CALL_LEDGER_PORT", "tcp://10.0.0.1:80").env("CALL_LEDGER_LISTEN", "127.0.0.1:9");
    let ran = command.output().expect("it runs");
    assert_eq!(ran.status.code(), Some(0));
    let said: Value = serde_json::from_slice(&ran.stdout).expect("one document");
    assert_eq!(said, json!({ "ok": true, "unknown_variables": ["CALL_LEDGER_PORT"] }));
}
