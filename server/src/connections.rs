//! Accepts connections: bounds their number, applies the read and write timeouts, and closes them at
//! shutdown.
//!
//! Independent of the route table: the caller supplies one router for accepted connections and one for
//! overflow connections above the limit, which get probes and a 503 with `Retry-After`.

mod patient;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use self::patient::Patient;
use crate::limits::Limits;

/// Overflow connections that are served with a 503. Connections above this number are closed without an
/// answer.
const STANDING: usize = 64;
/// Time limit for the request head on an overflow connection.
const STANDING_PATIENCE: Duration = Duration::from_secs(5);
/// The largest head of a request, in bytes. Each connection may hold as much memory while its head arrives.
const MAX_HEAD: usize = 64 << 10;
/// Pause after a failed `accept`, for instance when the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// The routers by kind of connection.
pub(crate) struct Routes {
    /// For connections within the limit.
    pub(crate) all: Router,
    /// For overflow connections.
    pub(crate) when_full: Router,
}

/// Serves until `stop` becomes true; then accepts no new connection, lets requests in flight finish, and
/// returns when every connection is closed.
pub(crate) async fn serve(
    listener: TcpListener,
    routes: Routes,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
) {
    let seats = Arc::new(Semaphore::new(limits.connections));
    let standing = Arc::new(Semaphore::new(STANDING));
    let hurried = Limits { head_patience: limits.head_patience.min(STANDING_PATIENCE), ..limits };
    let stopping = stop.clone();
    loop {
        let stream = tokio::select! {
            () = told(&mut stop) => break,
            stream = accept(&listener) => stream,
        };
        let (place, routes, limits) = match Arc::clone(&seats).try_acquire_owned() {
            Ok(seat) => (seat, &routes.all, limits),
            Err(_) => {
                metrics::counter!("ledger_connections_refused_total").increment(1);
                match Arc::clone(&standing).try_acquire_owned() {
                    Ok(place) => (place, &routes.when_full, hurried),
                    Err(_) => continue,
                }
            }
        };
        tokio::spawn(attend(stream, routes.clone(), limits, stopping.clone(), place));
    }
    drop(listener);
    for (places, count) in [(seats, limits.connections), (standing, STANDING)] {
        // Acquiring all permits waits until every connection has released its own.
        let _ = places.acquire_many(u32::try_from(count).unwrap_or(u32::MAX)).await;
    }
}

/// Resolves when the server stops. A dropped sender counts as a stop.
async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                tracing::warn!(error = %error, "connection.not_accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves one connection until it ends. Holds its semaphore permit for that time.
async fn attend(
    stream: TcpStream,
    routes: Router,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
) {
    // Disables Nagle's algorithm, so that small answers are sent at once.
    let _ = stream.set_nodelay(true);
    let has_asked = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&has_asked);
    let routes = TowerToHyperService::new(routes);
    let service = service_fn(move |request| {
        asked.store(true, Ordering::Relaxed);
        routes.call(request)
    });
    let conn = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_patience)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(Patient::new(stream, limits.answer_patience)), service)
        .with_upgrades();
    let mut conn = std::pin::pin!(conn);
    let ended = tokio::select! {
        ended = conn.as_mut() => ended,
        () = told(&mut stop) => {
            // A connection without any request yet is closed without an answer.
            if !has_asked.load(Ordering::Relaxed) {
                return;
            }
            conn.as_mut().graceful_shutdown();
            conn.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = %error, "connection.broke_off");
    }
}
