//! Reads what is due: reminders and open tasks in one order.

use chrono::{DateTime, TimeDelta, Utc};
use ledger_core::event::TaskKind;
use ledger_store::{StoreError, TenantTx};
use uuid::Uuid;

/// Kind of due work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DueKind {
    /// A reminder of an appointment.
    Reminder,
    /// An open task.
    Task,
}

/// Due work: a reminder or an open task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Time at which it is due.
    pub due_at: DateTime<Utc>,
    /// Id of the task, or of the appointment of the reminder.
    pub item_id: Uuid,
    /// The task or the reminder.
    pub work: Work,
    /// The person that it is about.
    pub contact_id: Option<Uuid>,
    /// The call that it is about, or in which the appointment was booked.
    pub call_id: Option<Uuid>,
    /// The appointment that it is about.
    pub appointment_id: Option<Uuid>,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// A reminder.
    Reminder {
        /// Start of the appointment.
        starts_at: DateTime<Utc>,
        /// Minutes between the reminder and the start.
        offset_minutes: i32,
    },
    /// A task.
    Task(TaskKind),
}

/// A row of the page.
struct DueRow {
    due_at: DateTime<Utc>,
    item_id: Uuid,
    task_kind: Option<String>,
    starts_at: Option<DateTime<Utc>>,
    offset_minutes: Option<i32>,
    contact_id: Option<Uuid>,
    call_id: Option<Uuid>,
    appointment_id: Option<Uuid>,
}

impl DueRow {
    fn open(self) -> Result<Due, StoreError> {
        let work = match (self.task_kind, self.starts_at, self.offset_minutes) {
            (Some(kind), ..) => {
                let corrupt = StoreError::Corrupt { table: "tasks", column: "kind" };
                Work::Task(TaskKind::parse(&kind).ok_or(corrupt)?)
            }
            (None, Some(starts_at), Some(offset_minutes)) => {
                Work::Reminder { starts_at, offset_minutes }
            }
            _ => return Err(StoreError::Corrupt { table: "reminders", column: "starts_at" }),
        };
        Ok(Due {
            due_at: self.due_at,
            item_id: self.item_id,
            work,
            contact_id: self.contact_id,
            call_id: self.call_id,
            appointment_id: self.appointment_id,
        })
    }
}

/// Filter of a page. Absent conditions do not restrict it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DueFilter {
    /// Earliest due time (inclusive).
    pub from: Option<DateTime<Utc>>,
    /// Latest due time (exclusive).
    pub to: Option<DateTime<Utc>>,
    /// Kind of work.
    pub kind: Option<DueKind>,
}

/// Keyset of a page: the last row of the page before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AfterDue {
    /// Its due time.
    pub due_at: DateTime<Utc>,
    /// Its `item_id`.
    pub item_id: Uuid,
}

/// Returns due work, the earliest first: at most `limit` rows. Reminders of appointments that began
/// before `now` are left out.
///
/// For each offset in use the reminders of appointments to come are one range of an index, and so
/// are the open tasks; a page reads at most `limit` rows of each range.
///
/// # Errors
/// [`StoreError::Database`]; [`StoreError::Corrupt`] when a row is not what the projector wrote.
pub async fn due(
    tx: &mut TenantTx,
    filter: DueFilter,
    after: Option<AfterDue>,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Due>, StoreError> {
    let tenant_id = tx.tenant_id();
    let after = start(filter.from, after);
    // One lower bound for each range: of several, PostgreSQL would begin at the first of the index.
    let rows = sqlx::query_as!(
        DueRow,
        r#"
        with recursive offsets as (
          (select offset_minutes from read.reminders where tenant_id = $1
            order by offset_minutes limit 1)
          union all
          select (select r.offset_minutes from read.reminders r
                   where r.tenant_id = $1 and r.offset_minutes > o.offset_minutes
                   order by r.offset_minutes limit 1)
            from offsets o
           where o.offset_minutes is not null),
        starts as (
          select o.offset_minutes, greatest(b.begun, $3::timestamptz) as due_at,
                 case when $3 >= b.begun then $4::uuid else $5::uuid end as appointment_id
            from offsets o
           cross join lateral (
                 select $7::timestamptz - make_interval(mins => o.offset_minutes) as begun) b)
        select d.due_at as "due_at!", d.item_id as "item_id!", d.task_kind, d.starts_at,
               d.offset_minutes, d.contact_id, d.call_id, d.appointment_id
          from (
            select n.due_at, n.appointment_id as item_id, null::text as task_kind, n.starts_at,
                   n.offset_minutes, n.contact_id, n.call_id, n.appointment_id
              from starts s
             cross join lateral (
                   select * from read.reminders r
                    where r.tenant_id = $1 and r.offset_minutes = s.offset_minutes
                      and (r.due_at, r.appointment_id) > (s.due_at, s.appointment_id)
                      and r.due_at < $2
                    order by r.due_at, r.appointment_id
                    limit $6) n
             where $8::bool
            union all
            (select t.due_at, t.task_id, t.kind, null, null, t.contact_id, t.call_id,
                    t.appointment_id
               from read.tasks t
              where t.tenant_id = $1 and t.status = 'open' and $9::bool
                and (t.due_at, t.task_id) > ($3, $4) and t.due_at < $2
              order by t.due_at, t.task_id
              limit $6)) d
         order by d.due_at, d.item_id
         limit $6
        "#,
        tenant_id.0,
        filter.to.unwrap_or_else(|| year(20_000)),
        after.due_at,
        after.item_id,
        Uuid::max(),
        limit,
        now,
        filter.kind != Some(DueKind::Task),
        filter.kind != Some(DueKind::Reminder),
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(DueRow::open).collect()
}

/// The key after which the page begins: the later one of the cursor and the start of the range.
fn start(from: Option<DateTime<Utc>>, after: Option<AfterDue>) -> AfterDue {
    let before_all = AfterDue { due_at: year(1), item_id: Uuid::nil() };
    let before = |from: DateTime<Utc>| AfterDue {
        due_at: from - TimeDelta::microseconds(1),
        item_id: Uuid::max(),
    };
    let (from, after) = (from.map_or(before_all, before), after.unwrap_or(before_all));
    if from.due_at > after.due_at { from } else { after }
}

/// The start of a year, far from every due time that can be recorded.
fn year(year: i32) -> DateTime<Utc> {
    let date = chrono::NaiveDate::from_ymd_opt(year, 1, 1).unwrap_or_default();
    date.and_time(chrono::NaiveTime::MIN).and_utc()
}
