//! Lost, damaged or exchanged key files: requests are refused, nothing is created or changed on
//! disk, and the server recovers without a restart.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ledger_core::ids::TenantId;
use ledger_store::StoreError;
use ledger_store::keyring::KeyringError;
use ledger_store::tenants::NewTenant;
use ledger_tests::{OwnDatabase, TestTenant, fixtures, logs, messages, run};
use serde_json::{Value, json};

use super::keyring::ready;

const TOOL_CALLS: &str = "vapi/tool-calls.inbound-simple-assistant.json";

fn file(own: &OwnDatabase, tenant: TenantId, name: &str) -> PathBuf {
    own.keys.join("keyring").join(tenant.to_string()).join(name)
}

/// Returns every file below a directory with its bytes.
fn on_disk(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(on_disk(&path));
        }
        found.insert(path.clone(), fs::read(&path).unwrap_or_default());
    }
    found
}

fn damage(path: &Path, fault: &str) {
    let contents = fs::read(path).expect("a key file");
    match fault {
        "missing" => fs::remove_file(path).expect("it was there"),
        "empty" => fs::write(path, "").expect("ours"),
        "cut" => fs::write(path, &contents[..contents.len() / 2]).expect("ours"),
        _ => {
            fs::remove_file(path).expect("it was there");
            fs::create_dir(path).expect("a directory");
        }
    }
}

fn restore_file(path: &Path, contents: &[u8]) {
    if path.is_dir() {
        fs::remove_dir(path).expect("it is empty");
    }
    // An existing file is overwritten in place, so that its mode stays.
    let is_new = !path.exists();
    fs::write(path, contents).expect("ours");
    if is_new {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("ours");
    }
}

/// Checks that a tool call gets a text to speak that claims no result.
fn assert_answer_to_speak(status: u16, answer: &Value) {
    assert_eq!(status, 200, "{answer}");
    let error = answer["results"][0]["error"].as_str().expect("an error to be spoken");
    assert!(error.contains("Nothing was done"), "{error}");
}

async fn assert_refused(tenant: &TestTenant, body: String) {
    let refused = tenant.webhook(body).send().await.expect("an answer");
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    let problem: Value = refused.json().await.expect("a document");
    assert_eq!(problem["code"], "keyring-unavailable", "{problem}");
}

#[test]
fn requests_that_need_a_bad_key_file_are_refused_until_it_is_restored() {
    run(async {
        let own = OwnDatabase::create().await;
        let first = own.server().await;
        let tenant = first.tenant().await;
        first.stop().await;
        let root = own.keys.join("root.key");
        let own_file = |name| file(&own, tenant.tenant_id, name);
        let shared_file = |name| file(&own, TenantId::INSTALLATION, name);
        // Each file, its damage, and whether it affects all tenants.
        let faults = [
            (own_file("digest.key"), "missing", false),
            (own_file("digest.key"), "cut", false),
            (own_file("1.tek"), "missing", false),
            (own_file("1.tek"), "a directory", false),
            (shared_file("1.tek"), "empty", true),
            (shared_file("digest.key"), "cut", true),
            (shared_file("digest.key"), "a directory", true),
            (root.clone(), "missing", true),
            (root.clone(), "cut", true),
        ];
        for (nth, (path, fault, is_everybodys)) in faults.iter().enumerate() {
            let what = format!("{fault}: {}", path.display());
            let contents = fs::read(path).expect("a key file");
            damage(path, fault);
            let before = on_disk(&own.keys);
            let ledger = own.server().await;
            let tenant = tenant.through(&ledger);
            let body = messages::report(&format!("refused-{nth}")).to_string();

            let (status, readiness) = ready(&tenant).await;
            assert_eq!(status, if *is_everybodys { 503 } else { 200 }, "{what}: {readiness}");
            // Files of another tenant, or of the installation, do not affect this tenant.
            if !path.starts_with(own.keys.join("keyring").join(TenantId::INSTALLATION.to_string()))
            {
                assert_refused(&tenant, body.clone()).await;
            }
            if path.ends_with("digest.key") && !is_everybodys {
                let (status, answer) = tenant.post(fixtures::bytes(TOOL_CALLS)).await;
                assert_answer_to_speak(status, &answer);
            }
            assert!(
                logs::logged().contains(path.to_str().expect("a text")),
                "{what}: not in the log"
            );
            assert_eq!(on_disk(&own.keys), before, "{what}");

            restore_file(path, &contents);
            assert_eq!(tenant.post_ok(body).await["status"], "recorded", "{what}");
            assert_eq!(ready(&tenant).await.0, 200, "{what}");
            ledger.stop().await;
        }
    });
}

#[test]
fn a_tool_call_is_answered_while_the_root_key_is_missing() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let tenant = ledger.tenant().await;
        // The source is cached by now; nothing was hashed or sealed yet.
        let telemetry =
            messages::message("voice", "speech-update", &json!({ "status": "started" }));
        assert_eq!(tenant.post_ok(telemetry.to_string()).await["status"], "ignored");
        let (there, away) = (own.keys.join("root.key"), own.keys.join("away"));
        fs::rename(&there, &away).expect("it moves");

        let (status, answer) = tenant.post(fixtures::bytes(TOOL_CALLS)).await;
        assert_answer_to_speak(status, &answer);
        assert_refused(&tenant, messages::report("voice").to_string()).await;
        assert_eq!(ready(&tenant).await.0, 503);

        fs::rename(&away, &there).expect("it moves back");
        tenant.post_ok(fixtures::bytes(TOOL_CALLS)).await;
        tenant.post_ok(messages::report("voice").to_string()).await;
        let recorded: Vec<String> = sqlx::query_scalar(
            "select event_type from ledger.events where tenant_id = $1 and stream_kind = 'call'",
        )
        .bind(tenant.tenant_id.0)
        .fetch_all(&mut own.superuser().await)
        .await
        .expect("the log answers");
        let count = |kind: &str| recorded.iter().filter(|recorded| *recorded == kind).count();
        assert_eq!(count("call.ended"), 1, "{recorded:?}");
        assert!(count("call.tool_called") >= 1, "{recorded:?}");
        ledger.stop().await;
    });
}

#[test]
fn no_tenant_is_created_while_the_keyring_is_missing() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        ledger.tenant().await;
        let known = ledger.store.tenants().await.expect("a list");
        let new = NewTenant {
            slug: "late".into(),
            name: "Late".into(),
            timezone: "UTC".into(),
            country: "US".into(),
        };
        for part in ["keyring", "root.key"] {
            let (there, away) = (own.keys.join(part), own.keys.join("away"));
            fs::rename(&there, &away).expect("it moves");
            let before = on_disk(&own.keys);
            let error = ledger.store.create_tenant(&new).await.expect_err("there are no keys");
            assert!(matches!(error, StoreError::Keyring(_)), "{error}");
            assert_eq!(on_disk(&own.keys), before, "{part}");
            assert_eq!(ledger.store.tenants().await.expect("a list"), known);
            fs::rename(&away, &there).expect("it moves back");
        }
        ledger.store.create_tenant(&new).await.expect("the keys are back");
        ledger.stop().await;
    });
}

#[test]
fn a_keyring_of_another_installation_is_detected() {
    run(async {
        let (own, other) = (OwnDatabase::create().await, OwnDatabase::create().await);
        let elsewhere = other.server().await;
        elsewhere.tenant().await;
        elsewhere.stop().await;
        let ledger = own.server().await;
        let tenant = ledger.tenant().await;
        assert_eq!(ready(&tenant).await.0, 200);
        swap_keys(&own, &other);
        let before = on_disk(&own.keys);
        let (status, readiness) = ready(&tenant).await;
        assert_eq!((status, &readiness["database"]), (503, &"ok".into()), "{readiness}");
        assert_ne!(readiness["keyring"], "ok");
        assert_refused(&tenant, messages::report("elsewhere").to_string()).await;
        assert_eq!(on_disk(&own.keys), before);
        swap_keys(&own, &other);
        assert_eq!(ready(&tenant).await.0, 200);
        tenant.post_ok(messages::report("elsewhere").to_string()).await;
        ledger.stop().await;
    });
}

/// Exchanges the root keys and keyrings of two installations.
fn swap_keys(one: &OwnDatabase, two: &OwnDatabase) {
    for part in ["keyring", "root.key"] {
        let kept = one.keys.join("kept");
        fs::rename(one.keys.join(part), &kept).expect("it moves");
        fs::rename(two.keys.join(part), one.keys.join(part)).expect("it moves");
        fs::rename(&kept, two.keys.join(part)).expect("it moves");
    }
}

#[test]
fn a_wrong_epoch_key_is_refused_and_not_reported_as_missing_subject_keys() {
    run(async {
        let own = OwnDatabase::create().await;
        let first = own.server().await;
        let tenant = first.tenant().await;
        let who = json!({ "number": "+15550100158", "name": "Key Person" });
        tenant.post_ok(messages::from(messages::report("kept"), &who).to_string()).await;
        tenant.settle().await;
        first.stop().await;
        // The correct tenant and root key with a new epoch key, as after a wrong repair.
        let path = file(&own, tenant.tenant_id, "1.tek");
        let right = fs::read(&path).expect("a key file");
        fs::remove_file(&path).expect("it was there");
        own.keyring().ensure_tenant(tenant.tenant_id).await.expect("another key");
        let error = own.keyring().checked_epoch(tenant.tenant_id, 1, &[0; 16]).await.err();
        assert!(matches!(error, Some(KeyringError::WrongKey { .. })));

        let ledger = own.server().await;
        let tenant = tenant.through(&ledger);
        let before = on_disk(&own.keys);
        let (status, problem) = tenant.get_with(&tenant.key, "/v1/calls").await;
        assert_eq!((status, &problem["code"]), (503, &"keyring-unavailable".into()), "{problem}");
        assert_refused(&tenant, messages::report("later").to_string()).await;
        assert_eq!(on_disk(&own.keys), before);
        restore_file(&path, &right);
        assert_eq!(tenant.calls().await[0]["customer"]["name"], "Key Person");
        tenant.post_ok(messages::report("later").to_string()).await;
        ledger.stop().await;
    });
}
