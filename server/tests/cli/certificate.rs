//! `verify certificate` and `verify journal`: offline, with exit codes for scripts.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use chrono::{DateTime, Utc};
use ledger_core::erasure::certificate::{
    Assurance, CertificateKind, CertifiedEntry, CertifiedKey, CertifiedManifest, Residual,
    Statement,
};
use ledger_core::event::{
    ErasurePlanned, ErasureRequested, Ground, HexDigest, IdentityCheck, Requester,
};
use ledger_core::ids::{ErasureId, Position, SubjectId, TenantId};
use ledger_store::journal::{Journal, JournaledErasure};
use ledger_store::signing::Signing;
use serde_json::Value;
use uuid::Uuid;

use crate::test_dir::TestDir;

fn at() -> DateTime<Utc> {
    "2026-12-01T09:00:00Z".parse().expect("a time")
}

fn statement() -> Statement {
    Statement {
        assurance: Assurance::File,
        certificate: CertificateKind::Live,
        destroyed_at: at(),
        due_at: at(),
        epochs: Vec::new(),
        erasure_id: ErasureId(Uuid::from_u128(1)),
        fenced_at: at(),
        ground: Ground::ConsentWithdrawn,
        journal: CertifiedEntry { digest: HexDigest([5; 32]), entry: 7 },
        keys: vec![CertifiedKey { fingerprint: HexDigest([8; 32]), generation: 1 }],
        manifest: CertifiedManifest::from(&plan(1)),
        received_at: at(),
        recipients: Vec::new(),
        residuals: Residual::at(CertificateKind::Live),
        subject: HexDigest([4; 32]),
        tenant_id: TenantId(Uuid::from_u128(2)),
        v: Statement::VERSION,
        verification: None,
    }
}

fn plan(nth: u128) -> ErasurePlanned {
    ErasurePlanned {
        erasure_id: ErasureId(Uuid::from_u128(nth)),
        parts: Vec::new(),
        subjects: 1,
        keys: 1,
        events: 2,
        ambiguous_calls: 0,
        recipients: 0,
        digest: HexDigest([6; 32]),
    }
}

fn erasure(nth: u128) -> JournaledErasure {
    JournaledErasure {
        tenant_id: TenantId(Uuid::from_u128(2)),
        request: ErasureRequested {
            erasure_id: ErasureId(Uuid::from_u128(nth)),
            subject_id: SubjectId(Uuid::from_u128(nth)),
            ground: Ground::ConsentWithdrawn,
            requester: Requester::ALL[0],
            identity: IdentityCheck::ALL[0],
            received_at: at(),
            due_at: at(),
        },
        plan: plan(nth),
        fenced_at: at(),
        keys: Vec::new(),
        position: Position(1),
        at: at(),
    }
}

/// Writes a signing key into the data directory.
fn signing(test_dir: &TestDir) -> Signing {
    fs::create_dir_all(test_dir.data()).expect("our own directory");
    let path = test_dir.data().join("signing.key");
    fs::write(&path, "5a".repeat(32)).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("our own file");
    Signing::new(path)
}

#[test]
fn a_certificate_is_verified_without_a_database_and_a_changed_one_exits_with_3() {
    let test_dir = TestDir::new();
    let key = signing(&test_dir).key().expect("a key");
    let public_key = key.note_key().to_string();
    let note = key.note(&statement().text().expect("a text"));
    fs::write(test_dir.dir().join("erasure.txt"), &note).expect("a file");
    fs::write(test_dir.dir().join("key.txt"), format!("{public_key}\n")).expect("a file");

    let verify = ["verify", "certificate", "erasure.txt"];
    for given in [&[][..], &["--public-key", &public_key], &["--public-key", "key.txt"]] {
        let shown = test_dir.json(&[&verify, given].concat());
        assert_eq!(
            (&shown["valid"], &shown["public_key"]),
            (&true.into(), &public_key.as_str().into())
        );
        assert_eq!(shown["statement"], serde_json::to_value(statement()).expect("plain data"));
    }
    assert!(!test_dir.data().join("pg").exists(), "no database was started");
    let shown = test_dir.run(&verify);
    assert!(shown.stdout.contains("valid: true\n") && shown.stdout.contains("ground: 17.1.b\n"));

    let other = Signing::new(test_dir.dir().join("other.key"));
    fs::write(other.path(), "5b".repeat(32)).expect("a file");
    fs::set_permissions(other.path(), fs::Permissions::from_mode(0o600)).expect("our own file");
    let other = other.key().expect("a key").note_key().to_string();
    for (changed, key) in [
        (note.replacen("17.1.b", "17.1.a", 1), &public_key),
        (note.replacen("\"live\"", "\"final\"", 1), &public_key),
        (note.replacen("\n\n", "\n", 1), &public_key),
        (String::new(), &public_key),
        (note.clone(), &other),
    ] {
        fs::write(test_dir.dir().join("erasure.txt"), changed).expect("a file");
        let ran =
            test_dir.run(&[&["--output", "json"], &verify[..], &["--public-key", key]].concat());
        assert_eq!(ran.code, 3, "{} {}", ran.stdout, ran.stderr);
        let shown: Value = serde_json::from_str(&ran.stdout).expect("one document");
        assert_eq!(shown["valid"], false);
        assert!(shown["reason"].is_string(), "{shown}");
    }
    for args in [
        &["verify", "certificate", "missing.txt"][..],
        &["verify", "certificate", "erasure.txt", "--public-key", "nonsense"],
        &["verify", "certificate"],
        &["verify", "--tenant", "acme", "certificate", "erasure.txt"],
    ] {
        assert_eq!(test_dir.run(args).code, 2, "{args:?}");
    }
    fs::remove_file(test_dir.data().join("signing.key")).expect("our own file");
    let ran = test_dir.run(&verify);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("--public-key"), "{}", ran.stderr);
}

#[tokio::test]
async fn a_journal_is_verified_without_a_database_and_a_forged_line_exits_with_3() {
    let test_dir = TestDir::new();
    let signing = signing(&test_dir);
    let none = test_dir.json(&["verify", "journal"]);
    assert_eq!((&none["valid"], &none["entries"]), (&true.into(), &0.into()));
    let journal = Journal::new(test_dir.data().join("journal"), signing.path().to_owned());
    let mut last = None;
    for nth in 1..=3 {
        last = Some(journal.append(&erasure(nth)).await.expect("appended"));
    }
    let digest = last.expect("the last").digest.to_string();
    let shown = test_dir.json(&["verify", "journal"]);
    assert_eq!((&shown["entries"], &shown["digest"]), (&3.into(), &digest.into()), "{shown}");
    assert_eq!(shown["has_torn_line"], false);

    let lines = fs::read_to_string(journal.path()).expect("the journal");
    fs::write(journal.path(), lines.replacen("17.1.b", "17.1.a", 1)).expect("our own file");
    let ran = test_dir.run(&["--output", "json", "verify", "journal"]);
    assert_eq!(ran.code, 3, "{} {}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("line 1 "), "{}", ran.stdout);
    fs::write(journal.path(), &lines[..lines.len() - 9]).expect("our own file");
    let shown = test_dir.json(&["verify", "journal"]);
    assert_eq!((&shown["entries"], &shown["has_torn_line"]), (&2.into(), &true.into()));
    assert_eq!(test_dir.run(&["restore", "reconcile"]).code, 2, "without --yes");
}
