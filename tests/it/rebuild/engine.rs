//! Projection engines without a server, and assertions about the versions they fill.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ledger_core::ids::{SourceId, TenantId};
use ledger_core::provider::Provider;
use ledger_store::record::DeliveryContext;
use ledger_store::tenants::NewTenant;
use ledger_store::{Settings, Store, TenantTx, read};
use ledger_tests::OwnDatabase;
use projections::versions::{self, State, Version};
use projections::{Batches, Progress, Projector, Runner};
use serde_json::Value;
use server::system::{SystemClock, SystemIds};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Executor, PgConnection};
use uuid::Uuid;

/// Time limit for an expected state.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The names of the read models.
pub(super) const NAMES: [&str; 2] = ["calls", "usage"];
/// Batches that create indexes late, as for large versions.
pub(super) const BULK: Batches = Batches { read: 8_000, fold: 8_000, close: 0 };

/// The engine of one server.
pub(super) struct Engine {
    pub(super) store: Arc<Store>,
    runner: Runner,
}

impl Engine {
    pub(super) fn start(own: &OwnDatabase, batches: Batches) -> Self {
        Self::start_with(own, projections::all(), batches)
    }

    pub(super) fn start_with(
        own: &OwnDatabase,
        projectors: Vec<Arc<dyn Projector>>,
        batches: Batches,
    ) -> Self {
        Self::start_on(own, own.database.clone(), projectors, batches)
    }

    /// Starts an engine with other connection options, such as a proxy.
    pub(super) fn start_on(
        own: &OwnDatabase,
        database: PgConnectOptions,
        projectors: Vec<Arc<dyn Projector>>,
        batches: Batches,
    ) -> Self {
        let store = Arc::new(Store::open(Settings {
            database,
            connections: 4,
            append_workers: 1,
            keyring: own.keyring(),
            journal: own.journal(),
            clock: Arc::new(SystemClock),
            ids: Arc::new(SystemIds),
        }));
        let runner = Runner::start_with(&store, projectors, batches);
        Self { store, runner }
    }

    pub(super) async fn stop(self) {
        self.runner.stop().await;
        self.store.close().await;
    }
}

/// Polls until a condition holds; `what` is the text of the failure.
pub(super) async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < TIMEOUT, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Begins a version of a read model that is promoted by command only.
pub(super) async fn begin(store: &Store, name: &str, only: Option<TenantId>) -> i32 {
    let projector = versions::named(name).expect("a read model");
    versions::begin(store.owner(), &*projector, only, false).await.expect("a version")
}

/// Begins a version that is promoted as soon as it is ready.
pub(super) async fn begin_to_promote(store: &Store, name: &str, only: Option<TenantId>) -> i32 {
    let projector = versions::named(name).expect("a read model");
    versions::begin(store.owner(), &*projector, only, true).await.expect("a version")
}

pub(super) async fn progress_of(store: &Store, name: &str, version: i32) -> Option<Progress> {
    let all = projections::progress(store.projector()).await.expect("an answer");
    all.into_iter().find(|one| one.name() == name && one.version.version == version)
}

/// Returns every version of a read model, oldest first.
pub(super) async fn all_versions(store: &Store, name: &str) -> Vec<Version> {
    let mut conn = store.projector().acquire().await.expect("a connection");
    let mut all = versions::versions(&mut conn).await.expect("an answer");
    all.retain(|one| one.name == name);
    all
}

pub(super) async fn in_state(store: &Store, name: &str, state: State) -> Option<i32> {
    let all = all_versions(store, name).await;
    all.iter().find(|one| one.state == state).map(|one| one.version)
}

pub(super) async fn active(store: &Store, name: &str) -> i32 {
    in_state(store, name, State::Active).await.expect("one is active")
}

/// Returns as soon as a version has applied all logs and has its indexes.
pub(super) async fn caught_up(store: &Store, name: &str, version: i32) {
    until(&format!("version {version} of {name} catches up"), async || {
        let one = progress_of(store, name, version).await.expect("the version");
        let is_indexed = one.version.indexed_at.is_some() || one.version.only.is_some();
        one.lag_events == 0 && is_indexed
    })
    .await;
}

/// Checks that two versions have the same rows for all tenants.
pub(super) async fn assert_same(store: &Store, name: &str, here: i32, there: i32) {
    let diff = versions::diff(store.projector(), name, here, there, 20).await.expect("compared");
    assert_eq!((diff.rows, diff.not_compared), (0, 0), "{diff:#?}");
    let sum = async |version| {
        let sum = versions::checksum(store.projector(), name, version, None).await;
        sum.expect("an answer").expect("a checksum")
    };
    let (here, there) = (sum(here).await, sum(there).await);
    assert_eq!(here, there, "{name}");
    assert!(here.rows > 0, "{name} holds something");
}

/// Checks for every read model that a rebuild by the running engines equals the active version.
pub(super) async fn assert_rebuilds_to_the_same(store: &Store) {
    for name in NAMES {
        let active_version = active(store, name).await;
        caught_up(store, name, active_version).await;
        let version = begin(store, name, None).await;
        caught_up(store, name, version).await;
        assert_same(store, name, active_version, version).await;
        versions::cancel(store.owner(), name).await.expect("given up");
    }
}

/// Records every change of every checkpoint.
pub(super) async fn watch(conn: &mut PgConnection) {
    let script = "
        create table public.moves (nth bigserial, place text, before bigint, after bigint);
        grant insert on public.moves to public;
        grant usage on sequence public.moves_nth_seq to public;
        create function public.note() returns trigger language plpgsql as $$
        begin
          insert into public.moves (place, before, after)
          values (format('%s %s of %s', new.projection, new.version, new.tenant_id),
                  old.position, new.position);
          return new;
        end $$;
        create trigger note after update of position on projection.checkpoints
          for each row execute function public.note()";
    conn.execute(script).await.expect("a watch");
}

/// Checks that every checkpoint moved from 0 to its current value without a gap or a step back. The
/// number of a cancelled version can be used again and starts at 0.
pub(super) async fn assert_contiguous(conn: &mut PgConnection) {
    let gaps: Vec<String> = sqlx::query_scalar(
        "select format('%s: %s to %s after %s', place, before, after, last)
           from (select *, lag(after, 1, 0::bigint) over (partition by place order by nth) as last
                   from public.moves) m
          where (before <> last and before <> 0) or after < before",
    )
    .fetch_all(conn)
    .await
    .expect("the moves");
    assert_eq!(gaps, Vec::<String>::new());
}

/// Records a message of Vapi without a server.
pub(super) async fn record(store: &Store, tenant_id: TenantId, body: &Value) {
    record_of(store, tenant_id, Provider::Vapi, body).await;
}

/// Records a message of a provider without a server.
pub(super) async fn record_of(
    store: &Store,
    tenant_id: TenantId,
    provider: Provider,
    body: &Value,
) {
    let adapter = provider.adapter();
    let translation =
        adapter.translate(body.to_string().as_bytes(), Some("US")).expect("a message");
    let (source_id, request_id) = (SourceId(Uuid::nil()), Uuid::nil());
    let origin = DeliveryContext { tenant_id, provider: provider.as_str(), source_id, request_id };
    store.record(&origin, &translation.canonical, &translation.drafts).await.expect("recorded");
}

/// Creates a tenant.
pub(super) async fn new_tenant(store: &Store, slug: &str) -> TenantId {
    let (slug, name) = (slug.to_owned(), "Test".to_owned());
    let new = NewTenant { slug, name, timezone: "UTC".into(), country: "US".into() };
    store.create_tenant(&new).await.expect("a tenant")
}

/// Returns whether the active versions have applied the whole log of a tenant.
pub(super) async fn is_current(store: &Store, tenant_id: TenantId) -> bool {
    let mut tx = TenantTx::begin(store.app(), tenant_id).await.expect("a transaction");
    let head = read::head(&mut tx).await.expect("an answer");
    let mut reached = Vec::new();
    for name in NAMES {
        reached.push(projections::position(&mut tx, name).await.expect("an answer"));
    }
    reached.iter().all(|reached| *reached == head)
}

/// Changes the log directly in the database.
pub(super) async fn tamper(conn: &mut PgConnection, statement: &str) {
    let script = format!(
        "begin; alter table ledger.events disable trigger immutable; {statement};
         alter table ledger.events enable always trigger immutable; commit"
    );
    sqlx::raw_sql(AssertSqlSafe(script)).execute(conn).await.expect(statement);
}
