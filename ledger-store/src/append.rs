//! The SQL side of an append: turns a batch of requests into arrays and calls `ledger.append` once.

mod error;
mod rejection;

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use ledger_core::envelope::StreamKind;
use ledger_core::ids::{EventId, Position, StreamId, StreamVersion, SubjectId, TenantId};
use ledger_core::leaf::{Leaf, LeafSections};
use sqlx::PgConnection;

use crate::compute::compute;
use crate::seal::section_digests;

use crate::placement::Placements;
pub use error::AppendError;
pub use rejection::AppendRejection;

/// The optimistic concurrency check of an append on one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// No check: the events are appended at the stream's current version.
    Any,
    /// The stream must have exactly this version; 0 means that it must have no event yet. The check
    /// is made under the lock of the tenant's log, so of several appends that expect the same version
    /// one is appended and the others conflict.
    Exactly(StreamVersion),
}

/// An event in its stored form: sections sealed, facts and metadata serialized.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Identifies the event; appending the same id again is a duplicate.
    pub event_id: EventId,
    /// The stored name of the type, such as `call.ended`.
    pub event_type: &'static str,
    /// The version of the type's schema that `facts` follows.
    pub schema_version: i16,
    /// Time by the provider's clock, in whole microseconds.
    pub occurred_at: DateTime<Utc>,
    /// Time by this installation's clock, in whole microseconds.
    pub recorded_at: DateTime<Utc>,
    /// The facts as JSON text, stored byte for byte.
    pub facts: String,
    /// Small sealed sections, encoded together; `None` when there are none.
    pub sections: Option<Vec<u8>>,
    /// Large sealed sections, encoded together; read only on demand.
    pub bulk: Option<Vec<u8>>,
    /// The subjects that the sealed sections are about.
    pub subjects: Vec<SubjectId>,
    /// Source, actor, request id and digests as JSON text, stored byte for byte.
    pub meta: String,
}

/// Events to append to one stream.
#[derive(Debug, Clone)]
pub struct StreamAppend {
    /// The stream to append to; created by its first event.
    pub stream_id: StreamId,
    /// The kind of the stream, such as a call or the tenant itself.
    pub kind: StreamKind,
    /// The version the stream must have before the append.
    pub expected: Expected,
    /// The events in stream order; at least one.
    pub events: Vec<NewEvent>,
}

/// An atomic unit of append: all of its events are stored, or none.
#[derive(Debug, Clone)]
pub struct AppendRequest {
    /// The tenant of the log.
    pub tenant_id: TenantId,
    /// Every stream at most once; at least one.
    pub streams: Vec<StreamAppend>,
}

impl AppendRequest {
    /// Whether no stream of the request has an event.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.streams.iter().all(|stream| stream.events.is_empty())
    }

    /// Whether the request expects a version of a stream that gets no event.
    #[must_use]
    pub fn checks_without_events(&self) -> bool {
        let is_unwritten =
            |stream: &StreamAppend| stream.events.is_empty() && stream.expected != Expected::Any;
        self.streams.iter().any(is_unwritten)
    }

    /// Whether the request names a stream more than once.
    #[must_use]
    pub fn repeats_a_stream(&self) -> bool {
        let mut seen = HashSet::with_capacity(self.streams.len());
        self.streams.len() > 1 && !self.streams.iter().all(|stream| seen.insert(stream.stream_id))
    }

    /// Estimated bytes on the wire; the unit of the queue limits.
    #[must_use]
    pub fn size(&self) -> usize {
        let column = |column: &Option<Vec<u8>>| column.as_ref().map_or(0, Vec::len);
        let event = |event: &NewEvent| {
            300 + event.facts.len()
                + event.meta.len()
                + column(&event.sections)
                + column(&event.bulk)
        };
        self.streams.iter().flat_map(|stream| &stream.events).map(event).sum()
    }
}

/// The positions of an appended request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Position of the first event.
    pub first: Position,
    /// Position of the last event; positions of a request are contiguous.
    pub last: Position,
    /// Whether the events were in the log before, because the same request was already appended.
    pub duplicate: bool,
}

/// The result of `ledger.append` for one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppendOutcome {
    /// The events are in the log, newly appended or as a duplicate.
    Appended(Appended),
    /// The stream has this version instead of the expected one.
    Conflict(StreamVersion),
    /// The request breaks this rule of the log.
    Rejected(AppendRejection),
}

/// Appends a batch in one statement and one commit, and returns an answer per request, in order.
///
/// The statement locks the tenants of the batch until the commit, so positions are assigned in
/// commit order. Callers use [`crate::appender`], which forms the batches.
///
/// # Errors
/// A failed statement appends nothing. After a broken connection the outcome is unknown: sending
/// the same batch again is safe, because events already appended answer `duplicate`. A batch with
/// tenants of two placements fails before it is sent.
pub async fn append(
    conn: &mut PgConnection,
    requests: &[&AppendRequest],
) -> sqlx::Result<Vec<AppendOutcome>> {
    Placements::CURRENT
        .common(requests.iter().map(|request| request.tenant_id))
        .map_err(|error| sqlx::Error::Configuration(error.into()))?;
    let bytes = requests.iter().map(|request| request.size()).sum();
    let columns = compute(bytes, || Columns::of(requests)).await;
    let rows = sqlx::query!(
        r#"
        select status as "status!", first_position, last_position, actual, reason
          from ledger.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
         order by request
        "#,
        &columns.tenants,
        &columns.streams,
        &columns.stream_tenant,
        &columns.stream_kind as _,
        &columns.request,
        &columns.stream,
        &columns.expected as _,
        &columns.event_id,
        &columns.event_type as _,
        &columns.schema,
        &columns.occurred_at,
        &columns.recorded_at,
        &columns.facts as _,
        &columns.sections as _,
        &columns.bulk as _,
        &columns.subjects as _,
        &columns.meta as _,
        &columns.leaf_hash as _,
        &columns.section_digests as _,
    )
    .fetch_all(conn)
    .await?;

    // Answers are matched to requests by index, so a missing one would shift all that follow.
    if rows.len() != requests.len() {
        return Err(sqlx::Error::Protocol("ledger.append did not answer every request".into()));
    }
    let positions = |first: Option<i64>, last: Option<i64>, duplicate| {
        let (first, last) = (Position(first.unwrap_or(0)), Position(last.unwrap_or(0)));
        AppendOutcome::Appended(Appended { first, last, duplicate })
    };
    let answers = rows.into_iter().map(|row| match row.status.as_str() {
        "appended" => positions(row.first_position, row.last_position, false),
        "duplicate" => positions(row.first_position, row.last_position, true),
        "conflict" => AppendOutcome::Conflict(StreamVersion(row.actual.unwrap_or(0))),
        _ => AppendOutcome::Rejected(AppendRejection::parse(
            row.reason.as_deref().unwrap_or_default(),
        )),
    });
    Ok(answers.collect())
}

/// The batch in columns: distinct tenants, distinct streams, then one entry per event.
#[derive(Default)]
struct Columns<'a> {
    tenants: Vec<uuid::Uuid>,
    streams: Vec<uuid::Uuid>,
    stream_tenant: Vec<i32>,
    stream_kind: Vec<&'static str>,
    request: Vec<i32>,
    stream: Vec<i32>,
    expected: Vec<Option<i64>>,
    event_id: Vec<uuid::Uuid>,
    event_type: Vec<&'static str>,
    schema: Vec<i16>,
    occurred_at: Vec<DateTime<Utc>>,
    recorded_at: Vec<DateTime<Utc>>,
    facts: Vec<&'a str>,
    sections: Vec<Option<&'a [u8]>>,
    bulk: Vec<Option<&'a [u8]>>,
    subjects: Vec<Option<String>>,
    meta: Vec<&'a str>,
    leaf_hash: Vec<Vec<u8>>,
    section_digests: Vec<Vec<u8>>,
}

impl<'a> Columns<'a> {
    fn of(requests: &[&'a AppendRequest]) -> Self {
        let mut columns = Self::default();
        let mut tenants: HashMap<TenantId, i32> = HashMap::new();
        let mut streams: HashMap<(TenantId, StreamId), i32> = HashMap::new();
        for (nth, request) in (1..).zip(requests) {
            let tenant = *tenants.entry(request.tenant_id).or_insert_with(|| {
                columns.tenants.push(request.tenant_id.0);
                index(columns.tenants.len())
            });
            for stream in &request.streams {
                let key = (request.tenant_id, stream.stream_id);
                let slot = *streams.entry(key).or_insert_with(|| {
                    columns.streams.push(stream.stream_id.0);
                    columns.stream_tenant.push(tenant);
                    columns.stream_kind.push(stream.kind.as_str());
                    index(columns.streams.len())
                });
                columns.push_stream(nth, slot, request.tenant_id, stream);
            }
        }
        columns
    }

    fn push_stream(
        &mut self,
        request: i32,
        slot: i32,
        tenant_id: TenantId,
        stream: &'a StreamAppend,
    ) {
        let mut expected = match stream.expected {
            Expected::Any => None,
            Expected::Exactly(version) => Some(version.0),
        };
        for event in &stream.events {
            self.request.push(request);
            self.stream.push(slot);
            // The database checks the version before the first event; the others follow in order.
            self.expected.push(expected.take());
            self.event_id.push(event.event_id.0);
            self.event_type.push(event.event_type);
            self.schema.push(event.schema_version);
            self.occurred_at.push(event.occurred_at);
            self.recorded_at.push(event.recorded_at);
            self.facts.push(&event.facts);
            self.sections.push(event.sections.as_deref());
            self.bulk.push(event.bulk.as_deref());
            self.subjects.push(uuid_array(&event.subjects));
            self.meta.push(&event.meta);
            let digests = section_digests(event.sections.as_deref(), event.bulk.as_deref());
            self.leaf_hash.push(leaf(tenant_id, stream, event, &digests).hash().to_vec());
            self.section_digests.push(digests);
        }
    }
}

fn leaf<'a>(
    tenant_id: TenantId,
    stream: &StreamAppend,
    event: &'a NewEvent,
    digests: &'a [u8],
) -> Leaf<'a> {
    Leaf {
        tenant_id,
        stream_id: stream.stream_id,
        stream_kind: stream.kind.as_str(),
        event_id: event.event_id,
        event_type: event.event_type,
        schema_version: event.schema_version,
        occurred_at: event.occurred_at,
        recorded_at: event.recorded_at,
        facts: &event.facts,
        sections: LeafSections::Digests(digests),
        subjects: &event.subjects,
        meta: &event.meta,
    }
}

/// Formats ids as an array literal: SQL has no ragged two-dimensional arrays.
fn uuid_array(subjects: &[SubjectId]) -> Option<String> {
    if subjects.is_empty() {
        return None;
    }
    let ids: Vec<String> = subjects.iter().map(ToString::to_string).collect();
    Some(format!("{{{}}}", ids.join(",")))
}

/// The one-based SQL index of the last of `len` entries.
fn index(len: usize) -> i32 {
    i32::try_from(len).expect("a batch holds far fewer entries")
}
