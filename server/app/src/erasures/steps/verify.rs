//! The verification before the final certificate: attempts to read what must not be readable.

use ledger_core::erasure::StepFacts;
use ledger_core::event::ErasureVerified;
use ledger_core::ids::{EventId, SubjectId};
use ledger_store::erasures::Rights;
use ledger_store::seal::Opened;
use ledger_store::vault::SectionColumn;
use ledger_store::{TenantTx, read};
use serde::Serialize;

use super::super::{ErasureError, ErasureProcess, ErasureRef, Progress};
use super::manifest::sha256;
use super::plan_of;

/// Most events whose sections are tried, newest first.
const MAX_EVENTS: i64 = 1_000;
/// Events whose sections are tried at a time.
const BATCH: usize = 50;

/// What a verification found. Its JSON is the report, of which the event has the digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Report {
    erasure_id: String,
    /// Keys of the fence, and how many of them are not destroyed.
    keys: usize,
    usable_keys: usize,
    /// Keys of the manifest that the fence does not cover.
    missing_keys: usize,
    /// Words of names by which the person could be found.
    name_tokens: u64,
    /// Events whose sections were tried, and sections that opened.
    events: usize,
    opened_sections: usize,
    /// Whether every epoch that wrapped a key is destroyed.
    is_rolled: bool,
}

impl Report {
    fn findings(&self) -> u32 {
        let opened = self.usable_keys + self.missing_keys + self.opened_sections;
        let found = opened as u64 + self.name_tokens + u64::from(!self.is_rolled);
        u32::try_from(found).unwrap_or(u32::MAX)
    }
}

impl ErasureProcess {
    /// Verifies the erasure and records the result. With findings the step is repeated later.
    pub(super) async fn verify(
        &self,
        of: ErasureRef,
        rights: &Rights,
    ) -> Result<Progress, ErasureError> {
        let report = self.report(of, rights).await?;
        let findings = report.findings();
        let digest = sha256(&serde_json::to_vec(&report).expect("a report is plain data"));
        let facts = ErasureVerified { erasure_id: of.erasure_id, findings, digest };
        self.record(of, StepFacts::Verified(facts)).await?;
        if findings > 0 {
            tracing::error!(erasure_id = %of.erasure_id, ?report, "erasure.verification_failed");
            metrics::counter!("ledger_erasure_findings_total").increment(findings.into());
            return Ok(Progress::Findings(findings));
        }
        Ok(Progress::Advanced)
    }

    async fn report(&self, of: ErasureRef, rights: &Rights) -> Result<Report, ErasureError> {
        let (vault, tenant_id) = (self.store.vault(), of.tenant_id);
        let manifest = self.manifest(of, rights).await?;
        let fenced = vault.fenced_keys(tenant_id, of.erasure_id).await?;
        let mut subjects: Vec<SubjectId> = fenced.iter().map(|key| key.subject_id).collect();
        subjects.dedup();
        let planned = plan_of(rights, of)?.keys as usize;
        let rolled = vault.rolled_erasures(tenant_id, &[of.erasure_id]).await?;
        let wanted = (&subjects[..], MAX_EVENTS);
        let positions = self.store.sealed_positions(tenant_id, &manifest.streams, wanted).await?;
        let mut opened_sections = 0;
        for batch in positions.chunks(BATCH) {
            opened_sections += self.opened(of, batch, &subjects).await?;
        }
        Ok(Report {
            erasure_id: of.erasure_id.to_string(),
            keys: fenced.len(),
            usable_keys: fenced.iter().filter(|key| key.state != "destroyed").count(),
            missing_keys: planned.saturating_sub(fenced.len()),
            name_tokens: vault.name_tokens(tenant_id, &subjects).await?,
            events: positions.len(),
            opened_sections,
            is_rolled: rolled.contains_key(&of.erasure_id),
        })
    }

    /// Tries the sections of these events, and returns how many of the erased subjects' are not
    /// erased.
    async fn opened(
        &self,
        of: ErasureRef,
        positions: &[i64],
        subjects: &[SubjectId],
    ) -> Result<usize, ErasureError> {
        let mut tx = TenantTx::begin(self.store.app(), of.tenant_id).await?;
        let events = read::at_positions(&mut tx, positions).await?;
        drop(tx);
        let columns: Vec<(SectionColumn, &[u8])> = events
            .iter()
            .flat_map(|event| {
                let id = EventId(event.event_id);
                let small = event.sections.as_deref().unwrap_or_default();
                let large = event.bulk.as_deref().unwrap_or_default();
                [(SectionColumn::Sections(id), small), (SectionColumn::Bulk(id), large)]
            })
            .collect();
        let opened = self.store.vault().open(of.tenant_id, &columns).await?;
        let is_open = |section: &&ledger_store::vault::OpenedSection| {
            subjects.binary_search(&section.subject_id).is_ok()
                && !matches!(section.plain, Opened::Erased)
        };
        Ok(opened.iter().flatten().filter(is_open).count())
    }
}
