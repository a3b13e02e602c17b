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
pub enum Weather {
    /// Bytes are forwarded at once.
    Clear,
    /// Each chunk is delayed by this time, in both directions.
    Slow(Duration),
    /// Connections are accepted and no bytes are carried in either direction until the mode
    /// changes.
    BlackHole,
    /// Requests are delivered and responses are dropped, so a request may have been executed. A
    /// connection that lost bytes carries no response any more; reset it after a change of the
    /// mode.
    AnswersLost,
}

/// How open connections are ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Break {
    /// Orderly shutdown, as at the end of a process.
    Close,
    /// TCP reset: bytes in flight are lost.
    Reset,
}

struct Shared {
    upstream: Mutex<Upstream>,
    weather: watch::Sender<Weather>,
    /// The number of the last break, so that each connection executes it once.
    breaks: watch::Sender<(u64, Break)>,
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
            weather: watch::Sender::new(Weather::Clear),
            breaks: watch::Sender::new((0, Break::Close)),
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
    pub fn set(&self, weather: Weather) {
        self.shared.weather.send_replace(weather);
    }

    /// Closes every open connection in an orderly way.
    pub fn cut(&self) {
        self.break_all(Break::Close);
    }

    /// Resets every open connection on the client's side: the next read or write of the client
    /// fails.
    pub fn reset(&self) {
        self.break_all(Break::Reset);
    }

    fn break_all(&self, how: Break) {
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
        () = connect_and_pump(&mut client, upstream, &shared.weather) => None,
        _ = breaks.changed() => Some(breaks.borrow().1),
    };
    if broken == Some(Break::Reset) {
        let _ = client.set_zero_linger();
    }
}

/// Forwards both directions until both have ended. Closes the client if the upstream is
/// unreachable.
async fn connect_and_pump(
    client: &mut TcpStream,
    upstream: Upstream,
    weather: &watch::Sender<Weather>,
) {
    match upstream {
        Upstream::Tcp(address) => {
            if let Ok(mut server) = TcpStream::connect(address).await {
                let _ = server.set_nodelay(true);
                let (from, to) = server.split();
                pump_both(client, from, to, weather).await;
            }
        }
        Upstream::Unix(path) => {
            if let Ok(mut server) = UnixStream::connect(path).await {
                let (from, to) = server.split();
                pump_both(client, from, to, weather).await;
            }
        }
    }
}

async fn pump_both(
    client: &mut TcpStream,
    from_server: impl AsyncRead + Unpin,
    to_server: impl AsyncWrite + Unpin,
    weather: &watch::Sender<Weather>,
) {
    let (from_client, to_client) = client.split();
    let there = pump(from_client, to_server, weather.subscribe(), false);
    let back = pump(from_server, to_client, weather.subscribe(), true);
    // An error in one direction ends the other; an orderly end of one leaves the other running.
    let _ = tokio::try_join!(there, back);
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut weather: watch::Receiver<Weather>,
    is_answer: bool,
) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    let mut is_torn = false;
    loop {
        let len = from.read(&mut chunk).await?;
        // After lost bytes a stream carries no later ones: TCP never delivers with a gap.
        is_torn |= !may_pass(&mut weather, is_answer).await && len > 0;
        match (len, is_torn) {
            (0, true) => return Ok(()),
            (0, false) => return to.shutdown().await,
            (_, true) => {}
            (_, false) => to.write_all(&chunk[..len]).await?,
        }
    }
}

/// Waits as the mode requires; returns whether the chunk is forwarded.
async fn may_pass(weather: &mut watch::Receiver<Weather>, is_answer: bool) -> bool {
    loop {
        let now = *weather.borrow_and_update();
        match now {
            Weather::Clear => return true,
            Weather::AnswersLost => return !is_answer,
            Weather::Slow(delay) => {
                tokio::time::sleep(delay).await;
                return true;
            }
            Weather::BlackHole => {
                if weather.changed().await.is_err() {
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

    async fn say(client: &mut TcpStream, word: &[u8]) {
        client.write_all(word).await.expect("it is open");
    }

    async fn hear(client: &mut TcpStream, len: usize) -> io::Result<Vec<u8>> {
        let mut heard = vec![0; len];
        client.read_exact(&mut heard).await.map(|_| heard)
    }

    #[test]
    fn clear_weather_carries_both_ways_and_slow_weather_later() {
        crate::run(async {
            let (proxy, mut client) = open().await;
            say(&mut client, b"one").await;
            assert_eq!(hear(&mut client, 3).await.expect("an answer"), b"one");
            let delay = Duration::from_millis(60);
            proxy.set(Weather::Slow(delay));
            let asked = tokio::time::Instant::now();
            say(&mut client, b"two").await;
            assert_eq!(hear(&mut client, 3).await.expect("an answer"), b"two");
            assert!(asked.elapsed() >= 2 * delay, "there and back");
            assert_eq!(proxy.open(), 1);
        });
    }

    #[test]
    fn a_black_hole_holds_everything_back_until_it_clears() {
        crate::run(async {
            let (proxy, mut client) = open().await;
            proxy.set(Weather::BlackHole);
            say(&mut client, b"one").await;
            let silence = Duration::from_millis(60);
            assert!(tokio::time::timeout(silence, hear(&mut client, 3)).await.is_err());
            proxy.set(Weather::Clear);
            assert_eq!(hear(&mut client, 3).await.expect("an answer"), b"one");
        });
    }

    #[test]
    fn a_lost_answer_never_comes_and_a_cut_ends_in_good_order() {
        crate::run(async {
            let (proxy, mut client) = open().await;
            proxy.set(Weather::AnswersLost);
            say(&mut client, b"one").await;
            let silence = Duration::from_millis(60);
            assert!(tokio::time::timeout(silence, hear(&mut client, 3)).await.is_err());
            proxy.cut();
            let error = hear(&mut client, 3).await.expect_err("closed");
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        });
    }

    #[test]
    fn a_reset_is_one_and_the_next_connection_is_whole_again() {
        crate::run(async {
            let (proxy, mut client) = open().await;
            say(&mut client, b"one").await;
            hear(&mut client, 3).await.expect("an answer");
            proxy.reset();
            let error = hear(&mut client, 3).await.expect_err("reset");
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
            let mut again = TcpStream::connect(proxy.address()).await.expect("a connection");
            say(&mut again, b"two").await;
            assert_eq!(hear(&mut again, 3).await.expect("an answer"), b"two");
        });
    }
}
