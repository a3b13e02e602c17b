//! JSON view of an erasure.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ledger_core::event::RefusalReason;
use projections::erasures::Erasure;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::words::{
    ErasureGroundName, ErasureStateName, IdentityCheckName, RefusalReasonName, RequesterName,
};

/// An erasure.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ErasureView {
    /// Id of the erasure.
    erasure_id: Uuid,
    /// The contact that is erased.
    subject_id: Uuid,
    /// State.
    #[schema(value_type = ErasureStateName)]
    state: String,
    /// Last step that was carried out; null before the first one.
    step: Option<String>,
    /// Ground of the request.
    #[schema(value_type = ErasureGroundName)]
    ground: String,
    /// The party that requested it.
    #[schema(value_type = RequesterName)]
    requested_by: String,
    /// Check of the identity of that party.
    #[schema(value_type = IdentityCheckName)]
    identity: String,
    /// Receipt of the request.
    received_at: DateTime<Utc>,
    /// End of the term.
    due_at: DateTime<Utc>,
    /// Whether the term was extended.
    is_extended: bool,
    /// Why it was refused.
    refusal: Option<Refusal>,
    /// Why it was deferred last.
    deferral: Option<Deferral>,
    /// What the manifest counts; null before the manifest.
    manifest: Option<ManifestView>,
    /// Findings of the last verification; null before it.
    findings: Option<u32>,
    /// Certificates that were issued.
    certificates: Vec<CertificateView>,
    /// Time at which each step was recorded, by its name.
    steps: BTreeMap<String, DateTime<Utc>>,
    /// Log position of its last event.
    position: i64,
}

/// The refusal of an erasure.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Refusal {
    /// The reason.
    #[schema(value_type = RefusalReasonName)]
    reason: String,
    /// The text for the person.
    notice: String,
}

/// The deferral of an erasure.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Deferral {
    /// `legal_hold` or `retention_duty`.
    rule: String,
    /// The legal hold.
    hold_id: Option<Uuid>,
    /// End of the retention duty.
    until: Option<DateTime<Utc>>,
}

/// What an erasure is about.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ManifestView {
    /// The contact, its merged parts, and own subjects of its calls.
    subjects: u32,
    /// Keys to destroy.
    keys: u32,
    /// Events with sections of these subjects.
    events: u64,
    /// Calls whose person is one of several candidates. They are not erased.
    ambiguous_calls: u32,
    /// Recipients of data of the person.
    recipients: u32,
    /// SHA-256 of the keys.
    digest: String,
}

/// An issued certificate.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CertificateView {
    /// `live` or `final`.
    kind: &'static str,
    /// SHA-256 of the text.
    digest: String,
}

/// An erasure, with the calls that need a decision.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ErasureDetails {
    /// The erasure.
    #[serde(flatten)]
    erasure: ErasureView,
    /// Calls from a number or address of the person whose person is not known, because several contacts
    /// may have made them. They are not erased.
    ambiguous_calls: Vec<Uuid>,
}

impl ErasureDetails {
    pub(super) fn of(erasure: &Erasure, ambiguous_calls: Vec<Uuid>) -> Self {
        Self { erasure: ErasureView::of(erasure), ambiguous_calls }
    }
}

impl ErasureView {
    pub(super) fn of(row: &Erasure) -> Self {
        let refusal = row.refusal.as_ref().map(|reason| Refusal {
            reason: reason.clone(),
            notice: RefusalReason::parse(reason).map(RefusalReason::notice).unwrap_or_default(),
        });
        let deferral = row.rule.as_ref().map(|rule| Deferral {
            rule: rule.clone(),
            hold_id: row.hold_id,
            until: row.retained_until,
        });
        let digests = [("live", &row.live_digest), ("final", &row.final_digest)];
        let certificates = digests
            .into_iter()
            .filter_map(|(kind, digest)| Some(CertificateView { kind, digest: digest.clone()? }));
        Self {
            erasure_id: row.erasure_id,
            subject_id: row.subject_id,
            state: row.state.clone(),
            step: row.step.clone(),
            ground: row.ground.clone(),
            requested_by: row.requester.clone(),
            identity: row.identity.clone(),
            received_at: row.received_at,
            due_at: row.due_at,
            is_extended: row.is_extended,
            refusal,
            deferral,
            manifest: ManifestView::of(row),
            findings: row.findings,
            certificates: certificates.collect(),
            steps: row.steps.clone(),
            position: row.position,
        }
    }
}

impl ManifestView {
    fn of(row: &Erasure) -> Option<Self> {
        Some(Self {
            subjects: row.subjects?,
            keys: row.keys?,
            events: row.events?,
            ambiguous_calls: row.ambiguous_calls?,
            recipients: row.recipients?,
            digest: row.manifest_digest.clone()?,
        })
    }
}
