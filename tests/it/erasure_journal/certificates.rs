//! Certificates: issued once, verified without a database, without an id of the subject.

use ledger_core::clock::Clock;
use ledger_core::erasure::certificate::{CertificateKind, CertifiedEpoch, Statement};
use ledger_core::event::HexDigest;
use ledger_store::certificates::{CertificateFacts, ClosingFacts};
use ledger_tests::run;
use server::system::SystemClock;

use super::*;

#[test]
fn a_certificate_is_issued_once_and_verifies_without_the_database() {
    run(async {
        let (world, server) = World::create().await;
        let entry = world.erase(&server, ERASURE).await;
        let live = CertificateFacts {
            entry: entry.clone(),
            destroyed_at: SystemClock.now_micros(),
            recipients: vec![Uuid::from_u128(8), Uuid::from_u128(7)],
            closing: None,
        };
        let epoch = CertifiedEpoch { check_value: "00".repeat(16), epoch: 1 };
        let closing = ClosingFacts { epochs: vec![epoch], verification: HexDigest([3; 32]) };
        let last = CertificateFacts { closing: Some(closing), ..live.clone() };
        let key = server.store.signing().key().expect("a key").note_key().clone();
        let tenant_id = world.tenant.tenant_id;
        let mut subjects = Vec::new();
        for facts in [&live, &last] {
            let issued = server.store.certify(facts).await.expect("issued");
            // Later facts do not change what was issued.
            let later =
                CertificateFacts { destroyed_at: SystemClock.now_micros(), ..facts.clone() };
            assert_eq!(server.store.certify(&later).await.expect("issued"), issued);
            let stored = server.store.certificate(tenant_id, ERASURE, facts.kind()).await;
            assert_eq!(stored.expect("an answer"), Some(issued.clone()));
            let stated = Statement::verify(&issued.text, &key).expect("valid");
            assert_eq!((stated.erasure_id, stated.tenant_id), (ERASURE, tenant_id));
            assert_eq!((stated.journal.entry, stated.journal.digest), (1, entry.digest));
            assert_eq!(stated.keys[0].fingerprint, entry.erasure.keys[0].fingerprint);
            assert_eq!(stated.recipients, [Uuid::from_u128(7), Uuid::from_u128(8)]);
            assert_eq!(stated.certificate, facts.kind());
            subjects.push(stated.subject);
            for personal in [world.erased.to_string().as_str(), "Erased", "5550100155"] {
                assert!(!issued.text.contains(personal), "{personal}");
            }
        }
        assert_eq!(subjects[0], subjects[1], "one pseudonym for the subject");

        let stranger = server.tenant().await;
        let unseen = server.store.certificate(stranger.tenant_id, ERASURE, CertificateKind::Live);
        assert_eq!(unseen.await.expect("an answer"), None);
        let mut conn = world.own.superuser().await;
        for statement in [
            "update ledger.certificates set text = ''",
            "delete from ledger.certificates",
            "truncate ledger.certificates",
        ] {
            let refused = sqlx::query(statement).execute(&mut conn).await.expect_err(statement);
            let code = refused.as_database_error().and_then(sqlx::error::DatabaseError::code);
            assert_eq!(code.as_deref(), Some("LG001"), "{statement}");
        }
        server.stop().await;
    });
}
