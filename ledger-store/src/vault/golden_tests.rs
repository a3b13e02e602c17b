//! Golden keys, look-ups, content digests and leaf hashes, through the files and functions of the
//! product; and wrapped keys that were altered or moved.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use chrono::DateTime;
use ledger_core::ids::{EventId, StreamId};
use ledger_core::leaf::{Leaf, LeafSections};

use super::keys::wrap_aad;
use super::*;
use crate::golden::{Vector, vectors};
use crate::keyring::EpochKeys;
use crate::root_key::{FileRootKey, RootKey, unwrap};
use crate::seal::section_digests;

/// A keyring on disk with the golden root key and key files.
fn keyring(dir: &Path) -> Keyring {
    let root = &vectors("root_keys")[0];
    let root_path = dir.join("root.key");
    fs::write(&root_path, root.text("file")).expect("a root key");
    fs::set_permissions(&root_path, fs::Permissions::from_mode(0o600)).expect("ours");
    for vector in vectors("key_files") {
        let of_tenant = dir.join("keyring").join(vector.tenant_id().to_string());
        fs::create_dir_all(&of_tenant).expect("a directory");
        fs::write(of_tenant.join(vector.text("file")), vector.bytes("contents")).expect("a file");
    }
    Keyring::new(dir.join("keyring"), root_path)
}

/// The keys derived from a golden epoch key, read from its key file.
async fn epoch_keys(keyring: &Keyring, key: &str) -> Arc<EpochKeys> {
    let files = vectors("key_files");
    let file = files.iter().find(|file| file.text("key") == key).expect("a file holds it");
    let epoch = file.text("file").strip_suffix(".tek").and_then(|epoch| epoch.parse().ok());
    keyring.epoch(file.tenant_id(), epoch.expect("a number")).await.expect("it opens")
}

fn wrapping_aad(vector: &Vector) -> Vec<u8> {
    let (generation, epoch) = (vector.number("generation"), vector.number("epoch"));
    wrap_aad(vector.tenant_id(), vector.subject_id(), generation, epoch)
}

#[tokio::test]
async fn golden_keys_open_and_find_and_name_what_they_did() {
    let dir = tempfile::tempdir().expect("a directory");
    let keyring = keyring(dir.path());
    let root = FileRootKey::open(&dir.path().join("root.key")).expect("a root key");
    assert_eq!(root.id().as_slice(), vectors("root_keys")[0].bytes("id"));
    for vector in vectors("epochs") {
        let keys = epoch_keys(&keyring, vector.text("key")).await;
        assert_eq!(keys.check_value().as_slice(), vector.bytes("check_value"));
    }
    for vector in vectors("blind_indexes") {
        let keys = epoch_keys(&keyring, vector.text("epoch_key")).await;
        let index = keys.blind_index(vector.text("kind"), vector.text("value"));
        assert_eq!(index.as_slice(), vector.bytes("blind_index"), "{}", vector.text("name"));
    }
    for vector in vectors("subject_keys") {
        let keys = epoch_keys(&keyring, vector.text("epoch_key")).await;
        let place = wrapping_aad(&vector);
        let opened = unwrap(keys.wrapping(), &place, &vector.bytes("wrapped")).expect("it opens");
        assert_eq!(opened, vector.key("key"), "{}", vector.text("name"));
    }
    for vector in vectors("secrets") {
        let keys = epoch_keys(&keyring, vector.text("epoch_key")).await;
        let opened = keys.open_secret(&vector.bytes("place"), &vector.bytes("sealed"));
        assert_eq!(opened.expect("it opens").as_slice(), vector.bytes("secret"));
    }
    for vector in vectors("content_digests") {
        let files = vectors("key_files");
        let file = files.iter().find(|file| file.text("key") == vector.text("digest_key"));
        let tenant_id = file.expect("a file holds it").tenant_id();
        let key = keyring.digest_key(tenant_id).await.expect("it opens");
        assert_eq!(key.digest(&vector.bytes("content")).as_slice(), vector.bytes("digest"));
    }
}

#[test]
fn golden_leaves_come_to_their_hash() {
    for vector in vectors("leaves") {
        let column = |name| vector.value(name).as_str().map(|_| vector.bytes(name));
        let (sections, bulk) = (column("sections"), column("bulk"));
        // Vectors of the first format have no digests.
        let digests = vector.has("section_digests").then(|| vector.bytes("section_digests"));
        if let Some(digests) = &digests {
            let computed = section_digests(sections.as_deref(), bulk.as_deref());
            assert_eq!(*digests, computed, "{}", vector.text("name"));
        }
        let parse = |id: &serde_json::Value| id.as_str().and_then(|id| id.parse().ok());
        let subjects: Vec<SubjectId> = vector
            .value("subjects")
            .as_array()
            .into_iter()
            .flatten()
            .map(|id| SubjectId(parse(id).expect("an id")))
            .collect();
        let time = |name| DateTime::from_timestamp_micros(vector.number(name)).expect("a time");
        let leaf = Leaf {
            tenant_id: vector.tenant_id(),
            stream_id: StreamId(parse(vector.value("stream_id")).expect("an id")),
            stream_kind: vector.text("stream_kind"),
            event_id: EventId(parse(vector.value("event_id")).expect("an id")),
            event_type: vector.text("event_type"),
            schema_version: vector.number("schema_version"),
            occurred_at: time("occurred_at_micros"),
            recorded_at: time("recorded_at_micros"),
            facts: vector.text("facts"),
            sections: match &digests {
                Some(digests) => LeafSections::Digests(digests),
                None => {
                    LeafSections::Columns { sections: sections.as_deref(), bulk: bulk.as_deref() }
                }
            },
            subjects: &subjects,
            meta: vector.text("meta"),
        };
        assert_eq!(leaf.hash().as_slice(), vector.bytes("leaf_hash"), "{}", vector.text("name"));
    }
}

#[tokio::test]
async fn a_wrapped_key_altered_or_moved_opens_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let keyring = keyring(dir.path());
    let all = vectors("subject_keys");
    let vector = &all[0];
    let keys = epoch_keys(&keyring, vector.text("epoch_key")).await;
    let wrapped = vector.bytes("wrapped");
    let place = wrapping_aad(vector);
    for nth in 0..wrapped.len() {
        for mask in [0x01, 0x80, 0xff] {
            let mut flipped = wrapped.clone();
            flipped[nth] ^= mask;
            assert_eq!(unwrap(keys.wrapping(), &place, &flipped), None, "byte {nth}");
        }
        assert_eq!(unwrap(keys.wrapping(), &place, &wrapped[..nth]), None, "cut at {nth}");
    }
    let longer = [wrapped.as_slice(), b"\0"].concat();
    assert_eq!(unwrap(keys.wrapping(), &place, &longer), None, "drawn out");

    let (tenant, subject) = (vector.tenant_id(), vector.subject_id());
    let (other_tenant, other_subject) = (all[1].tenant_id(), all[1].subject_id());
    for moved in [
        wrap_aad(other_tenant, subject, 1, 1),
        wrap_aad(tenant, other_subject, 1, 1),
        wrap_aad(tenant, subject, 2, 1),
        wrap_aad(tenant, subject, 1, 2),
        wrap_aad(TenantId(subject.0), SubjectId(tenant.0), 1, 1),
    ] {
        assert_eq!(unwrap(keys.wrapping(), &moved, &wrapped), None);
    }
    let others = epoch_keys(&keyring, all[1].text("epoch_key")).await;
    assert_eq!(unwrap(others.wrapping(), &place, &wrapped), None, "under another epoch key");
    // A secret sealed with another subkey of the epoch and the same associated data.
    let secret = keys.seal_secret(&place, &[7; 32]);
    assert_eq!(unwrap(keys.wrapping(), &place, &secret), None, "a secret is no key");
    // Correctly wrapped, but not a key of 32 bytes.
    let short = crate::root_key::seal_small(keys.wrapping(), &place, &[7; 31]);
    assert_eq!(unwrap(keys.wrapping(), &place, &short), None, "31 bytes");
}
