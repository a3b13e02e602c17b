//! A few connections shared by two hundred tenants, with cancelled callers, panics and killed
//! backends: no caller gets a row of another tenant, and every connection returns to its pool in a
//! clean state.
//!
//! `LEDGER_POOL_TRANSACTIONS` sets the number of transactions, `LEDGER_POOL_SEED` their sequence.
//! The suite runs fewer than the 100,000 of a manual run, to be short.

mod acts;
mod checks;

use std::collections::{BTreeMap, HashMap};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

use ledger_core::identity::{Handle, Told};
use ledger_core::ids::{EventId, Position, StreamId, SubjectId, TenantId};
use ledger_store::seal::{Place, SectionName, pack, seal};
use ledger_store::tenants::NewTenant;
use ledger_store::vault::Shelf;
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
const PATIENCE: Duration = Duration::from_secs(20);

/// A tenant with a sealed section that only its keys open.
struct Resident {
    tenant_id: TenantId,
    shelf: Shelf,
    column: Vec<u8>,
}

/// The state shared by all callers, with the acknowledged results.
struct Town {
    store: Arc<Store>,
    residents: Vec<Resident>,
    left: AtomicUsize,
    /// Violated rules. Must stay empty.
    broken: Mutex<Vec<String>>,
    /// Number of results by kind, so that a test without any such case fails.
    counts: Mutex<BTreeMap<&'static str, usize>>,
    /// The tenant of each subject.
    subjects: Mutex<HashMap<SubjectId, TenantId>>,
    /// Appends that were acknowledged, with tenant and position.
    appended: Mutex<Vec<(TenantId, Position, EventId)>>,
    /// Links that were acknowledged, with their tenant.
    linked: Mutex<Vec<(TenantId, Uuid)>>,
}

impl Town {
    async fn build(own: &OwnDatabase) -> Self {
        let store = Store::open(Settings {
            // Otherwise the log capture would keep a hundred thousand lines.
            database: own.database.clone().disable_statement_logging(),
            connections: CONNECTIONS,
            lanes: LANES,
            keyring: own.keyring(),
            clock: Arc::new(SystemClock),
            ids: Arc::new(SystemIds),
        });
        let store = Arc::new(store);
        let mut arriving = JoinSet::new();
        for nth in 0..TENANTS {
            let store = Arc::clone(&store);
            arriving.spawn(async move { settle_in(&store, nth).await });
        }
        let residents = arriving.join_all().await;
        Self {
            store,
            residents,
            left: AtomicUsize::new(setting("LEDGER_POOL_TRANSACTIONS", TRANSACTIONS)),
            broken: Mutex::default(),
            counts: Mutex::default(),
            subjects: Mutex::default(),
            appended: Mutex::default(),
            linked: Mutex::default(),
        }
    }

    fn count(&self, what: &'static str) {
        *self.counts.lock().expect("no panic while held").entry(what).or_default() += 1;
    }

    fn breaks(&self, rule: String) {
        self.broken.lock().expect("no panic while held").push(rule);
    }
}

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Creates a tenant with a person and a section sealed for that person.
async fn settle_in(store: &Store, nth: usize) -> Resident {
    let new = NewTenant {
        slug: format!("resident-{nth}"),
        name: "Resident".into(),
        timezone: "UTC".into(),
        country: "US".into(),
    };
    let tenant_id = store.create_tenant(&new).await.expect("a tenant");
    let handles = vec![Handle::phone("+15550100180", None)];
    let told = Told { handles, name: None };
    let stream = StreamId(store.ids().random());
    let resolved = store.vault().resolve(tenant_id, stream, told).await.expect("a subject");
    let subject = resolved.subject;
    let event_id = EventId(store.ids().random());
    let place = Place {
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
    Resident { tenant_id, shelf: Shelf::Sections(event_id), column }
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
async fn caller(town: Arc<Town>, mut dice: Dice) {
    let take = |left: usize| left.checked_sub(1);
    while town.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
        let act = acts::Act::choose(&town, &mut dice);
        let ran = match dice.roll(4) {
            0 => dropped_after(dice.roll(10), act.run(&town)).await,
            _ => Some(act.run(&town).await),
        };
        match ran {
            None => town.count("dropped"),
            Some(Ok(())) => town.count("done"),
            Some(Err(error)) if acts::is_passing(&error) => town.count("lost its backend"),
            Some(Err(error)) => town.breaks(format!("an act failed: {error:?}")),
        }
    }
}

/// Kills a backend of the pool at intervals, whatever it executes.
async fn killer(own: Arc<OwnDatabase>, kills: Arc<AtomicU32>) {
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
fn no_connection_brings_one_tenant_to_another_whatever_becomes_of_its_users() {
    run(async {
        let own = Arc::new(OwnDatabase::create().await);
        let town = Arc::new(Town::build(&own).await);
        let seed = setting("LEDGER_POOL_SEED", 20_261_121);
        let began = Instant::now();
        let mut callers = JoinSet::new();
        for nth in 1..=CALLERS {
            let dice =
                Dice((seed as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(nth as u64));
            callers.spawn(caller(Arc::clone(&town), dice));
        }
        let kills = Arc::new(AtomicU32::new(0));
        let killer = tokio::spawn(killer(Arc::clone(&own), Arc::clone(&kills)));
        while let Some(ended) = callers.join_next().await {
            ended.expect("a caller goes on to the end");
        }
        killer.abort();
        let counts = std::mem::take(&mut *town.counts.lock().expect("no panic while held"));
        let kills = kills.load(Ordering::Relaxed);
        println!("seed {seed}, {:?}, {kills} kills, {counts:?}", began.elapsed());

        checks::assert_whole(&town, PATIENCE).await;
        checks::assert_kept(&town, &own).await;
        let broken = std::mem::take(&mut *town.broken.lock().expect("no panic while held"));
        assert_eq!(broken, Vec::<String>::new(), "seed {seed}");
        for what in ["done", "dropped", "lost its backend", "panicked", "refused", "probed"] {
            assert!(counts.contains_key(what), "{what} never happened: {counts:?}");
        }
        assert!(kills > 0);
        checks::assert_a_leak_would_be_told(&town, &own).await;
    });
}
