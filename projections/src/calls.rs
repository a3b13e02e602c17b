//! `calls`: one row per call. The row is the fold ([`Call`]) and columns derived from it to filter
//! and sort by; who was on the line is a copy of sealed bytes.

mod list;

use std::collections::HashMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use ledger_core::call::{Call, Carried};
use ledger_core::event::{Direction, Status};
use ledger_core::ids::{EventId, TenantId};
use ledger_store::StoreError;
use ledger_store::read::StoredEvent;
use ledger_store::seal::{Sealed, SectionName, pack, unpack};
use sqlx::PgConnection;
use uuid::Uuid;

pub use list::{After, CallRow, Filter, find, list};

use crate::projector::{ProjectError, Projector};

/// The projector.
pub struct Calls;

/// What separates tool names on their way into an array: never part of a stored fact.
const SEPARATOR: &str = "\u{1f}";

#[async_trait]
impl Projector for Calls {
    fn name(&self) -> &'static str {
        "calls"
    }

    fn version(&self) -> i32 {
        1
    }

    async fn project(
        &self,
        conn: &mut PgConnection,
        tenant_id: TenantId,
        events: &[StoredEvent],
    ) -> Result<(), ProjectError> {
        let about_calls: Vec<&StoredEvent> =
            events.iter().filter(|event| event.stream_kind == "call").collect();
        if about_calls.is_empty() {
            return Ok(());
        }
        let mut touched = load(conn, tenant_id, &about_calls).await?;
        for event in about_calls {
            touched.entry(event.stream_id).or_default().take(event)?;
        }
        let mut touched: Vec<(Uuid, Folded)> = touched.into_iter().collect();
        touched.sort_by_key(|(call_id, _)| *call_id);
        write(conn, tenant_id, &touched).await?;
        Ok(())
    }
}

/// A call and the sealed parties its claims point to.
#[derive(Default)]
pub struct Folded {
    /// The fold.
    pub call: Call,
    parties: HashMap<EventId, Vec<u8>>,
}

impl Folded {
    /// Folds one stored event of the call's stream.
    ///
    /// # Errors
    /// [`StoreError::Decode`] when this build cannot read it.
    pub fn take(&mut self, event: &StoredEvent) -> Result<(), StoreError> {
        let parties: Vec<_> = parties(event.sections.as_deref()).collect();
        let carried = Carried { subject: event.subject(), has_party: !parties.is_empty() };
        self.call.evolve(&event.decode()?, carried);
        self.parties.extend(parties);
        Ok(())
    }

    /// The sealed parties that still count, best first, packed as in the log.
    #[must_use]
    pub fn party(&self) -> Option<Vec<u8>> {
        let claims = self.call.parties().iter();
        let sections: Vec<Vec<u8>> =
            claims.filter_map(|claim| self.parties.get(&claim.event_id).cloned()).collect();
        pack(&sections)
    }
}

/// The party sections of a column, by the event they were sealed for.
fn parties(column: Option<&[u8]>) -> impl Iterator<Item = (EventId, Vec<u8>)> {
    let sections = column.and_then(|column| unpack(column).ok()).unwrap_or_default();
    sections.into_iter().filter_map(|bytes| {
        let sealed = Sealed::parse(bytes).ok()?;
        (sealed.name == SectionName::Party).then(|| (sealed.event_id, bytes.to_vec()))
    })
}

async fn load(
    conn: &mut PgConnection,
    tenant_id: TenantId,
    events: &[&StoredEvent],
) -> Result<HashMap<Uuid, Folded>, ProjectError> {
    let ids: Vec<Uuid> = events.iter().map(|event| event.stream_id).collect();
    let rows = sqlx::query!(
        r#"select call_id, state::text as "state!", party from calls_v1.calls
            where tenant_id = $1 and call_id = any ($2)"#,
        tenant_id.0,
        &ids,
    )
    .fetch_all(conn)
    .await?;
    let mut loaded = HashMap::with_capacity(rows.len());
    for row in rows {
        let call = serde_json::from_str(&row.state)
            .map_err(|_| StoreError::Corrupt { table: "calls_v1.calls", column: "state" })?;
        let parties = parties(row.party.as_deref()).collect();
        loaded.insert(row.call_id, Folded { call, parties });
    }
    Ok(loaded)
}

/// The rows as columns.
#[derive(Default)]
struct Columns {
    call_id: Vec<Uuid>,
    provider: Vec<String>,
    provider_call_id: Vec<String>,
    direction: Vec<Option<&'static str>>,
    status: Vec<Option<&'static str>>,
    outcome: Vec<Option<&'static str>>,
    ended_reason: Vec<Option<String>>,
    started_at: Vec<DateTime<Utc>>,
    ended_at: Vec<Option<DateTime<Utc>>>,
    duration_ms: Vec<Option<i64>>,
    cost_nanos: Vec<Option<i64>>,
    currency: Vec<Option<String>>,
    tools_used: Vec<String>,
    agent_id: Vec<Option<String>>,
    phone_number_id: Vec<Option<String>>,
    success: Vec<Option<bool>>,
    is_test: Vec<bool>,
    subject_id: Vec<Option<Uuid>>,
    party: Vec<Option<Vec<u8>>>,
    position: Vec<i64>,
    state: Vec<String>,
}

impl Columns {
    fn push(&mut self, call_id: Uuid, folded: &Folded) {
        let call = &folded.call;
        self.call_id.push(call_id);
        self.provider.push(call.provider.clone());
        self.provider_call_id.push(call.provider_call_id.clone());
        self.direction.push(call.direction().map(direction_name));
        self.status.push(call.status().map(status_name));
        self.outcome.push(call.outcome().map(ledger_core::call::Outcome::as_str));
        self.ended_reason.push(call.ended_reason().map(str::to_owned));
        self.started_at.push(call.started_at().unwrap_or(DateTime::UNIX_EPOCH));
        self.ended_at.push(call.ended_at());
        self.duration_ms.push(call.duration_ms());
        self.cost_nanos.push(call.cost().map(|cost| cost.total_nanos.0));
        self.currency.push(call.cost().map(|cost| cost.currency.clone()));
        self.tools_used.push(call.tools_used().join(SEPARATOR));
        self.agent_id.push(call.agent_id().map(str::to_owned));
        self.phone_number_id.push(call.phone_number_id().map(str::to_owned));
        self.success.push(call.success());
        self.is_test.push(call.is_test());
        self.subject_id.push(call.subject_id().map(|subject| subject.0));
        self.party.push(folded.party());
        self.position.push(call.position.0);
        self.state.push(serde_json::to_string(call).expect("a fold is plain data"));
    }
}

async fn write(
    conn: &mut PgConnection,
    tenant_id: TenantId,
    calls: &[(Uuid, Folded)],
) -> sqlx::Result<()> {
    let mut columns = Columns::default();
    for (call_id, folded) in calls {
        columns.push(*call_id, folded);
    }
    sqlx::query!(
        r#"
        insert into calls_v1.calls (
          tenant_id, call_id, provider, provider_call_id, direction, status, outcome, ended_reason,
          started_at, ended_at, duration_ms, cost_nanos, currency, tools_used, agent_id,
          phone_number_id, success, is_test, subject_id, party, position, state)
        select $1, call_id, provider, provider_call_id, direction, status, outcome, ended_reason,
               started_at, ended_at, duration_ms, cost_nanos, currency,
               string_to_array(tools_used, $23), agent_id, phone_number_id, success, is_test,
               subject_id, party, position, state::json
          from unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                      $8::text[], $9::timestamptz[], $10::timestamptz[], $11::bigint[],
                      $12::bigint[], $13::text[], $14::text[], $15::text[], $16::text[],
                      $17::boolean[], $18::boolean[], $19::uuid[], $20::bytea[], $21::bigint[],
                      $22::text[])
            as n (call_id, provider, provider_call_id, direction, status, outcome, ended_reason,
                  started_at, ended_at, duration_ms, cost_nanos, currency, tools_used, agent_id,
                  phone_number_id, success, is_test, subject_id, party, position, state)
            on conflict (tenant_id, call_id) do update set
               direction = excluded.direction, status = excluded.status,
               outcome = excluded.outcome, ended_reason = excluded.ended_reason,
               started_at = excluded.started_at, ended_at = excluded.ended_at,
               duration_ms = excluded.duration_ms, cost_nanos = excluded.cost_nanos,
               currency = excluded.currency, tools_used = excluded.tools_used,
               agent_id = excluded.agent_id, phone_number_id = excluded.phone_number_id,
               success = excluded.success, is_test = excluded.is_test,
               subject_id = excluded.subject_id, party = excluded.party,
               position = excluded.position, state = excluded.state
        "#,
        tenant_id.0,
        &columns.call_id,
        &columns.provider,
        &columns.provider_call_id,
        &columns.direction as _,
        &columns.status as _,
        &columns.outcome as _,
        &columns.ended_reason as _,
        &columns.started_at,
        &columns.ended_at as _,
        &columns.duration_ms as _,
        &columns.cost_nanos as _,
        &columns.currency as _,
        &columns.tools_used,
        &columns.agent_id as _,
        &columns.phone_number_id as _,
        &columns.success as _,
        &columns.is_test,
        &columns.subject_id as _,
        &columns.party as _,
        &columns.position,
        &columns.state,
        SEPARATOR,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The stored and shown name of a direction.
#[must_use]
pub const fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
        Direction::Web => "web",
    }
}

/// The stored and shown name of a status.
#[must_use]
pub const fn status_name(status: Status) -> &'static str {
    match status {
        Status::Queued => "queued",
        Status::Ringing => "ringing",
        Status::InProgress => "in_progress",
        Status::Forwarding => "forwarding",
        Status::Ended => "ended",
    }
}
