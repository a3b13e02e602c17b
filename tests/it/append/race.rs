//! Many servers, few tenants and killed connections: every acknowledged append is in the log once.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ledger_core::ids::{StreamVersion, TenantId};
use ledger_store::Store;
use ledger_store::append::AppendError;
use ledger_store::append::{AppendRequest, Appended, Expected};
use ledger_tests::{OwnDatabase, run};
use sqlx::{Executor, PgConnection};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{a_tenant, event, stream};

const SERVERS: usize = 3;
const WRITERS: usize = 6;
const TENANTS: usize = 5;
const ROUNDS: u64 = 120;

/// A generator of a fixed sequence, so that each run makes the same choices.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// Request number `nth` of the list that all writers draw from; depends on `nth` only.
fn request_number(tenants: &[TenantId], nth: u64) -> AppendRequest {
    let mut dice = Dice(nth.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let tenant_id = tenants[usize::try_from(dice.roll(TENANTS as u64)).expect("few")];
    let expected = match dice.roll(4) {
        0 => Expected::Exactly(StreamVersion(i64::try_from(dice.roll(30)).expect("few"))),
        _ => Expected::Any,
    };
    let first = u128::from(nth) * 10 + 1;
    let events = (0..=u128::from(dice.roll(3))).map(|more| event(first + more)).collect();
    AppendRequest { tenant_id, streams: vec![stream(u128::from(dice.roll(3)), expected, events)] }
}

/// A request with its acknowledgement.
struct Acknowledged {
    request: AppendRequest,
    answer: Appended,
}

/// Sends a request until its result is known.
async fn send(store: &Store, request: &AppendRequest) -> Option<Appended> {
    loop {
        match store.appender().append(request.clone()).await {
            Ok(appended) => return Some(appended),
            Err(AppendError::Conflict { .. }) => return None,
            Err(error) if error.is_unavailable() => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
}

async fn write(store: Arc<Store>, tenants: Vec<TenantId>, writer: u64) -> Vec<Acknowledged> {
    let mut dice = Dice(writer + 1);
    let mut acknowledged = Vec::new();
    for _ in 0..ROUNDS {
        // Drawn from few numbers, so that several writers send the same request, concurrently and
        // again.
        let request = request_number(&tenants, dice.roll(ROUNDS * 3));
        if let Some(answer) = send(&store, &request).await {
            acknowledged.push(Acknowledged { request, answer });
        }
    }
    acknowledged
}

/// Repeatedly kills a connection that appends.
async fn kill(mut conn: PgConnection, done: Arc<AtomicBool>) -> u64 {
    let mut killed = 0;
    while !done.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(40)).await;
        let shot = conn
            .execute(
                "select pg_terminate_backend(pid) from pg_stat_activity
                  where datname = current_database() and pid <> pg_backend_pid()
                    and query like '%ledger.append%'
                  order by state_change limit 1",
            )
            .await
            .expect("a shot");
        killed += shot.rows_affected();
    }
    killed
}

/// Reads a tenant's log as a projection does: each event must have the next position.
async fn follow(mut conn: PgConnection, tenant_id: TenantId, done: Arc<AtomicBool>) -> i64 {
    let mut last = 0;
    loop {
        let is_done = done.load(Ordering::Relaxed);
        let next: Vec<i64> = sqlx::query_scalar(
            "select position from ledger.events
              where tenant_id = $1 and position > $2 order by position limit 7",
        )
        .bind(tenant_id.0)
        .bind(last)
        .fetch_all(&mut conn)
        .await
        .expect("a page");
        for position in &next {
            assert_eq!(*position, last + 1, "a reader saw a gap");
            last = *position;
        }
        if next.is_empty() && is_done {
            return last;
        }
    }
}

#[test]
fn under_races_and_killed_connections_the_log_is_dense_ordered_and_as_acknowledged() {
    run(async {
        let own = OwnDatabase::create().await;
        let stores: Vec<Arc<Store>> = (0..SERVERS).map(|_| Arc::new(own.store(2))).collect();
        let mut tenants = Vec::new();
        for nth in 0..TENANTS {
            tenants.push(a_tenant(&stores[0], &format!("race-{nth}")).await);
        }
        let done = Arc::new(AtomicBool::new(false));
        let killer = tokio::spawn(kill(own.superuser().await, Arc::clone(&done)));
        let mut readers = JoinSet::new();
        for tenant in &tenants {
            readers.spawn(follow(own.superuser().await, *tenant, Arc::clone(&done)));
        }
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let store = Arc::clone(&stores[writer % SERVERS]);
            writers.spawn(write(store, tenants.clone(), writer as u64));
        }
        let acknowledged: Vec<Acknowledged> =
            writers.join_all().await.into_iter().flatten().collect();
        done.store(true, Ordering::Relaxed);
        let seen: i64 = readers.join_all().await.into_iter().sum();
        assert!(killer.await.expect("the killer lives") > 0, "nothing was killed");

        let mut superuser = own.superuser().await;
        assert_is_consistent(&mut superuser).await;
        let events: Vec<(Uuid, Uuid, i64)> =
            sqlx::query_as("select tenant_id, event_id, position from ledger.events")
                .fetch_all(&mut superuser)
                .await
                .expect("the log");
        assert_eq!(seen, i64::try_from(events.len()).expect("few"), "readers saw all of it");
        assert_matches_acknowledgements(&acknowledged, &events);
        for store in stores {
            store.close().await;
        }
    });
}

/// Checks that positions and versions are dense, that versions follow the order of positions, and
/// that no event is stored twice.
async fn assert_is_consistent(conn: &mut PgConnection) {
    let faults: Vec<i64> = sqlx::query_scalar(
        "with numbered as (
           select tenant_id, event_id, position, stream_version,
                  row_number() over (partition by tenant_id order by position) as nth,
                  row_number() over (partition by tenant_id, stream_id order by position) as nth_of_stream,
                  count(*) over (partition by tenant_id, event_id) as times
             from ledger.events)
         select position from numbered
          where position <> nth or stream_version <> nth_of_stream or times > 1",
    )
    .fetch_all(conn)
    .await
    .expect("the log");
    assert_eq!(faults, Vec::<i64>::new());
}

fn assert_matches_acknowledgements(acknowledged: &[Acknowledged], stored: &[(Uuid, Uuid, i64)]) {
    let positions: HashMap<(Uuid, Uuid), i64> = stored
        .iter()
        .map(|(tenant_id, event_id, position)| ((*tenant_id, *event_id), *position))
        .collect();
    let mut appended = HashMap::new();
    for Acknowledged { request, answer } in acknowledged {
        let events = &request.streams[0].events;
        for (position, event) in (answer.first.0..).zip(events) {
            let key = (request.tenant_id.0, event.event_id.0);
            assert_eq!(positions.get(&key), Some(&position), "an answer was not true");
        }
        let len = i64::try_from(events.len()).expect("few");
        assert_eq!(answer.last.0 - answer.first.0 + 1, len);
        if !answer.duplicate {
            *appended.entry(events[0].event_id.0).or_insert(0) += 1;
        }
    }
    assert!(appended.values().all(|times| *times == 1), "acknowledged twice that it was new");
    assert!(
        acknowledged.iter().any(|acknowledged| acknowledged.answer.duplicate),
        "the race was none"
    );
    assert!(appended.len() > 100, "{}", appended.len());
}
