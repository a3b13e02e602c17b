//! A running server: it listens, projects, and drains when told to stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use ledger_store::Store;
use projections::Runner;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::app::{App, router};
use crate::telemetry;

/// Requests under way when the server is told to stop have this long to finish.
const DRAIN: Duration = Duration::from_secs(30);

/// A running server.
pub struct Service {
    /// Where it listens.
    pub address: SocketAddr,
    runner: Runner,
    stop: watch::Sender<bool>,
    server: JoinHandle<std::io::Result<()>>,
    upkeep: JoinHandle<()>,
}

impl Service {
    /// Listens and starts the workers.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub async fn start(
        store: Arc<Store>,
        listen: SocketAddr,
        max_body: usize,
    ) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("cannot listen on {listen}; choose another with --listen"))?;
        let address = listener.local_addr()?;
        // Known before the first webhook, so that it does not have to wait for them.
        if let Err(error) = store.ensure_installation().await {
            tracing::error!(error = %error, "the keyring is not available: no webhooks are taken");
        }
        // The first number parsed loads the numbering plans; no caller should wait for that.
        let _ = ledger_core::personal::normalise_phone("+15550100000", None);
        let runner = Runner::start(&store, projections::all());
        let upkeep = tokio::spawn(telemetry::upkeep(telemetry::metrics()));
        let routes = router(App::new(store, telemetry::metrics(), max_body));
        let stop = watch::Sender::new(false);
        let mut stopped = stop.subscribe();
        let server = tokio::spawn(async move {
            axum::serve(listener, routes)
                .with_graceful_shutdown(async move {
                    // A dropped sender is a stop, too.
                    let _ = stopped.wait_for(|stop| *stop).await;
                })
                .await
        });
        tracing::info!(%address, "server.listening");
        Ok(Self { address, runner, stop, server, upkeep })
    }

    /// Takes no new requests, finishes those under way, then stops the workers.
    ///
    /// # Errors
    /// The listener failed while it ran.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.stop.send_replace(true);
        let mut server = self.server;
        match tokio::time::timeout(DRAIN, &mut server).await {
            Ok(ended) => ended.context("the server task died")?.context("listening failed")?,
            Err(_) => {
                tracing::warn!("server.drain_timed_out");
                server.abort();
            }
        }
        self.runner.stop().await;
        self.upkeep.abort();
        tracing::info!("server.stopped");
        Ok(())
    }
}

/// Resolves at Ctrl-C or SIGTERM. A second Ctrl-C ends the process at once.
///
/// # Errors
/// Signals cannot be listened for.
pub async fn shutdown_signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tokio::spawn(async move {
        interrupt.recv().await;
        std::process::exit(130);
    });
    Ok(())
}
