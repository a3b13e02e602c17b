//! The running server: listeners, projection runner and background tasks, with graceful shutdown.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use axum::http::HeaderValue;
use ledger_app::access_export::{AccessExports, ExportFiles};
use ledger_app::erasures::ErasureWorker;
use ledger_app::fault::chain;
use ledger_store::Store;
use ledger_store::vault::VaultError;
use projections::Runner;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;

pub use ledger_app::shutdown::shutdown_signal;
use ledger_app::workers::{WaitResult, WorkerHealth, WorkerState, Workers};

use crate::app::App;
use crate::backup_schedule::BackupSchedule;
use crate::config::{Config, Network};
use crate::connections::{self, Routes};
use crate::limits::Limits;

use crate::public_url::PublicUrl;
use crate::router::{Operations, operations_router, overflow_router, router, unread};
use crate::telemetry;

/// Time to send the 503 answers after the drain time.
const FINAL_ANSWERS_TIMEOUT: Duration = Duration::from_secs(3);
/// Time to record buffered refusals and webhook counts at shutdown.
const FINAL_RECORDS_TIMEOUT: Duration = Duration::from_secs(3);

/// Names of the background tasks.
pub(crate) const API: &str = "api";
const OPERATIONS: &str = "operations";
const DENIALS: &str = "denials";
const COUNTS: &str = "counts";
const FOLLOW_UPS: &str = "follow_ups";
const ERASURES: &str = "erasures";
const EXPORTS: &str = "exports";
const EPOCHS: &str = "epochs";
const METRICS: &str = "metrics";
const BACKUPS: &str = "backups";

/// Connection limit of the operations address, which only probes and scrapes use.
const OPERATIONS_CONNECTIONS: usize = 64;

/// Network settings: listen addresses and CORS origins.
#[derive(Debug, Clone)]
pub struct NetworkSettings {
    /// Address of the API.
    pub listen: SocketAddr,
    /// Separate address of readiness and metrics; `None` serves them with the API.
    pub ops_listen: Option<SocketAddr>,
    /// Exact origins of pages that may read the API.
    pub cors_origins: Vec<String>,
    /// Addresses and networks of reverse proxies, to which no share of connections applies.
    pub proxies: Vec<Network>,
    /// The URL under which senders reach the server; `None` takes it from each request.
    pub public_url: Option<String>,
    /// The data directory, for its disk's figures; `None` when the database is elsewhere.
    pub data_dir: Option<PathBuf>,
    /// Backups of the private PostgreSQL; `None` when the database is elsewhere.
    pub backups: Option<Arc<BackupSchedule>>,
    /// The directory of the files of exports; `None` is `exports` beside the keyring.
    pub exports: Option<PathBuf>,
}

impl NetworkSettings {
    /// Serves everything on one address, without CORS.
    #[must_use]
    pub fn at(listen: SocketAddr) -> Self {
        Self {
            listen,
            ops_listen: None,
            cors_origins: Vec::new(),
            proxies: Vec::new(),
            public_url: None,
            data_dir: None,
            backups: None,
            exports: None,
        }
    }

    /// Takes the network settings from the configuration.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self {
            ops_listen: config.ops_listen,
            cors_origins: config.cors_origins.clone(),
            proxies: config.proxies.clone(),
            public_url: config.public_url.clone(),
            exports: Some(config.exports_path()),
            data_dir: config.database_url.is_none().then(|| config.data_dir.clone()),
            backups: BackupSchedule::of(config).map(Arc::new),
            ..Self::at(config.listen)
        }
    }
}

/// Handle of a running server.
pub struct Service {
    /// Address of the API, with the port the system chose if 0 was given.
    pub address: SocketAddr,
    /// Address of readiness and metrics, if separate.
    pub ops_address: Option<SocketAddr>,
    runner: Runner,
    drain: Duration,
    /// Becomes true when requests in flight must be answered 503.
    close: watch::Sender<bool>,
    workers: Workers,
}

impl Service {
    /// Starts listening and the workers, with default limits around bodies of `max_body` bytes.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub async fn start(
        store: Arc<Store>,
        listen: SocketAddr,
        max_body: usize,
    ) -> anyhow::Result<Self> {
        let limits = Limits::with_max_body(max_body).within_open_files();
        Self::start_within(limits, store, listen).await
    }

    /// Starts listening on one address and the workers, within the given limits.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub async fn start_within(
        limits: Limits,
        store: Arc<Store>,
        listen: SocketAddr,
    ) -> anyhow::Result<Self> {
        Self::start_with_network(limits, store, &NetworkSettings::at(listen)).await
    }

    /// Starts listening on the given addresses and the workers.
    ///
    /// # Errors
    /// An address cannot be bound, or an origin is malformed.
    pub async fn start_with_network(
        limits: Limits,
        store: Arc<Store>,
        network: &NetworkSettings,
    ) -> anyhow::Result<Self> {
        let listener = listen_on(network.listen, "--listen").await?;
        let address = listener.local_addr()?;
        let ops_listener = match network.ops_listen {
            Some(listen) => Some(listen_on(listen, "--ops-listen").await?),
            None => None,
        };
        let ops_address = ops_listener.as_ref().map(TcpListener::local_addr).transpose()?;
        let cors_origins: Vec<HeaderValue> =
            network.cors_origins.iter().map(|origin| origin.parse()).collect::<Result<_, _>>()?;
        // The installation is created before the first webhook, which would otherwise wait for it.
        if let Err(error) = store.ensure_installation().await {
            let error = chain(&error);
            tracing::error!(error, "the keyring is not available: no webhooks are taken");
        }
        // The reason for which the gate stays closed is in the log.
        if let Err(VaultError::Database(error)) = store.vault().gate().check().await {
            let error = chain(&error);
            tracing::error!(error, "the erasure journal was not compared with the database");
        }
        // Parsing the first phone number loads the numbering plans, so this is done before any request.
        let _ = ledger_core::personal::normalise_phone("+15550100000", None);
        let runner = Runner::start(&store, projections::all());
        let close = watch::Sender::new(false);
        let mut workers = Workers::default();
        let mut app = App::new(store, telemetry::metrics(), limits, close.subscribe());
        app.engine = runner.health();
        app.public_url = PublicUrl::new(network.public_url.as_deref());
        app.workers = workers.health();
        app.data_dir = network.data_dir.as_deref().map(Arc::from);
        app.backup_dir = network.backups.as_ref().map(|backups| Arc::from(backups.dir.as_path()));
        if let Some(exports) = &network.exports {
            let files = ExportFiles::new(exports.clone());
            let process = crate::erasures::process(&app.store).with_exports(files.clone());
            app.erasures = Arc::new(ErasureWorker::new(process));
            app.exports = AccessExports::new(Arc::clone(&app.store), files);
        }
        start_recorders(&mut workers, &app);
        if let Some(backups) = network.backups.clone() {
            start_backups(&mut workers, &app, backups);
        }
        let proxies: Arc<[Network]> = network.proxies.clone().into();
        let unread = unread(&app);
        let at = if ops_listener.is_some() {
            Operations::SeparateAddress
        } else {
            Operations::SameAddress
        };
        if let Some(listener) = ops_listener {
            let all = operations_router(app.clone());
            let routes = Routes { when_full: all.clone(), all, unread: Arc::clone(&unread) };
            let limits = Limits { connections: OPERATIONS_CONNECTIONS, ..limits };
            let proxies = Arc::clone(&proxies);
            workers.start_once(OPERATIONS, move |stop| {
                connections::serve(listener, routes, limits, proxies, stop)
            });
        }
        let all = router(app.clone(), at, &cors_origins);
        let routes = Routes { all, when_full: overflow_router(app, at), unread };
        workers.start_once(API, move |stop| {
            connections::serve(listener, routes, limits, proxies, stop)
        });
        tracing::info!(%address, ops_address = ops_address.map(tracing::field::display), "server.listening");
        Ok(Self { address, ops_address, runner, drain: limits.drain, close, workers })
    }

    /// Stops accepting requests, drains those in flight or answers them 503, records buffered refusals and
    /// counts, then stops the workers.
    ///
    /// # Errors
    /// The task of the API listener panicked.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let health = self.workers.health();
        self.workers.cancel(API);
        self.workers.cancel(OPERATIONS);
        if self.workers.wait(API, self.drain).await == WaitResult::TimedOut {
            self.close.send_replace(true);
            if self.workers.wait(API, FINAL_ANSWERS_TIMEOUT).await == WaitResult::TimedOut {
                tracing::warn!("server.drain_timed_out");
                self.workers.abort(API);
            }
        }
        let has_died = |one: &WorkerHealth| one.name == API && one.state == WorkerState::Died;
        if health.all().iter().any(has_died) {
            bail!("the server task died");
        }
        self.close.send_replace(true);
        // The last request was answered: what it left to record is complete.
        let final_records = Instant::now() + FINAL_RECORDS_TIMEOUT;
        self.workers.cancel(DENIALS);
        self.workers.cancel(COUNTS);
        self.workers.cancel(FOLLOW_UPS);
        self.workers.cancel(ERASURES);
        let left = || final_records.saturating_duration_since(Instant::now());
        if self.workers.wait(DENIALS, left()).await == WaitResult::TimedOut {
            tracing::warn!("audit.denials_not_recorded");
        }
        if self.workers.wait(COUNTS, left()).await == WaitResult::TimedOut {
            tracing::warn!("webhook_counts.add_timed_out");
        }
        if self.workers.wait(FOLLOW_UPS, left()).await == WaitResult::TimedOut {
            tracing::warn!("follow_up.shutdown_timed_out");
        }
        if self.workers.wait(ERASURES, left()).await == WaitResult::TimedOut {
            self.workers.abort(ERASURES);
        }
        self.workers.abort(EXPORTS);
        self.workers.abort(EPOCHS);
        self.workers.abort(METRICS);
        self.workers.abort(BACKUPS);
        self.workers.abort(OPERATIONS);
        self.runner.stop().await;
        tracing::info!("server.stopped");
        Ok(())
    }
}

async fn listen_on(listen: SocketAddr, flag: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}; choose another with {flag}"))
}

/// Starts the workers that record refusals, webhook counts and follow-up tasks, that carry out erasures and delete
/// expired exports, and the upkeep of the metrics.
fn start_recorders(workers: &mut Workers, app: &App) {
    workers.start(METRICS, |_| telemetry::metrics_upkeep(telemetry::metrics()));
    let (files, store) = (app.exports.files().clone(), Arc::clone(&app.store));
    workers.start(EXPORTS, move |stop| {
        let (files, store) = (files.clone(), Arc::clone(&store));
        async move { files.run(&store, stop).await }
    });
    let (denials, store) = (Arc::clone(&app.denials), Arc::clone(&app.store));
    workers.start(DENIALS, move |stop| {
        let (denials, store) = (Arc::clone(&denials), Arc::clone(&store));
        async move { denials.run_flush_loop(&store, stop).await }
    });
    let (counts, store) = (Arc::clone(&app.counts), Arc::clone(&app.store));
    workers.start(COUNTS, move |stop| {
        let (counts, store) = (Arc::clone(&counts), Arc::clone(&store));
        async move { counts.run_flush_loop(&store, stop).await }
    });
    let (follow_ups, store) = (Arc::clone(&app.follow_ups), Arc::clone(&app.store));
    workers.start(FOLLOW_UPS, move |stop| {
        let (follow_ups, store) = (Arc::clone(&follow_ups), Arc::clone(&store));
        async move { follow_ups.run(&store, stop).await }
    });
    let erasures = Arc::clone(&app.erasures);
    workers.start(ERASURES, move |stop| Arc::clone(&erasures).run(stop));
    let store = Arc::clone(&app.store);
    workers.start(EPOCHS, move |stop| {
        let store = Arc::clone(&store);
        async move { ledger_app::epochs::run(&store, stop).await }
    });
}

/// Starts the worker that makes and verifies backups.
fn start_backups(workers: &mut Workers, app: &App, backups: Arc<BackupSchedule>) {
    let store = Arc::clone(&app.store);
    workers.start(BACKUPS, move |stop| {
        let (backups, store) = (Arc::clone(&backups), Arc::clone(&store));
        async move { backups.run(store.clock(), stop).await }
    });
}
