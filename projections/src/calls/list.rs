//! Reads `calls`: one call, or a page of calls.

mod by_tool;

use chrono::{DateTime, Utc};
use ledger_core::call::Call;
use ledger_store::read::{Page, PageSize, page_of};
use ledger_store::{StoreError, TenantTx};
use uuid::Uuid;

use super::state;

/// One row of `calls`, decoded.
#[derive(Debug, Clone)]
pub struct CallRow {
    /// Id of the call.
    pub call_id: Uuid,
    /// Start of the call; pages are ordered by it and `call_id`.
    pub started_at: DateTime<Utc>,
    /// Folded state of the call.
    pub call: Call,
    /// Sealed `party` sections, packed.
    pub party: Option<Vec<u8>>,
}

/// One row of `read.calls` in stored, compressed form.
#[derive(Debug, Clone)]
pub struct StoredCall {
    call_id: Uuid,
    started_at: DateTime<Utc>,
    state: Vec<u8>,
    party: Option<Vec<u8>>,
}

impl StoredCall {
    /// Returns the id of the call.
    #[must_use]
    pub fn call_id(&self) -> Uuid {
        self.call_id
    }

    /// Returns the size of the opened row in bytes.
    #[must_use]
    pub fn weight(&self) -> usize {
        state::weight(&self.state) + self.party.as_ref().map_or(0, Vec::len)
    }

    /// Decodes the row.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the stored state cannot be decoded.
    pub fn open(self) -> Result<CallRow, StoreError> {
        let Self { call_id, started_at, state, party } = self;
        Ok(CallRow { call_id, started_at, call: state::unpack(&state)?, party })
    }
}

/// Filter of a page. Every filter has a typed column; absent ones do not restrict the page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallFilter {
    /// Earliest start of a call (inclusive).
    pub from: Option<DateTime<Utc>>,
    /// Latest start of a call (exclusive).
    pub to: Option<DateTime<Utc>>,
    /// The provider's id of the call.
    pub provider_call_id: Option<String>,
    /// Direction: `inbound`, `outbound` or `web`.
    pub direction: Option<String>,
    /// Status: `queued`, `ringing`, `in_progress`, `forwarding` or `ended`.
    pub status: Option<String>,
    /// Coarse outcome, as derived by this product.
    pub outcome: Option<String>,
    /// The provider's reason for the end, compared exactly.
    pub ended_reason: Option<String>,
    /// The provider's id of the assistant.
    pub agent_id: Option<String>,
    /// Name of a tool the call used.
    pub tool: Option<String>,
    /// Minimum cost in nanos, regardless of currency.
    pub min_cost_nanos: Option<i64>,
    /// Subject id of the contact.
    pub contact_id: Option<Uuid>,
    /// Ids that match a phone number: its handle, and the contacts with that number. The contacts
    /// find calls recorded before handles had ids. An empty list matches no call.
    pub phone: Option<Vec<Uuid>>,
    /// Ids that match an e-mail address, like `phone`. An empty list matches no call.
    pub email: Option<Vec<Uuid>>,
    /// Whether the call is marked as a test; `None` for both.
    pub is_test: Option<bool>,
}

/// Keyset of a page: the last row of the page before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct After {
    /// Start of the last row's call.
    pub started_at: DateTime<Utc>,
    /// Id of the last row's call.
    pub call_id: Uuid,
}

/// Returns a page of calls, newest first. The bytes of the page are those of the opened rows.
///
/// # Errors
/// The database did not answer.
pub async fn list(
    tx: &mut TenantTx,
    filter: &CallFilter,
    after: Option<After>,
    size: PageSize,
) -> sqlx::Result<Page<StoredCall>> {
    if let Some(tool) = &filter.tool {
        return by_tool::list(tx, filter, tool, after, size).await;
    }
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query_as!(
        StoredCall,
        r#"
        select call_id as "call_id!", started_at as "started_at!", state as "state!", party
          from read.calls
         where tenant_id = $1
           and ($2::timestamptz is null or started_at >= $2)
           and ($3::timestamptz is null or started_at < $3)
           and ($4::text is null or provider_call_id = $4)
           and ($5::text is null or direction = $5)
           and ($6::text is null or status = $6)
           and ($7::text is null or outcome = $7)
           and ($8::text is null or ended_reason = $8)
           and ($9::text is null or agent_id = $9)
           and ($10::bigint is null or cost_nanos >= $10)
           and ($11::uuid is null or (subject_id = $11 and contact_id is not null))
           and ($16::uuid[] is null or phone_id = any ($16))
           and ($17::uuid[] is null or email_id = any ($17))
           and ($12::boolean is null or is_test = $12)
           and ($13::timestamptz is null or (started_at, call_id) < ($13, $14::uuid))
         order by started_at desc, call_id desc
         limit $15
        "#,
        tenant_id.0,
        filter.from,
        filter.to,
        filter.provider_call_id,
        filter.direction,
        filter.status,
        filter.outcome,
        filter.ended_reason,
        filter.agent_id,
        filter.min_cost_nanos,
        filter.contact_id,
        filter.is_test,
        after.map(|after| after.started_at),
        after.map(|after| after.call_id),
        size.limit(),
        filter.phone.as_deref(),
        filter.email.as_deref(),
    )
    .fetch(tx.conn());
    page_of(rows, size, StoredCall::weight).await
}

/// Returns one call of the transaction's tenant, or `None`.
///
/// # Errors
/// [`StoreError::Database`]; [`StoreError::Corrupt`] when the row is not what the projector wrote.
pub async fn find(tx: &mut TenantTx, call_id: Uuid) -> Result<Option<CallRow>, StoreError> {
    let tenant_id = tx.tenant_id();
    let row = sqlx::query_as!(
        StoredCall,
        r#"
        select call_id as "call_id!", started_at as "started_at!", state as "state!", party
          from read.calls
         where tenant_id = $1 and call_id = $2
        "#,
        tenant_id.0,
        call_id,
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(StoredCall::open).transpose()
}
