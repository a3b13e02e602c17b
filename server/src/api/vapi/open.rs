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
use ledger_core::provider::vapi::retold::{Retold, retell};
use ledger_store::TenantTx;
use ledger_store::compute::compute;
use ledger_store::read::{self, StoredEvent};
use projections::calls::dialect::{Packed, Row, complete};
use uuid::Uuid;

use super::said::Said;
use super::view::VapiCall;
use crate::api::calls::personal::{
    OpenedEvent, OpenedEvents, Parties, leave_body, open_events, open_parties, said_at,
    within_budget,
};
use crate::app::App;
use crate::auth::{Caller, Scope};
use crate::problem::ApiError;
use crate::reading::BUDGET;

/// Limits of a batch: calls, bytes of their packed rows, and bytes of sealed sections read ahead.
const AT_ONCE: usize = 100;
const ROWS_AT_ONCE: usize = 2 << 20;
const SEALED_AT_ONCE: usize = 1 << 20;
/// How many messages a call without a report is told by. Each repeats most of what the one before it
/// told of the call.
const MESSAGES_READ: i64 = 5;
/// What is written of a list before it is handed over.
const PIECE: usize = 256 << 10;

/// An authorized access to calls, as it is audited.
#[derive(Clone)]
pub(super) struct Look {
    pub(super) app: App,
    pub(super) caller: Caller,
    pub(super) action: &'static str,
    pub(super) resource: Option<Uuid>,
}

/// One call, with what is sealed about it.
struct Sealed {
    row: Row,
    parties: Parties,
    /// Where the messages lie that it is told by, the weightiest first.
    told_at: Vec<i64>,
    /// The events it is written from, as far as they are read already.
    events: Vec<StoredEvent>,
}

/// Some calls, and whose what is sealed about them is.
#[derive(Default)]
struct Batch {
    calls: std::vec::IntoIter<Sealed>,
    subjects: Vec<SubjectId>,
}

/// State of a list while it is streamed.
struct Listing {
    look: Look,
    rows: std::vec::IntoIter<Packed>,
    batch: Batch,
    is_begun: bool,
    is_ended: bool,
}

impl Look {
    /// Answers with one call, as far as the caller may see it.
    ///
    /// # Errors
    /// 503 if the database does not answer, the keys are not available, or the access could not be audited.
    pub(super) async fn show(&self, row: Row, reached: Position) -> Result<Response, ApiError> {
        let room = self.app.reading.room(self.caller.tenant_id()).await?;
        let mut batch = self.batch(vec![row], true).await?;
        self.record(1, std::mem::take(&mut batch.subjects)).await?;
        let call = batch.calls.next().ok_or_else(gone)?;
        let mut written = Vec::new();
        self.write(&mut written, call).await?;
        Ok(answer(Body::from(room.hold(written)), reached))
    }

    /// Answers with a stream of calls, as far as the caller may see them.
    ///
    /// Most failures occur before the first call and are reported as an error; a later one breaks off the
    /// body.
    ///
    /// # Errors
    /// As [`Look::show`].
    pub(super) async fn list(
        self,
        rows: Vec<Packed>,
        reached: Position,
    ) -> Result<Response, ApiError> {
        let batch = self.record_all(&rows).await?;
        let mut listing =
            Listing { look: self, rows: rows.into_iter(), batch, is_begun: false, is_ended: false };
        if listing.batch.calls.len() == listing.rows.len() {
            // The first batch contains all calls.
            listing.rows = Vec::new().into_iter();
        }
        let first = listing.piece().await?;
        if listing.is_ended {
            return Ok(answer(Body::from(first), reached));
        }
        // The memory budget for answers bounds the rest, so that a slow client does not hold one of its
        // tenant's reader permits.
        listing.look.caller.seat.leave();
        let rest: BoxStream<'static, Result<Bytes, ApiError>> =
            stream::unfold(listing, |mut listing| async {
                if listing.is_ended {
                    return None;
                }
                let piece = listing.piece().await;
                listing.is_ended |= piece.is_err();
                Some((piece, listing))
            })
            .boxed();
        let pieces = stream::once(async { Ok(first) }).chain(rest);
        let pieces = pieces.map(|piece| {
            piece.map_err(|failed| {
                tracing::warn!(code = failed.code, "vapi.list_broke_off");
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
    async fn record_all(&self, rows: &[Packed]) -> Result<Batch, ApiError> {
        let mut subjects = Vec::new();
        let (mut rest, count) = (rows.iter().cloned(), rows.len());
        let weight: usize = rows.iter().map(Packed::weight).sum();
        let is_all = count <= AT_ONCE && weight <= ROWS_AT_ONCE;
        let mut batch = Batch::default();
        loop {
            let read = self.next_batch(&mut rest, is_all).await?;
            if read.calls.len() == 0 {
                break;
            }
            batch = read;
            subjects.append(&mut batch.subjects);
        }
        if count > 0 {
            self.record(count, subjects).await?;
        }
        Ok(if is_all { batch } else { Batch::default() })
    }

    async fn record(&self, count: usize, mut subjects: Vec<SubjectId>) -> Result<(), ApiError> {
        if !self.is_personal() {
            return Ok(());
        }
        subjects.sort_unstable();
        subjects.dedup();
        let Self { app, caller, action, resource } = self;
        caller.audit_personal_read(app, action, *resource, count, subjects).await
    }

    /// The next calls that are opened together; none after the last.
    async fn next_batch(
        &self,
        rows: &mut (impl Iterator<Item = Packed> + Send),
        with_events: bool,
    ) -> Result<Batch, ApiError> {
        loop {
            let (mut packed, mut weight) = (Vec::new(), 0);
            while packed.len() < AT_ONCE && weight < ROWS_AT_ONCE {
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
        mut packed: Vec<Packed>,
        weight: usize,
    ) -> Result<Vec<Row>, ApiError> {
        if packed.iter().any(|row| !row.is_held()) {
            let mut tx = TenantTx::begin(self.app.store.app(), self.caller.tenant_id()).await?;
            complete(&mut tx, &mut packed).await?;
        }
        let open = || {
            let opened = packed.into_iter().map(Packed::open).filter_map(Result::transpose);
            opened.collect::<Result<Vec<_>, _>>()
        };
        Ok(compute(weight, open).await?)
    }

    /// Reads the sealed data of some calls. Events are included if requested and small enough.
    async fn batch(&self, rows: Vec<Row>, with_events: bool) -> Result<Batch, ApiError> {
        let (app, tenant_id) = (&self.app, self.caller.tenant_id());
        let sealed: Vec<_> = rows.iter().map(|row| (&row.call, row.party.as_deref())).collect();
        let parties = open_parties(app.store.vault(), tenant_id, &sealed).await?;
        let mut events = BTreeMap::new();
        let mut subjects: Vec<SubjectId> =
            parties.iter().flat_map(|parties| parties.subjects.iter().copied()).collect();
        let mut told_at: Vec<Vec<i64>> = rows.iter().map(reports_of).collect();
        if self.is_personal() {
            let mut tx = TenantTx::begin(app.store.app(), tenant_id).await?;
            find_messages(&mut tx, &rows, &mut told_at).await?;
            let read = rows.iter().zip(&told_at).flat_map(|(row, told_at)| read_from(row, told_at));
            let positions: Vec<i64> = read.collect();
            if !positions.is_empty() {
                let weights = read::weights(&mut tx, &positions).await?;
                subjects.extend(weights.iter().filter_map(|one| one.subject));
                // Larger events are read one call at a time.
                let bytes: usize = weights.iter().map(|one| one.bytes).sum();
                if with_events && bytes <= SEALED_AT_ONCE {
                    let read = read::at_positions(&mut tx, &positions).await?;
                    events = read.into_iter().map(|event| (event.position, event)).collect();
                }
            }
        }
        let calls = rows.into_iter().zip(parties).zip(told_at).map(|((row, parties), told_at)| {
            let wanted = read_from(&row, &told_at).into_iter();
            let events = wanted.filter_map(|position| events.remove(&position)).collect();
            Sealed { row, parties, told_at, events }
        });
        Ok(Batch { calls: calls.collect::<Vec<_>>().into_iter(), subjects })
    }

    /// Opens a call and writes it.
    async fn write(&self, to: &mut Vec<u8>, call: Sealed) -> Result<(), ApiError> {
        let Sealed { row, parties, told_at, mut events } = call;
        let (app, tenant_id) = (&self.app, self.caller.tenant_id());
        // What is sealed is read in the turn, too: it takes as much memory as what is opened.
        let _turn = app.reading.turn().await;
        if self.is_personal() && events.is_empty() {
            events = within_budget(app, tenant_id, &read_from(&row, &told_at)).await?;
        }
        events.iter_mut().filter(|one| !told_at.contains(&one.position)).for_each(leave_body);
        let mut opened = OpenedEvents::default();
        if self.is_personal() {
            opened = open_events(app.store.vault(), tenant_id, &events, BUDGET).await?;
        }
        drop(events);
        let write = || {
            let retold = take_retold(&mut opened.events);
            let opened = &opened.events;
            let said = Said { call: &row.call, opened, retold: &retold, told_at: &told_at };
            let said = self.is_personal().then_some(said);
            let call = VapiCall::of(tenant_id, &row, &parties, said);
            serde_json::to_writer(to, &call)
        };
        let bytes = opened.bytes;
        compute(bytes, write).await.map_err(|error| ApiError::internal(&error))
    }
}

impl Listing {
    /// Builds the next chunk of the body; the last one sets `is_ended`.
    async fn piece(&mut self) -> Result<Bytes, ApiError> {
        let room = self.look.app.reading.room(self.look.caller.tenant_id()).await?;
        let mut written = Vec::new();
        while written.len() < PIECE {
            let Some(call) = self.next().await? else {
                written.extend_from_slice(if self.is_begun { b"]" } else { b"[]" });
                self.is_ended = true;
                break;
            };
            written.push(if self.is_begun { b',' } else { b'[' });
            self.is_begun = true;
            self.look.write(&mut written, call).await?;
        }
        Ok(room.hold(written))
    }

    async fn next(&mut self) -> Result<Option<Sealed>, ApiError> {
        if let Some(call) = self.batch.calls.next() {
            return Ok(Some(call));
        }
        self.batch = self.look.next_batch(&mut self.rows, true).await?;
        Ok(self.batch.calls.next())
    }
}

/// Where the reports of a call lie: their bodies tell more than is kept of them apart.
fn reports_of(row: &Row) -> Vec<i64> {
    row.call.reports().into_iter().map(|Position(at)| at).collect()
}

/// Finds the latest messages of the calls that have no report.
async fn find_messages(
    tx: &mut TenantTx,
    rows: &[Row],
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
fn read_from(row: &Row, told_at: &[i64]) -> Vec<i64> {
    let mut positions: BTreeSet<i64> = told_at.iter().copied().collect();
    positions.extend(said_at(&row.call));
    positions.into_iter().collect()
}

/// Removes the raw bodies from opened events, and returns their fields in Vapi's form.
fn take_retold(events: &mut BTreeMap<i64, OpenedEvent>) -> BTreeMap<i64, Retold> {
    let retold = |(position, event): (&i64, &mut OpenedEvent)| {
        let body = event.raw.take()?;
        Some((*position, retell(body.get().as_bytes())?))
    };
    events.iter_mut().filter_map(retold).collect()
}

fn answer(body: Body, reached: Position) -> Response {
    let json = HeaderValue::from_static("application/json");
    let mut response = ([(header::CONTENT_TYPE, json)], body).into_response();
    response.headers_mut().insert("ledger-position", HeaderValue::from(reached.0));
    response
}

fn gone() -> ApiError {
    ApiError::internal(&"a call that was read is not there")
}
