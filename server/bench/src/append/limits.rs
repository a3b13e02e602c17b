//! Limits for the append: the same rows inserted into the same table by plain statements.
//!
//! Both statements skip all work of the ledger and run as superuser without row-level security, with
//! positions from the client, and without lock, deduplication, version check and hash.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Utc};
use ledger_core::ids::TenantId;
use ledger_store::append::{AppendRequest, NewEvent};
use sqlx::PgPool;
use uuid::Uuid;

/// Generator of unused positions, far above those that the log assigns.
#[derive(Clone)]
pub(super) struct Positions(Arc<AtomicI64>);

impl Default for Positions {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(1 << 40)))
    }
}

impl Positions {
    fn next(&self) -> i64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

const INSERT_ONE: &str = "insert into ledger.events
    (tenant_id, position, stream_id, stream_kind, stream_version, event_id, event_type,
     schema_version, occurred_at, recorded_at, facts, sections, bulk, subjects, meta, leaf_hash)
  values ($1, $2, $3, 'call', $4, $5, $6, $7, $8, $9, $10::text::json, $11, null, $12, $13::text::json, $14)";

const INSERT_MANY: &str = "insert into ledger.events
    (tenant_id, position, stream_id, stream_kind, stream_version, event_id, event_type,
     schema_version, occurred_at, recorded_at, facts, sections, bulk, subjects, meta, leaf_hash)
  select tenant_id, position, stream_id, 'call', stream_version, event_id, event_type, 1, at, at,
         facts::json, sections, null, array[subject], meta::json, leaf_hash
    from unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::bigint[], $5::uuid[], $6::text[],
                $7::timestamptz[], $8::text[], $9::bytea[], $10::uuid[], $11::text[], $12::bytea[])
      as e (tenant_id, position, stream_id, stream_version, event_id, event_type, at,
            facts, sections, subject, meta, leaf_hash)";

/// Inserts one row in a transaction of its own.
pub(super) async fn insert_one(
    pool: &PgPool,
    positions: &Positions,
    request: &AppendRequest,
    version: i64,
) -> sqlx::Result<()> {
    let stream = &request.streams[0];
    let event = &stream.events[0];
    let subjects: Vec<Uuid> = event.subjects.iter().map(|subject| subject.0).collect();
    sqlx::query(INSERT_ONE)
        .bind(request.tenant_id.0)
        .bind(positions.next())
        .bind(stream.stream_id.0)
        .bind(version)
        .bind(event.event_id.0)
        .bind(event.event_type)
        .bind(event.schema_version)
        .bind(event.occurred_at)
        .bind(event.recorded_at)
        .bind(&event.facts)
        .bind(&event.sections)
        .bind(subjects)
        .bind(&event.meta)
        .bind(leaf(event))
        .execute(pool)
        .await?;
    Ok(())
}

/// Inserts many rows of distinct streams in one transaction.
pub(super) async fn insert_many(
    pool: &PgPool,
    positions: &Positions,
    requests: &[(AppendRequest, i64)],
) -> sqlx::Result<()> {
    let event = |(request, _): &(AppendRequest, i64)| request.streams[0].events[0].clone();
    let events: Vec<NewEvent> = requests.iter().map(event).collect();
    let tenants: Vec<Uuid> = requests.iter().map(|(request, _)| request.tenant_id.0).collect();
    let places: Vec<i64> = requests.iter().map(|_| positions.next()).collect();
    let streams: Vec<Uuid> =
        requests.iter().map(|(request, _)| request.streams[0].stream_id.0).collect();
    let versions: Vec<i64> = requests.iter().map(|(_, version)| *version).collect();
    let times: Vec<DateTime<Utc>> = events.iter().map(|event| event.recorded_at).collect();
    let column = |value: fn(&NewEvent) -> Uuid| events.iter().map(value).collect::<Vec<_>>();
    let text = |value: fn(&NewEvent) -> &str| events.iter().map(value).collect::<Vec<_>>();
    let sections: Vec<&[u8]> =
        events.iter().map(|event| event.sections.as_deref().unwrap_or_default()).collect();
    let leaves: Vec<&[u8]> = events.iter().map(leaf).collect();
    sqlx::query(INSERT_MANY)
        .bind(tenants)
        .bind(places)
        .bind(streams)
        .bind(versions)
        .bind(column(|event| event.event_id.0))
        .bind(text(|event| event.event_type))
        .bind(times)
        .bind(text(|event| &event.facts))
        .bind(sections)
        .bind(column(|event| event.subjects[0].0))
        .bind(text(|event| &event.meta))
        .bind(leaves)
        .execute(pool)
        .await?;
    Ok(())
}

/// Placeholder for the leaf hash: 32 bytes of the section, without computing a hash.
fn leaf(event: &NewEvent) -> &[u8] {
    &event.sections.as_deref().expect("the events measured have sections")[..32]
}

/// Fills the log so that its indexes have a realistic depth: rows of typical size in order of time, tenants
/// interleaved.
///
/// # Errors
/// The database does not answer.
pub(super) async fn fill(pool: &PgPool, tenants: &[TenantId], rows: i64) -> sqlx::Result<()> {
    const STEP: i64 = 100_000;
    let tenants: Vec<Uuid> = tenants.iter().map(|tenant| tenant.0).collect();
    let mut from = 0;
    while from < rows {
        let to = rows.min(from + STEP);
        sqlx::query(FILL).bind(&tenants).bind(from).bind(to - 1).execute(pool).await?;
        from = to;
        tracing::info!(rows = from, "bench.filled");
    }
    sqlx::query("vacuum analyze ledger.events").execute(pool).await?;
    sqlx::query("checkpoint").execute(pool).await?;
    Ok(())
}

/// Calls of twenty events each, consecutive within a tenant.
const FILL: &str = "insert into ledger.events
    (tenant_id, position, stream_id, stream_kind, stream_version, event_id, event_type,
     schema_version, occurred_at, recorded_at, facts, sections, bulk, subjects, meta, leaf_hash)
  select ($1::uuid[])[n % cardinality($1) + 1], n / cardinality($1) + 1,
         md5('call' || n % cardinality($1) || '/' || n / cardinality($1) / 20)::uuid, 'call',
         n / cardinality($1) % 20 + 1, gen_random_uuid(), 'call.status_changed', 1, now(), now(),
         json_build_object('provider', 'vapi', 'filling', repeat('x', 290)),
         decode(repeat(md5(n::text), 68), 'hex'), null, array[gen_random_uuid()],
         json_build_object('request_id', gen_random_uuid(), 'content', md5(n::text)),
         sha256(n::text::bytea)
    from generate_series($2::bigint, $3::bigint) n";
