//! Reads `appointments`: one appointment, or a page of them.

use chrono::{DateTime, Utc};
use ledger_store::read::{Page, PageSize, page_of};
use ledger_store::{StoreError, TenantTx};
use uuid::Uuid;

use super::row::Appointment;
use super::write::StoredAppointment;

/// An appointment with what other read models tell about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedAppointment {
    /// The appointment. Without a `party` section of its own it has that of another appointment or
    /// call of its contact, as far as there is one.
    pub appointment: Appointment,
    /// The provider's id of the call in which it was booked.
    pub provider_call_id: Option<String>,
}

/// A row of `read.appointments`, joined.
struct Row {
    tenant_id: Uuid,
    appointment_id: Uuid,
    contact_id: Uuid,
    booked_by_contact_id: Option<Uuid>,
    service: Option<String>,
    resource: String,
    scheduled_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    status: String,
    call_id: Option<Uuid>,
    price_cents: Option<i64>,
    currency: Option<String>,
    settings_version: i64,
    history: String,
    party: Option<Vec<u8>>,
    booked_position: i64,
    position: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    provider_call_id: Option<String>,
}

impl Row {
    fn weight(&self) -> usize {
        500 + self.history.len() + self.party.as_ref().map_or(0, Vec::len)
    }

    fn open(self) -> Result<ListedAppointment, StoreError> {
        let stored = StoredAppointment {
            tenant_id: self.tenant_id,
            appointment_id: self.appointment_id,
            contact_id: self.contact_id,
            booked_by_contact_id: self.booked_by_contact_id,
            service: self.service,
            resource: self.resource,
            scheduled_at: self.scheduled_at,
            ends_at: self.ends_at,
            status: self.status,
            call_id: self.call_id,
            price_cents: self.price_cents,
            currency: self.currency,
            settings_version: self.settings_version,
            history: self.history,
            party: self.party,
            booked_position: self.booked_position,
            position: self.position,
            created_at: self.created_at,
            updated_at: self.updated_at,
        };
        let provider_call_id = self.provider_call_id;
        Ok(ListedAppointment { appointment: stored.open()?, provider_call_id })
    }
}

/// Filter of a page. Absent conditions do not restrict it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AppointmentFilter {
    /// Earliest start (inclusive).
    pub from: Option<DateTime<Utc>>,
    /// Latest start (exclusive).
    pub to: Option<DateTime<Utc>>,
    /// Status: `pending`, `confirmed`, `completed`, `cancelled` or `no_show`.
    pub status: Option<String>,
    /// The person that it is for.
    pub contact_id: Option<Uuid>,
    /// Id of the service.
    pub service: Option<String>,
    /// Id of the resource.
    pub resource: Option<String>,
    /// The call in which it was booked.
    pub call_id: Option<Uuid>,
}

/// Keyset of a page: the last row of the page before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct After {
    /// Start of the last appointment.
    pub scheduled_at: DateTime<Utc>,
    /// Id of the last appointment.
    pub appointment_id: Uuid,
}

/// Returns a page of appointments, the latest start first.
///
/// # Errors
/// [`StoreError::Database`]; [`StoreError::Corrupt`] when a row is not what the projector wrote.
pub async fn list(
    tx: &mut TenantTx,
    filter: &AppointmentFilter,
    after: Option<After>,
    size: PageSize,
) -> Result<Page<ListedAppointment>, StoreError> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query_as!(
        Row,
        r#"
        select a.tenant_id as "tenant_id!", a.appointment_id as "appointment_id!",
               a.contact_id as "contact_id!", a.booked_by_contact_id, a.service,
               a.resource as "resource!", a.scheduled_at as "scheduled_at!", a.ends_at as "ends_at!",
               a.status as "status!", a.call_id, a.price_cents, a.currency,
               a.settings_version as "settings_version!", a.history as "history!",
               coalesce(a.party,
                        (select o.party from read.appointments o
                          where o.tenant_id = a.tenant_id and o.contact_id = a.contact_id
                            and o.party is not null
                          order by o.scheduled_at desc, o.appointment_id desc limit 1),
                        (select p.party from read.calls p
                          where p.tenant_id = a.tenant_id and p.subject_id = a.contact_id
                            and p.party is not null
                          order by p.started_at desc, p.call_id desc limit 1)) as party,
               a.booked_position as "booked_position!", a.position as "position!",
               a.created_at as "created_at!", a.updated_at as "updated_at!",
               c.provider_call_id as "provider_call_id?"
          from read.appointments a
          left join read.calls c on c.tenant_id = a.tenant_id and c.call_id = a.call_id
         where a.tenant_id = $1
           and ($2::timestamptz is null or a.scheduled_at >= $2)
           and ($3::timestamptz is null or a.scheduled_at < $3)
           and ($4::text is null or a.status = $4)
           and ($5::uuid is null
                or a.contact_id = any (array (select $5::uuid union all
                                        select m.contact_id from read.contacts m
                                         where m.tenant_id = $1 and m.merged_into = $5)))
           and ($6::text is null or a.service = $6)
           and ($7::text is null or a.resource = $7)
           and ($8::uuid is null or a.call_id = $8)
           and ($9::timestamptz is null or (a.scheduled_at, a.appointment_id) < ($9, $10::uuid))
         order by a.scheduled_at desc, a.appointment_id desc
         limit $11
        "#,
        tenant_id.0,
        filter.from,
        filter.to,
        filter.status,
        filter.contact_id,
        filter.service,
        filter.resource,
        filter.call_id,
        after.map(|after| after.scheduled_at),
        after.map(|after| after.appointment_id),
        size.limit(),
    )
    .fetch(tx.conn());
    let Page { rows, has_more } = page_of(rows, size, Row::weight).await?;
    let rows = rows.into_iter().map(Row::open).collect::<Result<_, _>>()?;
    Ok(Page { rows, has_more })
}

/// Returns one appointment of the transaction's tenant, or `None`.
///
/// # Errors
/// [`StoreError::Database`]; [`StoreError::Corrupt`] when the row is not what the projector wrote.
pub async fn find(
    tx: &mut TenantTx,
    appointment_id: Uuid,
) -> Result<Option<ListedAppointment>, StoreError> {
    let tenant_id = tx.tenant_id();
    let row = sqlx::query_as!(
        Row,
        r#"
        select a.tenant_id as "tenant_id!", a.appointment_id as "appointment_id!",
               a.contact_id as "contact_id!", a.booked_by_contact_id, a.service,
               a.resource as "resource!", a.scheduled_at as "scheduled_at!", a.ends_at as "ends_at!",
               a.status as "status!", a.call_id, a.price_cents, a.currency,
               a.settings_version as "settings_version!", a.history as "history!",
               coalesce(a.party,
                        (select o.party from read.appointments o
                          where o.tenant_id = a.tenant_id and o.contact_id = a.contact_id
                            and o.party is not null
                          order by o.scheduled_at desc, o.appointment_id desc limit 1),
                        (select p.party from read.calls p
                          where p.tenant_id = a.tenant_id and p.subject_id = a.contact_id
                            and p.party is not null
                          order by p.started_at desc, p.call_id desc limit 1)) as party,
               a.booked_position as "booked_position!", a.position as "position!",
               a.created_at as "created_at!", a.updated_at as "updated_at!",
               c.provider_call_id as "provider_call_id?"
          from read.appointments a
          left join read.calls c on c.tenant_id = a.tenant_id and c.call_id = a.call_id
         where a.tenant_id = $1 and a.appointment_id = $2
        "#,
        tenant_id.0,
        appointment_id,
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(Row::open).transpose()
}
