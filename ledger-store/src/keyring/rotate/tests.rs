//! Rotations, and rotations that were interrupted: every key opens at any point.

use std::collections::BTreeMap;

use super::super::refusal_tests::{root_file, two_tenants};
use super::super::tests::{ONE, TWO, keyring};
use super::*;

/// The check values of the epochs that [`two_tenants`] makes, read as a new process does.
async fn values(dir: &Path) -> BTreeMap<(TenantId, i32), [u8; 16]> {
    let ring = keyring(dir);
    ring.check().await.expect("the keys of the installation");
    let mut values = BTreeMap::new();
    for (tenant_id, epoch) in [(ONE, 1), (ONE, 2), (TWO, 1)] {
        let keys = ring.epoch(tenant_id, epoch).await.expect("it opens");
        values.insert((tenant_id, epoch), keys.check_value());
        ring.digest_key(tenant_id).await.expect("it opens");
    }
    values
}

/// Number of key files of [`two_tenants`]: two of the installation and of one tenant, three of the other.
const FILES: usize = 7;

#[tokio::test]
async fn a_rotation_replaces_the_root_key_and_no_key() {
    let dir = two_tenants().await;
    let before = values(dir.path()).await;
    let former = fs::read(root_file(&dir)).expect("a root key");
    for _ in 0..2 {
        let done = keyring(dir.path()).rotate_root().await.expect("a rotation");
        assert_eq!((done.files, done.rewrapped), (FILES, FILES));
        assert_eq!(values(dir.path()).await, before);
    }
    let left = fs::read_dir(dir.path()).expect("a directory").count();
    assert_eq!(left, 2, "root.key and keyring");
    fs::write(root_file(&dir), former).expect("written");
    let error = keyring(dir.path()).check().await.expect_err("the former root key opens nothing");
    assert!(matches!(error, KeyringError::WrongRootKey { .. }), "{error}");
}

#[tokio::test]
async fn an_interrupted_rotation_keeps_every_key_and_is_continued() {
    for steps in 0..5 {
        let dir = two_tenants().await;
        let before = values(dir.path()).await;
        let ring = keyring(dir.path());
        let (main, next, former) = (root_file(&dir), ring.roots.next(), ring.roots.former());
        if steps > 0 {
            ring.prepare_rotation().expect("a new root key");
        }
        if steps > 1 {
            // Some of the files.
            let hidden = dir.path().join("keyring").join(TWO.to_string());
            let aside = dir.path().join("aside");
            fs::rename(&hidden, &aside).expect("moved");
            ring.rewrap(Which::OfOtherRoots).await.expect("the others");
            fs::rename(&aside, &hidden).expect("moved back");
        }
        if steps > 2 {
            ring.rewrap(Which::OfOtherRoots).await.expect("all");
            fs::hard_link(&main, &former).expect("linked");
        }
        if steps > 3 {
            fs::rename(&next, &main).expect("exchanged");
            assert!(matches!(ring.prepare_rotation(), Err(RotationError::Unfinished)));
        }
        assert_eq!(values(dir.path()).await, before, "after {steps} steps");
        keyring(dir.path()).rotate_root().await.expect("continued");
        assert_eq!(values(dir.path()).await, before, "after {steps} steps");
        assert!(!next.exists() && !former.exists(), "after {steps} steps");
    }
}

#[tokio::test]
async fn a_tenant_created_during_a_rotation_has_keys_that_open() {
    let dir = two_tenants().await;
    let ring = keyring(dir.path());
    let created = async {
        let mut made = Vec::new();
        for nth in 0..40 {
            let tenant_id = TenantId(Uuid::from_u128(100 + nth));
            let keys = keyring(dir.path()).ensure_tenant(tenant_id).await.expect("keys");
            made.push((tenant_id, keys.check_value()));
            sleep(Duration::from_millis(60)).await;
        }
        made
    };
    let (rotated, made) = tokio::join!(ring.rotate_root(), created);
    rotated.expect("a rotation");
    for (tenant_id, value) in made {
        let keys = keyring(dir.path()).epoch(tenant_id, 1).await.expect("it opens");
        assert_eq!(keys.check_value(), value);
    }
}

#[tokio::test]
async fn two_rotations_do_not_run_at_once() {
    let dir = two_tenants().await;
    let (one, two) = (keyring(dir.path()), keyring(dir.path()));
    let (first, second) = tokio::join!(one.rotate_root(), two.rotate_root());
    assert!(first.is_ok());
    let locked = matches!(second, Err(RotationError::Keyring(KeyringError::Locked { .. })));
    assert!(locked, "{second:?}");
}

#[tokio::test]
async fn a_damaged_key_file_stops_a_rotation_before_the_exchange() {
    let dir = two_tenants().await;
    let root = fs::read(root_file(&dir)).expect("a root key");
    let path = dir.path().join("keyring").join(TWO.to_string()).join("1.tek");
    let whole = fs::read(&path).expect("a key file");
    fs::write(&path, &whole[..40]).expect("truncated");
    let error = keyring(dir.path()).rotate_root().await.expect_err("damaged");
    assert!(error.to_string().contains("1.tek"), "{error}");
    assert_eq!(fs::read(root_file(&dir)).expect("a root key"), root);
    fs::write(&path, whole).expect("restored");
    keyring(dir.path()).rotate_root().await.expect("continued");
    values(dir.path()).await;
}
