//! Calls for whoever asked: opened for those who may see people, each look at a personal field recorded.
//!
//! Bodies are opened one call at a time, and a call is written before the next one is opened: a list of a
//! thousand large calls takes no more memory than one of them.

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

/// How many calls' events are read at a time, and how many bytes of calls and of sealed sections.
const AT_ONCE: usize = 100;
const ROWS_AT_ONCE: usize = 2 << 20;
const SEALED_AT_ONCE: usize = 1 << 20;
/// What is written of a list before it is handed over.
const PIECE: usize = 256 << 10;

/// Who looks, and at what.
#[derive(Clone)]
pub(super) struct Look {
    pub(super) app: App,
    pub(super) caller: Caller,
    pub(super) action: &'static str,
    pub(super) resource: Option<Uuid>,
}

/// Some calls, with what is sealed about them, and whose that is.
#[derive(Default)]
struct Batch {
    calls: std::vec::IntoIter<(Row, Parties, Vec<StoredEvent>)>,
    subjects: Vec<SubjectId>,
}

/// A list under way.
struct Listing {
    look: Look,
    rows: std::vec::IntoIter<Packed>,
    batch: Batch,
    is_begun: bool,
    is_ended: bool,
}

impl Look {
    /// One call as the caller may see it.
    ///
    /// # Errors
    /// 503 when the database does not answer, the keys cannot be had, or the look cannot be recorded.
    pub(super) async fn show(&self, row: Row, reached: Position) -> Result<Response, ApiError> {
        let room = self.app.reading.room(self.caller.tenant_id()).await?;
        let mut batch = self.batch(vec![row], true).await?;
        self.record(1, std::mem::take(&mut batch.subjects)).await?;
        let (row, parties, events) = batch.calls.next().ok_or_else(gone)?;
        let mut written = Vec::new();
        self.write(&mut written, &row, &parties, events).await?;
        Ok(answer(Body::from(room.hold(written)), reached))
    }

    /// Calls as the caller may see them, one after the other. What can fail at all is likely to fail
    /// before the first of them, and is told; later the answer breaks off.
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
            // All of them are at hand.
            listing.rows = Vec::new().into_iter();
        }
        let first = listing.piece().await?;
        if listing.is_ended {
            return Ok(answer(Body::from(first), reached));
        }
        // From here on the room for answers bounds it: a slow client takes no seat from its tenant.
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

    /// Records one look at everybody in these calls, before the first of them is shown. The batch that
    /// was read for it, when it is all there is.
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

    /// Reads what is sealed about some calls; of their events on request, and when they are small.
    async fn batch(&self, rows: Vec<Row>, with_events: bool) -> Result<Batch, ApiError> {
        let (app, tenant_id) = (&self.app, self.caller.tenant_id());
        let sealed: Vec<_> = rows.iter().map(|row| (&row.call, row.party.as_deref())).collect();
        let parties = open_parties(app.store.vault(), tenant_id, &sealed).await?;
        let mut events = BTreeMap::new();
        let mut subjects: Vec<SubjectId> =
            parties.iter().flat_map(|parties| parties.subjects.iter().copied()).collect();
        if self.is_personal() {
            let positions: Vec<i64> = rows.iter().flat_map(read_from).collect();
            if !positions.is_empty() {
                let mut tx = TenantTx::begin(app.store.app(), tenant_id).await?;
                let weights = read::weights(&mut tx, &positions).await?;
                subjects.extend(weights.iter().filter_map(|one| one.subject));
                // Larger ones are read one call at a time.
                let bytes: usize = weights.iter().map(|one| one.bytes).sum();
                if with_events && bytes <= SEALED_AT_ONCE {
                    let read = read::at_positions(&mut tx, &positions).await?;
                    events = read.into_iter().map(|event| (event.position, event)).collect();
                }
            }
        }
        let calls = rows.into_iter().zip(parties).map(|(row, parties)| {
            let wanted = read_from(&row).into_iter();
            let events = wanted.filter_map(|position| events.remove(&position)).collect();
            (row, parties, events)
        });
        Ok(Batch { calls: calls.collect::<Vec<_>>().into_iter(), subjects })
    }

    /// Opens a call and writes it.
    async fn write(
        &self,
        to: &mut Vec<u8>,
        row: &Row,
        parties: &Parties,
        mut events: Vec<StoredEvent>,
    ) -> Result<(), ApiError> {
        let (app, tenant_id) = (&self.app, self.caller.tenant_id());
        // What is sealed is read in the turn, too: it takes as much memory as what is opened.
        let _turn = app.reading.turn().await;
        if self.is_personal() && events.is_empty() {
            events = within_budget(app, tenant_id, &read_from(row)).await?;
        }
        let reports = reports_of(row);
        events.iter_mut().filter(|one| !reports.contains(&one.position)).for_each(leave_body);
        let mut opened = OpenedEvents::default();
        if self.is_personal() {
            opened = open_events(app.store.vault(), tenant_id, &events, BUDGET).await?;
        }
        drop(events);
        let write = || {
            let retold = take_retold(&mut opened.events);
            let said = Said { call: &row.call, opened: &opened.events, retold: &retold };
            let said = self.is_personal().then_some(said);
            let call = VapiCall::of(tenant_id, row, parties, said);
            serde_json::to_writer(to, &call)
        };
        let bytes = opened.bytes;
        compute(bytes, write).await.map_err(|error| ApiError::internal(&error))
    }
}

impl Listing {
    /// The next piece of the answer; the last one ends it.
    async fn piece(&mut self) -> Result<Bytes, ApiError> {
        let room = self.look.app.reading.room(self.look.caller.tenant_id()).await?;
        let mut written = Vec::new();
        while written.len() < PIECE {
            let Some((row, parties, events)) = self.next().await? else {
                written.extend_from_slice(if self.is_begun { b"]" } else { b"[]" });
                self.is_ended = true;
                break;
            };
            written.push(if self.is_begun { b',' } else { b'[' });
            self.is_begun = true;
            self.look.write(&mut written, &row, &parties, events).await?;
        }
        Ok(room.hold(written))
    }

    async fn next(&mut self) -> Result<Option<(Row, Parties, Vec<StoredEvent>)>, ApiError> {
        if let Some(call) = self.batch.calls.next() {
            return Ok(Some(call));
        }
        self.batch = self.look.next_batch(&mut self.rows, true).await?;
        Ok(self.batch.calls.next())
    }
}

/// Where the reports of a call lie: their bodies tell more than is kept of them apart.
fn reports_of(row: &Row) -> BTreeSet<i64> {
    row.call.reports().into_iter().map(|Position(at)| at).collect()
}

/// The events that a call is written from.
fn read_from(row: &Row) -> Vec<i64> {
    let mut positions = reports_of(row);
    positions.extend(said_at(&row.call));
    positions.into_iter().collect()
}

/// Takes the bodies out of opened events, and keeps what they tell in Vapi's words.
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
