//! Creation of keys: each is created once and found again.

use std::path::Path;

use uuid::Uuid;

use super::*;

pub(super) fn keyring(dir: &Path) -> Keyring {
    Keyring::new(dir.join("keyring"), dir.join("root.key"))
}

/// A keyring after set-up of the installation, before its first tenant.
pub(super) async fn installed(dir: &Path) -> Keyring {
    let ring = keyring(dir);
    ring.ensure_root().expect("a new installation");
    ring.ensure_tenant(TenantId::INSTALLATION).await.expect("its own keys");
    ring
}

pub(super) const ONE: TenantId = TenantId(Uuid::from_u128(1));
pub(super) const TWO: TenantId = TenantId(Uuid::from_u128(2));

#[tokio::test]
async fn keys_are_the_same_after_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = installed(dir.path()).await;
    let made = first.ensure_tenant(ONE).await.expect("keys");
    let again = keyring(dir.path()).epoch(ONE, 1).await.expect("the same keys");
    assert_eq!(made.check_value(), again.check_value());
    assert_eq!(made.blind_index("phone", "+1"), again.blind_index("phone", "+1"));
    assert_ne!(made.blind_index("phone", "+1"), made.blind_index("email", "+1"));
}

#[tokio::test]
async fn a_lost_root_key_is_never_replaced() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = installed(dir.path()).await;
    first.ensure_tenant(ONE).await.expect("keys");
    fs::remove_file(dir.path().join("root.key")).expect("it was there");
    let error = keyring(dir.path()).ensure_root().expect_err("no new root key");
    assert!(matches!(error, KeyringError::Root(RootKeyError::Missing { .. })), "{error}");
}

#[tokio::test]
async fn an_interrupted_set_up_goes_on_where_it_stopped() {
    let dir = tempfile::tempdir().expect("a directory");
    let ring = installed(dir.path()).await;
    ring.ensure_tenant(ONE).await.expect("keys");
    let digest = fs::read(dir.path().join(format!("keyring/{ONE}/digest.key"))).expect("a key");
    fs::remove_file(dir.path().join(format!("keyring/{ONE}/1.tek"))).expect("it was there");
    keyring(dir.path()).ensure_tenant(ONE).await.expect("the rest");
    let again = fs::read(dir.path().join(format!("keyring/{ONE}/digest.key"))).expect("a key");
    assert_eq!(again, digest, "what was there is not made again");
}
