//! Reads tasks: a page of them, or one as the log tells it.

use chrono::{DateTime, Utc};
use ledger_core::event::Event;
use ledger_core::ids::{Position, StreamId};
use ledger_store::read::stream_between;
use ledger_store::{StoreError, TenantTx};
use uuid::Uuid;

use super::task::{StoredTask, Task};

/// Filter of a page. Absent conditions do not restrict it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskFilter {
    /// Status: `open`, `done` or `cancelled`.
    pub status: Option<String>,
    /// Earliest due time (inclusive).
    pub due_from: Option<DateTime<Utc>>,
    /// Latest due time (exclusive).
    pub due_to: Option<DateTime<Utc>>,
    /// The person that it is about, or a contact that was merged into that person.
    pub contact_id: Option<Uuid>,
    /// The call that it is about.
    pub call_id: Option<Uuid>,
    /// The appointment that it is about.
    pub appointment_id: Option<Uuid>,
}

/// Keyset of a page: the last task of the page before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AfterTask {
    /// Its due time.
    pub due_at: DateTime<Utc>,
    /// Its id.
    pub task_id: Uuid,
}

/// Returns tasks, the latest due time first: at most `limit` rows.
///
/// # Errors
/// [`StoreError::Database`]; [`StoreError::Corrupt`] when a row is not what the projector wrote.
pub async fn tasks(
    tx: &mut TenantTx,
    filter: &TaskFilter,
    after: Option<AfterTask>,
    limit: i64,
) -> Result<Vec<Task>, StoreError> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query_as!(
        StoredTask,
        r#"
        select task_id as "task_id!", kind as "kind!", status as "status!", due_at as "due_at!",
               contact_id, call_id, appointment_id, origin as "origin!",
               created_position as "created_position!", position as "position!",
               created_at as "created_at!", closed_at
          from read.tasks
         where tenant_id = $1
           and ($2::text is null or status = $2)
           and ($3::timestamptz is null or due_at >= $3)
           and ($4::timestamptz is null or due_at < $4)
           and ($5::uuid is null
                or contact_id = any (array (select $5::uuid union all
                                      select m.contact_id from read.contacts m
                                       where m.tenant_id = $1 and m.merged_into = $5)))
           and ($6::uuid is null or call_id = $6)
           and ($7::uuid is null or appointment_id = $7)
           and ($8::timestamptz is null or (due_at, task_id) < ($8, $9::uuid))
         order by due_at desc, task_id desc
         limit $10
        "#,
        tenant_id.0,
        filter.status,
        filter.due_from,
        filter.due_to,
        filter.contact_id,
        filter.call_id,
        filter.appointment_id,
        after.map(|after| after.due_at),
        after.map(|after| after.task_id),
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(StoredTask::open).collect()
}

/// Returns the task as its events up to a position tell it; `None` for the end of the log. The answer
/// to a command does not wait for the read model, and a repetition gets the same one.
///
/// # Errors
/// [`StoreError::Database`] if a statement fails, [`StoreError::Corrupt`] if an event cannot be
/// decoded.
pub async fn task_up_to(
    tx: &mut TenantTx,
    stream_id: StreamId,
    until: Option<Position>,
) -> Result<Option<Task>, StoreError> {
    let tenant_id = tx.tenant_id();
    let until = until.unwrap_or(Position(i64::MAX));
    let events = stream_between(tx.conn(), tenant_id, stream_id.0, Position(1), until).await?;
    let mut row = None;
    for event in events {
        let recorded = event.decode()?;
        if let Event::Task(change) = &recorded.event {
            Task::evolve(&mut row, &recorded, change);
        }
    }
    Ok(row)
}
