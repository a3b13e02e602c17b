//! A network that misbehaves on request: a small TCP proxy on loopback.
//!
//! It stands between a client and a server, or between the server and its database (whose unix socket it speaks to), and
//! forwards bytes it does not understand. What it can do to them is what networks do: close, reset, stay silent, be
//! slow, and lose the answer to something that was done.

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

/// What is read at once, and so where a message may be torn.
const CHUNK: usize = 16 << 10;

/// Where the bytes go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upstream {
    /// An address.
    Tcp(SocketAddr),
    /// A unix socket, such as that of a PostgreSQL which opens no port.
    Unix(PathBuf),
}

/// How bytes are carried, on connections there are and those to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// As they come.
    Clear,
    /// Each chunk waits this long, in both directions.
    Slow(Duration),
    /// Connections are taken and nothing is carried, in either direction, until the weather changes.
    BlackHole,
    /// Requests arrive and answers are dropped: what was asked for may have been done. A connection that lost something
    /// answers nothing more; reset it when the weather changes.
    AnswersLost,
}

/// How open connections end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Break {
    /// In good order, as when a process ends.
    Close,
    /// With a reset: bytes under way are gone.
    Reset,
}

struct Shared {
    upstream: Mutex<Upstream>,
    weather: watch::Sender<Weather>,
    /// The number of the last break, so that each is obeyed once.
    breaks: watch::Sender<(u64, Break)>,
    open: AtomicUsize,
}

/// A running proxy; it ends, with its connections, when it is dropped.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free port of loopback and carries what comes to `upstream`.
    ///
    /// # Errors
    /// No port is to be had.
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

    /// Where clients connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends connections that are made from now on elsewhere: the server came back on another port.
    ///
    /// # Panics
    /// Never: nothing panics while the address is held.
    pub fn redirect(&self, upstream: Upstream) {
        *self.shared.upstream.lock().expect("nothing panics while holding it") = upstream;
    }

    /// Changes how bytes are carried. Bytes held back by a black hole go on when it clears.
    pub fn set(&self, weather: Weather) {
        self.shared.weather.send_replace(weather);
    }

    /// Closes every open connection in good order.
    pub fn cut(&self) {
        self.break_all(Break::Close);
    }

    /// Resets every open connection on the client's side: its next read or write fails.
    pub fn reset(&self) {
        self.break_all(Break::Reset);
    }

    fn break_all(&self, how: Break) {
        self.shared.breaks.send_modify(|(nth, last)| (*nth, *last) = (*nth + 1, how));
    }

    /// How many connections are open now.
    #[must_use]
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Its connections end with the task that holds them.
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

/// Counts an open connection for as long as it lives, however it ends.
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

/// One connection from its first byte to its end.
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

/// Carries both directions until both have ended. A server that cannot be reached closes the client.
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
    // A side that failed takes the other with it; one that ended leaves the other its time.
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
        // A stream that lost some bytes never carries later ones: no network does that.
        is_torn |= !may_pass(&mut weather, is_answer).await && len > 0;
        match (len, is_torn) {
            (0, true) => return Ok(()),
            (0, false) => return to.shutdown().await,
            (_, true) => {}
            (_, false) => to.write_all(&chunk[..len]).await?,
        }
    }
}

/// Waits as long as the weather says; whether the chunk is carried at all.
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

    /// A server that answers each connection what it hears.
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
