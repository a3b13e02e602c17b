//! The root key in the transit engine of a Vault server: a stub of its protocol that encrypts, refuses
//! and fails as Vault does.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};

use aws_lc_rs::aead::{AES_256_GCM, Aad, RandomizedNonceKey};
use axum::extract::{Path as Params, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ledger_core::ids::TenantId;
use ledger_store::keyring::{Keyring, KeyringError};
use ledger_store::root_key::{RootKeyError, Roots, Transit};
use ledger_tests::{OwnDatabase, TestLedger, messages, run};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::keyring::ready;

const TOKEN: &str = "hvs.example";

/// A Vault server with the key `call-ledger`.
struct Vault {
    url: String,
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Status of every answer; 0 answers by the protocol.
    status: AtomicU16,
    /// Version of the key, from 0.
    version: AtomicU32,
    requests: AtomicU32,
}

impl Vault {
    async fn start() -> Self {
        let inner = Arc::new(Inner::default());
        let routes = Router::new()
            .route("/v1/transit/{operation}/{name}", post(answer))
            .with_state(Arc::clone(&inner));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("an address");
        let url =
            format!("http://{}/v1/transit/keys/call-ledger", listener.local_addr().expect("bound"));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { url, inner }
    }

    fn answers_with(&self, status: u16) {
        self.inner.status.store(status, Ordering::SeqCst);
    }

    fn keyring(&self, dir: &Path) -> Arc<Keyring> {
        let token = dir.join("token");
        std::fs::write(&token, format!("{TOKEN}\n")).expect("a token");
        let transit = Transit::new(&self.url, token).expect("a key");
        let roots = Roots::in_vault(transit, dir.join("root.key"));
        Arc::new(Keyring::under(dir.join("keyring"), roots))
    }
}

fn key(version: u32) -> RandomizedNonceKey {
    let byte = u8::try_from(version).expect("few versions");
    RandomizedNonceKey::new(&AES_256_GCM, &[byte; 32]).expect("a key")
}

async fn answer(
    State(inner): State<Arc<Inner>>,
    Params((operation, name)): Params<(String, String)>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> (StatusCode, Json<Value>) {
    inner.requests.fetch_add(1, Ordering::SeqCst);
    let error = |status: u16, text: &str| {
        let status = StatusCode::from_u16(status).expect("a status");
        (status, Json(json!({ "errors": [text] })))
    };
    match inner.status.load(Ordering::SeqCst) {
        0 => {}
        503 => return error(503, "Vault is sealed"),
        other => return error(other, ""),
    }
    if headers.get("x-vault-token").is_none_or(|token| token != TOKEN) {
        return error(403, "permission denied");
    }
    if name != "call-ledger" {
        return error(404, "no handler for route");
    }
    let data = match operation.as_str() {
        "encrypt" => {
            let plain = STANDARD.decode(body["plaintext"].as_str().expect("a text"));
            let mut sealed = plain.expect("base64");
            let version = inner.version.load(Ordering::SeqCst);
            let nonce = key(version).seal_in_place_append_tag(Aad::empty(), &mut sealed);
            let bytes = [nonce.expect("sealed").as_ref().as_slice(), &sealed].concat();
            json!({ "ciphertext": format!("vault:v{}:{}", version + 1, STANDARD.encode(bytes)) })
        }
        "decrypt" => match open(body["ciphertext"].as_str().expect("a text")) {
            Some(plain) => json!({ "plaintext": STANDARD.encode(plain) }),
            None => return error(400, "cipher: message authentication failed"),
        },
        _ => return error(404, "unsupported path"),
    };
    (StatusCode::OK, Json(json!({ "data": data })))
}

fn open(ciphertext: &str) -> Option<Vec<u8>> {
    let (version, text) = ciphertext.strip_prefix("vault:v")?.split_once(':')?;
    let mut bytes = STANDARD.decode(text).ok()?;
    let nonce = aws_lc_rs::aead::Nonce::try_assume_unique_for_key(bytes.get(..12)?).ok()?;
    let mut body = bytes.split_off(12);
    let version = version.parse::<u32>().ok()?.checked_sub(1)?;
    Some(key(version).open_in_place(nonce, Aad::empty(), &mut body).ok()?.to_vec())
}

#[test]
fn a_ledger_with_its_root_key_in_vault_seals_and_reads_and_recovers_when_vault_does() {
    run(async {
        let own = OwnDatabase::create().await;
        let vault = Vault::start().await;
        let ledger = TestLedger::start_on(own.database.clone(), vault.keyring(&own.keys)).await;
        let tenant = ledger.tenant().await;
        let customer = json!({ "number": "+15550100123", "name": "Vault Person" });
        let report = messages::from(messages::report("vault-1"), &customer);
        tenant.post_ok(report.to_string()).await;
        tenant.settle().await;
        let before = tenant.only_call().await;
        assert!(!own.keys.join("root.key").exists(), "the root key is in Vault only");
        ledger.stop().await;

        // With empty caches, as after a restart.
        let ledger = TestLedger::start_on(own.database.clone(), vault.keyring(&own.keys)).await;
        let tenant = tenant.through(&ledger);
        assert_eq!(ready(&tenant).await.0, 200);
        for status in [503, 403, 404] {
            vault.answers_with(status);
            let (readiness, said) = ready(&tenant).await;
            assert_eq!(readiness, 503);
            assert_eq!(said["keyring"], "cannot be used; see the log", "{status}: {said}");
            let (answered, _) = tenant.post(messages::report("vault-2").to_string()).await;
            assert_eq!(answered, 503, "Vault answers {status}");
        }
        vault.answers_with(0);
        tenant.post_ok(messages::report("vault-2").to_string()).await;
        tenant.settle().await;
        let calls = tenant.calls().await;
        assert_eq!(calls.len(), 2);
        let again = calls.iter().find(|call| call["call_id"] == before["call_id"]);
        assert_eq!(again.expect("the first call")["customer"], before["customer"]);
        assert!(before["customer"]["phone"].is_string());
        ledger.stop().await;
    });
}

#[test]
fn key_files_move_from_a_root_key_in_a_file_to_one_in_vault_and_to_its_next_version() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let tenant_id = ledger.tenant().await.tenant_id;
        ledger.stop().await;
        let value = own.keyring().epoch(tenant_id, 1).await.expect("keys").check_value();

        let vault = Vault::start().await;
        let keyring = vault.keyring(&own.keys);
        let opened = keyring.epoch(tenant_id, 1).await.expect("under the former root key");
        assert_eq!(opened.check_value(), value);
        for version in 0..2 {
            vault.inner.version.store(version, Ordering::SeqCst);
            let done = keyring.rotate_root().await.expect("a rotation");
            assert_eq!((done.files, done.rewrapped), (4, 4));
            std::fs::remove_file(own.keys.join("root.key")).ok();
            let opened =
                vault.keyring(&own.keys).epoch(tenant_id, 1).await.expect("by Vault alone");
            assert_eq!(opened.check_value(), value);
        }
    });
}

#[test]
fn a_key_in_vault_opens_the_file_that_it_was_wrapped_for_and_no_other() {
    run(async {
        let dir = tempfile::tempdir().expect("a directory");
        let vault = Vault::start().await;
        let keyring = vault.keyring(dir.path());
        let (one, two) = (TenantId(uuid::Uuid::from_u128(1)), TenantId(uuid::Uuid::from_u128(2)));
        for tenant_id in [TenantId::INSTALLATION, one, two] {
            keyring.ensure_tenant(tenant_id).await.expect("keys");
        }
        let file = |tenant_id: TenantId| {
            dir.path().join("keyring").join(tenant_id.to_string()).join("1.tek")
        };
        std::fs::copy(file(one), file(two)).expect("swapped");
        let error = vault.keyring(dir.path()).epoch(two, 1).await.err().expect("swapped");
        assert!(matches!(error, KeyringError::Damaged { .. }), "{error}");

        std::fs::write(dir.path().join("token"), "").expect("emptied");
        let error = keyring.check().await.expect_err("no token");
        assert!(matches!(error, KeyringError::Root(RootKeyError::Token { .. })), "{error}");
        assert!(!format!("{error:?}").contains(TOKEN));
        std::fs::write(dir.path().join("token"), "hvs.other").expect("another");
        let error = keyring.check().await.expect_err("another token");
        let KeyringError::Root(RootKeyError::Refused { status, .. }) = error else {
            panic!("{error}")
        };
        assert_eq!(status, 403);
    });
}
