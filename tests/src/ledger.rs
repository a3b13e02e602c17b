//! A running server and tenants in it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use ledger_core::clock::Clock;
use ledger_core::ids::{SourceId, TenantId};
use ledger_core::provider::Provider;
use ledger_store::keyring::Keyring;
use ledger_store::source::NewSource;
use ledger_store::tenants::NewTenant;
use ledger_store::{Settings, Store};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;
use server::auth::new_key;
use server::limits::Limits;
use server::service::Service;
use server::system::{SystemClock, SystemIds};
use sqlx::postgres::PgConnectOptions;
use tokio::sync::OnceCell;

use crate::cluster;

/// How long a test waits for a read model before it fails.
const PATIENCE: Duration = Duration::from_secs(20);
/// The largest body the test servers take: as in production.
pub const MAX_BODY: usize = 5_000_000;

/// A clock that stands still.
pub struct StoppedClock(pub DateTime<Utc>);

impl Clock for StoppedClock {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }
}

/// A server over the shared database.
pub struct TestLedger {
    /// Its store.
    pub store: Arc<Store>,
    /// Where it listens.
    pub address: SocketAddr,
    service: Service,
}

/// A tenant with a source and a key for each need.
pub struct TestTenant {
    /// The server it is asked through.
    pub address: SocketAddr,
    /// The store behind that server.
    pub store: Arc<Store>,
    /// Its id.
    pub tenant_id: TenantId,
    /// Its webhook source.
    pub source_id: SourceId,
    /// The source's secret.
    pub secret: String,
    /// A key with `read` and `personal`.
    pub key: String,
    /// A key with `read` only.
    pub read_key: String,
    client: Client,
}

impl TestLedger {
    /// The server most tests share.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<TestLedger> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
    }

    /// A server of the test's own over the shared database and keyring.
    pub async fn start() -> Self {
        let shared = cluster::shared().await;
        Self::start_on(shared.database.clone(), Arc::clone(&shared.keyring)).await
    }

    /// A server of the test's own over the shared database, at some other time.
    pub async fn start_at(clock: impl Clock + 'static) -> Self {
        let shared = cluster::shared().await;
        let clock = Arc::new(clock);
        Self::start_with(shared.database.clone(), Arc::clone(&shared.keyring), clock).await
    }

    /// A server over any database and keyring.
    pub async fn start_on(database: PgConnectOptions, keyring: Arc<Keyring>) -> Self {
        Self::start_with(database, keyring, Arc::new(SystemClock)).await
    }

    /// A server of the test's own over the shared database, with bounds of the test's own.
    pub async fn start_within(limits: Limits) -> Self {
        let shared = cluster::shared().await;
        let keyring = Arc::clone(&shared.keyring);
        Self::start_on_within(shared.database.clone(), keyring, limits).await
    }

    /// A server over any database and keyring, with bounds of the test's own.
    pub async fn start_on_within(
        database: PgConnectOptions,
        keyring: Arc<Keyring>,
        limits: Limits,
    ) -> Self {
        Self::serve(open(database, keyring, Arc::new(SystemClock)), limits).await
    }

    async fn start_with(
        database: PgConnectOptions,
        keyring: Arc<Keyring>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self::serve(open(database, keyring, clock), Limits::with_max_body(MAX_BODY)).await
    }

    async fn serve(store: Arc<Store>, limits: Limits) -> Self {
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        let service = Service::start_within(limits, Arc::clone(&store), any_port)
            .await
            .expect("a server on a free port");
        Self { store, address: service.address, service }
    }

    /// Drains and stops the server, and closes its connections.
    ///
    /// # Panics
    /// When it does not drain.
    pub async fn stop(self) {
        self.service.stop().await.expect("it drains");
        self.store.close().await;
    }

    /// A fresh tenant in the United States.
    pub async fn tenant(&self) -> TestTenant {
        self.tenant_in("US").await
    }

    /// A fresh tenant in a country.
    pub async fn tenant_in(&self, country: &str) -> TestTenant {
        self.tenant_of(country, "UTC").await
    }

    /// A fresh tenant in a time zone.
    pub async fn tenant_at(&self, timezone: &str) -> TestTenant {
        self.tenant_of("US", timezone).await
    }

    /// A fresh tenant in a country and a time zone; an empty country stands for one that was not given.
    ///
    /// # Panics
    /// When it cannot be made.
    pub async fn tenant_of(&self, country: &str, timezone: &str) -> TestTenant {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let nth = COUNT.fetch_add(1, Ordering::Relaxed);
        let new = NewTenant {
            slug: format!("test-{}-{nth}", std::process::id()),
            name: "Test".into(),
            timezone: timezone.into(),
            country: country.into(),
        };
        let tenant_id = self.store.create_tenant(&new).await.expect("a tenant");
        let secret = format!("test-secret-{nth}");
        let source_id = self.source(tenant_id, &secret, false).await;
        let key = self.key(tenant_id, &["read", "personal"]).await;
        let read_key = self.key(tenant_id, &["read"]).await;
        TestTenant {
            address: self.address,
            store: Arc::clone(&self.store),
            tenant_id,
            source_id,
            secret,
            key,
            read_key,
            client: Client::new(),
        }
    }

    /// One more source of a tenant.
    ///
    /// # Panics
    /// When it cannot be made.
    pub async fn source(&self, tenant_id: TenantId, secret: &str, record_all: bool) -> SourceId {
        self.store
            .create_source(&NewSource {
                tenant_id,
                provider: Provider::Vapi,
                secret,
                name: None,
                record_all,
                assistant_id: None,
            })
            .await
            .expect("a source")
    }

    /// One more key of a tenant.
    ///
    /// # Panics
    /// When it cannot be made.
    pub async fn key(&self, tenant_id: TenantId, scopes: &[&str]) -> String {
        let key = new_key(tenant_id);
        let scopes: Vec<String> = scopes.iter().map(ToString::to_string).collect();
        self.store.create_api_key(tenant_id, &key, &scopes, None).await.expect("a key");
        key
    }
}

/// A store as a server has it.
fn open(database: PgConnectOptions, keyring: Arc<Keyring>, clock: Arc<dyn Clock>) -> Arc<Store> {
    let ids = Arc::new(SystemIds);
    Arc::new(Store::open(Settings { database, connections: 16, lanes: 2, keyring, clock, ids }))
}

impl TestTenant {
    /// The same tenant asked through another server.
    #[must_use]
    pub fn through(&self, ledger: &TestLedger) -> Self {
        Self {
            address: ledger.address,
            store: Arc::clone(&ledger.store),
            tenant_id: self.tenant_id,
            source_id: self.source_id,
            secret: self.secret.clone(),
            key: self.key.clone(),
            read_key: self.read_key.clone(),
            client: Client::new(),
        }
    }

    /// The full URL of a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A webhook request with the right secret, for the test to change.
    pub fn webhook(&self, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.client
            .post(self.url(&format!("/ingest/{}", self.source_id)))
            .header("x-vapi-secret", &self.secret)
            .header("content-type", "application/json")
            .body(body)
    }

    /// A webhook request to another source, for the test to change.
    pub fn webhook_at(
        &self,
        source_id: SourceId,
        secret: &str,
        body: impl Into<reqwest::Body>,
    ) -> RequestBuilder {
        self.client
            .post(self.url(&format!("/ingest/{source_id}")))
            .header("x-vapi-secret", secret)
            .header("content-type", "application/json")
            .body(body)
    }

    /// A request of the API with a key, for the test to change or to look at the headers.
    pub fn request(&self, key: &str, path: &str) -> RequestBuilder {
        self.client.get(self.url(path)).bearer_auth(key)
    }

    /// Posts a webhook body as it is; its status and JSON answer.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn post(&self, body: impl Into<reqwest::Body>) -> (u16, Value) {
        taken(self.webhook(body).send().await.expect("an answer")).await
    }

    /// Posts a webhook body that must be taken; its JSON answer.
    ///
    /// # Panics
    /// When it is not answered 200.
    pub async fn post_ok(&self, body: impl Into<reqwest::Body>) -> Value {
        let (status, answer) = self.post(body).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// Gets a path with a key; its status and JSON answer.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn get_with(&self, key: &str, path: &str) -> (u16, Value) {
        let request = self.client.get(self.url(path)).bearer_auth(key);
        taken(request.send().await.expect("an answer")).await
    }

    /// Gets a path with the `personal` key; the JSON answer.
    ///
    /// # Panics
    /// When it is not answered 200.
    pub async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.get_with(&self.key, path).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// Waits until everything in the log is in the read models, then lists the calls.
    pub async fn calls(&self) -> Vec<Value> {
        self.settle().await;
        let page = self.get("/v1/calls?limit=200").await;
        page["data"].as_array().expect("a page has data").clone()
    }

    /// The only call of the tenant, in detail.
    ///
    /// # Panics
    /// When there is not exactly one.
    pub async fn only_call(&self) -> Value {
        let calls = self.calls().await;
        assert_eq!(calls.len(), 1, "{calls:?}");
        let call_id = calls[0]["call_id"].as_str().expect("calls have ids");
        self.get(&format!("/v1/calls/{call_id}")).await
    }

    /// What the log holds of webhooks, as stream kind and event type, in order. Seen by the
    /// superuser, so that nothing hides it.
    ///
    /// # Panics
    /// When the database does not answer.
    pub async fn recorded(&self) -> Vec<(String, String)> {
        sqlx::query_as(
            "select stream_kind, event_type from ledger.events
              where tenant_id = $1 and stream_kind <> 'tenant' order by position",
        )
        .bind(self.tenant_id.0)
        .fetch_all(&mut cluster::superuser().await)
        .await
        .expect("the log answers")
    }

    /// The facts of the events of one type in the tenant's log, oldest first.
    ///
    /// # Panics
    /// When the database does not answer.
    pub async fn facts_of(&self, event_type: &str) -> Vec<Value> {
        let facts: Vec<String> = sqlx::query_scalar(
            "select facts::text from ledger.events
              where tenant_id = $1 and event_type = $2 order by position",
        )
        .bind(self.tenant_id.0)
        .bind(event_type)
        .fetch_all(&mut cluster::superuser().await)
        .await
        .expect("the log answers");
        facts.iter().map(|text| serde_json::from_str(text).expect("facts are JSON")).collect()
    }

    /// Waits until the read model has reached the end of the tenant's log.
    ///
    /// # Panics
    /// When it does not get there.
    pub async fn settle(&self) {
        let mut tx = ledger_store::TenantTx::begin(self.store.app(), self.tenant_id)
            .await
            .expect("the database answers");
        let head = ledger_store::read::head(&mut tx).await.expect("the database answers");
        drop(tx);
        for projector in projections::all() {
            let (name, tenant_id) = (projector.name(), self.tenant_id);
            let reached = projections::wait_for(self.store.app(), tenant_id, name, head, PATIENCE);
            let reached = reached.await.expect("the database answers");
            assert!(reached, "the read model {name} did not reach {head}");
        }
    }
}

/// The status of an answer, and its body as JSON; null when it is none.
pub async fn taken(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    (status, response.json().await.unwrap_or(Value::Null))
}
