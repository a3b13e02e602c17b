//! Builds the answers of the Vapi API: opens the sections of calls and audits the access to personal data.
//!
//! Bodies are opened one call at a time, and a call is serialized before the next one is opened, so a list of
//! a thousand large calls needs no more memory than one of them.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, BoxStream, StreamExt};
use ledger_core::ids::{Position, SubjectId};
use ledger_core::provider::vapi::report_fields::{ReportFields, parse_report_fields};
use ledger_store::TenantTx;
use ledger_store::compute::compute;
use ledger_store::read::{self, StoredEvent};
use projections::calls::provider_listing::{CallListing, CompressedListing, complete};
use uuid::Uuid;

use super::conversation::VapiConversation;
use super::view::VapiCall;
use crate::api::calls::personal::{
    OpenedEvent, OpenedEvents, Parties, open_events, open_parties, read_within_budget,
    remove_raw_body, section_positions,
};
use crate::app::App;
use crate::auth::{Caller, Scope};
use crate::problem::ApiError;
use crate::read_budget::BUDGET;

/// Limits of a batch: calls, bytes of their packed rows, and bytes of sealed sections read ahead.
const MAX_BATCH_CALLS: usize = 100;
const MAX_BATCH_ROW_BYTES: usize = 2 << 20;
const MAX_BATCH_SEALED_BYTES: usize = 1 << 20;
/// Number of latest messages that replace the report of a call without one. Few suffice, because
/// each message repeats most of the previous one.
const MESSAGES_READ: i64 = 5;
/// Size of a chunk of the list in bytes before it is sent.
const MIN_CHUNK: usize = 256 << 10;

/// An authorized access to calls, as it is audited.
#[derive(Clone)]
pub(super) struct AuditedAccess {
    pub(super) app: App,
    pub(super) caller: Caller,
    pub(super) resource: Option<Uuid>,
}

/// One call with its sealed data.
struct Sealed {
    row: CallListing,
    parties: Parties,
    /// Positions of the messages that report the call, in descending precedence.
    told_at: Vec<i64>,
    /// The events to open for the call, as far as they have been read.
    events: Vec<StoredEvent>,
}

/// Calls that are opened together, and the subjects of their sealed data.
#[derive(Default)]
struct CallBatch {
    calls: std::vec::IntoIter<Sealed>,
    subjects: Vec<SubjectId>,
}

/// State of a list while it is streamed.
struct Listing {
    access: AuditedAccess,
    rows: std::vec::IntoIter<CompressedListing>,
    batch: CallBatch,
    is_begun: bool,
    is_ended: bool,
}

impl AuditedAccess {
    /// Answers with one call, as far as the caller may see it.
    ///
    /// # Errors
    /// 503 if the database does not answer, the keys are not available, or the access could not be audited.
    pub(super) async fn show(
        &self,
        row: CallListing,
        reached: Position,
    ) -> Result<Response, ApiError> {
        let reservation = self.app.read_budget.reservation(self.caller.tenant_id()).await?;
        let mut batch = self.batch(vec![row], true).await?;
        self.audit(1, std::mem::take(&mut batch.subjects)).await?;
        let call = batch.calls.next().ok_or_else(missing_call)?;
        let mut written = Vec::new();
        self.write(&mut written, call).await?;
        Ok(answer(Body::from(reservation.hold(written)), reached))
    }

    /// Answers with a stream of calls, as far as the caller may see them.
    ///
    /// Most failures occur before the first call and are reported as an error; a later one breaks off the
    /// body.
    ///
    /// # Errors
    /// As [`AuditedAccess::show`].
    pub(super) async fn list(
        self,
        rows: Vec<CompressedListing>,
        reached: Position,
    ) -> Result<Response, ApiError> {
        let batch = self.audit_all(&rows).await?;
        let mut listing = Listing {
            access: self,
            rows: rows.into_iter(),
            batch,
            is_begun: false,
            is_ended: false,
        };
        if listing.batch.calls.len() == listing.rows.len() {
            // The first batch contains all calls.
            listing.rows = Vec::new().into_iter();
        }
        let first = listing.next_chunk().await?;
        if listing.is_ended {
            return Ok(answer(Body::from(first), reached));
        }
        // The memory budget for answers bounds the rest, so that a slow client does not hold one of its
        // tenant's reader permits.
        listing.access.caller.read_permit.release();
        let rest: BoxStream<'static, Result<Bytes, ApiError>> =
            stream::unfold(listing, |mut listing| async {
                if listing.is_ended {
                    return None;
                }
                let next_chunk = listing.next_chunk().await;
                listing.is_ended |= next_chunk.is_err();
                Some((next_chunk, listing))
            })
            .boxed();
        let pieces = stream::once(async { Ok(first) }).chain(rest);
        let pieces = pieces.map(|next_chunk| {
            next_chunk.map_err(|failed| {
                tracing::warn!(code = failed.code, "vapi.list_aborted");
                std::io::Error::other(failed.code)
            })
        });
        Ok(answer(Body::from_stream(pieces), reached))
    }

    fn is_personal(&self) -> bool {
        self.caller.has(Scope::Personal)
    }

    /// Audits the access to all subjects of these calls before the first call is written. Returns the batch
    /// read for it, if one batch contains all calls.
    async fn audit_all(&self, rows: &[CompressedListing]) -> Result<CallBatch, ApiError> {
        let mut subjects = Vec::new();
        let (mut rest, count) = (rows.iter().cloned(), rows.len());
        let weight: usize = rows.iter().map(CompressedListing::weight).sum();
        let is_all = count <= MAX_BATCH_CALLS && weight <= MAX_BATCH_ROW_BYTES;
        let mut batch = CallBatch::default();
        loop {
            let read = self.next_batch(&mut rest, is_all).await?;
            if read.calls.len() == 0 {
                break;
            }
            batch = read;
            subjects.append(&mut batch.subjects);
        }
        if count > 0 {
            self.audit(count, subjects).await?;
        }
        Ok(if is_all { batch } else { CallBatch::default() })
    }

    async fn audit(&self, count: usize, mut subjects: Vec<SubjectId>) -> Result<(), ApiError> {
        if !self.is_personal() {
            return Ok(());
        }
        subjects.sort_unstable();
        subjects.dedup();
        let Self { app, caller, resource } = self;
        caller.audit_personal_read(app, caller.action, *resource, count, subjects).await
    }

    /// Returns the next calls that are opened together; an empty batch after the last call.
    async fn next_batch(
        &self,
        rows: &mut (impl Iterator<Item = CompressedListing> + Send),
        with_events: bool,
    ) -> Result<CallBatch, ApiError> {
        loop {
            let (mut packed, mut weight) = (Vec::new(), 0);
            while packed.len() < MAX_BATCH_CALLS && weight < MAX_BATCH_ROW_BYTES {
                let Some(row) = rows.next() else { break };
                weight += row.weight();
                packed.push(row);
            }
            let is_last = packed.is_empty();
            let rows = self.open_rows(packed, weight).await?;
            if is_last || !rows.is_empty() {
                return self.batch(rows, with_events).await;
            }
        }
    }

    async fn open_rows(
        &self,
        mut packed: Vec<CompressedListing>,
        weight: usize,
    ) -> Result<Vec<CallListing>, ApiError> {
        if packed.iter().any(|row| !row.is_held()) {
            let mut tx = TenantTx::begin(self.app.store.app(), self.caller.tenant_id()).await?;
            complete(&mut tx, &mut packed).await?;
        }
        let open = || {
            let opened =
                packed.into_iter().map(CompressedListing::open).filter_map(Result::transpose);
            opened.collect::<Result<Vec<_>, _>>()
        };
        Ok(compute(weight, open).await?)
    }

    /// Reads the sealed data of some calls. Events are included if requested and small enough.
    async fn batch(
        &self,
        rows: Vec<CallListing>,
        with_events: bool,
    ) -> Result<CallBatch, ApiError> {
        let (app, tenant_id) = (&self.app, self.caller.tenant_id());
        let sealed: Vec<_> = rows.iter().map(|row| (&row.call, row.party.as_deref())).collect();
        let parties = open_parties(&app.vault_of(&self.caller), tenant_id, &sealed).await?;
        let mut events = BTreeMap::new();
        let mut subjects: Vec<SubjectId> =
            parties.iter().flat_map(|parties| parties.subjects.iter().copied()).collect();
        let mut told_at: Vec<Vec<i64>> = rows.iter().map(reports_of).collect();
        if self.is_personal() {
            let mut tx = TenantTx::begin(app.store.app(), tenant_id).await?;
            find_messages(&mut tx, &rows, &mut told_at).await?;
            let read =
                rows.iter().zip(&told_at).flat_map(|(row, told_at)| event_positions(row, told_at));
            let positions: Vec<i64> = read.collect();
            if !positions.is_empty() {
                let event_sizes = read::event_sizes(&mut tx, &positions).await?;
                subjects.extend(event_sizes.iter().filter_map(|one| one.subject));
                // Larger events are read one call at a time.
                let bytes: usize = event_sizes.iter().map(|one| one.bytes).sum();
                if with_events && bytes <= MAX_BATCH_SEALED_BYTES {
                    let read = read::at_positions(&mut tx, &positions).await?;
                    events = read.into_iter().map(|event| (event.position, event)).collect();
                }
            }
        }
        let calls = rows.into_iter().zip(parties).zip(told_at).map(|((row, parties), told_at)| {
            let wanted = event_positions(&row, &told_at).into_iter();
            let events = wanted.filter_map(|position| events.remove(&position)).collect();
            Sealed { row, parties, told_at, events }
        });
        Ok(CallBatch { calls: calls.collect::<Vec<_>>().into_iter(), subjects })
    }

    /// Opens a call and writes it.
    async fn write(&self, to: &mut Vec<u8>, call: Sealed) -> Result<(), ApiError> {
        let Sealed { row, parties, told_at, mut events } = call;
        let (app, tenant_id) = (&self.app, self.caller.tenant_id());
        // The permit also covers reading, because sealed data takes as much memory as opened data.
        let _permit = app.read_budget.open_permit().await;
        if self.is_personal() && events.is_empty() {
            events = read_within_budget(app, tenant_id, &event_positions(&row, &told_at)).await?;
        }
        events.iter_mut().filter(|one| !told_at.contains(&one.position)).for_each(remove_raw_body);
        let mut opened = OpenedEvents::default();
        if self.is_personal() {
            opened = open_events(&app.vault_of(&self.caller), tenant_id, &events, BUDGET).await?;
        }
        drop(events);
        let write = || {
            let report_fields = take_report_fields(&mut opened.events);
            let opened = &opened.events;
            let conversation = VapiConversation {
                call: &row.call,
                opened,
                report_fields: &report_fields,
                told_at: &told_at,
            };
            let conversation = self.is_personal().then_some(conversation);
            let call = VapiCall::of(tenant_id, &row, &parties, conversation);
            serde_json::to_writer(to, &call)
        };
        let bytes = opened.bytes;
        compute(bytes, write).await.map_err(|error| ApiError::internal(&error))
    }
}

impl Listing {
    /// Builds the next chunk of the body; the last one sets `is_ended`.
    async fn next_chunk(&mut self) -> Result<Bytes, ApiError> {
        let reservation =
            self.access.app.read_budget.reservation(self.access.caller.tenant_id()).await?;
        let mut written = Vec::new();
        while written.len() < MIN_CHUNK {
            let Some(call) = self.next().await? else {
                written.extend_from_slice(if self.is_begun { b"]" } else { b"[]" });
                self.is_ended = true;
                break;
            };
            written.push(if self.is_begun { b',' } else { b'[' });
            self.is_begun = true;
            self.access.write(&mut written, call).await?;
        }
        Ok(reservation.hold(written))
    }

    async fn next(&mut self) -> Result<Option<Sealed>, ApiError> {
        if let Some(call) = self.batch.calls.next() {
            return Ok(Some(call));
        }
        self.batch = self.access.next_batch(&mut self.rows, true).await?;
        Ok(self.batch.calls.next())
    }
}

/// Returns the positions of a call's reports, because their bodies contain fields that are not
/// stored separately.
fn reports_of(row: &CallListing) -> Vec<i64> {
    row.call.reports().into_iter().map(|Position(at)| at).collect()
}

/// Finds the latest messages of the calls without a report.
async fn find_messages(
    tx: &mut TenantTx,
    rows: &[CallListing],
    told_at: &mut [Vec<i64>],
) -> Result<(), ApiError> {
    let without = rows.iter().zip(&*told_at).filter(|(_, told_at)| told_at.is_empty());
    let calls: Vec<Uuid> = without.map(|(row, _)| row.call_id).collect();
    if calls.is_empty() {
        return Ok(());
    }
    let mut latest = read::latest(tx, &calls, MESSAGES_READ).await?;
    for (row, told_at) in rows.iter().zip(told_at) {
        if let Some(found) = latest.remove(&row.call_id) {
            *told_at = found;
        }
    }
    Ok(())
}

/// The events that a call is written from.
fn event_positions(row: &CallListing, told_at: &[i64]) -> Vec<i64> {
    let mut positions: BTreeSet<i64> = told_at.iter().copied().collect();
    positions.extend(section_positions(&row.call));
    positions.into_iter().collect()
}

/// Removes the raw bodies from opened events, and returns their fields in Vapi's form.
fn take_report_fields(events: &mut BTreeMap<i64, OpenedEvent>) -> BTreeMap<i64, ReportFields> {
    let report_fields = |(position, event): (&i64, &mut OpenedEvent)| {
        let body = event.raw.take()?;
        Some((*position, parse_report_fields(body.get().as_bytes())?))
    };
    events.iter_mut().filter_map(report_fields).collect()
}

fn answer(body: Body, reached: Position) -> Response {
    let json = HeaderValue::from_static("application/json");
    let mut response = ([(header::CONTENT_TYPE, json)], body).into_response();
    response.headers_mut().insert("ledger-position", HeaderValue::from(reached.0));
    response
}

fn missing_call() -> ApiError {
    ApiError::internal(&"a call that was read is not there")
}
