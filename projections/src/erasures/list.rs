//! Reads erasures: one, a page of them, and those that the erasure process has to continue.

use chrono::{DateTime, Utc};
use ledger_core::ids::{ErasureId, SubjectId, TenantId};
use ledger_store::{StoreError, TenantTx};
use sqlx::PgPool;
use uuid::Uuid;

use super::row::Erasure;

/// Filter of a page. Absent conditions do not restrict it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErasureFilter {
    /// State as the API names it.
    pub state: Option<String>,
    /// The contact that is erased.
    pub subject_id: Option<Uuid>,
    /// Erasures that have not ended and were due before this time.
    pub due_before: Option<DateTime<Utc>>,
}

/// Keyset of a page: the last erasure of the page before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AfterErasure(pub i64);

/// Returns an erasure; `None` if the read model has no such erasure of the tenant.
///
/// # Errors
/// [`StoreError::Database`]; [`StoreError::Corrupt`] when the row is not what the projector wrote.
pub async fn find(tx: &mut TenantTx, erasure_id: Uuid) -> Result<Option<Erasure>, StoreError> {
    let row = sqlx::query_scalar!(
        r#"select row_to_json(r)::text as "erasure!"
             from read.erasures r
            where r.tenant_id = $1 and r.erasure_id = $2"#,
        tx.tenant_id().0,
        erasure_id,
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| Erasure::parse(&row)).transpose()
}

/// Returns erasures, the newest request first: at most `limit` rows.
///
/// # Errors
/// As [`find`].
pub async fn list(
    tx: &mut TenantTx,
    filter: &ErasureFilter,
    after: Option<AfterErasure>,
    limit: i64,
) -> Result<Vec<Erasure>, StoreError> {
    let rows = sqlx::query_scalar!(
        r#"select row_to_json(r)::text as "erasure!"
             from read.erasures r
            where r.tenant_id = $1
              and ($2::text is null or r.state = $2)
              and ($3::uuid is null or r.subject_id = $3)
              and ($4::timestamptz is null
                   or r.due_at < $4 and r.state in ('requested', 'deferred', 'fenced', 'destroyed'))
              and ($5::bigint is null or r.requested_position < $5)
            order by r.requested_position desc
            limit $6"#,
        tx.tenant_id().0,
        filter.state,
        filter.subject_id,
        filter.due_before,
        after.map(|after| after.0),
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    rows.iter().map(|row| Erasure::parse(row)).collect()
}

/// An erasure that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenErasure {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The contact that is erased.
    pub subject_id: SubjectId,
    /// The erasure.
    pub erasure_id: ErasureId,
    /// State as the API names it.
    pub state: String,
    /// Last step that was carried out.
    pub step: Option<String>,
    /// Receipt of the request.
    pub received_at: DateTime<Utc>,
    /// End of the term.
    pub due_at: DateTime<Utc>,
}

/// Returns erasures of all tenants that have not ended, those due first of each tenant before further
/// ones of the same: at most `of_tenant` of a tenant and `limit` in all. `pool` is that of the
/// projectors, which read every tenant.
///
/// # Errors
/// The database did not answer.
pub async fn open(pool: &PgPool, of_tenant: i64, limit: i64) -> sqlx::Result<Vec<OpenErasure>> {
    let rows = sqlx::query!(
        r#"select o.tenant_id as "tenant_id!", o.subject_id as "subject_id!",
                  o.erasure_id as "erasure_id!", o.state as "state!", o.step,
                  o.received_at as "received_at!", o.due_at as "due_at!"
             from (select r.*, row_number() over (partition by r.tenant_id, r.state order by r.due_at, r.erasure_id) as nth
                     from read.erasures r
                    where r.state in ('requested', 'deferred', 'fenced', 'destroyed')) o
            where o.nth <= $1
            order by o.nth, o.due_at
            limit $2"#,
        of_tenant,
        limit,
    )
    .fetch_all(pool)
    .await?;
    let open = rows.into_iter().map(|row| OpenErasure {
        tenant_id: TenantId(row.tenant_id),
        subject_id: SubjectId(row.subject_id),
        erasure_id: ErasureId(row.erasure_id),
        state: row.state,
        step: row.step,
        received_at: row.received_at,
        due_at: row.due_at,
    });
    Ok(open.collect())
}
