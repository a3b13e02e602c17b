//! What the read models know about persons and erasures, as the erasure process asks for it.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use ledger_core::ids::{HandleId, StreamId, SubjectId, TenantId};

use super::{ErasureError, ErasureRef};

/// The streams about a person, complete up to the end of the log at the time of the question.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PersonStreams {
    /// Calls of the person.
    pub calls: Vec<StreamId>,
    /// Appointments and tasks of the person.
    pub others: Vec<StreamId>,
    /// Calls from a handle of the person whose contact is not known. Several persons may have the
    /// handle.
    pub ambiguous: Vec<StreamId>,
}

/// An erasure that has not ended, as the read model has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenErasure {
    /// The erasure.
    pub of: ErasureRef,
    /// Whether the live certificate was issued.
    pub is_certified: bool,
    /// Whether the next step is the epoch roll.
    pub awaits_roll: bool,
    /// Receipt of the request.
    pub received_at: DateTime<Utc>,
    /// End of the term.
    pub due_at: DateTime<Utc>,
}

/// Questions to the read models. The answers are hints, except for [`Persons::streams`].
#[async_trait]
pub trait Persons: Send + Sync {
    /// Returns the streams about these persons, who have these handles, after the read models have
    /// read what the log has now.
    ///
    /// # Errors
    /// [`ErasureError::Behind`] if a read model does not reach the end of the log in time.
    async fn streams(
        &self,
        tenant_id: TenantId,
        persons: &[SubjectId],
        handles: &[HandleId],
    ) -> Result<PersonStreams, ErasureError>;

    /// Returns erasures of all tenants that have not ended: at most `of_tenant` of each tenant and
    /// state, and `limit` in all.
    ///
    /// # Errors
    /// The database did not answer.
    async fn open(&self, of_tenant: i64, limit: i64) -> Result<Vec<OpenErasure>, ErasureError>;
}
