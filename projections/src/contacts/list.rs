//! Reads `contacts`: one contact, or a page of them, each with its parts and its figures.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use ledger_store::read::{Page, PageSize, page_of};
use ledger_store::{StoreError, TenantTx};
use uuid::Uuid;

use super::row::Contact;
use super::write::StoredContact;

/// A contact with the contacts that were merged into it, and the figures of all of them.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedContact {
    /// The contact.
    pub contact: Contact,
    /// The contacts that were merged into it.
    pub parts: Vec<Contact>,
    /// Sums over calls and appointments.
    pub figures: ContactFigures,
}

/// Sums over the calls and appointments of a contact and its parts. Test calls do not count.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ContactFigures {
    /// Number of calls.
    pub calls: i64,
    /// Sum of the durations, in milliseconds.
    pub duration_ms: i128,
    /// Sum of the costs in 1e-9 of each currency.
    pub costs: Vec<(String, i128)>,
    /// Start of the last call.
    pub last_call_at: Option<DateTime<Utc>>,
    /// Number of appointments, whatever their status.
    pub appointments: i64,
    /// Number of appointments to which the person did not come.
    pub no_shows: i64,
}

impl ListedContact {
    /// The contact and its parts.
    pub fn members(&self) -> impl Iterator<Item = &Contact> {
        std::iter::once(&self.contact).chain(&self.parts)
    }
}

/// Filter of a page. Absent conditions do not restrict it. Merged contacts are in no page; their
/// survivors stand for them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContactFilter {
    /// Only these contacts.
    pub contact_ids: Option<Vec<Uuid>>,
    /// With this tag, of its own or of a part.
    pub tag: Option<String>,
    /// With this segment, which is the newest among its own and those of its parts.
    pub segment: Option<String>,
}

/// Keyset of a page: the last row of the page before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct After {
    /// Time at which the last contact was seen first.
    pub first_seen_at: DateTime<Utc>,
    /// Id of the last contact.
    pub contact_id: Uuid,
}

/// Estimates the bytes of a row.
fn weight(row: &StoredContact) -> usize {
    500 + row.claims.len() + row.sections.as_ref().map_or(0, Vec::len)
}

/// Returns a page of contacts, the one that was seen first most recently first.
///
/// # Errors
/// [`StoreError::Database`]; [`StoreError::Corrupt`] when a row is not what the projector wrote.
pub async fn list(
    tx: &mut TenantTx,
    filter: &ContactFilter,
    after: Option<After>,
    size: PageSize,
) -> Result<Page<ListedContact>, StoreError> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query_as!(
        StoredContact,
        r#"
        select c.tenant_id as "tenant_id!", c.contact_id as "contact_id!", c.merged_into,
               c.first_seen_at as "first_seen_at!", c.segment, c.priority, c.tags as "tags!",
               c.claims as "claims!", c.sections, c.position as "position!",
               c.updated_at as "updated_at!"
          from read.contacts c
         where c.tenant_id = $1 and c.merged_into is null
           and ($2::uuid[] is null or c.contact_id = any ($2))
           and ($3::text is null or c.tags @> array[$3]
                or exists (select from read.contacts p
                            where p.tenant_id = c.tenant_id and p.merged_into = c.contact_id
                              and p.tags @> array[$3]))
           and ($4::text is null or $4 = (
                 select m.segment from read.contacts m
                  where m.tenant_id = c.tenant_id
                    and (m.contact_id = c.contact_id or m.merged_into = c.contact_id)
                    and m.claims::json #> '{fields,segment}' is not null
                  order by (m.claims::json #>> '{fields,segment,position}')::bigint desc
                  limit 1))
           and ($5::timestamptz is null or (c.first_seen_at, c.contact_id) < ($5, $6::uuid))
         order by c.first_seen_at desc, c.contact_id desc
         limit $7
        "#,
        tenant_id.0,
        filter.contact_ids.as_deref(),
        filter.tag,
        filter.segment,
        after.map(|after| after.first_seen_at),
        after.map(|after| after.contact_id),
        size.limit(),
    )
    .fetch(tx.conn());
    let Page { rows, has_more } = page_of(rows, size, weight).await?;
    let rows = rows.into_iter().map(StoredContact::open).collect::<Result<_, _>>()?;
    Ok(Page { rows: complete(tx, rows).await?, has_more })
}

/// Returns one contact of the transaction's tenant, or `None`. A merged contact is returned as it
/// was, without parts.
///
/// # Errors
/// As [`list`].
pub async fn find(
    tx: &mut TenantTx,
    contact_id: Uuid,
) -> Result<Option<ListedContact>, StoreError> {
    let tenant_id = tx.tenant_id();
    let row = sqlx::query_as!(
        StoredContact,
        r#"
        select c.tenant_id as "tenant_id!", c.contact_id as "contact_id!", c.merged_into,
               c.first_seen_at as "first_seen_at!", c.segment, c.priority, c.tags as "tags!",
               c.claims as "claims!", c.sections, c.position as "position!",
               c.updated_at as "updated_at!"
          from read.contacts c
         where c.tenant_id = $1 and c.contact_id = $2
        "#,
        tenant_id.0,
        contact_id,
    )
    .fetch_optional(tx.conn())
    .await?;
    let rows = row.into_iter().map(StoredContact::open).collect::<Result<_, _>>()?;
    Ok(complete(tx, rows).await?.pop())
}

/// Returns contacts by id, each with its parts and without figures; the survivor for a merged one.
///
/// # Errors
/// As [`list`].
pub async fn listed_by_id(
    tx: &mut TenantTx,
    contact_ids: &[Uuid],
) -> Result<Vec<(Uuid, ListedContact)>, StoreError> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        r#"
        select k.contact_id as "asked!", c.tenant_id as "tenant_id!", c.contact_id as "contact_id!",
               c.merged_into, c.first_seen_at as "first_seen_at!", c.segment, c.priority,
               c.tags as "tags!", c.claims as "claims!", c.sections, c.position as "position!",
               c.updated_at as "updated_at!"
          from unnest($2::uuid[]) as k (contact_id)
          join read.contacts n on n.tenant_id = $1 and n.contact_id = k.contact_id
          join read.contacts c
            on c.tenant_id = $1 and c.contact_id = coalesce(n.merged_into, n.contact_id)
         order by k.contact_id
        "#,
        tenant_id.0,
        contact_ids,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let stored = StoredContact {
            tenant_id: row.tenant_id,
            contact_id: row.contact_id,
            merged_into: row.merged_into,
            first_seen_at: row.first_seen_at,
            segment: row.segment,
            priority: row.priority,
            tags: row.tags,
            claims: row.claims,
            sections: row.sections,
            position: row.position,
            updated_at: row.updated_at,
        };
        found.push((row.asked, stored.open()?));
    }
    let survivors: Vec<Uuid> = found.iter().map(|(_, contact)| contact.contact_id).collect();
    let mut parts: HashMap<Uuid, Vec<Contact>> = HashMap::new();
    for part in parts_of(tx, &survivors).await? {
        parts.entry(part.merged_into.unwrap_or_default()).or_default().push(part);
    }
    let listed = found.into_iter().map(|(asked, contact)| {
        let parts = parts.get(&contact.contact_id).cloned().unwrap_or_default();
        (asked, ListedContact { contact, parts, figures: ContactFigures::default() })
    });
    Ok(listed.collect())
}

/// Returns the rows of the contacts that were merged into these, in the order of their ids.
///
/// # Errors
/// As [`list`].
async fn parts_of(tx: &mut TenantTx, contact_ids: &[Uuid]) -> Result<Vec<Contact>, StoreError> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query_as!(
        StoredContact,
        r#"
        select c.tenant_id as "tenant_id!", c.contact_id as "contact_id!", c.merged_into,
               c.first_seen_at as "first_seen_at!", c.segment, c.priority, c.tags as "tags!",
               c.claims as "claims!", c.sections, c.position as "position!",
               c.updated_at as "updated_at!"
          from read.contacts c
         where c.tenant_id = $1 and c.merged_into = any ($2)
         order by c.contact_id
        "#,
        tenant_id.0,
        contact_ids,
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(StoredContact::open).collect()
}

/// Adds parts and figures to contacts.
async fn complete(tx: &mut TenantTx, rows: Vec<Contact>) -> Result<Vec<ListedContact>, StoreError> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.contact_id).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let all_parts = parts_of(tx, &ids).await?;
    join(tx, rows, all_parts).await
}

/// Joins contacts to their parts, and adds the figures of all of them.
pub(super) async fn join(
    tx: &mut TenantTx,
    rows: Vec<Contact>,
    all_parts: Vec<Contact>,
) -> Result<Vec<ListedContact>, StoreError> {
    let mut parts: HashMap<Uuid, Vec<Contact>> = HashMap::new();
    for part in all_parts {
        parts.entry(part.merged_into.unwrap_or_default()).or_default().push(part);
    }
    let mut listed: Vec<ListedContact> = rows
        .into_iter()
        .map(|contact| {
            let parts = parts.remove(&contact.contact_id).unwrap_or_default();
            ListedContact { contact, parts, figures: ContactFigures::default() }
        })
        .collect();
    let members: Vec<Uuid> =
        listed.iter().flat_map(ListedContact::members).map(|one| one.contact_id).collect();
    let figures = figures(tx, &members).await?;
    for one in &mut listed {
        let mut all = ContactFigures::default();
        for member in one.members() {
            if let Some(of_member) = figures.get(&member.contact_id) {
                all.add(of_member);
            }
        }
        one.figures = all;
    }
    Ok(listed)
}

impl ContactFigures {
    fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.duration_ms += other.duration_ms;
        self.last_call_at = self.last_call_at.max(other.last_call_at);
        self.appointments += other.appointments;
        self.no_shows += other.no_shows;
        for (currency, cost) in &other.costs {
            match self.costs.iter_mut().find(|(known, _)| known == currency) {
                Some((_, sum)) => *sum += cost,
                None => self.costs.push((currency.clone(), *cost)),
            }
        }
    }
}

/// Returns the figures of contacts, each without its parts.
async fn figures(
    tx: &mut TenantTx,
    contacts: &[Uuid],
) -> Result<HashMap<Uuid, ContactFigures>, StoreError> {
    let tenant_id = tx.tenant_id();
    let counts = sqlx::query!(
        r#"
        select k.contact_id as "contact_id!",
               (select max(c.started_at) from read.calls c
                 where c.tenant_id = $1 and c.subject_id = k.contact_id
                   and c.contact_id is not null and not c.is_test)
                 as last_call_at,
               a.appointments as "appointments!", a.no_shows as "no_shows!"
          from unnest($2::uuid[]) as k (contact_id)
         cross join lateral (
           select count(*) as appointments,
                  count(*) filter (where status = 'no_show') as no_shows
             from read.appointments
            where tenant_id = $1 and contact_id = k.contact_id) a
        "#,
        tenant_id.0,
        contacts,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut figures: HashMap<Uuid, ContactFigures> = counts
        .into_iter()
        .map(|row| {
            let of_contact = ContactFigures {
                last_call_at: row.last_call_at,
                appointments: row.appointments,
                no_shows: row.no_shows,
                ..ContactFigures::default()
            };
            (row.contact_id, of_contact)
        })
        .collect();
    let sums = sqlx::query!(
        r#"
        select contact_id as "contact_id!", currency as "currency!", calls as "calls!",
               duration_ms::text as "duration_ms!", cost_nanos::text as "cost_nanos!"
          from read.contact_calls
         where tenant_id = $1 and contact_id = any ($2)
         order by contact_id, currency
        "#,
        tenant_id.0,
        contacts,
    )
    .fetch_all(tx.conn())
    .await?;
    for row in sums {
        let corrupt = |column| move |_| StoreError::Corrupt { table: "contact_calls", column };
        let of_contact = figures.entry(row.contact_id).or_default();
        of_contact.calls += row.calls;
        of_contact.duration_ms +=
            row.duration_ms.parse::<i128>().map_err(corrupt("duration_ms"))?;
        if !row.currency.is_empty() {
            let cost = row.cost_nanos.parse().map_err(corrupt("cost_nanos"))?;
            of_contact.costs.push((row.currency, cost));
        }
    }
    Ok(figures)
}
