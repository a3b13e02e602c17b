//! Calls in order of creation, newest first, as the call list of a provider's own API returns them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use ledger_core::call::Call;
use ledger_store::{StoreError, TenantTx};
use sqlx::Executor;
use uuid::Uuid;

use super::state;

/// One call with the timestamps of a provider's API.
#[derive(Debug, Clone)]
pub struct CallListing {
    /// Id of the call in this product.
    pub call_id: Uuid,
    /// Earliest known time of the call.
    pub created_at: DateTime<Utc>,
    /// Log time of the latest event: its recording time, made strictly increasing along the log.
    pub updated_at: DateTime<Utc>,
    /// Folded state of the call.
    pub call: Call,
    /// Sealed `party` sections, packed.
    pub party: Option<Vec<u8>>,
}

/// A half-open interval of time; either end may be open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TimeWindow {
    /// Start of the interval (inclusive).
    pub from: Option<DateTime<Utc>>,
    /// End of the interval (exclusive).
    pub until: Option<DateTime<Utc>>,
}

/// Conditions for listed calls. An absent field does not filter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListingFilter {
    /// The provider's id of the call.
    pub provider_call_id: Option<String>,
    /// The provider's id of the assistant.
    pub agent_id: Option<String>,
    /// The provider's id of the tenant's phone number.
    pub phone_number_id: Option<String>,
    /// Interval that contains the time of creation.
    pub created: TimeWindow,
    /// Interval that contains the time of the last update.
    pub updated: TimeWindow,
    /// Whether the call is marked as a test; `None` for both.
    pub is_test: Option<bool>,
}

/// Maximum bytes of stored rows that one list holds; later rows are read again when the list
/// reaches them.
const HELD: usize = 8 << 20;

/// Returns the newest calls that match a filter, in stored form, from one snapshot and in bounded
/// memory.
///
/// # Errors
/// Fails if the database does not answer.
pub async fn list(
    tx: &mut TenantTx,
    filter: &ListingFilter,
    limit: i64,
) -> Result<Vec<CompressedListing>, StoreError> {
    let tenant_id = tx.tenant_id();
    // A custom plan uses the index that fits the filter; a generic plan would use none.
    tx.conn().execute("set local plan_cache_mode = force_custom_plan").await?;
    let mut rows = sqlx::query_as!(
        Stored,
        r#"
        select call_id as "call_id!", created_at as "created_at!",
               last_recorded_at as "last_recorded_at!", state as "state!", party
          from read.calls
         where tenant_id = $1
           and ($2::text is null or provider_call_id = $2)
           and ($3::text is null or agent_id = $3)
           and ($4::text is null or phone_number_id = $4)
           and ($5::timestamptz is null or created_at >= $5)
           and ($6::timestamptz is null or created_at < $6)
           and ($7::timestamptz is null or last_recorded_at >= $7)
           and ($8::timestamptz is null or last_recorded_at < $8)
           and ($9::boolean is null or is_test = $9)
         order by created_at desc, call_id desc
         limit $10
        "#,
        tenant_id.0,
        filter.provider_call_id,
        filter.agent_id,
        filter.phone_number_id,
        filter.created.from,
        filter.created.until,
        filter.updated.from,
        filter.updated.until,
        filter.is_test,
        limit,
    )
    .fetch(tx.conn());
    let (mut list, mut left) = (Vec::new(), HELD);
    while let Some(row) = rows.try_next().await? {
        let (call_id, weight, bytes) = (row.call_id, row.weight(), row.bytes());
        let stored = (bytes <= left).then_some(row);
        left = left.saturating_sub(bytes);
        list.push(CompressedListing { call_id, weight, stored });
    }
    Ok(list)
}

/// Reads the current state of those rows that the list does not hold.
///
/// # Errors
/// The database did not answer.
pub async fn complete(tx: &mut TenantTx, rows: &mut Vec<CompressedListing>) -> sqlx::Result<()> {
    let tenant_id = tx.tenant_id();
    let missing: Vec<Uuid> =
        rows.iter().filter(|row| row.stored.is_none()).map(|row| row.call_id).collect();
    let read = sqlx::query_as!(
        Stored,
        r#"
        select call_id as "call_id!", created_at as "created_at!",
               last_recorded_at as "last_recorded_at!", state as "state!", party
          from read.calls
         where tenant_id = $1 and call_id = any ($2)
        "#,
        tenant_id.0,
        &missing,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut read: HashMap<Uuid, Stored> = read.into_iter().map(|row| (row.call_id, row)).collect();
    for row in rows.iter_mut().filter(|row| row.stored.is_none()) {
        row.stored = read.remove(&row.call_id);
    }
    // A call that has been parked or removed in the meantime has no row.
    rows.retain(|row| row.stored.is_some());
    Ok(())
}

/// Returns the call with this id of the provider. If several providers used the id, the newest
/// call.
///
/// # Errors
/// [`StoreError::Database`] if the statement fails, [`StoreError::Corrupt`] if the stored state
/// cannot be decoded.
pub async fn find(
    tx: &mut TenantTx,
    provider_call_id: &str,
) -> Result<Option<CallListing>, StoreError> {
    let tenant_id = tx.tenant_id();
    let found = sqlx::query_as!(
        Stored,
        r#"
        select call_id as "call_id!", created_at as "created_at!",
               last_recorded_at as "last_recorded_at!", state as "state!", party
          from read.calls
         where tenant_id = $1 and provider_call_id = $2
         order by created_at desc, call_id desc
         limit 1
        "#,
        tenant_id.0,
        provider_call_id,
    )
    .fetch_optional(tx.conn())
    .await?;
    found.map(Stored::open).transpose()
}

/// A row of a list, or its key if the list does not hold it.
#[derive(Debug, Clone)]
pub struct CompressedListing {
    call_id: Uuid,
    weight: usize,
    stored: Option<Stored>,
}

impl CompressedListing {
    /// Returns the size of the opened row in bytes.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.weight
    }

    /// Returns whether the list holds the row; if not, [`complete`] reads it.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.stored.is_some()
    }

    /// Decodes the row; `None` if the list does not hold it.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the stored state cannot be decoded.
    pub fn open(self) -> Result<Option<CallListing>, StoreError> {
        self.stored.map(Stored::open).transpose()
    }
}

/// A row with its state still compressed.
#[derive(Debug, Clone)]
struct Stored {
    call_id: Uuid,
    created_at: DateTime<Utc>,
    last_recorded_at: DateTime<Utc>,
    state: Vec<u8>,
    party: Option<Vec<u8>>,
}

impl Stored {
    fn weight(&self) -> usize {
        state::weight(&self.state) + self.party.as_ref().map_or(0, Vec::len)
    }

    fn bytes(&self) -> usize {
        self.state.len() + self.party.as_ref().map_or(0, Vec::len)
    }

    fn open(self) -> Result<CallListing, StoreError> {
        let Self { call_id, created_at, last_recorded_at, state, party } = self;
        let call = state::unpack(&state)?;
        Ok(CallListing { call_id, created_at, updated_at: last_recorded_at, call, party })
    }
}
