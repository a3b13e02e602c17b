//! The timeline of a contact: its calls with their notes, its bookings, its tasks and its own
//! changes, newest first.

use chrono::{DateTime, Utc};
use ledger_store::{StoreError, TenantTx};
use uuid::Uuid;

/// Kind of an entry of a timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimelineKind {
    /// A call.
    Call,
    /// A booking, at the time at which it was made.
    Appointment,
    /// A change of the contact.
    Change,
    /// A note on a call that was not removed, at the time at which it was added.
    Note,
    /// A task that was made, done or cancelled, at that time.
    Task,
}

impl TimelineKind {
    /// All kinds.
    pub const ALL: [Self; 5] =
        [Self::Call, Self::Appointment, Self::Change, Self::Note, Self::Task];

    /// Returns the word in queries and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Appointment => "appointment",
            Self::Change => "change",
            Self::Note => "note",
            Self::Task => "task",
        }
    }
}

/// An entry of a timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineEntry {
    /// Kind of the entry.
    pub kind: TimelineKind,
    /// Time of the entry: start of the call, time of the booking or change.
    pub at: DateTime<Utc>,
    /// Id of the call or appointment; of the event for a change, a note or a task.
    pub id: Uuid,
    /// The contact of the entry: the one asked for, or a part of it.
    pub contact_id: Uuid,
    /// Status of the call or appointment; the event type of a change; the status that the task got.
    pub status: Option<String>,
    /// Direction of the call.
    pub direction: Option<String>,
    /// Outcome of the call.
    pub outcome: Option<String>,
    /// Duration of the call in milliseconds.
    pub duration_ms: Option<i64>,
    /// Start of the appointment.
    pub scheduled_at: Option<DateTime<Utc>>,
    /// Service of the appointment.
    pub service: Option<String>,
    /// The call in which the appointment was booked, or that the note or the task is about.
    pub call_id: Option<Uuid>,
    /// The appointment that the task is about.
    pub appointment_id: Option<Uuid>,
    /// The task.
    pub task: Option<TimelineTask>,
}

/// A task of an entry. Its text is in the log only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineTask {
    /// Id of the task.
    pub task_id: Uuid,
    /// Kind of the task: `follow_up`, `call_back` or `review`.
    pub kind: String,
    /// Time at which it is due.
    pub due_at: DateTime<Utc>,
}

/// Keyset of a page: the last entry of the page before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimelineAfter {
    /// Time of the last entry.
    pub at: DateTime<Utc>,
    /// Id of the last entry.
    pub id: Uuid,
}

/// Returns at most `limit` entries of contacts, newest first.
///
/// # Errors
/// The database did not answer.
pub async fn timeline(
    tx: &mut TenantTx,
    contacts: &[Uuid],
    after: Option<TimelineAfter>,
    limit: i64,
) -> Result<Vec<TimelineEntry>, StoreError> {
    let tenant_id = tx.tenant_id();
    let (at, id) = (after.map(|after| after.at), after.map(|after| after.id));
    // Each part reads as many rows as the page has at most.
    let rows = sqlx::query!(
        r#"
        select * from (
          (select 'call' as "kind!", c.started_at as "at!", c.call_id as "id!",
                  c.contact_id as "contact_id!", c.status, c.direction, c.outcome, c.duration_ms,
                  null::timestamptz as scheduled_at, null::text as service, null::uuid as call_id,
                  null::uuid as appointment_id, null::uuid as task_id, null::text as task_kind,
                  null::timestamptz as due_at
             from read.calls c
            where c.tenant_id = $1 and c.subject_id = any ($2) and c.contact_id is not null
              and ($3::timestamptz is null or (c.started_at, c.call_id) < ($3, $4::uuid))
            order by c.started_at desc, c.call_id desc limit $5)
          union all
          (select 'appointment', a.created_at, a.appointment_id, a.contact_id, a.status,
                  null, null, null, a.scheduled_at, a.service, a.call_id, null, null, null, null
             from read.appointments a
            where a.tenant_id = $1 and a.contact_id = any ($2)
              and ($3::timestamptz is null or (a.created_at, a.appointment_id) < ($3, $4::uuid))
            order by a.created_at desc, a.appointment_id desc limit $5)
          union all
          (select 'change', e.occurred_at, e.event_id, e.stream_id, e.event_type,
                  null, null, null, null, null, null, null, null, null, null
             from ledger.events e
            where e.tenant_id = $1 and e.stream_id = any ($2) and e.stream_kind = 'contact'
              and ($3::timestamptz is null or (e.occurred_at, e.event_id) < ($3, $4::uuid))
            order by e.occurred_at desc, e.event_id desc limit $5)
          union all
          (select 'note', e.occurred_at, e.event_id, c.subject_id, null,
                  null, null, null, null, null, c.call_id, null, null, null, null
             from read.calls c
             join ledger.events e
               on e.tenant_id = $1 and e.stream_id = c.call_id
              and e.event_type = 'call.note_added'
            where c.tenant_id = $1 and c.subject_id = any ($2) and c.contact_id is not null
              and ($3::timestamptz is null or (e.occurred_at, e.event_id) < ($3, $4::uuid))
              and not exists (select from ledger.events r
                               where r.tenant_id = $1 and r.stream_id = e.stream_id
                                 and r.event_type = 'call.note_removed'
                                 and r.facts ->> 'note_id' = e.facts ->> 'note_id')
            order by e.occurred_at desc, e.event_id desc limit $5)
          union all
          (select 'task', e.occurred_at, e.event_id, t.contact_id, e.status,
                  null, null, null, null, null, t.call_id, t.appointment_id, t.task_id, t.kind,
                  t.due_at
             from read.tasks t
            cross join lateral (
              select occurred_at, event_id,
                     case event_type when 'task.created' then 'open' else t.status end as status
                from ledger.events
               where tenant_id = $1 and stream_id = t.task_id
                 and event_type in ('task.created', 'task.' || t.status)
              offset 0) e
            where t.tenant_id = $1 and t.contact_id = any ($2) and t.contact_id is not null
              and ($3::timestamptz is null or (e.occurred_at, e.event_id) < ($3, $4::uuid))
            order by e.occurred_at desc, e.event_id desc limit $5)
        ) t
        order by "at!" desc, "id!" desc
        limit $5
        "#,
        tenant_id.0,
        contacts,
        at,
        id,
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    let corrupt = |column| StoreError::Corrupt { table: "timeline", column };
    let entries = rows.into_iter().map(|row| {
        let kind = TimelineKind::ALL.into_iter().find(|kind| kind.as_str() == row.kind);
        Ok(TimelineEntry {
            kind: kind.ok_or_else(|| corrupt("kind"))?,
            at: row.at,
            id: row.id,
            contact_id: row.contact_id,
            status: row.status,
            direction: row.direction,
            outcome: row.outcome,
            duration_ms: row.duration_ms,
            scheduled_at: row.scheduled_at,
            service: row.service,
            call_id: row.call_id,
            appointment_id: row.appointment_id,
            task: match row.task_id {
                None => None,
                Some(task_id) => Some(TimelineTask {
                    task_id,
                    kind: row.task_kind.ok_or_else(|| corrupt("task_kind"))?,
                    due_at: row.due_at.ok_or_else(|| corrupt("due_at"))?,
                }),
            },
        })
    });
    entries.collect()
}
