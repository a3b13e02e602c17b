//! Peers with many connections: each address has a share of the unauthenticated connections, and a
//! silent connection is closed for a new one.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ledger_tests::{OwnDatabase, TestLedger, TestTenant, run};
use reqwest::{Client, Response};
use server::limits::Limits;
use server::service::{NetworkSettings, Service};
use tokio::net::TcpSocket;

use super::{Raw, get, refused};

const SHORT: Duration = Duration::from_millis(200);
/// The share of an address among half as many places again.
const SHARE: usize = 8;

/// The nth loopback address of this machine.
fn address(nth: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, nth)
}

/// Opens a connection from one of these addresses.
async fn open_from(nth: u8, to: SocketAddr) -> Raw {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::from((address(nth), 0))).expect("an address of this machine");
    Raw(socket.connect(to).await.expect("a connection"))
}

/// Opens connections that have sent the first byte of a head, in order.
async fn silent_from(nth: u8, to: SocketAddr, count: usize) -> Vec<Raw> {
    let mut silent = Vec::new();
    for _ in 0..count {
        let mut raw = open_from(nth, to).await;
        raw.write_text("G").await;
        silent.push(raw);
    }
    silent
}

async fn get_from(nth: u8, to: SocketAddr, path: &str) -> Response {
    let client = Client::builder().local_address(std::net::IpAddr::from(address(nth)));
    let request = client.build().expect("a client").get(format!("http://{to}{path}"));
    request.send().await.expect("an answer")
}

async fn is_open(raw: &mut Raw) -> bool {
    raw.read_within(SHORT).await.is_none()
}

async fn count_open(silent: &mut [Raw]) -> usize {
    let mut open = 0;
    for raw in silent {
        open += usize::from(is_open(raw).await);
    }
    open
}

/// Sends a request with a key, and leaves the connection open.
async fn ask(raw: &mut Raw, tenant: &TestTenant) {
    let key = &tenant.key;
    raw.write_text(&format!(
        "GET /v1/calls HTTP/1.1\r\nhost: example.com\r\nauthorization: Bearer {key}\r\n\r\n"
    ))
    .await;
    let heard = raw.first_bytes().await;
    assert!(heard.starts_with("HTTP/1.1 200 "), "{heard}");
}

async fn ledger_for(connections: usize) -> TestLedger {
    TestLedger::start_with_limits(Limits { connections, ..Limits::default() }).await
}

#[test]
fn silent_connections_of_one_address_leave_the_places_to_all_others() {
    run(async {
        let ledger = ledger_for(SHARE + SHARE / 2).await;
        let mut silent = silent_from(1, ledger.address, 5 * SHARE).await;
        assert_eq!(get_from(2, ledger.address, "/v1/calls").await.status(), 401);
        assert_eq!(count_open(&mut silent).await, SHARE, "its share and no more");
        assert!(is_open(&mut silent[5 * SHARE - 1]).await, "the newest");
        // A request from the same address is served as well; it replaces a silent connection.
        assert_eq!(get(&ledger, "/v1/calls").await.status(), 401);
        ledger.stop().await;
    });
}

#[test]
fn when_all_places_are_taken_the_address_with_most_silent_connections_makes_way() {
    run(async {
        let ledger = ledger_for(4).await;
        let mut many = silent_from(1, ledger.address, 3).await;
        let mut one = silent_from(2, ledger.address, 1).await;
        assert_eq!(get_from(3, ledger.address, "/v1/calls").await.status(), 401);
        assert!(!is_open(&mut many[0]).await, "the oldest of the address with most");
        assert!(is_open(&mut many[2]).await && is_open(&mut one[0]).await);
        ledger.stop().await;
    });
}

#[test]
fn a_connection_that_showed_a_key_is_outside_the_share_of_its_address() {
    run(async {
        let ledger = ledger_for(2 * SHARE + SHARE / 2).await;
        let tenant = ledger.tenant().await;
        let mut known = Vec::new();
        for _ in 0..SHARE {
            let mut raw = open_from(1, ledger.address).await;
            ask(&mut raw, &tenant).await;
            known.push(raw);
        }
        let mut silent = silent_from(1, ledger.address, 2 * SHARE).await;
        assert_eq!(count_open(&mut silent).await, SHARE);
        for raw in &mut known {
            ask(raw, &tenant).await;
        }
        ledger.stop().await;
    });
}

#[test]
fn an_address_whose_requests_are_all_under_way_is_refused_with_the_time_to_come_again() {
    run(async {
        let ledger = ledger_for(SHARE + SHARE / 2).await;
        let tenant = ledger.tenant().await;
        let mut slow = Vec::new();
        for _ in 0..SHARE {
            // With a wrong secret the body is read and dropped, so the request stays in progress
            // until its end.
            slow.push(Raw::begin(&tenant, "guessed-secret-00", 400_000).await);
        }
        tokio::time::sleep(SHORT).await;
        assert_eq!(refused(get(&ledger, "/v1/calls").await).await, "too-many-connections");
        assert_eq!(get_from(2, ledger.address, "/v1/calls").await.status(), 401);
        ledger.stop().await;
    });
}

#[test]
fn the_address_of_a_reverse_proxy_has_no_share() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let limits = Limits { connections: 3 * SHARE + SHARE / 2, ..Limits::default() };
        let network = NetworkSettings {
            proxies: vec!["127.0.0.2/32".parse().expect("a network")],
            ..NetworkSettings::at(SocketAddr::from(([127, 0, 0, 1], 0)))
        };
        let service = Service::start_with_network(limits, Arc::clone(&ledger.store), &network);
        let service = service.await.expect("it starts");
        let mut of_proxy = silent_from(2, service.address, 2 * SHARE).await;
        let mut of_other = silent_from(3, service.address, 2 * SHARE).await;
        assert_eq!(count_open(&mut of_proxy).await, 2 * SHARE);
        assert_eq!(count_open(&mut of_other).await, SHARE);
        service.stop().await.expect("it drains");
        ledger.stop().await;
    });
}
