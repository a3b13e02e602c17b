//! Key files that are lost, damaged, swapped or of another root are refused by name.

use std::path::Path;

use uuid::Uuid;

use super::*;

fn keyring(dir: &Path) -> Keyring {
    Keyring::new(dir.join("keyring"), dir.join("root.key"))
}

const ONE: TenantId = TenantId(Uuid::from_u128(1));
const TWO: TenantId = TenantId(Uuid::from_u128(2));

#[tokio::test]
async fn keys_are_the_same_after_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = keyring(dir.path());
    first.ensure_root().expect("a new installation");
    let made = first.ensure_tenant(ONE).await.expect("keys");
    let again = keyring(dir.path()).epoch(ONE, 1).await.expect("the same keys");
    assert_eq!(made.check_value(), again.check_value());
    assert_eq!(made.blind_index("phone", "+1"), again.blind_index("phone", "+1"));
    assert_ne!(made.blind_index("phone", "+1"), made.blind_index("email", "+1"));
}

#[tokio::test]
async fn a_lost_root_key_is_never_replaced() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = keyring(dir.path());
    first.ensure_root().expect("a new installation");
    first.ensure_tenant(ONE).await.expect("keys");
    fs::remove_file(dir.path().join("root.key")).expect("it was there");
    let error = keyring(dir.path()).ensure_root().expect_err("no new root key");
    assert!(matches!(error, KeyringError::Root(RootKeyError::Missing { .. })), "{error}");
}

#[tokio::test]
async fn a_key_file_is_refused_by_name_and_never_overwritten() {
    let dir = tempfile::tempdir().expect("a directory");
    let ring = keyring(dir.path());
    ring.ensure_root().expect("a new installation");
    ring.ensure_tenant(ONE).await.expect("keys");
    ring.ensure_tenant(TWO).await.expect("keys");
    let file = |tenant: TenantId| dir.path().join(format!("keyring/{tenant}/1.tek"));
    let fresh = || keyring(dir.path());

    let contents = fs::read(file(ONE)).expect("a key file");
    fs::write(file(TWO), &contents).expect("swapped");
    let swapped = fresh().epoch(TWO, 1).await.err().expect("of another tenant");
    assert!(matches!(swapped, KeyringError::Damaged { .. }), "{swapped}");

    fs::write(file(TWO), &contents[..20]).expect("truncated");
    let truncated = fresh().epoch(TWO, 1).await.err().expect("too short");
    assert!(matches!(truncated, KeyringError::Damaged { .. }), "{truncated}");

    fs::remove_file(file(TWO)).expect("it was there");
    let missing = fresh().epoch(TWO, 1).await.err().expect("gone");
    assert!(matches!(missing, KeyringError::Missing { .. }), "{missing}");

    fs::remove_file(dir.path().join("root.key")).expect("it was there");
    FileRootKey::create(&dir.path().join("root.key")).expect("another root");
    let other = fresh().epoch(ONE, 1).await.err().expect("another root");
    assert!(matches!(other, KeyringError::OtherRoot { .. }), "{other}");

    assert_eq!(fs::read(file(ONE)).expect("untouched"), contents);
}

#[tokio::test]
async fn an_interrupted_set_up_goes_on_where_it_stopped() {
    let dir = tempfile::tempdir().expect("a directory");
    let ring = keyring(dir.path());
    ring.ensure_root().expect("a new installation");
    ring.ensure_tenant(ONE).await.expect("keys");
    let digest = fs::read(dir.path().join(format!("keyring/{ONE}/digest.key"))).expect("a key");
    fs::remove_file(dir.path().join(format!("keyring/{ONE}/1.tek"))).expect("it was there");
    keyring(dir.path()).ensure_tenant(ONE).await.expect("the rest");
    let again = fs::read(dir.path().join(format!("keyring/{ONE}/digest.key"))).expect("a key");
    assert_eq!(again, digest, "what was there is not made again");
}
