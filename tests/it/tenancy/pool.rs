//! A few connections shared by two hundred tenants, with cancelled callers, panics and killed
//! backends: no caller gets a row of another tenant, and every connection returns to its pool in a
//! clean state.
//!
//! `LEDGER_POOL_TRANSACTIONS` sets the number of transactions, `LEDGER_POOL_SEED` their sequence.
//! The suite runs fewer than the 100,000 of a manual run, to be short.

mod actions;
mod checks;

use std::collections::{BTreeMap, HashMap};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

use ledger_core::identity::{Handle, PersonIdentifiers};
use ledger_core::ids::{EventId, Position, StreamId, SubjectId, TenantId};
use ledger_store::seal::{SectionContext, SectionName, pack, seal};
use ledger_store::tenants::NewTenant;
use ledger_store::vault::SectionColumn;
use ledger_store::{Settings, Store};
use ledger_tests::{OwnDatabase, run};
use server::system::{SystemClock, SystemIds};
use sqlx::ConnectOptions;
use tokio::task::JoinSet;
use uuid::Uuid;

const TENANTS: usize = 200;
const CONNECTIONS: u32 = 10;
const LANES: usize = 2;
/// More callers than connections, so that each connection serves many tenants.
const CALLERS: usize = 24;
const TRANSACTIONS: usize = 50_000;
const BETWEEN_KILLS: Duration = Duration::from_millis(100);
/// Time limit for the pool to be complete again at the end.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A tenant with a sealed section that only its keys open.
struct PoolTenant {
    tenant_id: TenantId,
    section_column: SectionColumn,
    column: Vec<u8>,
}

/// The state shared by all callers, with the acknowledged results.
struct PoolTest {
    store: Arc<Store>,
    tenants: Vec<PoolTenant>,
    left: AtomicUsize,
    /// Violated rules. Must stay empty.
    violations: Mutex<Vec<String>>,
    /// Number of results by kind, so that a test without any such case fails.
    counts: Mutex<BTreeMap<&'static str, usize>>,
    /// The tenant of each subject.
    subjects: Mutex<HashMap<SubjectId, TenantId>>,
    /// Appends that were acknowledged, with tenant and position.
    appended: Mutex<Vec<(TenantId, Position, EventId)>>,
    /// Links that were acknowledged, with their tenant.
    linked: Mutex<Vec<(TenantId, Uuid)>>,
}

impl PoolTest {
    async fn build(own: &OwnDatabase) -> Self {
        let store = Store::open(Settings {
            // Otherwise the log capture would keep a hundred thousand lines.
            database: own.database.clone().disable_statement_logging(),
            connections: CONNECTIONS,
            append_workers: LANES,
            keyring: own.keyring(),
            journal: own.journal(),
            clock: Arc::new(SystemClock),
            ids: Arc::new(SystemIds),
        });
        let store = Arc::new(store);
        let mut arriving = JoinSet::new();
        for nth in 0..TENANTS {
            let store = Arc::clone(&store);
            arriving.spawn(async move { create_tenant(&store, nth).await });
        }
        let tenants = arriving.join_all().await;
        Self {
            store,
            tenants,
            left: AtomicUsize::new(setting("LEDGER_POOL_TRANSACTIONS", TRANSACTIONS)),
            violations: Mutex::default(),
            counts: Mutex::default(),
            subjects: Mutex::default(),
            appended: Mutex::default(),
            linked: Mutex::default(),
        }
    }

    fn count(&self, what: &'static str) {
        *self.counts.lock().expect("no panic while held").entry(what).or_default() += 1;
    }

    fn report_violation(&self, rule: String) {
        self.violations.lock().expect("no panic while held").push(rule);
    }
}

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Creates a tenant with a person and a section sealed for that person.
async fn create_tenant(store: &Store, nth: usize) -> PoolTenant {
    let new = NewTenant {
        slug: format!("resident-{nth}"),
        name: "PoolTenant".into(),
        timezone: "UTC".into(),
        country: "US".into(),
    };
    let tenant_id = store.create_tenant(&new).await.expect("a tenant");
    let handles = vec![Handle::phone("+15550100180", None)];
    let identifiers = PersonIdentifiers { handles, name: None };
    let stream = StreamId(store.ids().random());
    let resolved = store.vault().resolve(tenant_id, stream, identifiers).await.expect("a subject");
    let subject = resolved.subject;
    let event_id = EventId(store.ids().random());
    let place = SectionContext {
        tenant_id,
        subject_id: subject.subject_id,
        generation: subject.generation,
        event_id,
        event_type: "call.ended",
        schema_version: 1,
        name: SectionName::Party,
    };
    let key = subject.sealing_key().expect("nobody is fenced");
    let section = seal(key, &place, tenant_id.to_string().as_bytes());
    let column = pack(&[section]).expect("one section");
    PoolTenant { tenant_id, section_column: SectionColumn::Sections(event_id), column }
}

/// A seeded xorshift generator, one for each caller.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).expect("64 bits") % sides
    }
}

/// Drops a future after it has been pending `awaits` times.
async fn dropped_after<T>(awaits: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = awaits;
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

/// Runs one transaction at a time until none is left; every fourth is cancelled.
async fn caller(pool_test: Arc<PoolTest>, mut dice: Dice) {
    let take = |left: usize| left.checked_sub(1);
    while pool_test.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
        let act = actions::Action::choose(&pool_test, &mut dice);
        let ran = match dice.roll(4) {
            0 => dropped_after(dice.roll(10), act.run(&pool_test)).await,
            _ => Some(act.run(&pool_test).await),
        };
        match ran {
            None => pool_test.count("dropped"),
            Some(Ok(())) => pool_test.count("done"),
            Some(Err(error)) if actions::is_transient(&error) => {
                pool_test.count("lost its backend");
            }
            Some(Err(error)) => pool_test.report_violation(format!("an act failed: {error:?}")),
        }
    }
}

/// Kills a backend of the pool at intervals, whatever it executes.
async fn kill_backends(own: Arc<OwnDatabase>, kills: Arc<AtomicU32>) {
    let mut conn = own.superuser().await;
    loop {
        let killed: Option<bool> = sqlx::query_scalar(
            "select pg_terminate_backend(pid) from pg_stat_activity
              where datname = current_database() and pid <> pg_backend_pid()
                and backend_type = 'client backend'
              order by random() limit 1",
        )
        .fetch_optional(&mut conn)
        .await
        .expect("the cluster answers");
        kills.fetch_add(u32::from(killed == Some(true)), Ordering::Relaxed);
        tokio::time::sleep(BETWEEN_KILLS).await;
    }
}

#[test]
fn no_connection_leaks_rows_between_tenants_under_panics_and_cancellation() {
    run(async {
        let own = Arc::new(OwnDatabase::create().await);
        let pool_test = Arc::new(PoolTest::build(&own).await);
        let seed = setting("LEDGER_POOL_SEED", 20_261_121);
        let began = Instant::now();
        let mut callers = JoinSet::new();
        for nth in 1..=CALLERS {
            let dice =
                Dice((seed as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(nth as u64));
            callers.spawn(caller(Arc::clone(&pool_test), dice));
        }
        let kills = Arc::new(AtomicU32::new(0));
        let killer = tokio::spawn(kill_backends(Arc::clone(&own), Arc::clone(&kills)));
        while let Some(ended) = callers.join_next().await {
            ended.expect("a caller goes on to the end");
        }
        killer.abort();
        let counts = std::mem::take(&mut *pool_test.counts.lock().expect("no panic while held"));
        let kills = kills.load(Ordering::Relaxed);
        println!("seed {seed}, {:?}, {kills} kills, {counts:?}", began.elapsed());

        checks::assert_pool_is_complete(&pool_test, TIMEOUT).await;
        checks::assert_acknowledged_rows(&pool_test, &own).await;
        let violations =
            std::mem::take(&mut *pool_test.violations.lock().expect("no panic while held"));
        assert_eq!(violations, Vec::<String>::new(), "seed {seed}");
        for what in ["done", "dropped", "lost its backend", "panicked", "refused", "probed"] {
            assert!(counts.contains_key(what), "{what} never happened: {counts:?}");
        }
        assert!(kills > 0);
        checks::assert_leaks_are_detected(&pool_test, &own).await;
    });
}
