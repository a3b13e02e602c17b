//! New epochs, their blind indexes, and the destruction of key files.

use chrono::DateTime;

use super::derived::check_values;
use super::tests::{ONE, TWO, installed, keyring};
use super::*;
use crate::golden::vectors;

const VALUES: [(&str, &str); 3] =
    [("phone", "+15550100123"), ("name", "robin example"), ("name_word", "robin")];

#[tokio::test]
async fn indexes_of_an_epoch_are_computed_from_those_of_the_one_before() {
    let dir = tempfile::tempdir().expect("a directory");
    let ring = installed(dir.path()).await;
    let mut old = ring.ensure_tenant(ONE).await.expect("keys");
    for epoch in 2..=3 {
        let new = ring.create_epoch(ONE, &old).await.expect("an epoch");
        // As a new process reads it.
        let read = keyring(dir.path()).checked_epoch(ONE, epoch, &new.check_value()).await;
        let read = read.expect("the keys");
        for (kind, value) in VALUES {
            let (before, index) = (old.blind_index(kind, value), new.blind_index(kind, value));
            assert_ne!(before, index, "{kind}");
            assert_eq!(new.seal_index(old.open_index(before)), index, "{kind}");
            assert_eq!(read.blind_index(kind, value), index, "{kind}");
        }
        assert_ne!(new.check_value(), old.check_value());
        old = new;
    }
}

#[tokio::test]
async fn an_interrupted_roll_uses_the_files_that_are_there() {
    let dir = tempfile::tempdir().expect("a directory");
    let ring = installed(dir.path()).await;
    let old = ring.ensure_tenant(ONE).await.expect("keys");
    let first = ring.create_epoch(ONE, &old).await.expect("an epoch");
    let again = keyring(dir.path()).create_epoch(ONE, &old).await.expect("the same");
    assert_eq!(first.check_value(), again.check_value());
    // The lookup key of another tenant, or of another installation.
    let other = ring.ensure_tenant(TWO).await.expect("keys");
    ring.create_epoch(TWO, &other).await.expect("an epoch");
    let path = |tenant: TenantId| dir.path().join(format!("keyring/{tenant}/lookup.key"));
    fs::remove_file(path(ONE)).expect("it was there");
    ring.create(ONE, LOOKUP_KEY).await.expect("another key");
    let error = ring.create_epoch(ONE, &old).await.err().expect("it is another key");
    assert!(matches!(error, KeyringError::Damaged { .. }), "{error}");
    fs::copy(path(TWO), path(ONE)).expect("a copy");
    let error = keyring(dir.path()).checked_epoch(ONE, 2, &first.check_value()).await;
    assert!(matches!(error.err(), Some(KeyringError::Damaged { .. })));
    fs::remove_file(path(ONE)).expect("it was there");
    let error = keyring(dir.path()).checked_epoch(ONE, 2, &first.check_value()).await;
    assert!(matches!(error.err(), Some(KeyringError::Missing { .. })));
}

#[tokio::test]
async fn a_build_that_knows_scheme_1_only_refuses_a_rolled_tenant_by_name() {
    let dir = tempfile::tempdir().expect("a directory");
    let ring = installed(dir.path()).await;
    let old = ring.ensure_tenant(ONE).await.expect("keys");
    let new = ring.create_epoch(ONE, &old).await.expect("an epoch");
    // Release 0.2.0 compares this value.
    let plain = keyring(dir.path()).epoch(ONE, 2).await.expect("a file").check_value();
    assert_ne!(plain, new.check_value());
    let key = ring.read(ONE, "2.tek").await.expect("a key");
    assert_eq!(check_values(&key), [plain, new.check_value()]);
    for wrong in [old.check_value(), [0; 16]] {
        let error = ring.checked_epoch(ONE, 2, &wrong).await.err().expect("another key");
        assert!(matches!(error, KeyringError::WrongKey { epoch: 2, .. }), "{error}");
    }
}

#[tokio::test]
async fn a_destroyed_key_is_gone_and_listed_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let ring = installed(dir.path()).await;
    let old = ring.ensure_tenant(ONE).await.expect("keys");
    ring.create_epoch(ONE, &old).await.expect("an epoch");
    let path = |name: &str| dir.path().join(format!("keyring/{ONE}/{name}"));
    let before = fs::read(path("1.tek")).expect("a key");
    let at = DateTime::from_timestamp(1_800_000_000, 0).expect("a time");

    let error = ring.destroy_epoch(ONE, 1, &[0; 16], at).await.expect_err("another key");
    assert!(matches!(error, KeyringError::WrongKey { .. }), "{error}");
    assert_eq!(fs::read(path("1.tek")).expect("a key"), before);
    // The inode is overwritten: another name of it shows the bytes.
    fs::hard_link(path("1.tek"), path("other")).expect("a link");
    for _ in 0..2 {
        ring.destroy_epoch(ONE, 1, &old.check_value(), at).await.expect("it is destroyed");
    }
    let overwritten = fs::read(path("other")).expect("the bytes");
    assert_eq!(overwritten.len(), before.len());
    assert_ne!(overwritten, before);
    let gone = ring.checked_epoch(ONE, 1, &old.check_value()).await.err();
    assert!(matches!(gone, Some(KeyringError::Missing { .. })), "also from the cache: {gone:?}");
    let log = fs::read_to_string(path("destroyed.log")).expect("a list");
    let expected = format!(
        "{{\"check_value\":\"{}\",\"destroyed_at\":\"2027-01-15T08:00:00.000000Z\",\"epoch\":1}}\n",
        hex::encode(old.check_value())
    );
    assert_eq!(log, expected);

    // A crash between the overwriting and the removal, and within a line of the list.
    fs::rename(path("other"), path("1.tek")).expect("it moves");
    fs::write(path("destroyed.log"), "{\"epoch\":1,\"check").expect("a torn line");
    ring.destroy_epoch(ONE, 1, &old.check_value(), at).await.expect("it is destroyed");
    assert!(!path("1.tek").exists());
    let log = fs::read_to_string(path("destroyed.log")).expect("a list");
    assert_eq!(log, format!("{{\"epoch\":1,\"check\n{expected}"));
}

#[test]
fn golden_indexes_of_scheme_2_are_made_again() {
    for vector in vectors("encrypted_indexes") {
        let scheme = IndexScheme::Encrypted(&vector.key("lookup_key"));
        let keys = EpochKeys::derive(2, &vector.key("epoch_key"), scheme);
        let index = keys.blind_index(vector.text("kind"), vector.text("value"));
        assert_eq!(index.as_slice(), vector.bytes("blind_index"), "{}", vector.text("name"));
        assert_eq!(keys.check_value().as_slice(), vector.bytes("check_value"));
    }
}
