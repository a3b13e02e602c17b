//! A TCP proxy on loopback that simulates network faults.
//!
//! The proxy runs between a client and a server, or between the server and its database (over a
//! unix socket), and forwards bytes without parsing them. Faults: close, reset, silence, delay, and
//! loss of the responses to requests that were delivered.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// Bytes read at once; a message can be cut at this boundary.
const CHUNK: usize = 16 << 10;

/// The destination of the connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upstream {
    /// A TCP address.
    Tcp(SocketAddr),
    /// A unix socket, such as that of a PostgreSQL without a TCP port.
    Unix(PathBuf),
}

/// How open and new connections carry bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkMode {
    /// Bytes are forwarded at once.
    Normal,
    /// Each chunk is delayed by this time, in both directions.
    Delayed(Duration),
    /// Connections are accepted and no bytes are carried in either direction until the mode
    /// changes.
    BlackHole,
    /// Requests are delivered and responses are dropped, so a request may have been executed. A
    /// connection that lost bytes carries no response any more; reset it after a change of the
    /// mode.
    DropResponses,
}

/// How open connections are ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ConnectionEnd {
    /// Orderly shutdown, as at the end of a process.
    Close,
    /// TCP reset: bytes in flight are lost.
    Reset,
}

struct Shared {
    upstream: Mutex<Upstream>,
    mode: watch::Sender<NetworkMode>,
    /// The number of the last break, so that each connection executes it once.
    breaks: watch::Sender<(u64, ConnectionEnd)>,
    open: AtomicUsize,
}

/// A running proxy; dropping it ends the proxy and its connections.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free port of loopback and forwards connections to `upstream`.
    ///
    /// # Errors
    /// If no port can be bound.
    pub async fn start(upstream: Upstream) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            upstream: Mutex::new(upstream),
            mode: watch::Sender::new(NetworkMode::Normal),
            breaks: watch::Sender::new((0, ConnectionEnd::Close)),
            open: AtomicUsize::new(0),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, accepting })
    }

    /// The address for clients.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Forwards new connections to another upstream, for a server that restarted on another port.
    ///
    /// # Panics
    /// Never: no code panics while the lock is held.
    pub fn redirect(&self, upstream: Upstream) {
        *self.shared.upstream.lock().expect("nothing panics while holding it") = upstream;
    }

    /// Changes how bytes are carried. Bytes held back by a black hole are forwarded when it ends.
    pub fn set(&self, mode: NetworkMode) {
        self.shared.mode.send_replace(mode);
    }

    /// Closes every open connection in an orderly way.
    pub fn cut(&self) {
        self.break_all(ConnectionEnd::Close);
    }

    /// Resets every open connection on the client's side: the next read or write of the client
    /// fails.
    pub fn reset(&self) {
        self.break_all(ConnectionEnd::Reset);
    }

    fn break_all(&self, how: ConnectionEnd) {
        self.shared.breaks.send_modify(|(nth, last)| (*nth, *last) = (*nth + 1, how));
    }

    /// Returns the number of open connections.
    #[must_use]
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Aborting the accept task also drops the connections it holds.
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((client, _)) = accepted {
                    connections.spawn(carry(client, Arc::clone(&shared)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Drop guard that counts an open connection.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(open: &'a AtomicUsize) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self(open)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Forwards one connection from accept to end.
async fn carry(mut client: TcpStream, shared: Arc<Shared>) {
    let _counted = Counted::new(&shared.open);
    let mut breaks = shared.breaks.subscribe();
    let upstream = shared.upstream.lock().expect("nothing panics while holding it").clone();
    let _ = client.set_nodelay(true);
    let broken = tokio::select! {
        () = connect_and_pump(&mut client, upstream, &shared.mode) => None,
        _ = breaks.changed() => Some(breaks.borrow().1),
    };
    if broken == Some(ConnectionEnd::Reset) {
        let _ = client.set_zero_linger();
    }
}

/// Forwards both directions until both have ended. Closes the client if the upstream is
/// unreachable.
async fn connect_and_pump(
    client: &mut TcpStream,
    upstream: Upstream,
    mode: &watch::Sender<NetworkMode>,
) {
    match upstream {
        Upstream::Tcp(address) => {
            if let Ok(mut server) = TcpStream::connect(address).await {
                let _ = server.set_nodelay(true);
                let (from, to) = server.split();
                pump_both(client, from, to, mode).await;
            }
        }
        Upstream::Unix(path) => {
            if let Ok(mut server) = UnixStream::connect(path).await {
                let (from, to) = server.split();
                pump_both(client, from, to, mode).await;
            }
        }
    }
}

async fn pump_both(
    client: &mut TcpStream,
    from_server: impl AsyncRead + Unpin,
    to_server: impl AsyncWrite + Unpin,
    mode: &watch::Sender<NetworkMode>,
) {
    let (from_client, to_client) = client.split();
    let there = pump(from_client, to_server, mode.subscribe(), false);
    let back = pump(from_server, to_client, mode.subscribe(), true);
    // An error in one direction ends the other; an orderly end of one leaves the other running.
    let _ = tokio::try_join!(there, back);
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut mode: watch::Receiver<NetworkMode>,
    is_answer: bool,
) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    let mut is_torn = false;
    loop {
        let len = from.read(&mut chunk).await?;
        // After lost bytes a stream carries no later ones: TCP never delivers with a gap.
        is_torn |= !should_forward(&mut mode, is_answer).await && len > 0;
        match (len, is_torn) {
            (0, true) => return Ok(()),
            (0, false) => return to.shutdown().await,
            (_, true) => {}
            (_, false) => to.write_all(&chunk[..len]).await?,
        }
    }
}

/// Waits as the mode requires; returns whether the chunk is forwarded.
async fn should_forward(mode: &mut watch::Receiver<NetworkMode>, is_answer: bool) -> bool {
    loop {
        let now = *mode.borrow_and_update();
        match now {
            NetworkMode::Normal => return true,
            NetworkMode::DropResponses => return !is_answer,
            NetworkMode::Delayed(delay) => {
                tokio::time::sleep(delay).await;
                return true;
            }
            NetworkMode::BlackHole => {
                if mode.changed().await.is_err() {
                    return false;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Starts a server that echoes the bytes of each connection.
    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("it listens");
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    let _ = tokio::io::copy(&mut from, &mut to).await;
                });
            }
        });
        address
    }

    async fn open() -> (Proxy, TcpStream) {
        let proxy = Proxy::start(Upstream::Tcp(echo().await)).await.expect("a proxy");
        let client = TcpStream::connect(proxy.address()).await.expect("a connection");
        (proxy, client)
    }

    async fn send(client: &mut TcpStream, word: &[u8]) {
        client.write_all(word).await.expect("it is open");
    }

    async fn receive(client: &mut TcpStream, len: usize) -> io::Result<Vec<u8>> {
        let mut heard = vec![0; len];
        client.read_exact(&mut heard).await.map(|_| heard)
    }

    #[test]
    fn a_proxy_forwards_both_directions_and_delays_them_when_slow() {
        crate::run(async {
            let (proxy, mut client) = open().await;
            send(&mut client, b"one").await;
            assert_eq!(receive(&mut client, 3).await.expect("an answer"), b"one");
            let delay = Duration::from_millis(60);
            proxy.set(NetworkMode::Delayed(delay));
            let asked = tokio::time::Instant::now();
            send(&mut client, b"two").await;
            assert_eq!(receive(&mut client, 3).await.expect("an answer"), b"two");
            assert!(asked.elapsed() >= 2 * delay, "there and back");
            assert_eq!(proxy.open(), 1);
        });
    }

    #[test]
    fn a_black_hole_holds_all_bytes_until_it_ends() {
        crate::run(async {
            let (proxy, mut client) = open().await;
            proxy.set(NetworkMode::BlackHole);
            send(&mut client, b"one").await;
            let silence = Duration::from_millis(60);
            assert!(tokio::time::timeout(silence, receive(&mut client, 3)).await.is_err());
            proxy.set(NetworkMode::Normal);
            assert_eq!(receive(&mut client, 3).await.expect("an answer"), b"one");
        });
    }

    #[test]
    fn a_dropped_response_never_arrives_and_a_cut_closes_in_order() {
        crate::run(async {
            let (proxy, mut client) = open().await;
            proxy.set(NetworkMode::DropResponses);
            send(&mut client, b"one").await;
            let silence = Duration::from_millis(60);
            assert!(tokio::time::timeout(silence, receive(&mut client, 3)).await.is_err());
            proxy.cut();
            let error = receive(&mut client, 3).await.expect_err("closed");
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        });
    }

    #[test]
    fn a_reset_is_seen_as_one_and_the_next_connection_works() {
        crate::run(async {
            let (proxy, mut client) = open().await;
            send(&mut client, b"one").await;
            receive(&mut client, 3).await.expect("an answer");
            proxy.reset();
            let error = receive(&mut client, 3).await.expect_err("reset");
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
            let mut again = TcpStream::connect(proxy.address()).await.expect("a connection");
            send(&mut again, b"two").await;
            assert_eq!(receive(&mut again, 3).await.expect("an answer"), b"two");
        });
    }
}
