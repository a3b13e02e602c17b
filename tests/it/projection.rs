//! The read model follows the log with any number of servers, after any interruption, and with any
//! events in one tenant's log.

use ledger_core::envelope::StreamKind;
use ledger_core::ids::{EventId, StreamId, TenantId};
use ledger_store::append::{AppendRequest, Expected, NewEvent, StreamAppend};
use ledger_store::placement::Placements;
use ledger_tests::{OwnDatabase, TestLedger, TestTenant, fixtures, messages, run};
use reqwest::Client;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

/// Records every change of a checkpoint.
const WATCH: &str = "
    create table public.moves (nth bigserial, tenant_id uuid, before bigint, after bigint);
    grant insert on public.moves to public;
    grant usage on sequence public.moves_nth_seq to public;
    create function public.note() returns trigger language plpgsql as $$
    begin
      insert into public.moves (tenant_id, before, after)
      values (new.tenant_id, old.position, new.position);
      return new;
    end $$;
    create trigger note after update of position on projection.checkpoints
      for each row when (new.projection = 'calls') execute function public.note()";

/// Returns every change of a tenant's checkpoint, in order.
async fn moves(conn: &mut PgConnection, tenant_id: TenantId) -> Vec<(i64, i64)> {
    sqlx::query_as("select before, after from public.moves where tenant_id = $1 order by nth")
        .bind(tenant_id.0)
        .fetch_all(conn)
        .await
        .expect("the moves")
}

/// The tables of the read models.
const TABLES: [&str; 15] = [
    "appointments_v1.appointments",
    "calls_v2.calls",
    "calls_v2.call_tools",
    "calls_v2.callers",
    "calls_v2.caller_handles",
    "calls_v2.carrier_calls",
    "calls_v2.call_carriers",
    "calls_v2.call_handles",
    "calls_v2.call_appointments",
    "calls_v2.call_tags",
    "calls_v2.call_rollups",
    "due_v1.open_appointments",
    "due_v1.reminders",
    "due_v1.tasks",
    "usage_v1.usage",
];

/// Returns the rows of the read models as text.
async fn rows(conn: &mut PgConnection) -> Vec<String> {
    let mut all = Vec::new();
    for table in TABLES {
        let rows = format!("select t::text from {table} t order by t::text");
        let rows: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(rows)).fetch_all(&mut *conn).await.expect("the rows");
        all.extend(rows);
    }
    all
}

/// Returns the number of calls in the read model.
async fn calls(conn: &mut PgConnection) -> i64 {
    let count = sqlx::query_scalar("select count(*) from calls_v2.calls");
    count.fetch_one(conn).await.expect("a count")
}

/// Deletes all rows and checkpoints of projections; a running engine applies the logs again.
async fn delete_projected(conn: &mut PgConnection) {
    let truncate = format!("truncate {}, projection.checkpoints", TABLES.join(", "));
    sqlx::raw_sql(AssertSqlSafe(truncate)).execute(conn).await.expect("forgotten");
}

async fn ready(ledger: &TestLedger) -> Value {
    let url = format!("http://{}/readyz", ledger.address);
    let response = Client::new().get(url).send().await.expect("an answer");
    response.json().await.expect("a document")
}

async fn post_calls(tenant: &TestTenant, name: &str, count: usize) {
    for nth in 0..count {
        for body in [
            messages::status(&format!("{name}-{nth}"), "in-progress"),
            messages::report(&format!("{name}-{nth}")),
        ] {
            tenant.post_ok(body.to_string()).await;
        }
    }
}

#[test]
fn two_servers_project_each_event_once_and_lose_none() {
    run(async {
        let own = OwnDatabase::create().await;
        own.superuser().await.execute(WATCH).await.expect("a watch");
        let (here, there) = (own.server().await, own.server().await);
        let tenants = [here.tenant().await, here.tenant().await, here.tenant().await];
        let mut posts = tokio::task::JoinSet::new();
        for tenant in &tenants {
            for (name, server) in [("here", &here), ("there", &there)] {
                let tenant = tenant.through(server);
                posts.spawn(async move { post_calls(&tenant, name, 10).await });
            }
        }
        posts.join_all().await;
        let mut conn = own.superuser().await;
        for tenant in &tenants {
            assert_eq!(tenant.calls().await.len(), 20);
            tenant.settle().await;
            let moves = moves(&mut conn, tenant.tenant_id).await;
            assert_eq!(moves.first().map(|(before, _)| *before), Some(0));
            for pair in moves.windows(2) {
                assert_eq!(pair[0].1, pair[1].0, "each goes on where the one before ended");
            }
        }
        here.stop().await;
        there.stop().await;
        let live = rows(&mut conn).await;
        assert_eq!(calls(&mut conn).await, 60);
        assert_rebuilt(&own, &tenants, &live).await;
    });
}

/// Checks that a projection from the log alone gives identical rows.
async fn assert_rebuilt(own: &OwnDatabase, tenants: &[TestTenant], live: &[String]) {
    let mut conn = own.superuser().await;
    delete_projected(&mut conn).await;
    let ledger = own.server().await;
    for tenant in tenants {
        tenant.through(&ledger).settle().await;
    }
    let rebuilt = rows(&mut conn).await;
    assert_eq!(rebuilt.len(), live.len());
    for (rebuilt, live) in rebuilt.iter().zip(live) {
        assert_eq!(rebuilt, live);
    }
    ledger.stop().await;
}

#[test]
fn a_rebuild_gives_the_same_bytes() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let tenant = ledger.tenant().await;
        for name in [fixtures::names("vapi"), fixtures::names("vapi-legacy")].concat() {
            tenant.post(fixtures::bytes(&name)).await;
            // One at a time, so that each is applied to the stored row.
            tenant.settle().await;
        }
        ledger.stop().await;
        let mut conn = own.superuser().await;
        let live = rows(&mut conn).await;
        assert!(calls(&mut conn).await > 20);
        assert_rebuilt(&own, &[tenant], &live).await;
    });
}

#[test]
fn a_restart_in_the_middle_loses_nothing() {
    run(async {
        let own = OwnDatabase::create().await;
        let first = own.server().await;
        let tenant = first.tenant().await;
        post_calls(&tenant, "before", 20).await;
        first.stop().await;

        let second = own.server().await;
        let tenant = tenant.through(&second);
        post_calls(&tenant, "after", 5).await;
        assert_eq!(tenant.calls().await.len(), 25);
        for body in [messages::report("before-19"), messages::report("after-0")] {
            assert_eq!(tenant.post_ok(body.to_string()).await["status"], "duplicate");
        }
        second.stop().await;
    });
}

/// An event of the call's stream with a type unknown to this build.
fn unknown_event(tenant_id: TenantId, stream_id: StreamId) -> AppendRequest {
    let event = NewEvent {
        event_id: EventId(stream_id.0),
        event_type: "call.sung",
        schema_version: 1,
        occurred_at: chrono::DateTime::UNIX_EPOCH,
        recorded_at: chrono::DateTime::UNIX_EPOCH,
        facts: "{}".into(),
        sections: None,
        bulk: None,
        subjects: Vec::new(),
        meta: "{}".into(),
    };
    let (kind, expected) = (StreamKind::Call, Expected::Any);
    let stream = StreamAppend { stream_id, kind, expected, events: vec![event] };
    AppendRequest { tenant_id, streams: vec![stream] }
}

#[test]
fn an_unknown_event_halts_its_tenant_with_the_reason_and_no_other() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let (tenant, other) = (ledger.tenant().await, ledger.tenant().await);
        post_calls(&tenant, "before", 1).await;
        ledger.stop().await;

        // Recorded without a running projection, so that it is in the middle of a batch.
        let bare = own.store(1);
        let request = unknown_event(tenant.tenant_id, StreamId(tenant.tenant_id.0));
        let bad = bare.appender().append(request).await.expect("appended").first;
        bare.close().await;
        delete_projected(&mut own.superuser().await).await;

        let ledger = own.server().await;
        let (tenant, other) = (tenant.through(&ledger), other.through(&ledger));
        post_calls(&tenant, "after", 1).await;
        post_calls(&other, "others", 3).await;
        assert_eq!(other.calls().await.len(), 3, "others go on");
        let mut conn = own.superuser().await;
        let (position, halted) = halted(&mut conn, tenant.tenant_id).await;
        let expected = format!(
            "the event at position {bad} cannot be read: event type call.sung is not known to this build"
        );
        assert_eq!(halted, expected);
        assert_eq!(position, bad.0 - 1, "everything before it is in the read model");
        let (_, calls) = tenant.get_with(&tenant.read_key, "/v1/calls").await;
        assert_eq!(calls["data"].as_array().map(Vec::len), Some(1), "and nothing after it");
        let readiness = ready(&ledger).await;
        // The read models that fold calls: calls and contacts.
        assert_eq!((&readiness["halted"], &readiness["status"]), (&2.into(), &"ready".into()));
        other.settle().await;
        let progress = projections::progress(ledger.store.projector()).await.expect("an answer");
        let calls = progress.iter().find(|one| one.name() == "calls").expect("a read model");
        assert_eq!((calls.halted, calls.lag_events), (1, 3));
        ledger.stop().await;
    });
}

/// Waits until a tenant is halted; returns its checkpoint and the reason.
async fn halted(conn: &mut PgConnection, tenant_id: TenantId) -> (i64, String) {
    for _ in 0..1_000 {
        let row = sqlx::query_as(
            "select position, halted from projection.checkpoints
              where tenant_id = $1 and projection = 'calls' and halted is not null",
        );
        if let Some(row) = row.bind(tenant_id.0).fetch_optional(&mut *conn).await.expect("a row") {
            return row;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("it was not halted")
}

#[test]
fn a_checkpoint_moved_by_another_worker_is_not_overwritten() {
    run(async {
        let own = OwnDatabase::create().await;
        let mut conn = own.superuser().await;
        // The trigger simulates that another worker moved the checkpoint during the batch.
        let meddle = "
            create function public.meddle() returns trigger language plpgsql security definer as $$
            begin
              update projection.checkpoints set position = position + 1
               where tenant_id = new.tenant_id;
              return new;
            end $$;
            create trigger meddle before insert on calls_v2.calls
              for each row execute function public.meddle()";
        sqlx::raw_sql(meddle).execute(&mut conn).await.expect("a meddler");
        let ledger = own.server().await;
        let tenant = ledger.tenant().await;
        tenant.settle().await;
        let before = position(&mut conn, &tenant).await;
        post_calls(&tenant, "meddled", 1).await;
        let mut woken = ledger.store.notifier(Placements::CURRENT.of(tenant.tenant_id)).subscribe();
        post_calls(&tenant, "again", 1).await;
        woken.changed().await.expect("the store lives");
        assert_eq!(calls(&mut conn).await, 0);
        assert_eq!(position(&mut conn, &tenant).await, before, "nothing of it stands");

        conn.execute("drop trigger meddle on calls_v2.calls").await.expect("it is gone");
        assert_eq!(tenant.calls().await.len(), 2);
        ledger.stop().await;
    });
}

async fn position(conn: &mut PgConnection, tenant: &TestTenant) -> i64 {
    sqlx::query_scalar(
        "select position from projection.checkpoints where tenant_id = $1 and projection = 'calls'",
    )
    .bind(tenant.tenant_id.0)
    .fetch_one(conn)
    .await
    .expect("a checkpoint")
}

#[test]
fn a_locked_tenant_is_skipped_and_a_reader_can_wait_for_it() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let (tenant, other) = (ledger.tenant().await, ledger.tenant().await);
        tenant.settle().await;
        let mut conn = own.superuser().await;
        let mut held = conn.begin().await.expect("a transaction");
        sqlx::query("select from projection.checkpoints where tenant_id = $1 for update")
            .bind(tenant.tenant_id.0)
            .execute(&mut *held)
            .await
            .expect("held, as by another server");
        post_calls(&tenant, "held", 2).await;
        post_calls(&other, "free", 1).await;
        assert_eq!(other.calls().await.len(), 1);
        assert_eq!(tenant.get("/v1/calls").await["data"], serde_json::json!([]));
        assert!(ready(&ledger).await["lag_events"].as_i64() >= Some(4));

        let asked = tenant.request(&tenant.read_key, "/v1/calls?min_position=7");
        let (answer, ()) = tokio::join!(asked.send(), async {
            held.rollback().await.expect("let go");
        });
        let answer = answer.expect("an answer");
        let reached = answer.headers()["ledger-position"].to_str().expect("a number").parse();
        assert!(reached.is_ok_and(|reached: i64| reached >= 7));
        let page: Value = answer.json().await.expect("a page");
        assert_eq!(page["data"].as_array().map(Vec::len), Some(2));
        ledger.stop().await;
    });
}
