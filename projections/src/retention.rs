//! What the retention policy of a tenant makes due: numbers, for a report without effect.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ledger_core::ids::Position;
use ledger_core::retention::{RetentionClass, RetentionPolicy};
use ledger_store::{StoreError, TenantTx};
use uuid::Uuid;

/// Positions of one statement that looks for legal holds.
const WINDOW: i64 = 50_000;

/// Objects of a class that are past its period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueObjects {
    /// Objects that are to be erased.
    pub due: i64,
    /// Objects past the period that a legal hold keeps.
    pub held: i64,
    /// Start of the oldest call, or first sight of the oldest contact, of those that are due.
    pub oldest: Option<DateTime<Utc>>,
}

/// Returns the legal holds that were placed or released in a window, with their subjects, in the
/// order of the log.
async fn holds_between(
    tx: &mut TenantTx,
    after: Position,
    to: Position,
) -> Result<Vec<(Uuid, Uuid, bool)>, StoreError> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        r#"
        select (facts ->> 'hold_id')::uuid as "hold_id!", (facts ->> 'subject_id')::uuid as "subject_id!",
               event_type = 'subject.hold_placed' as "is_placed!"
          from ledger.events
         where tenant_id = $1 and position > $2 and position <= $3
           and event_type in ('subject.hold_placed', 'subject.hold_released')
         order by position
        "#,
        tenant_id.0,
        after.0,
        to.0,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (row.hold_id, row.subject_id, row.is_placed)).collect())
}

/// Counts the objects of a class that are past its period. `held` are the subjects with a legal hold.
async fn due_objects(
    tx: &mut TenantTx,
    class: RetentionClass,
    before: DateTime<Utc>,
    held: &[Uuid],
) -> Result<DueObjects, StoreError> {
    match class {
        RetentionClass::Calls => calls(tx, before, held).await,
        RetentionClass::Recordings => calls_with(tx, before, held, "recordings").await,
        RetentionClass::Transcripts => calls_with(tx, before, held, "transcript").await,
        RetentionClass::Contacts => contacts(tx, before, held).await,
    }
}

async fn calls(
    tx: &mut TenantTx,
    before: DateTime<Utc>,
    held: &[Uuid],
) -> Result<DueObjects, StoreError> {
    let tenant_id = tx.tenant_id();
    let row = sqlx::query!(
        r#"
        select count(*) filter (where not is_held) as "due!", count(*) filter (where is_held) as "held!",
               min(started_at) filter (where not is_held) as oldest
          from (select started_at, coalesce(subject_id = any ($3), false) as is_held
                  from read.calls
                 where tenant_id = $1 and started_at < $2) c
        "#,
        tenant_id.0,
        before,
        held,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(DueObjects { due: row.due, held: row.held, oldest: row.oldest })
}

/// Calls with a part of a conversation, by the facts of their reports, or with a link to a recording.
async fn calls_with(
    tx: &mut TenantTx,
    before: DateTime<Utc>,
    held: &[Uuid],
    part: &str,
) -> Result<DueObjects, StoreError> {
    let tenant_id = tx.tenant_id();
    let row = sqlx::query!(
        r#"
        select count(*) filter (where not is_held) as "due!", count(*) filter (where is_held) as "held!",
               min(started_at) filter (where not is_held) as oldest
          from (select started_at, coalesce(subject_id = any ($3), false) as is_held
                  from read.calls c
                 where c.tenant_id = $1 and c.started_at < $2
                   and exists (select from ledger.events e
                                where e.tenant_id = $1 and e.stream_id = c.call_id and e.bulk is not null
                                  and (e.event_type = 'call.ended'
                                       and exists (select from json_array_elements_text(e.facts -> 'conversation') p
                                                    where p = $4 or ($4 = 'transcript' and p = 'messages'))
                                    or e.event_type = 'call.recording_available' and $4 = 'recordings'))) d
        "#,
        tenant_id.0,
        before,
        held,
        part,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(DueObjects { due: row.due, held: row.held, oldest: row.oldest })
}

/// Contacts that stand for themselves, without a call, an appointment or a change since.
async fn contacts(
    tx: &mut TenantTx,
    before: DateTime<Utc>,
    held: &[Uuid],
) -> Result<DueObjects, StoreError> {
    let tenant_id = tx.tenant_id();
    let row = sqlx::query!(
        r#"
        select count(*) filter (where not is_held) as "due!", count(*) filter (where is_held) as "held!",
               min(first_seen_at) filter (where not is_held) as oldest
          from (select c.first_seen_at,
                       c.contact_id = any ($3) as is_held
                  from read.contacts c
                 where c.tenant_id = $1 and c.merged_into is null and c.first_seen_at < $2
                   and not exists (
                     select from (select c.contact_id union all
                                  select p.contact_id from read.contacts p
                                   where p.tenant_id = $1 and p.merged_into = c.contact_id) one
                      where exists (select from read.calls k
                                     where k.tenant_id = $1 and k.subject_id = one.contact_id
                                       and k.started_at >= $2)
                         or exists (select from read.appointments a
                                     where a.tenant_id = $1 and a.contact_id = one.contact_id
                                       and greatest(a.created_at, a.scheduled_at) >= $2)
                         or exists (select from ledger.events e
                                     where e.tenant_id = $1 and e.stream_id = one.contact_id
                                       and e.occurred_at >= $2))) d
        "#,
        tenant_id.0,
        before,
        held,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(DueObjects { due: row.due, held: row.held, oldest: row.oldest })
}

/// A class of the policy with its due objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueClass {
    /// The class.
    pub class: RetentionClass,
    /// Its period in days.
    pub days: Option<u32>,
    /// Time before which objects are due.
    pub before: Option<DateTime<Utc>>,
    /// The objects; none without a period.
    pub objects: DueObjects,
}

/// Reports every class of a policy. Legal holds are those of the log; the objects are those of the
/// read models.
///
/// # Errors
/// The database did not answer.
pub async fn report(
    tx: &mut TenantTx,
    policy: &RetentionPolicy,
    now: DateTime<Utc>,
) -> Result<Vec<DueClass>, StoreError> {
    let held = held(tx).await?;
    let mut report = Vec::new();
    for class in RetentionClass::ALL {
        let before = policy.before(class, now);
        let objects = match before {
            Some(before) => due_objects(tx, class, before, &held).await?,
            None => DueObjects { due: 0, held: 0, oldest: None },
        };
        report.push(DueClass { class, days: policy.days(class), before, objects });
    }
    Ok(report)
}

/// The subjects with a legal hold, and the contacts that they are merged with.
async fn held(tx: &mut TenantTx) -> Result<Vec<Uuid>, StoreError> {
    let Position(head) = ledger_store::read::head(tx).await?;
    let mut holds: BTreeMap<Uuid, Uuid> = BTreeMap::new();
    let mut after = 0;
    while after < head {
        let to = head.min(after + WINDOW);
        for (hold_id, subject_id, is_placed) in
            holds_between(tx, Position(after), Position(to)).await?
        {
            if is_placed {
                holds.insert(hold_id, subject_id);
            } else {
                holds.remove(&hold_id);
            }
        }
        after = to;
    }
    let subjects: Vec<Uuid> = holds.into_values().collect();
    let tenant_id = tx.tenant_id();
    let related = sqlx::query_scalar!(
        r#"
        select o.contact_id as "contact_id!"
          from read.contacts h
          join read.contacts o
            on o.tenant_id = $1
           and coalesce(o.merged_into, o.contact_id) = coalesce(h.merged_into, h.contact_id)
         where h.tenant_id = $1 and h.contact_id = any ($2)
        "#,
        tenant_id.0,
        &subjects,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(subjects.into_iter().chain(related).collect())
}
