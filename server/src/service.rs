//! The running server: listeners, projection runner and background tasks, with graceful shutdown.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::http::HeaderValue;
use ledger_store::Store;
use projections::Runner;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::app::{self, App, Operations, operations_router, overflow_router, router};
pub use ledger_app::shutdown::shutdown_signal;

use crate::config::{Config, Network};
use crate::connections::{self, Routes};
use crate::limits::Limits;
use crate::problem::chain;
use crate::telemetry;

/// Time to send the 503 answers after the drain time.
const FINAL_ANSWERS_TIMEOUT: Duration = Duration::from_secs(3);
/// Time to record buffered refusals and webhook counts at shutdown.
const FINAL_RECORDS_TIMEOUT: Duration = Duration::from_secs(3);

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
    /// At which addresses reverse proxies are: they have no share of the connections.
    pub proxies: Vec<Network>,
    /// The data directory, for its disk's figures; `None` when the database is elsewhere.
    pub data_dir: Option<PathBuf>,
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
            data_dir: None,
        }
    }

    /// Takes the network settings from the configuration.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self {
            ops_listen: config.ops_listen,
            cors_origins: config.cors_origins.clone(),
            proxies: config.proxies.clone(),
            data_dir: config.database_url.is_none().then(|| config.data_dir.clone()),
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
    stop: watch::Sender<bool>,
    close: watch::Sender<bool>,
    server: JoinHandle<()>,
    denials: JoinHandle<()>,
    /// Becomes true after the last request was answered.
    ended: watch::Sender<bool>,
    counts: JoinHandle<()>,
    metrics_upkeep: JoinHandle<()>,
    operations: Option<JoinHandle<()>>,
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
        // Parsing the first phone number loads the numbering plans, so this is done before any request.
        let _ = ledger_core::personal::normalise_phone("+15550100000", None);
        let runner = Runner::start(&store, projections::all());
        let (stop, close) = (watch::Sender::new(false), watch::Sender::new(false));
        let mut app = App::new(Arc::clone(&store), telemetry::metrics(), limits, close.subscribe());
        app.engine = runner.health();
        app.data_dir = network.data_dir.as_deref().map(Arc::from);
        let metrics_upkeep = tokio::spawn(telemetry::metrics_upkeep(telemetry::metrics()));
        let (denials, closed) = (Arc::clone(&app.denials), close.subscribe());
        let kept = Arc::clone(&store);
        let denials = tokio::spawn(async move { denials.run_flush_loop(&kept, closed).await });
        let ended = watch::Sender::new(false);
        let (counts, is_over) = (Arc::clone(&app.counts), ended.subscribe());
        let counts = tokio::spawn(async move { counts.run_flush_loop(&store, is_over).await });
        let proxies: Arc<[Network]> = network.proxies.clone().into();
        let unread = app::unread(&app);
        let operations = ops_listener.map(|listener| {
            let all = operations_router(app.clone());
            let routes = Routes { when_full: all.clone(), all, unread: Arc::clone(&unread) };
            let limits = Limits { connections: OPERATIONS_CONNECTIONS, ..limits };
            let (proxies, stop) = (Arc::clone(&proxies), stop.subscribe());
            tokio::spawn(connections::serve(listener, routes, limits, proxies, stop))
        });
        let at = if operations.is_some() {
            Operations::SeparateAddress
        } else {
            Operations::SameAddress
        };
        let all = router(app.clone(), at, &cors_origins);
        let routes = Routes { all, when_full: overflow_router(app, at), unread };
        let stopped = stop.subscribe();
        let server = tokio::spawn(connections::serve(listener, routes, limits, proxies, stopped));
        tracing::info!(%address, ops_address = ops_address.map(tracing::field::display), "server.listening");
        let drain = limits.drain;
        Ok(Self {
            address,
            ops_address,
            runner,
            drain,
            stop,
            close,
            server,
            denials,
            ended,
            counts,
            metrics_upkeep,
            operations,
        })
    }

    /// Stops accepting requests, drains those in flight or answers them 503, records buffered refusals and
    /// counts, then stops the workers.
    ///
    /// # Errors
    /// The server task panicked.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.stop.send_replace(true);
        let mut ended = timeout(self.drain, &mut self.server).await;
        if ended.is_err() {
            self.close.send_replace(true);
            ended = timeout(FINAL_ANSWERS_TIMEOUT, &mut self.server).await;
        }
        match ended {
            Ok(ended) => ended.context("the server task died")?,
            Err(_) => {
                tracing::warn!("server.drain_timed_out");
                self.server.abort();
            }
        }
        self.close.send_replace(true);
        self.ended.send_replace(true);
        let (denials, counts) = tokio::join!(
            timeout(FINAL_RECORDS_TIMEOUT, self.denials),
            timeout(FINAL_RECORDS_TIMEOUT, self.counts)
        );
        if denials.is_err() {
            tracing::warn!("audit.denials_not_recorded");
        }
        if counts.is_err() {
            tracing::warn!("counts.not_added_in_time");
        }
        self.metrics_upkeep.abort();
        if let Some(operations) = self.operations {
            operations.abort();
        }
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
