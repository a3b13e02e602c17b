//! Accepts connections: limits their number, applies the read and write timeouts, and closes them
//! at shutdown.
//!
//! It serves two routers without knowledge of their routes: the full one, and one for connections
//! above the limit, with the probes and a 503 with `Retry-After`.

mod answered;
mod completed;
mod places;
mod write_timeout;

use std::io::{Read, Write};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Response;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use self::answered::Answered;
use self::completed::Completed;
use self::places::{Places, Seat};
use self::write_timeout::WriteTimeoutStream;
use crate::config::Network;
use crate::limits::Limits;

pub(crate) use self::completed::Unread;
pub(crate) use self::places::Place;

/// Places for connections that find all taken, to be stopped so.
const OVERFLOW_CONNECTIONS: usize = 64;
/// Timeout of a request head while at least half of the places, or of a peer's share, are in use.
const HURRIED_PATIENCE: Duration = Duration::from_secs(5);
/// The largest head of a request; each connection may hold this much while its head arrives.
const MAX_HEAD: usize = 64 << 10;
/// Pause after a failed `accept`, for instance when the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// Response to a connection for which no place of the overflow router is free either.
const TOO_MANY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 2\r\n\
                          connection: close\r\ncontent-length: 0\r\n\r\n";

/// The routers, by whether the connection has a place.
#[derive(Clone)]
pub(crate) struct Routes {
    /// Router for connections with a place.
    pub(crate) all: Router,
    /// Router for connections without a place.
    pub(crate) when_full: Router,
    /// Makes the headers of a response to a head that cannot be parsed.
    pub(crate) unread: Unread,
}

/// Serves until `stop` is set. Then it accepts no new connection, lets requests in progress finish,
/// and returns when every connection has ended. No share applies to connections of `proxies`.
pub(crate) async fn serve(
    listener: TcpListener,
    routes: Routes,
    limits: Limits,
    proxies: Arc<[Network]>,
    mut stop: watch::Receiver<bool>,
) {
    let places = Places::new(limits.connections, proxies);
    let overflow = Places::unshared(OVERFLOW_CONNECTIONS);
    let overflow_limits =
        Limits { head_timeout: limits.head_timeout.min(HURRIED_PATIENCE), ..limits };
    let stopping = stop.clone();
    loop {
        let (stream, peer) = tokio::select! {
            () = stopped(&mut stop) => break,
            accepted = accept(&listener) => accepted,
        };
        let (seat, served, limits) = match places.enter(peer) {
            Some(admitted) if !admitted.is_hurried => (admitted.seat, &routes.all, limits),
            Some(admitted) => (admitted.seat, &routes.all, overflow_limits),
            None => {
                metrics::counter!("ledger_connections_refused_total").increment(1);
                let Some(admitted) = overflow.enter(peer) else {
                    turn_away(stream);
                    continue;
                };
                (admitted.seat, &routes.when_full, overflow_limits)
            }
        };
        let unread = Arc::clone(&routes.unread);
        tokio::spawn(drive_connection(
            stream,
            served.clone(),
            unread,
            limits,
            stopping.clone(),
            seat,
        ));
    }
    drop(listener);
    places.emptied().await;
    overflow.emptied().await;
}

/// Resolves when the server stops. A dropped sender counts as a stop.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn accept(listener: &TcpListener) -> (TcpStream, IpAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer.ip()),
            Err(error) => {
                tracing::warn!(error = %error, "connection.not_accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Refuses a connection without waiting. The received part of the head is read first, because
/// closing a socket with unread data discards the response.
fn turn_away(stream: TcpStream) {
    let Ok(mut stream) = stream.into_std() else { return };
    let mut head = [0; 4_096];
    let _ = stream.read(&mut head);
    let _ = stream.write(TOO_MANY);
}

/// Serves one connection until its end.
async fn drive_connection(
    stream: TcpStream,
    routes: Router,
    unread: Unread,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
    seat: Seat,
) {
    // Disables Nagle's algorithm, so that small answers are sent at once.
    let _ = stream.set_nodelay(true);
    let routes = TowerToHyperService::new(routes);
    let service = service_fn(|mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(seat.place());
        let answer = seat.begin().map(|under_way| (under_way, routes.call(request)));
        async move {
            let Some((under_way, answer)) = answer else { return std::future::pending().await };
            let answer: Response<Body> = answer.await?;
            Ok::<_, std::convert::Infallible>(
                answer.map(|body| Answered { body, _request: under_way }),
            )
        }
    });
    let stream = Completed::new(WriteTimeoutStream::new(stream, limits.write_timeout), unread);
    let conn = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let mut conn = std::pin::pin!(conn);
    let ended = tokio::select! {
        biased;
        () = seat.closed() => return,
        ended = conn.as_mut() => ended,
        () = stopped(&mut stop) => {
            // A connection on which no request has begun is closed at once.
            if !seat.has_asked() {
                return;
            }
            conn.as_mut().graceful_shutdown();
            tokio::select! {
                () = seat.closed() => return,
                ended = conn => ended,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = %error, "connection.aborted");
    }
}
