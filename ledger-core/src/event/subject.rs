//! Subject events: erasures, legal holds, restrictions and exports for the person. A reason is a
//! word. Free text of a request is in the section `request` of its event, which ends with the
//! subject's key.

mod words;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use self::words::*;
use crate::ids::{ErasureId, ExportId, LegalHoldId, SubjectId};

events! {
    /// A change of the rights over a subject's data. The events of an erasure are in the order of
    /// its steps.
    SubjectEvent {
        /// An erasure was requested.
        ErasureRequested(ErasureRequested) = "subject.erasure_requested" v 1;
        /// The term of the erasure was extended.
        ErasureExtended(ErasureExtended) = "subject.erasure_extended" v 1;
        /// The erasure was refused; final.
        ErasureRefused(ErasureRefused) = "subject.erasure_refused" v 1;
        /// The erasure waits for the end of a legal hold or of a retention duty.
        ErasureDeferred(ErasureDeferred) = "subject.erasure_deferred" v 1;
        /// The erasure is to be carried out.
        ErasureAllowed(ErasureAllowed) = "subject.erasure_allowed" v 1;
        /// The keys and data of the erasure were listed.
        ErasurePlanned(ErasurePlanned) = "subject.erasure_planned" v 1;
        /// No process seals or opens a section of the subject any more.
        Fenced(SubjectFenced) = "subject.fenced" v 1;
        /// The erasure is in the journal outside the database.
        ErasureJournaled(ErasureJournaled) = "subject.erasure_journaled" v 1;
        /// The keys were destroyed in the vault.
        KeysDestroyed(KeysDestroyed) = "subject.keys_destroyed" v 1;
        /// The notices to recipients of the data were recorded.
        NoticesRecorded(NoticesRecorded) = "subject.notices_recorded" v 1;
        /// The live certificate was issued.
        ErasureCertified(ErasureCertified) = "subject.erasure_certified" v 1;
        /// The epoch key that wrapped the destroyed keys was destroyed.
        EpochRolled(EpochRolled) = "subject.epoch_rolled" v 1;
        /// The erasure was verified, with or without findings.
        ErasureVerified(ErasureVerified) = "subject.erasure_verified" v 1;
        /// The final certificate was issued.
        Erased(ErasureCertified) = "subject.erased" v 1;
        /// The bytes of the sections were removed from the log.
        SectionsPurged(SectionsPurged) = "subject.sections_purged" v 1;
        /// A legal hold was placed.
        HoldPlaced(LegalHoldPlaced) = "subject.hold_placed" v 1;
        /// A legal hold ended.
        HoldReleased(LegalHoldReleased) = "subject.hold_released" v 1;
        /// The data are stored and not processed otherwise.
        Restricted(SubjectRestricted) = "subject.restricted" v 1;
        /// The restriction ended.
        RestrictionLifted(RestrictionLifted) = "subject.restriction_lifted" v 1;
        /// A copy of the data was requested, Article 15 and 20.
        AccessRequested(AccessRequested) = "subject.access_requested" v 1;
        /// The copy was made; from here on it can be handed over.
        AccessExported(AccessExported) = "subject.access_exported" v 1;
    }
}

/// Facts of `subject.erasure_requested`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureRequested {
    /// The erasure.
    pub erasure_id: ErasureId,
    /// The subject, which is not merged into another one.
    pub subject_id: SubjectId,
    /// The ground of the request.
    pub ground: Ground,
    /// The party that requested it.
    pub requester: Requester,
    /// The check of the requester's identity.
    pub identity: IdentityCheck,
    /// Receipt of the request, from which the term runs; in microseconds at most.
    pub received_at: DateTime<Utc>,
    /// End of the term.
    pub due_at: DateTime<Utc>,
}

/// Facts of `subject.erasure_extended`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureExtended {
    /// The erasure.
    pub erasure_id: ErasureId,
    /// The reason, which the requester has to be informed of.
    pub reason: ExtensionReason,
    /// The new end of the term.
    pub due_at: DateTime<Utc>,
}

/// Facts of `subject.erasure_refused`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureRefused {
    /// The erasure.
    pub erasure_id: ErasureId,
    /// The reason. [`RefusalReason::notice`] is its text for the person.
    pub reason: RefusalReason,
}

/// Facts of `subject.erasure_deferred`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureDeferred {
    /// The erasure.
    pub erasure_id: ErasureId,
    /// The rule that decided.
    pub rule: DeferralRule,
    /// The legal hold that decided; absent for a retention duty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_id: Option<LegalHoldId>,
    /// End of the retention duty. Present with a legal hold too if there is such a duty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
}

/// Facts of `subject.erasure_allowed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureAllowed {
    /// The erasure.
    pub erasure_id: ErasureId,
}

/// Facts of `subject.erasure_planned`: the manifest, without its rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasurePlanned {
    /// The erasure.
    pub erasure_id: ErasureId,
    /// The contacts that were merged into the subject, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<SubjectId>,
    /// Number of subjects: the subject, its parts, and the own subjects of its calls.
    pub subjects: u32,
    /// Number of keys to destroy.
    pub keys: u32,
    /// Number of events with sections of these subjects.
    pub events: u64,
    /// Number of calls in which the subject is one of several candidates. They are not erased.
    pub ambiguous_calls: u32,
    /// Number of recipients of data of the subject.
    pub recipients: u32,
    /// Digest of the rows.
    pub digest: HexDigest,
}

/// Facts of `subject.fenced`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubjectFenced {
    /// The erasure.
    pub erasure_id: ErasureId,
    /// Time from which no process seals or opens a section, in microseconds at most.
    pub fenced_at: DateTime<Utc>,
}

/// Facts of `subject.erasure_journaled`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureJournaled {
    /// The erasure.
    pub erasure_id: ErasureId,
    /// Number of the entry in the journal, from 1.
    pub entry: u64,
    /// Digest of the entry.
    pub digest: HexDigest,
}

/// Facts of `subject.keys_destroyed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeysDestroyed {
    /// The erasure.
    pub erasure_id: ErasureId,
    /// Number of destroyed keys.
    pub keys: u32,
    /// Time of the destruction, in microseconds at most.
    pub destroyed_at: DateTime<Utc>,
}

/// Facts of `subject.notices_recorded`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticesRecorded {
    /// The erasure.
    pub erasure_id: ErasureId,
    /// Number of recipients to be informed (Article 19).
    pub recipients: u32,
}

/// Facts of `subject.erasure_certified` and `subject.erased`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureCertified {
    /// The erasure.
    pub erasure_id: ErasureId,
    /// Digest of the text of the certificate.
    pub digest: HexDigest,
}

/// Facts of `subject.epoch_rolled`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochRolled {
    /// The erasure.
    pub erasure_id: ErasureId,
    /// The newest epoch with a destroyed key.
    pub destroyed: i32,
    /// The epoch that follows.
    pub current: i32,
}

/// Facts of `subject.erasure_verified`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureVerified {
    /// The erasure.
    pub erasure_id: ErasureId,
    /// Number of findings. With any, the verification is repeated.
    pub findings: u32,
    /// Digest of the report.
    pub digest: HexDigest,
}

/// Facts of `subject.sections_purged`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SectionsPurged {
    /// The erasure.
    pub erasure_id: ErasureId,
    /// Number of sections.
    pub sections: u64,
}

/// Facts of `subject.hold_placed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegalHoldPlaced {
    /// The hold.
    pub hold_id: LegalHoldId,
    /// The subject.
    pub subject_id: SubjectId,
    /// The reason.
    pub reason: HoldReason,
}

/// Facts of `subject.hold_released`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegalHoldReleased {
    /// The hold.
    pub hold_id: LegalHoldId,
    /// The subject.
    pub subject_id: SubjectId,
}

/// Facts of `subject.restricted`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubjectRestricted {
    /// The subject.
    pub subject_id: SubjectId,
    /// The reason.
    pub reason: RestrictionReason,
}

/// Facts of `subject.restriction_lifted`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestrictionLifted {
    /// The subject.
    pub subject_id: SubjectId,
}

/// Facts of `subject.access_requested`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessRequested {
    /// The export.
    pub export_id: ExportId,
    /// The subject, which is not merged into another one.
    pub subject_id: SubjectId,
    /// The party that requested it.
    pub requester: Requester,
    /// Receipt of the request, from which the term runs; in microseconds at most.
    pub received_at: DateTime<Utc>,
    /// End of the term.
    pub due_at: DateTime<Utc>,
}

/// Facts of `subject.access_exported`: a disclosure, without its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessExported {
    /// The export.
    pub export_id: ExportId,
    /// The subject.
    pub subject_id: SubjectId,
    /// The contacts that were merged into the subject, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<SubjectId>,
    /// Position up to which the log was read.
    pub position: i64,
    /// Number of events about the subject, all of which are in the export.
    pub events: u64,
    /// Number of sections that were opened.
    pub sections: u64,
    /// Number of sections that were left out because they may be about another person.
    pub withheld: u64,
    /// Size of the encrypted file in bytes.
    pub bytes: u64,
    /// SHA-256 of the manifest, which has a digest of each file of the export.
    pub digest: HexDigest,
    /// Time at which the file is deleted, in microseconds at most.
    pub expires_at: DateTime<Utc>,
}
