//! The manifest: the subjects whose keys an erasure destroys.

use aws_lc_rs::digest::{SHA256, digest};
use ledger_core::erasure::StepFacts;
use ledger_core::event::{ErasurePlanned, HexDigest};
use ledger_core::ids::{HandleId, StreamId, SubjectId};
use ledger_store::erasures::Rights;
use ledger_store::vault::{KeyFacts, canonical};

use super::super::{ErasureError, ErasureProcess, ErasureRef, PersonStreams, Progress};

/// What an erasure is about.
pub(in crate::erasures) struct Manifest {
    /// The counts and the digest, as they are recorded.
    pub(in crate::erasures) plan: ErasurePlanned,
    /// The contact, its parts, and the own subjects of its calls, sorted; each with a key.
    pub(super) subjects: Vec<SubjectId>,
    /// The streams with sections of these subjects.
    pub(super) streams: Vec<StreamId>,
    /// Number of calls among them.
    pub(in crate::erasures) calls: usize,
    /// Number of appointments and tasks among them.
    pub(in crate::erasures) others: usize,
}

impl ErasureProcess {
    /// Makes the manifest and records it.
    pub(super) async fn plan(
        &self,
        of: ErasureRef,
        rights: &Rights,
    ) -> Result<Progress, ErasureError> {
        let manifest = self.manifest(of, rights).await?;
        self.record(of, StepFacts::Planned(manifest.plan)).await
    }

    /// Lists what the erasure is about, as the log has it now. Until the fence it may grow.
    pub(in crate::erasures) async fn manifest(
        &self,
        of: ErasureRef,
        rights: &Rights,
    ) -> Result<Manifest, ErasureError> {
        let (vault, tenant_id) = (self.store.vault(), of.tenant_id);
        let parts = rights.state.parts_of(of.subject_id);
        let persons: Vec<SubjectId> =
            [of.subject_id].into_iter().chain(parts.iter().copied()).collect();
        let PersonStreams { calls, others, ambiguous } = self.person_streams(of, &persons).await?;
        let sealed = self.store.subjects_of_streams(tenant_id, &calls).await?;
        let mut subjects = vault.without_contacts(tenant_id, &sealed).await?;
        subjects.extend(vault.linked_subjects(tenant_id, &persons).await?);
        subjects.extend(&persons);
        subjects.sort_unstable();
        subjects.dedup();
        let keys = vault.key_facts(tenant_id, &subjects).await?;
        let mut subjects: Vec<SubjectId> = keys.iter().map(|key| key.subject_id).collect();
        subjects.dedup();
        let (calls_len, others_len) = (calls.len(), others.len());
        let mut streams = calls;
        streams.extend(others);
        for person in &persons {
            streams.extend([StreamId(person.0), tenant_id.subject_stream(*person)]);
        }
        let events = self.store.count_sealed(tenant_id, &streams, &subjects).await?;
        let plan = ErasurePlanned {
            erasure_id: of.erasure_id,
            parts,
            subjects: count(subjects.len()),
            keys: count(keys.len()),
            events,
            ambiguous_calls: count(ambiguous.len()),
            recipients: 0,
            digest: digest_of(&keys),
        };
        Ok(Manifest { plan, subjects, streams, calls: calls_len, others: others_len })
    }

    /// Returns the streams about a contact and its parts.
    async fn person_streams(
        &self,
        of: ErasureRef,
        persons: &[SubjectId],
    ) -> Result<PersonStreams, ErasureError> {
        let mut handles: Vec<HandleId> = Vec::new();
        for person in persons {
            let known = self.store.vault().handles_of(of.tenant_id, *person).await?;
            handles.extend(known.into_iter().map(|handle| handle.handle_id));
        }
        handles.sort_unstable();
        handles.dedup();
        self.persons.streams(of.tenant_id, persons, &handles).await
    }

    /// Returns the calls whose person may be the one of the erasure, and which are not erased.
    ///
    /// # Errors
    /// [`ErasureError`]
    pub async fn ambiguous_calls(&self, of: ErasureRef) -> Result<Vec<StreamId>, ErasureError> {
        let rights = self.store.rights(of.tenant_id, of.subject_id).await?;
        let parts = rights.state.parts_of(of.subject_id);
        let persons: Vec<SubjectId> = [of.subject_id].into_iter().chain(parts).collect();
        Ok(self.person_streams(of, &persons).await?.ambiguous)
    }
}

fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// The digest of the canonical list of the keys.
fn digest_of(keys: &[KeyFacts]) -> HexDigest {
    sha256(&canonical(keys))
}

pub(super) fn sha256(bytes: &[u8]) -> HexDigest {
    let mut sum = [0; 32];
    sum.copy_from_slice(digest(&SHA256, bytes).as_ref());
    HexDigest(sum)
}
