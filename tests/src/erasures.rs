//! Erasures whose steps a test carries out one by one, as the process of erasure does.

use ledger_core::clock::Clock;
use ledger_core::erasure::{ErasureAction, ErasureCommand, Erasures, NewErasure, StepFacts};
use ledger_core::event::{
    ErasurePlanned, ErasureRequested, Ground, HexDigest, IdentityCheck, Requester, SubjectFenced,
};
use ledger_core::ids::{ErasureId, Position, SubjectId, TenantId};
use ledger_store::Store;
use ledger_store::execute::CommandContext;
use ledger_store::journal::{JournalEntry, JournaledErasure, JournaledKey};
use server::system::SystemClock;
use sqlx::PgConnection;

/// The erasure of the given subjects, requested for the first, as it is journaled after its fence.
///
/// # Panics
/// If the log does not accept a step, or a subject has no key.
pub async fn fenced(
    store: &Store,
    superuser: &mut PgConnection,
    tenant_id: TenantId,
    erasure_id: ErasureId,
    subjects: &[SubjectId],
) -> JournaledErasure {
    let now = SystemClock.now_micros();
    let keys = keys_of(superuser, tenant_id, subjects).await;
    let new = NewErasure {
        erasure_id,
        ground: Ground::ALL[0],
        requester: Requester::ALL[0],
        identity: IdentityCheck::ALL[0],
        received_at: now,
        text: None,
    };
    let plan = ErasurePlanned {
        erasure_id,
        parts: Vec::new(),
        subjects: u32::try_from(subjects.len()).expect("a few"),
        keys: u32::try_from(keys.len()).expect("a few"),
        events: 1,
        ambiguous_calls: 0,
        recipients: 0,
        digest: HexDigest([7; 32]),
    };
    let fence = SubjectFenced { erasure_id, fenced_at: now };
    let mut position = Position::default();
    for action in [
        ErasureAction::Request(new.clone()),
        ErasureAction::Allow(erasure_id),
        ErasureAction::Record(StepFacts::Planned(plan.clone())),
        ErasureAction::Record(StepFacts::Fenced(fence)),
    ] {
        let command = ErasureCommand { subject_id: subjects[0], now, action };
        let by = store.operator();
        let context = CommandContext { tenant_id, by, content: None, subject: None };
        let executed = store.execute::<Erasures>(&context, &command).await.expect("it is accepted");
        position = executed.position.unwrap_or(position);
    }
    let request = ErasureRequested {
        erasure_id,
        subject_id: subjects[0],
        ground: new.ground,
        requester: new.requester,
        identity: new.identity,
        received_at: now,
        due_at: new.ground.term().end(now),
    };
    JournaledErasure { tenant_id, request, plan, fenced_at: now, keys, position, at: now }
}

/// [`fenced`], appended to the journal of the store.
///
/// # Panics
/// If the journal cannot be written.
pub async fn journaled(
    store: &Store,
    superuser: &mut PgConnection,
    tenant_id: TenantId,
    erasure_id: ErasureId,
    subjects: &[SubjectId],
) -> JournalEntry {
    let erasure = fenced(store, superuser, tenant_id, erasure_id, subjects).await;
    store.journal().append(&erasure).await.expect("it is journaled")
}

async fn keys_of(
    superuser: &mut PgConnection,
    tenant_id: TenantId,
    subjects: &[SubjectId],
) -> Vec<JournaledKey> {
    let mut keys = Vec::new();
    for subject_id in subjects {
        let rows: Vec<(i32, Vec<u8>)> = sqlx::query_as(
            "select generation, fingerprint from vault.subject_keys
              where tenant_id = $1 and subject_id = $2",
        )
        .bind(tenant_id.0)
        .bind(subject_id.0)
        .fetch_all(&mut *superuser)
        .await
        .expect("the keys");
        assert!(!rows.is_empty(), "{subject_id} has a key");
        for (generation, fingerprint) in rows {
            let fingerprint = HexDigest(fingerprint.try_into().expect("SHA-256"));
            let generation = generation.cast_unsigned();
            keys.push(JournaledKey { subject_id: *subject_id, generation, fingerprint });
        }
    }
    keys
}
