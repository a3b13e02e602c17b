//! Row-wise projectors: rows from events, keys of their own, and the actor of an event.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use ledger_core::envelope::StreamKind;
use ledger_core::event::Event;
use ledger_core::event::upcast::decode;
use ledger_core::ids::{KeyId, Position, StreamId, TenantId};
use ledger_store::admin_events::Attribution;
use ledger_store::tenants::NewTenant;
use ledger_tests::{OwnDatabase, cluster, run};
use projections::engine::{ParkedKeys, VersionTarget, apply, set_search_path};
use projections::event_counts::EventCounts;
use projections::simple::{self, RowProjector, Rows};
use projections::testing::given;
use projections::{
    Again, Batches, LeftOut, LogEvent, Precomputed, ProjectError, Runner, TenantContext, WriteMode,
};
use serde_json::json;
use sqlx::{Executor, PgConnection, Row as _};
use uuid::Uuid;

/// Counts events by actor. Events of one actor wait for each other, whatever their stream.
struct Actors;

const TABLES: &str = "create table actors (tenant_id uuid, actor text, events bigint not null,
                                           primary key (tenant_id, actor))";

#[async_trait]
impl RowProjector for Actors {
    type Key = String;
    type Row = i64;

    fn name(&self) -> &'static str {
        "actors"
    }

    fn schema_version(&self) -> i32 {
        1
    }

    fn handles(&self, stream_kind: &str) -> bool {
        stream_kind == "tenant"
    }

    fn reads_meta(&self) -> bool {
        true
    }

    fn key(&self, event: &LogEvent) -> Uuid {
        let actor = event.meta().ok().and_then(|meta| meta.actor);
        actor.map_or(event.stream(), |actor| Uuid::new_v5(&Uuid::NAMESPACE_OID, actor.as_bytes()))
    }

    fn has_own_keys(&self) -> bool {
        true
    }

    fn project(
        &self,
        _: TenantContext,
        event: &LogEvent,
        rows: &mut Rows<'_, String, i64>,
    ) -> Result<(), ProjectError> {
        if event.stored.facts.contains(&Uuid::max().to_string()) {
            return Err(ProjectError::Poison("no such key".to_owned()));
        }
        let actor = event.meta()?.actor.unwrap_or_else(|| "source".to_owned());
        *rows.entry(actor).or_default() += 1;
        Ok(())
    }

    async fn upsert(
        &self,
        conn: &mut PgConnection,
        rows: Vec<(TenantId, String, i64)>,
    ) -> Result<(), ProjectError> {
        for (tenant_id, actor, events) in rows {
            sqlx::query(
                "insert into actors values ($1, $2, $3) on conflict (tenant_id, actor)
                     do update set events = actors.events + excluded.events",
            )
            .bind(tenant_id.0)
            .bind(actor)
            .bind(events)
            .execute(&mut *conn)
            .await?;
        }
        Ok(())
    }

    async fn leave_out(
        &self,
        conn: &mut PgConnection,
        one: LeftOut<'_>,
    ) -> Result<Again, ProjectError> {
        sqlx::query("delete from actors where tenant_id = $1 and actor = $2")
            .bind(one.tenant.tenant_id.0)
            .bind(one.event.meta()?.actor)
            .execute(conn)
            .await?;
        Ok(Again::Key)
    }
}

fn revoked(key_id: Uuid) -> Event {
    let facts = json!({ "key_id": key_id }).to_string();
    decode("tenant.key_revoked", 1, &facts).expect("an event")
}

fn stream(number: u128) -> StreamId {
    StreamId(Uuid::from_u128(number))
}

#[test]
fn given_events_the_rows_of_a_projector_are_the_same_in_every_batch() {
    run(async {
        let mut conn = cluster::superuser().await;
        let actors = simple::projector(Actors);
        let test = given(&*actors)
            .tables(TABLES)
            .event(StreamKind::Tenant, stream(1), &revoked(Uuid::nil()))
            .by("key:1")
            .event(StreamKind::Tenant, stream(2), &revoked(Uuid::nil()))
            .by("operator")
            .event(StreamKind::Call, stream(3), &revoked(Uuid::nil()))
            .by("operator")
            .event(StreamKind::Tenant, stream(2), &revoked(Uuid::nil()))
            .by("key:1");
        let query = "select actor, events from actors order by actor";
        let rows = test.then(&mut conn, query).await.expect("rows");
        let row = |actor: &str, events: i64| json!({ "actor": actor, "events": events });
        assert_eq!(rows, [row("key:1", 2), row("operator", 1)]);
        let rows = test.then_without(&mut conn, Position(4), query).await.expect("rows");
        assert_eq!(rows, [row("key:1", 1), row("operator", 1)]);
        let left: Option<String> = sqlx::query_scalar("select to_regclass('actors')::text")
            .fetch_one(&mut conn)
            .await
            .expect("an answer");
        assert_eq!(left, None, "nothing is left behind");
    });
}

#[test]
fn an_event_counts_in_the_billing_month_of_the_tenants_zone() {
    run(async {
        // Rebuilds of other tests replace the version of the shared database.
        let own = OwnDatabase::create().await;
        let mut conn = own.superuser().await;
        conn.execute("set search_path = usage_v1").await.expect("a version");
        let at = |text: &str| text.parse::<DateTime<Utc>>().expect("a time");
        let usage = simple::projector(EventCounts);
        let event = revoked(Uuid::nil());
        let test = given(&*usage)
            .zone(chrono_tz::America::New_York)
            .event_at(at("2026-01-31T23:00:00Z"), StreamKind::Tenant, stream(1), &event)
            .event_at(at("2026-02-01T04:59:59Z"), StreamKind::Call, stream(2), &event)
            .event_at(at("2026-02-01T05:00:00Z"), StreamKind::Call, stream(2), &event);
        let rows = test.then(&mut conn, "select month, events from usage order by month").await;
        let row = |month: &str, events: i64| json!({ "month": month, "events": events });
        assert_eq!(rows.expect("rows"), [row("2026-01-01", 2), row("2026-02-01", 1)]);
    });
}

/// A database with a version of `actors` that the engine fills.
async fn with_actors() -> OwnDatabase {
    let own = OwnDatabase::create().await;
    let mut conn = own.superuser().await;
    conn.execute(
        "create schema actors_v1 authorization ledger_owner;
         create table actors_v1.actors (tenant_id uuid, actor text, events bigint not null,
                                        primary key (tenant_id, actor));
         grant usage on schema actors_v1 to ledger_projector;
         grant all on actors_v1.actors to ledger_projector;
         insert into projection.versions
           (tenant_id, projection, version, shape, state, indexed_at, promoted_at)
         values ('00000000-0000-0000-0000-000000000000', 'actors', 1, 1, 'active', now(), now())",
    )
    .await
    .expect("a read model");
    own
}

async fn actors(conn: &mut PgConnection) -> Vec<(String, i64)> {
    let rows = sqlx::query("select actor, events from actors_v1.actors order by actor");
    let rows = rows.fetch_all(conn).await.expect("rows");
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[test]
fn the_engine_passes_the_actor_of_an_event_to_a_projector_that_asks_for_it() {
    run(async {
        let own = with_actors().await;
        let store = Arc::new(own.store(1));
        let runner = Runner::start_with(
            &store,
            vec![simple::projector(Actors), simple::projector(EventCounts)],
            Batches::default(),
        );
        let new = NewTenant {
            slug: "acme".to_owned(),
            name: "Acme".to_owned(),
            country: String::new(),
            timezone: "UTC".to_owned(),
        };
        let tenant_id = store.create_tenant(&new).await.expect("a tenant");
        let by = Attribution::key(KeyId(Uuid::from_u128(7)), Uuid::nil());
        let event = revoked(Uuid::nil());
        let recorded = store.record_tenant_event(tenant_id, by, event, Vec::new()).await;
        let head = recorded.expect("it is appended").last;
        let mut conn = own.superuser().await;
        let begun = Instant::now();
        let rows = loop {
            let rows = actors(&mut conn).await;
            if rows.iter().map(|(_, events)| events).sum::<i64>() == head.0 {
                break rows;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "{rows:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        assert_eq!(
            rows,
            [(format!("key:{}", Uuid::from_u128(7)), 1), ("operator".to_owned(), head.0 - 1)]
        );
        runner.stop().await;
        store.close().await;
    });
}

#[test]
fn later_events_of_the_key_that_a_projector_chooses_wait_behind_a_parked_one() {
    run(async {
        let own = with_actors().await;
        let mut conn = own.superuser().await;
        let projector = simple::projector(Actors);
        let log = given(&*projector)
            .event(StreamKind::Tenant, stream(1), &revoked(Uuid::max()))
            .by("key:1")
            .event(StreamKind::Tenant, stream(2), &revoked(Uuid::nil()))
            .by("key:1")
            .event(StreamKind::Tenant, stream(1), &revoked(Uuid::nil()))
            .by("key:2");
        let tenant = log.tenant();
        let target =
            VersionTarget { projector: &*projector, version: 1, tenant, mode: WriteMode::Upsert };
        let mut tx = sqlx::Connection::begin(&mut conn).await.expect("a transaction");
        set_search_path(&mut tx, "actors", 1).await.expect("a version");
        let events = log.events().iter().collect();
        let mut parked = ParkedKeys::default();
        let applied = apply(&mut tx, target, events, Precomputed::default(), &mut parked).await;
        assert_eq!(applied.expect("applied").parked, 1);
        tx.commit().await.expect("committed");
        assert_eq!(actors(&mut conn).await, [("key:2".to_owned(), 1)]);
        let key: Uuid = sqlx::query_scalar("select key from projection.parked")
            .fetch_one(&mut conn)
            .await
            .expect("one is parked");
        assert_eq!(key, projector.key(&log.events()[0]));
        assert_ne!(key, stream(1).0);
    });
}
