//! The text of certificates, and what is refused.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use chrono::TimeZone;

use super::*;

fn signer() -> (Ed25519KeyPair, NoteKey) {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[9; 32]).expect("a seed");
    let public_key = pair.public_key().as_ref().try_into().expect("32 bytes");
    (pair, NoteKey::of_installation(public_key))
}

fn sign(text: &str) -> String {
    let (pair, key) = signer();
    let signature = pair.sign(text.as_bytes());
    key.note(text, signature.as_ref().try_into().expect("64 bytes"))
}

fn statement(kind: CertificateKind) -> Statement {
    let at = |minute| Utc.with_ymd_and_hms(2026, 12, 1, 9, minute, 0).single().expect("a time");
    let key = |byte, generation| CertifiedKey { fingerprint: HexDigest([byte; 32]), generation };
    let is_final = kind == CertificateKind::Final;
    let epoch = CertifiedEpoch { check_value: "00".repeat(16), epoch: 1 };
    Statement {
        assurance: Assurance::File,
        certificate: kind,
        destroyed_at: at(3),
        due_at: at(59),
        epochs: if is_final { vec![epoch] } else { Vec::new() },
        erasure_id: ErasureId(Uuid::from_u128(1)),
        fenced_at: at(2),
        ground: Ground::ALL[0],
        journal: CertifiedEntry { digest: HexDigest([5; 32]), entry: 7 },
        keys: vec![key(8, 1), key(2, 1)],
        manifest: CertifiedManifest {
            ambiguous_calls: 0,
            digest: HexDigest([6; 32]),
            events: 12,
            keys: 2,
            recipients: 0,
            subjects: 2,
        },
        received_at: at(0),
        recipients: Vec::new(),
        residuals: Residual::at(kind),
        subject: HexDigest([4; 32]),
        tenant_id: TenantId(Uuid::from_u128(2)),
        v: VERSION,
        verification: is_final.then_some(HexDigest([3; 32])),
    }
}

#[test]
fn the_same_statement_has_the_same_text_whatever_the_order_of_its_lists() {
    let first = statement(CertificateKind::Final);
    let mut other = first.clone();
    other.keys.reverse();
    assert_eq!(first.text().expect("a text"), other.text().expect("a text"));
    for kind in CertificateKind::ALL {
        let stated = statement(kind);
        let read = Statement::verify(&sign(&stated.text().expect("a text")), &signer().1);
        let mut sorted = stated;
        sorted.keys.sort();
        assert_eq!(read.expect("valid"), sorted);
    }
}

#[test]
fn every_changed_bit_of_a_certificate_is_refused() {
    let note = sign(&statement(CertificateKind::Final).text().expect("a text"));
    let key = signer().1;
    for at in 0..note.len() {
        let mut changed = note.clone().into_bytes();
        changed[at] ^= 1 << (at % 8);
        let is_refused = std::str::from_utf8(&changed)
            .map_or(true, |changed| Statement::verify(changed, &key).is_err());
        assert!(is_refused, "byte {at}");
    }
}

#[test]
fn a_signed_text_of_another_form_is_not_a_certificate() {
    let text = statement(CertificateKind::Live).text().expect("a text");
    let (_, key) = signer();
    for (from, to) in [
        ("\"v\":1", "\"v\":2"),
        ("\"v\":1", "\"v\":1,\"w\":1"),
        ("\"v\":1", "\"v\": 1"),
        ("\"certificate\":\"live\"", "\"certificate\":\"final\""),
        ("\"certificate\":\"live\"", "\"certificate\":\"dead\""),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        let read = Statement::verify(&sign(&changed), &key);
        assert!(matches!(read, Err(CertificateError::NotACertificate(_))), "{to}: {read:?}");
    }
}

#[test]
fn a_live_certificate_states_more_that_stays_than_a_final_one() {
    let (live, last) = (Residual::at(CertificateKind::Live), Residual::at(CertificateKind::Final));
    assert!(last.iter().all(|residual| live.contains(residual)));
    assert!(live.len() > last.len());
}
