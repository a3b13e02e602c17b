//! A running server and tenants in it, with helpers to send webhooks and to read the API.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use ledger_core::clock::Clock;
use ledger_core::ids::{SourceId, TenantId};
use ledger_core::provider::Provider;
use ledger_core::scope::Scope;
use ledger_store::journal::Journal;
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

/// Time limit for a read model to catch up before the test fails.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Largest request body of the test servers, in bytes; equal to production.
pub const MAX_BODY: usize = 5_000_000;

/// A clock that always returns the same time.
pub struct StoppedClock(pub DateTime<Utc>);

impl Clock for StoppedClock {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }
}

/// A server on the shared database, unless started on another one.
pub struct TestLedger {
    /// The store the server uses.
    pub store: Arc<Store>,
    /// The loopback address of the HTTP listener.
    pub address: SocketAddr,
    service: Service,
}

/// A tenant with one webhook source and an API key for each common set of scopes.
pub struct TestTenant {
    /// Address of the server that requests of this tenant are sent to.
    pub address: SocketAddr,
    /// The store of that server.
    pub store: Arc<Store>,
    /// The id of the tenant.
    pub tenant_id: TenantId,
    /// The webhook source that [`Self::post`] sends to.
    pub source_id: SourceId,
    /// The secret of that source.
    pub secret: String,
    /// An API key with the scopes `read` and `personal`.
    pub key: String,
    /// An API key with the scope `read`.
    pub read_key: String,
    client: Client,
}

impl TestLedger {
    /// Returns the server that most tests share; the first call starts it.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<TestLedger> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
    }

    /// Starts a separate server on the shared database and keyring.
    pub async fn start() -> Self {
        let shared = cluster::shared().await;
        Self::start_on(shared.database.clone(), Arc::clone(&shared.keyring)).await
    }

    /// Starts a separate server on the shared database with the given clock.
    pub async fn start_with_clock(clock: impl Clock + 'static) -> Self {
        let shared = cluster::shared().await;
        let clock = Arc::new(clock);
        Self::start_with(shared.database.clone(), Arc::clone(&shared.keyring), clock).await
    }

    /// Starts a server on the given database and keyring.
    pub async fn start_on(database: PgConnectOptions, keyring: Arc<Keyring>) -> Self {
        Self::start_with(database, keyring, Arc::new(SystemClock)).await
    }

    /// Starts a separate server on the shared database with the given limits.
    pub async fn start_with_limits(limits: Limits) -> Self {
        let shared = cluster::shared().await;
        let keyring = Arc::clone(&shared.keyring);
        Self::start_on_with_limits(shared.database.clone(), keyring, limits).await
    }

    /// Starts a server on the given database and keyring with the given limits.
    pub async fn start_on_with_limits(
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

    /// Drains and stops the server, and closes its database connections.
    ///
    /// # Panics
    /// If the server does not drain.
    pub async fn stop(self) {
        self.service.stop().await.expect("it drains");
        self.store.close().await;
    }

    /// Creates a tenant in the United States with the time zone UTC.
    pub async fn tenant(&self) -> TestTenant {
        self.tenant_in_country("US").await
    }

    /// Creates a tenant in a country (ISO code) with the time zone UTC.
    pub async fn tenant_in_country(&self, country: &str) -> TestTenant {
        self.tenant_with(country, "UTC").await
    }

    /// Creates a tenant in the United States with an IANA time zone.
    pub async fn tenant_in_zone(&self, timezone: &str) -> TestTenant {
        self.tenant_with("US", timezone).await
    }

    /// Creates a tenant with a country and a time zone; an empty country creates it without one.
    ///
    /// # Panics
    /// If the tenant cannot be created.
    pub async fn tenant_with(&self, country: &str, timezone: &str) -> TestTenant {
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

    /// Adds a source to a tenant. `record_all` also stores telemetry.
    ///
    /// # Panics
    /// If the source cannot be created.
    pub async fn source(&self, tenant_id: TenantId, secret: &str, record_all: bool) -> SourceId {
        self.store
            .create_source(&NewSource {
                tenant_id,
                provider: Provider::Vapi,
                secret,
                name: None,
                record_all,
                assistant_id: None,
                tools: None,
            })
            .await
            .expect("a source")
    }

    /// Adds an API key with the given scopes to a tenant and returns its secret.
    ///
    /// # Panics
    /// If the key cannot be created.
    pub async fn key(&self, tenant_id: TenantId, scopes: &[&str]) -> String {
        let key = new_key(tenant_id);
        let scopes: Vec<Scope> =
            scopes.iter().map(|name| Scope::parse(name).expect("a scope")).collect();
        self.store.create_api_key(tenant_id, &key, &scopes, None).await.expect("a key");
        key
    }
}

/// The erasure journal in the directory with a keyring, with the signing key.
#[must_use]
pub fn journal_beside(keyring: &Keyring) -> Journal {
    let dir = keyring.directory().parent().expect("a keyring is in a directory");
    Journal::new(dir.join("journal"), dir.join("signing.key"))
}

/// Opens a store with the settings of a server.
fn open(database: PgConnectOptions, keyring: Arc<Keyring>, clock: Arc<dyn Clock>) -> Arc<Store> {
    let ids = Arc::new(SystemIds);
    let journal = journal_beside(&keyring);
    Arc::new(Store::open(Settings {
        database,
        connections: 16,
        append_workers: 2,
        keyring,
        journal,
        clock,
        ids,
    }))
}

impl TestTenant {
    /// Returns the same tenant with its requests sent to another server.
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

    /// Returns the URL of a path on the server.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Returns a webhook request with the correct secret, for the test to modify.
    pub fn webhook(&self, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.client
            .post(self.url(&format!("/ingest/{}", self.source_id)))
            .header("x-vapi-secret", &self.secret)
            .header("content-type", "application/json")
            .body(body)
    }

    /// Returns a webhook request to another source, for the test to modify.
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

    /// Returns an API request with a key, for the test to modify or to read the response headers.
    pub fn request(&self, key: &str, path: &str) -> RequestBuilder {
        self.client.get(self.url(path)).bearer_auth(key)
    }

    /// Posts a webhook body unchanged; returns the status and the JSON body of the response.
    ///
    /// # Panics
    /// If the server does not respond.
    pub async fn post(&self, body: impl Into<reqwest::Body>) -> (u16, Value) {
        status_and_json(self.webhook(body).send().await.expect("an answer")).await
    }

    /// Posts a webhook body that must be accepted; returns the JSON body of the response.
    ///
    /// # Panics
    /// If the status is not 200.
    pub async fn post_ok(&self, body: impl Into<reqwest::Body>) -> Value {
        let (status, answer) = self.post(body).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// Gets a path with a key; returns the status and the JSON body of the response.
    ///
    /// # Panics
    /// If the server does not respond.
    pub async fn get_with(&self, key: &str, path: &str) -> (u16, Value) {
        let request = self.client.get(self.url(path)).bearer_auth(key);
        status_and_json(request.send().await.expect("an answer")).await
    }

    /// Gets a path with the `personal` key; returns the JSON body of the response.
    ///
    /// # Panics
    /// If the status is not 200.
    pub async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.get_with(&self.key, path).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// Waits until the read models have applied the whole log, then lists the calls.
    pub async fn calls(&self) -> Vec<Value> {
        self.settle().await;
        let page = self.get("/v1/calls?limit=200").await;
        page["data"].as_array().expect("a page has data").clone()
    }

    /// Returns the details of the only call of the tenant.
    ///
    /// # Panics
    /// If there is not exactly one call.
    pub async fn only_call(&self) -> Value {
        let calls = self.calls().await;
        assert_eq!(calls.len(), 1, "{calls:?}");
        let call_id = calls[0]["call_id"].as_str().expect("calls have ids");
        self.get(&format!("/v1/calls/{call_id}")).await
    }

    /// Returns stream kind and type of the events from webhooks, in log order. Reads as superuser,
    /// so that row security hides nothing.
    ///
    /// # Panics
    /// If the query fails.
    pub async fn recorded(&self) -> Vec<(String, String)> {
        sqlx::query_as(
            "select stream_kind, event_type from ledger.events
              where tenant_id = $1 and stream_kind not in ('tenant', 'access') order by position",
        )
        .bind(self.tenant_id.0)
        .fetch_all(&mut cluster::superuser().await)
        .await
        .expect("the log answers")
    }

    /// Returns the facts of the events of one type in the tenant's log, oldest first.
    ///
    /// # Panics
    /// If the query fails.
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

    /// Waits until the read models have reached the end of the tenant's log.
    ///
    /// # Panics
    /// If the read models do not catch up in time.
    pub async fn settle(&self) {
        let mut tx = ledger_store::TenantTx::begin(self.store.app(), self.tenant_id)
            .await
            .expect("the database answers");
        let head = ledger_store::read::head(&mut tx).await.expect("the database answers");
        drop(tx);
        for projector in projections::all() {
            let (name, tenant_id) = (projector.name(), self.tenant_id);
            let reached = projections::wait_for(self.store.app(), tenant_id, name, head, TIMEOUT);
            let reached = reached.await.expect("the database answers");
            assert!(reached, "the read model {name} did not reach {head}");
        }
    }
}

/// Returns the status of a response and its body as JSON; null if the body is no JSON.
pub async fn status_and_json(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    (status, response.json().await.unwrap_or(Value::Null))
}
