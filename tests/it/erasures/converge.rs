//! Interrupted processes: whatever is abandoned, the erasure reaches its certificate.

use std::sync::Arc;

use ledger_app::erasures::{ErasureRef, NewRequest};
use ledger_core::erasure::Step;
use ledger_core::event::{Ground, IdentityCheck};
use ledger_core::ids::SubjectId;
use server::erasures::process;

use super::*;

/// Number of interrupted erasures; more in the full run.
fn rounds() -> u64 {
    std::env::var("ERASURE_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(16)
}

#[test]
fn a_process_that_is_abandoned_anywhere_is_continued_to_the_certificate() {
    run(async {
        let own = ledger_tests::OwnDatabase::create().await;
        let server = own.server().await;
        let officer = Officer::new(&server).await;
        let store = Arc::clone(&server.store);
        let mut people = Vec::new();
        for nth in 0..rounds() {
            let phone = format!("+1555010{nth:04}");
            let person = officer.call(&format!("c-{nth}"), &format!("Person {nth}"), &phone).await;
            people.push((nth, SubjectId(person.parse().expect("an id"))));
        }
        let tenant_id = officer.tenant.tenant_id;
        let tasks = people.into_iter().map(async |(seed, subject_id)| {
            let mut random = fastrand::Rng::with_seed(seed);
            let process = process(&store);
            let new = NewRequest {
                ground: Ground::ConsentWithdrawn,
                requested_by: None,
                identity: IdentityCheck::KnownHandle,
                received_at: None,
                note: None,
            };
            let by = store.operator();
            let requested = process.request(&by, tenant_id, subject_id, &new).await;
            let of: ErasureRef = requested.expect("it is recorded").of;
            // Short runs end between two steps, long ones after the wait for the fence.
            for limit in [20, 200, 2_000, 7_000] {
                let (process, limit) = (process.clone(), random.u64(0..limit));
                let task = tokio::spawn(async move { process.run_to(of, Step::Certified).await });
                tokio::time::sleep(Duration::from_millis(limit)).await;
                task.abort();
                let _ = task.await;
            }
            process.run_to(of, Step::Certified).await.expect("it is continued");
            of
        });
        let erasures = futures_util::future::join_all(tasks).await;
        for of in erasures {
            let rights = store.rights(tenant_id, of.subject_id).await.expect("the log");
            let erasure = rights.state.erasure(of.erasure_id).expect("the erasure");
            assert_eq!(erasure.phase.state().as_str(), "destroyed");
            let steps: Vec<&str> = rights.events.iter().map(|one| one.event.event_type()).collect();
            for step in [
                "subject.fenced",
                "subject.erasure_journaled",
                "subject.keys_destroyed",
                "subject.notices_recorded",
                "subject.erasure_certified",
            ] {
                let count = steps.iter().filter(|known| **known == step).count();
                assert_eq!(count, 1, "{step} of {steps:?}");
            }
        }
        officer.tenant.settle().await;
        for call in officer.tenant.calls().await {
            assert_eq!(call["customer"]["erased"], true, "{call}");
        }
        server.stop().await;
    });
}
