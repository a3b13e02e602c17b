//! Connections: how many there may be, how long each may keep us waiting, and how they end.
//!
//! Knows nothing of routes but that there are some for everybody, and some for those who find every
//! place taken: probes, and a refusal that says when to come again.

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

/// Places for those who come when all are taken, to be told so. Beyond these nobody is heard.
const STANDING: usize = 64;
/// Those need not think long about their request.
const STANDING_PATIENCE: Duration = Duration::from_secs(5);
/// The largest head of a request; each connection may hold this much while its head arrives.
const MAX_HEAD: usize = 64 << 10;
/// After the system refused a connection, for want of files for instance.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// What is served to whom.
pub(crate) struct Routes {
    /// To those who have a place.
    pub(crate) all: Router,
    /// To those who have none.
    pub(crate) when_full: Router,
}

/// Serves until told to stop; then takes no new connection, lets requests under way finish, and
/// returns when every connection has ended.
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
        // All of them back: nobody is here any more.
        let _ = places.acquire_many(u32::try_from(count).unwrap_or(u32::MAX)).await;
    }
}

/// Resolves when the server is told to stop. A dropped sender is a stop, too.
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

/// One connection, to its end.
async fn attend(
    stream: TcpStream,
    routes: Router,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
) {
    // Small answers go out at once.
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
            // Whoever has not asked anything yet is owed nothing.
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
