//! Faults of one tenant or one address: unusual requests, unusual load, or a locked row. The other
//! tenants must not notice: none of their webhooks is refused, and their median latency stays
//! within five times its earlier value.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ledger_core::clock::Clock;
use reqwest::Client;
use server::system::SystemClock;
use sqlx::Executor;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::super::child::CONNECTIONS;
use super::super::history::Outcome;
use super::super::report::Check;
use super::super::sender::Sending;
use super::super::world::World;
use super::{Fault, Nemesis};

/// Index of the tenant that misbehaves.
const HOSTILE: usize = 0;
/// Webhooks of the other tenants, sent before the fault and again during it.
const PROBES: usize = 24;
/// A median latency above this multiple of the normal one is a finding.
const MAX_SLOWDOWN: u32 = 5;
/// Tolerance for the jitter of a busy machine.
const NOISE: Duration = Duration::from_millis(120);
/// Time from the injection until the fault is in effect.
const BEGIN: Duration = Duration::from_millis(250);
/// Duration of the fault if the probes do not end before.
const HELD: Duration = Duration::from_secs(4);
const PAIRS: usize = 45;
const SLOW: usize = 60;
const LISTS: usize = 12;

impl Nemesis {
    /// Makes one tenant misbehave at a server and measures the latency of the others during the
    /// fault.
    pub(super) async fn inject_hostile(&mut self, fault: Fault) {
        let server = self.any_server();
        let Some(sending) = self.sending.clone() else { return };
        let Some(before) = probe(&sending, server).await else { return };
        let mut hostile = JoinSet::new();
        hostile.spawn(tokio::time::timeout(HELD, run_hostile(fault, Arc::clone(&sending), server)));
        sleep(BEGIN).await;
        let during = probe(&sending, server).await;
        hostile.shutdown().await;
        let (before, Some(during)) = (before.median, during) else { return };
        if during.refused > 0 {
            let refused = during.refused;
            self.findings.add(Check::OthersRefused, || {
                format!("{refused} of {PROBES} webhooks of others, by {}", fault.name())
            });
        }
        if during.median > MAX_SLOWDOWN * before + NOISE {
            self.findings.add(Check::OthersSlowed, || {
                format!("from {before:?} to {:?}, by {}", during.median, fault.name())
            });
        }
    }
}

/// The measurements of the other tenants.
struct ProbeResult {
    median: Duration,
    refused: usize,
}

/// Sends some webhooks of every tenant but the hostile one. Returns `None` if none could be made.
async fn probe(sending: &Sending, server: usize) -> Option<ProbeResult> {
    let client = Client::builder().timeout(Duration::from_secs(10)).build().ok()?;
    let (mut times, mut refused) = (Vec::new(), 0);
    let others = sending.world.tenants.len() - 1;
    for nth in 0..PROBES {
        let _open = sending.gate.read().await;
        let tenant = HOSTILE + 1 + nth % others;
        let webhook = Arc::new(sending.workload.report(&sending.world, tenant).await.ok()?);
        let since = Instant::now();
        let outcome = sending.send(&client, server, &webhook, true).await;
        refused += usize::from(!matches!(outcome, Outcome::Done(_)));
        times.push(since.elapsed());
    }
    times.sort();
    Some(ProbeResult { median: times[times.len() / 2], refused })
}

/// Runs the requests of the hostile tenant until the task is aborted.
async fn run_hostile(fault: Fault, sending: Arc<Sending>, server: usize) {
    let world = &sending.world;
    match fault {
        Fault::HostileHeaders => repeat(|| headers(world, server)).await,
        Fault::SlowBodies => slow_bodies(world, server).await,
        Fault::AbsurdValues => repeat(|| absurd(&sending, server)).await,
        Fault::HugePages => huge_pages(world, server).await,
        Fault::SilentPeer => silent_peer(world, server).await,
        _ => hold_row(world).await,
    }
}

async fn repeat<F: Future<Output = ()>>(act: impl Fn() -> F) {
    loop {
        act().await;
        sleep(Duration::from_millis(20)).await;
    }
}

fn url(world: &World, server: usize, path: &str) -> String {
    format!("http://{}{path}", world.servers[server].proxy.address())
}

/// Sends the maximum number of signature headers with a body of almost the maximum size.
async fn headers(world: &World, server: usize) {
    let source = &world.tenants[HOSTILE].source;
    let mut request = Client::new()
        .post(url(world, server, &format!("/ingest/{}", source.source_id)))
        .body(vec![b' '; 4_900_000]);
    let now = SystemClock.now().timestamp();
    for nth in 0..PAIRS {
        request = request.header("x-signature", format!("{nth:064x}"));
        request = request.header("x-timestamp", now.to_string());
    }
    // The response does not matter.
    let _ = request.send().await;
}

/// Announces large bodies and sends them slowly, so that they reserve memory.
async fn slow_bodies(world: &World, server: usize) {
    let source = &world.tenants[HOSTILE].source;
    let head = format!(
        "POST /ingest/{} HTTP/1.1\r\nhost: example.com\r\nx-vapi-secret: {}\r\ncontent-length: 400000\r\n\r\n{{",
        source.source_id, source.secret
    );
    let mut slow = Vec::new();
    for _ in 0..SLOW {
        let Ok(mut stream) = TcpStream::connect(world.servers[server].proxy.address()).await else {
            continue;
        };
        if stream.write_all(head.as_bytes()).await.is_ok() {
            slow.push(stream);
        }
    }
    loop {
        for stream in &mut slow {
            // A connection that the server closed is not opened again.
            let _ = stream.write_all(b" ").await;
        }
        sleep(Duration::from_millis(200)).await;
    }
}

/// Opens more connections from one address than a server accepts, each with the first byte of a
/// head. Connections that the server closes are opened again.
async fn silent_peer(world: &World, server: usize) {
    let to = world.servers[server].address();
    let mut silent = Vec::new();
    loop {
        silent.retain(|stream: &TcpStream| stream.try_write(b"x").is_ok());
        while silent.len() < CONNECTIONS + CONNECTIONS / 8 {
            let Some(stream) = open_silent(to).await else { break };
            silent.push(stream);
        }
        sleep(Duration::from_millis(100)).await;
    }
}

async fn open_silent(to: SocketAddr) -> Option<TcpStream> {
    let socket = TcpSocket::new_v4().ok()?;
    socket.bind(SocketAddr::from(([127, 0, 0, 2], 0))).ok()?;
    let mut stream = socket.connect(to).await.ok()?;
    stream.write_all(b"x").await.ok()?;
    Some(stream)
}

/// Times, durations and amounts that no call has.
async fn absurd(sending: &Sending, server: usize) {
    let _open = sending.gate.read().await;
    let Ok(webhook) = sending.workload.absurd(&sending.world, HOSTILE).await else { return };
    sending.send(&Client::new(), server, &Arc::new(webhook), true).await;
}

/// Requests the longest lists, several at a time.
async fn huge_pages(world: &World, server: usize) {
    let mut lists = JoinSet::new();
    for _ in 0..LISTS {
        let (url, key) = (url(world, server, "/call?limit=1000"), world.hostile_key.clone());
        lists.spawn(async move {
            let client = Client::new();
            loop {
                // The response does not matter.
                if let Ok(answer) = client.get(&url).bearer_auth(&key).send().await {
                    let _ = answer.bytes().await;
                }
                sleep(Duration::from_millis(20)).await;
            }
        });
    }
    lists.join_all().await;
}

/// Holds the row lock that orders one tenant's log.
async fn hold_row(world: &World) {
    let Ok(mut conn) = world.postgres.connect().await else { return };
    let tenant_id = world.tenants[HOSTILE].tenant_id;
    // An id has hexadecimal digits and hyphens only, so it is safe in SQL text.
    let locking = format!(
        "begin; select from ledger.tenants where tenant_id = '{tenant_id}' for no key update"
    );
    if conn.execute(sqlx::AssertSqlSafe(locking)).await.is_ok() {
        // The lock is held until this future, and with it the connection, is dropped.
        std::future::pending::<()>().await;
    }
}
