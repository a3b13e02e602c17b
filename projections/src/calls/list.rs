//! Reads `calls`: one call, or a page of calls.

mod by_handle;
mod by_index;
mod statement;

use chrono::{DateTime, Utc};
use ledger_core::annotation::spelling::Spellings;
use ledger_core::call::Call;
use ledger_core::envelope::StreamKind;
use ledger_core::event::AppointmentStatus;
use ledger_core::ids::TenantId;
use ledger_core::provider::Provider;
use ledger_store::read::{Page, PageSize, page_of};
use ledger_store::{StoreError, TenantTx};
use uuid::Uuid;

use self::statement::calls_page;
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
    /// Folded state of the carrier's call, if the carrier reported it: a part of this record.
    pub carrier: Option<Call>,
    /// For the call of a carrier that is a part: its record. If several calls name it, the one that
    /// started first, then the one with the smallest id.
    pub part_of: Option<Uuid>,
    /// The appointment booked last in the call, or in its part at a carrier.
    pub appointment: Option<LinkedAppointment>,
}

/// One row of `read.calls` in stored, compressed form.
#[derive(Debug, Clone)]
pub struct StoredCall {
    call_id: Uuid,
    started_at: DateTime<Utc>,
    state: Vec<u8>,
    party: Option<Vec<u8>>,
    carrier_state: Option<Vec<u8>>,
    part_of: Option<Uuid>,
    appointment_id: Option<Uuid>,
    appointment_scheduled_at: Option<DateTime<Utc>>,
    appointment_status: Option<String>,
    appointment_service: Option<String>,
}

/// An appointment that was booked in a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedAppointment {
    /// Id of the appointment.
    pub appointment_id: Uuid,
    /// Start of the appointment.
    pub scheduled_at: DateTime<Utc>,
    /// Its status.
    pub status: AppointmentStatus,
    /// Id of its service.
    pub service: Option<String>,
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
        let carrier = self.carrier_state.as_deref().map_or(0, state::weight);
        state::weight(&self.state) + self.party.as_ref().map_or(0, Vec::len) + carrier
    }

    /// Decodes the row.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the stored state cannot be decoded.
    pub fn open(self) -> Result<CallRow, StoreError> {
        let appointment = self.appointment()?;
        let Self { call_id, started_at, state, party, carrier_state, part_of, .. } = self;
        let carrier = carrier_state.as_deref().map(state::unpack).transpose()?;
        let call = state::unpack(&state)?;
        Ok(CallRow { call_id, started_at, call, party, carrier, part_of, appointment })
    }

    fn appointment(&self) -> Result<Option<LinkedAppointment>, StoreError> {
        let corrupt = || StoreError::Corrupt { table: "calls", column: "appointment_status" };
        let Some(appointment_id) = self.appointment_id else { return Ok(None) };
        let known =
            |name: &str| AppointmentStatus::ALL.into_iter().find(|one| one.as_str() == name);
        let status = self.appointment_status.as_deref().and_then(known);
        Ok(Some(LinkedAppointment {
            appointment_id,
            scheduled_at: self.appointment_scheduled_at.ok_or_else(corrupt)?,
            status: status.ok_or_else(corrupt)?,
            service: self.appointment_service.clone(),
        }))
    }
}

/// Filter of a page. Every filter has a typed column; absent ones do not restrict the page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallFilter {
    /// Earliest start of a call (inclusive).
    pub from: Option<DateTime<Utc>>,
    /// Latest start of a call (exclusive).
    pub to: Option<DateTime<Utc>>,
    /// The provider's id of the call, or the id of its part at a carrier.
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
    /// Ids that match a phone number: its handle, and the contacts with that number. A call matches
    /// if any of its messages, or of its carrier's, states the number; the contacts find calls
    /// recorded before handles had ids. An empty list matches no call.
    pub phone: Option<Vec<Uuid>>,
    /// Ids that match an e-mail address, like `phone`. An empty list matches no call.
    pub email: Option<Vec<Uuid>>,
    /// Whether an appointment was booked in the call, whatever became of it; `None` for both.
    pub has_appointment: Option<bool>,
    /// One of the tags of the call.
    pub tag: Option<String>,
    /// Id of the disposition.
    pub disposition: Option<Spellings>,
    /// Id of the campaign.
    pub campaign: Option<String>,
    /// Number of the attempt to reach the person, from 1.
    pub attempt: Option<i64>,
    /// Type of the call.
    pub call_type: Option<Spellings>,
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
        return by_index::of_tool(tx, filter, tool, after, size).await;
    }
    if let Some(tag) = &filter.tag {
        return by_index::of_tag(tx, filter, tag, after, size).await;
    }
    match (filter.phone.as_deref(), filter.email.as_deref()) {
        (Some(handles), other) | (other @ None, Some(handles)) => {
            return by_handle::list(tx, filter, (handles, other), after, size).await;
        }
        (None, None) => {}
    }
    let tenant_id = tx.tenant_id();
    let rows = calls_page!(
        from: (r#"
          from read.calls c
          left join lateral (
           select state from read.carrier_calls
            where tenant_id = $1 and call_id = c.carrier_call_id
           offset 0) k on true
         where tenant_id = $1
           and ($2::timestamptz is null or started_at >= $2)
           and ($3::timestamptz is null or started_at < $3)
            "#),
        order: (r#"
           and ($13::timestamptz is null or (started_at, call_id) < ($13, $14::uuid))
         order by started_at desc, call_id desc
         limit $15
            "#),
        (tenant_id, filter, after, size),
    );
    page_of(rows.fetch(tx.conn()), size, StoredCall::weight).await
}

/// Returns the ids that carriers' calls with this provider's id have in the log, reported or not.
pub(crate) fn carrier_call_ids(tenant_id: TenantId, provider_call_id: Option<&str>) -> Vec<Uuid> {
    let Some(id) = provider_call_id else { return Vec::new() };
    let carriers = Provider::ALL.iter().filter(|provider| {
        let adapter = provider.adapter();
        adapter.is_carrier() && adapter.is_call_id(id)
    });
    let kind = StreamKind::Call.as_str();
    carriers.map(|carrier| tenant_id.stream_of(kind, carrier.as_str(), id).0).collect()
}

/// Returns one call of the transaction's tenant, or `None`. The call of a carrier that is a part of
/// a record is returned as well.
///
/// # Errors
/// [`StoreError::Database`]; [`StoreError::Corrupt`] when the row is not what the projector wrote.
pub async fn find(tx: &mut TenantTx, call_id: Uuid) -> Result<Option<CallRow>, StoreError> {
    let tenant_id = tx.tenant_id();
    let row = sqlx::query_as!(
        StoredCall,
        r#"
        select c.call_id as "call_id!", c.started_at as "started_at!", c.state as "state!", c.party,
               k.state as "carrier_state?",
               (select r.call_id
                  from read.call_carriers n
                  join read.calls r on r.tenant_id = n.tenant_id and r.call_id = n.call_id
                 where n.tenant_id = $1 and n.carrier_call_id = c.call_id
                 order by r.started_at, r.call_id
                 limit 1) as part_of, c.appointment_id, c.appointment_scheduled_at,
               c.appointment_status, c.appointment_service
          from (select call_id, started_at, state, party, carrier_call_id, appointment_id,
                       appointment_scheduled_at, appointment_status, appointment_service
                  from read.calls where tenant_id = $1 and call_id = $2
                 union all
                select call_id, started_at, state, party, carrier_call_id, appointment_id,
                       appointment_scheduled_at, appointment_status, appointment_service
                  from read.carrier_calls where tenant_id = $1 and call_id = $2) c
          left join lateral (
           select state from read.carrier_calls
            where tenant_id = $1 and call_id = c.carrier_call_id
           offset 0) k on true
        "#,
        tenant_id.0,
        call_id,
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(StoredCall::open).transpose()
}
