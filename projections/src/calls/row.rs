//! Encodes and writes the rows of `calls`.

use chrono::{DateTime, Utc};
use ledger_core::call::Outcome;
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::bookings::BookedColumns;
use super::contribution::Contribution;
use super::names::{direction_name, status_name};
use super::prefolded::Prefolded;
use super::update::{CallKey, CallState, CallUpdate, RollupChange};
use super::{carriers, state};
use crate::copy::{MIN_COPY_ROWS, RowText, bytea, copy_in};
use crate::projector::{ProjectError, WriteMode};

/// A row, in the column order of the table.
#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "columns of a table")]
struct CallColumns<'a> {
    tenant_id: Uuid,
    call_id: Uuid,
    provider: &'a str,
    provider_call_id: &'a str,
    direction: Option<&'static str>,
    status: Option<&'static str>,
    outcome: Option<&'static str>,
    ended_reason: Option<&'a str>,
    started_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    last_recorded_at: DateTime<Utc>,
    duration_ms: Option<i64>,
    duration_bucket: Option<i16>,
    duration_class: &'static str,
    cost_nanos: Option<i64>,
    transport_nanos: i64,
    stt_nanos: i64,
    llm_nanos: i64,
    tts_nanos: i64,
    platform_nanos: i64,
    other_nanos: i64,
    currency: Option<&'a str>,
    tools_used: Vec<&'a String>,
    tool_calls: i64,
    agent_id: Option<&'a str>,
    phone_number_id: Option<&'a str>,
    success: Option<bool>,
    is_test: bool,
    is_transferred: bool,
    user_interruptions: Option<u32>,
    assistant_interruptions: Option<u32>,
    turn_latency_ms: Option<i64>,
    subject_id: Option<Uuid>,
    party: Option<String>,
    position: i64,
    state: String,
    contact_id: Option<Uuid>,
    person_id: Option<Uuid>,
    phone_id: Option<Uuid>,
    email_id: Option<Uuid>,
    carrier_call_id: Option<Uuid>,
    is_offered: bool,
    is_engaged: bool,
    is_escalated: bool,
    tags: Vec<&'a str>,
    disposition: Option<&'a str>,
    score: Option<u8>,
    campaign: Option<&'a str>,
    attempt: Option<u32>,
    call_type: Option<&'a str>,
    #[serde(flatten)]
    booked: BookedColumns,
}

impl<'a> CallColumns<'a> {
    fn of(folded: &'a CallState, key: CallKey, now: &'a Contribution) -> Self {
        let call = &folded.call;
        let parts = call.cost().map(|cost| cost.parts).unwrap_or_default();
        Self {
            tenant_id: key.0.0,
            call_id: key.1,
            provider: &call.provider,
            provider_call_id: &call.provider_call_id,
            direction: call.direction().map(direction_name),
            status: call.status().map(status_name),
            outcome: call.outcome().map(Outcome::as_str),
            ended_reason: call.ended_reason(),
            started_at: now.started_at,
            ended_at: call.ended_at(),
            created_at: call.earliest_known_at().unwrap_or(DateTime::UNIX_EPOCH),
            last_recorded_at: folded.updated_at.unwrap_or(DateTime::UNIX_EPOCH),
            duration_ms: call.duration_ms(),
            duration_bucket: now.duration_bucket,
            duration_class: now.duration_class,
            cost_nanos: call.cost().map(|cost| cost.total_nanos.0),
            transport_nanos: parts.transport_nanos.0,
            stt_nanos: parts.stt_nanos.0,
            llm_nanos: parts.llm_nanos.0,
            tts_nanos: parts.tts_nanos.0,
            platform_nanos: parts.platform_nanos.0,
            other_nanos: parts.other_nanos.0,
            currency: call.cost().map(|cost| cost.currency.as_str()),
            tools_used: now.tools.keys().collect(),
            tool_calls: now.measures.tool_calls,
            agent_id: call.agent_id(),
            phone_number_id: call.phone_number_id(),
            success: call.success(),
            is_test: now.is_test,
            is_transferred: call.is_transferred(),
            user_interruptions: call.user_interruptions(),
            assistant_interruptions: call.assistant_interruptions(),
            turn_latency_ms: call.turn_latency_ms(),
            subject_id: call.subject_id().map(|subject| subject.0),
            party: folded.party().map(|party| bytea(&party)),
            position: call.position.0,
            state: bytea(&state::pack(call)),
            contact_id: call.contact_id().map(|contact| contact.0),
            person_id: now.person_id(),
            phone_id: call.phone_id(),
            email_id: call.email_id(),
            carrier_call_id: now.carrier_call_id,
            is_offered: call.is_offered(),
            is_engaged: call.is_engaged(),
            is_escalated: call.escalated(),
            tags: call.tags(),
            disposition: call.disposition(),
            score: call.score(),
            campaign: call.campaign(),
            attempt: call.attempt(),
            call_type: call.call_type(),
            booked: BookedColumns::of(&now.bookings),
        }
    }

    fn copy(&self, rows: &mut RowText) {
        rows.plain(Some(self.tenant_id));
        rows.plain(Some(self.call_id));
        rows.text(Some(self.provider));
        rows.text(Some(self.provider_call_id));
        rows.text(self.direction);
        rows.text(self.status);
        rows.text(self.outcome);
        rows.text(self.ended_reason);
        rows.time(Some(self.started_at));
        rows.time(self.ended_at);
        rows.time(Some(self.created_at));
        rows.time(Some(self.last_recorded_at));
        rows.plain(self.duration_ms);
        rows.plain(self.duration_bucket);
        rows.text(Some(self.duration_class));
        rows.plain(self.cost_nanos);
        rows.plain(Some(self.transport_nanos));
        rows.plain(Some(self.stt_nanos));
        rows.plain(Some(self.llm_nanos));
        rows.plain(Some(self.tts_nanos));
        rows.plain(Some(self.platform_nanos));
        rows.plain(Some(self.other_nanos));
        rows.text(self.currency);
        rows.texts(&self.tools_used);
        rows.plain(Some(self.tool_calls));
        rows.text(self.agent_id);
        rows.text(self.phone_number_id);
        rows.plain(self.success);
        rows.plain(Some(self.is_test));
        rows.plain(Some(self.booked.is_booked));
        rows.plain(Some(self.is_transferred));
        rows.plain(self.user_interruptions);
        rows.plain(self.assistant_interruptions);
        rows.plain(self.turn_latency_ms);
        rows.plain(self.subject_id);
        rows.text(self.party.as_deref());
        rows.plain(Some(self.position));
        rows.text(Some(&self.state));
        rows.plain(self.contact_id);
        rows.plain(self.person_id);
        rows.plain(self.phone_id);
        rows.plain(self.email_id);
        rows.plain(self.carrier_call_id);
        self.copy_rest(rows);
    }

    /// Appends the columns from `is_attended` on.
    fn copy_rest(&self, rows: &mut RowText) {
        let booked = &self.booked;
        rows.plain(Some(booked.is_attended));
        rows.plain(Some(self.is_offered));
        rows.plain(Some(self.is_engaged));
        rows.plain(Some(self.is_escalated));
        rows.texts(&booked.revenue_currencies);
        rows.numbers(booked.revenue_cents.iter());
        rows.numbers(booked.revenue_counts.iter());
        rows.plain(booked.appointment_id);
        rows.time(booked.appointment_scheduled_at);
        rows.text(booked.appointment_status);
        rows.text(booked.appointment_service.as_deref());
        rows.texts(&self.tags);
        rows.text(self.disposition);
        rows.plain(self.score);
        rows.text(self.campaign);
        rows.plain(self.attempt);
        rows.text(self.call_type);
    }
}

/// An encoded row of a new call, and its change to the rollups.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EncodedRow {
    row: String,
    change: RollupChange,
}

impl EncodedRow {
    pub(super) fn of(update: CallUpdate<'_>) -> Self {
        let (folded, change) = update.fold();
        let mut row = RowText::default();
        if let Some(now) = &change.now {
            CallColumns::of(&folded, change.key, now).copy(&mut row);
        }
        Self { row: row.into_text(), change }
    }
}

/// Folds and writes calls. Many new calls are written by `COPY`: each is taken from `prefolded` or
/// folded while the database reads the previous rows. All others are written by key, each into the
/// table that has its row; new ones into `calls`.
pub(super) async fn write(
    conn: &mut PgConnection,
    (mut new, mut prefolded): (Vec<CallUpdate<'_>>, Prefolded),
    mut known: Vec<CallUpdate<'_>>,
    mode: WriteMode,
) -> Result<Vec<RollupChange>, ProjectError> {
    let mut changes = Vec::with_capacity(new.len() + known.len());
    if mode == WriteMode::Upsert || new.len() < MIN_COPY_ROWS {
        known.append(&mut new);
    } else {
        copy_in(conn, "copy calls from stdin", new, |update, row| {
            let encoded = prefolded.remove(&update).unwrap_or_else(|| EncodedRow::of(update));
            row.whole(&encoded.row);
            changes.push(encoded.change);
        })
        .await?;
    }
    let known: Vec<(CallState, RollupChange)> = known.into_iter().map(CallUpdate::fold).collect();
    if let Some(rows) = json_of(known.iter().filter(|(_, change)| !change.was_part)) {
        upsert(conn, rows).await?;
    }
    if let Some(rows) = json_of(known.iter().filter(|(_, change)| change.was_part)) {
        let parts = known.iter().map(|(_, change)| change).filter(|change| change.was_part);
        let parts: Vec<CallKey> = parts.map(|change| change.key).collect();
        carriers::delete_parts(conn, &parts).await?;
        insert_parts(conn, rows).await?;
    }
    changes.extend(known.into_iter().map(|(_, change)| change));
    Ok(changes)
}

/// A folded call with its change.
type Folded = (CallState, RollupChange);

/// Returns the rows as JSON, or `None` if there are none.
fn json_of<'c>(calls: impl Iterator<Item = &'c Folded>) -> Option<String> {
    let rows: Vec<CallColumns<'_>> = calls
        .filter_map(|(folded, change)| {
            Some(CallColumns::of(folded, change.key, change.now.as_ref()?))
        })
        .collect();
    let json = || serde_json::to_string(&rows).expect("rows are plain data");
    (!rows.is_empty()).then(json)
}

async fn insert_parts(conn: &mut PgConnection, rows: String) -> Result<(), ProjectError> {
    sqlx::query!(
        "insert into carrier_calls
         select * from json_populate_recordset(null::carrier_calls, $1::text::json)",
        rows,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes rows. The columns about appointments of a row that exists stay: they have the appointments
/// of the whole record, and change by [`bookings::write_columns`](super::bookings::write_columns).
async fn upsert(conn: &mut PgConnection, rows: String) -> Result<(), ProjectError> {
    sqlx::query!(
        "insert into calls
         select * from json_populate_recordset(null::calls, $1::text::json)
             on conflict (tenant_id, call_id) do update
            set provider = excluded.provider, provider_call_id = excluded.provider_call_id,
                direction = excluded.direction, status = excluded.status,
                outcome = excluded.outcome, ended_reason = excluded.ended_reason,
                started_at = excluded.started_at, ended_at = excluded.ended_at,
                created_at = excluded.created_at, last_recorded_at = excluded.last_recorded_at,
                duration_ms = excluded.duration_ms, duration_bucket = excluded.duration_bucket,
                duration_class = excluded.duration_class, cost_nanos = excluded.cost_nanos,
                transport_nanos = excluded.transport_nanos, stt_nanos = excluded.stt_nanos,
                llm_nanos = excluded.llm_nanos, tts_nanos = excluded.tts_nanos,
                platform_nanos = excluded.platform_nanos, other_nanos = excluded.other_nanos,
                currency = excluded.currency, tools_used = excluded.tools_used,
                tool_calls = excluded.tool_calls, agent_id = excluded.agent_id,
                phone_number_id = excluded.phone_number_id, success = excluded.success,
                is_test = excluded.is_test, is_transferred = excluded.is_transferred,
                user_interruptions = excluded.user_interruptions,
                assistant_interruptions = excluded.assistant_interruptions,
                turn_latency_ms = excluded.turn_latency_ms, subject_id = excluded.subject_id,
                party = excluded.party, position = excluded.position, state = excluded.state,
                contact_id = excluded.contact_id, person_id = excluded.person_id,
                phone_id = excluded.phone_id, email_id = excluded.email_id,
                carrier_call_id = excluded.carrier_call_id, is_offered = excluded.is_offered,
                is_engaged = excluded.is_engaged, is_escalated = excluded.is_escalated,
                tags = excluded.tags, disposition = excluded.disposition, score = excluded.score,
                campaign = excluded.campaign, attempt = excluded.attempt,
                call_type = excluded.call_type",
        rows,
    )
    .execute(conn)
    .await?;
    Ok(())
}
