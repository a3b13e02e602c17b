//! Places for connections: a bounded table by peer, and which connection makes way for a new one.
//!
//! A connection waits while none of its requests is under way: its head has not arrived, or it rests
//! between two requests. Only a waiting connection is closed early, first those on which no request has
//! shown a credential.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::config::Network;

/// One address has a quarter of all places for connections that have proved nothing.
const PART: usize = 4;
/// The least that it has.
const LEAST: usize = 8;
/// Connections that are being closed to make a place; more are not closed at once.
const CLOSING: usize = 64;

/// Where connections come from: an IPv4 address, or a network of IPv6 with a prefix of 64 bits, which one
/// sender usually has to itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Peer(IpAddr);

impl Peer {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(long) => {
                let network = long.to_bits() & !u128::from(u64::MAX);
                Self(Ipv6Addr::from_bits(network).into())
            }
            short @ IpAddr::V4(_) => Self(short),
        }
    }
}

/// The places of a listener. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Places {
    table: Arc<Mutex<Table>>,
    emptied: Arc<Notify>,
}

#[derive(Debug)]
struct Table {
    limit: usize,
    share: usize,
    proxies: Arc<[Network]>,
    /// Orders connections by since when they wait.
    clock: u64,
    /// Connections that have a place.
    open: usize,
    /// Connections that have lost theirs and are being closed.
    closing: usize,
    peers: HashMap<Peer, OfPeer>,
}

/// The connections of one peer.
#[derive(Debug, Default)]
struct OfPeer {
    is_proxy: bool,
    open: usize,
    unproven: usize,
    /// Those that wait, by since when: on which nothing was proved, and the others.
    silent: BTreeMap<u64, Arc<Place>>,
    resting: BTreeMap<u64, Arc<Place>>,
}

/// What is known of one connection; changed under the lock of the table.
#[derive(Debug, Default)]
struct State {
    is_proven: bool,
    under_way: u32,
    waits_since: u64,
    has_asked: bool,
    is_closing: bool,
}

/// The place of one connection.
#[derive(Debug)]
pub(crate) struct Place {
    places: Places,
    peer: Peer,
    is_of_proxy: bool,
    state: Mutex<State>,
    close: Notify,
}

/// A place that was found.
pub(super) struct Admitted {
    /// Freed when this is dropped.
    pub(super) seat: Seat,
    /// Places run short: a head has to arrive soon.
    pub(super) is_hurried: bool,
}

/// Holds a place until it is dropped.
pub(super) struct Seat(Arc<Place>);

/// A request under way, until this is dropped.
pub(super) struct UnderWay(Arc<Place>);

impl Places {
    /// So many places; connections of `proxies` count against no share.
    pub(super) fn new(limit: usize, proxies: Arc<[Network]>) -> Self {
        let share = (limit / PART).max(LEAST).min(limit);
        Self::with_share(limit, share, proxies)
    }

    /// Places without shares.
    pub(super) fn unshared(limit: usize) -> Self {
        Self::with_share(limit, limit, Arc::default())
    }

    fn with_share(limit: usize, share: usize, proxies: Arc<[Network]>) -> Self {
        let peers = HashMap::new();
        let table = Table { limit, share, proxies, clock: 0, open: 0, closing: 0, peers };
        Self { table: Arc::new(Mutex::new(table)), emptied: Arc::default() }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection from an address; `None` when there is none and no connection can make way.
    pub(super) fn enter(&self, address: IpAddr) -> Option<Admitted> {
        let peer = Peer::of(address);
        let mut table = self.table();
        let is_proxy = table.proxies.iter().any(|network| network.contains(address));
        let unproven = table.peers.get(&peer).map_or(0, |of_peer| of_peer.unproven);
        if !is_proxy && unproven >= table.share {
            table.close_silent(peer)?;
        } else if table.open >= table.limit {
            let peer = table.peer_with_most()?;
            table.close_silent(peer).or_else(|| table.close_resting(peer))?;
        }
        let is_hurried =
            2 * table.open >= table.limit || (!is_proxy && 2 * unproven >= table.share);
        table.open += 1;
        let of_peer = table.peers.entry(peer).or_default();
        of_peer.is_proxy = is_proxy;
        of_peer.open += 1;
        of_peer.unproven += 1;
        let (state, close) = (Mutex::default(), Notify::new());
        let place =
            Arc::new(Place { places: self.clone(), peer, is_of_proxy: is_proxy, state, close });
        table.begin_to_wait(&place);
        Some(Admitted { seat: Seat(place), is_hurried })
    }

    /// Resolves when no connection is left.
    pub(super) async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            let is_empty = {
                let table = self.table();
                table.open + table.closing == 0
            };
            if is_empty {
                return;
            }
            emptied.await;
        }
    }
}

impl Table {
    /// The peer whose connection makes way: the one with most silent connections, then the one with most
    /// that rest, and a proxy last.
    fn peer_with_most(&self) -> Option<Peer> {
        let rank =
            |of_peer: &OfPeer| (!of_peer.is_proxy, of_peer.silent.len(), of_peer.resting.len());
        let waiting = self.peers.iter().filter(|(_, of_peer)| of_peer.waits());
        waiting.max_by_key(|(_, of_peer)| rank(of_peer)).map(|(peer, _)| *peer)
    }

    /// Closes the oldest silent connection of a peer; its place is free at once.
    fn close_silent(&mut self, peer: Peer) -> Option<()> {
        self.close_oldest(peer, false)
    }

    /// The same with a connection that proved itself and rests.
    fn close_resting(&mut self, peer: Peer) -> Option<()> {
        self.close_oldest(peer, true)
    }

    fn close_oldest(&mut self, peer: Peer, is_proven: bool) -> Option<()> {
        if self.closing >= CLOSING {
            return None;
        }
        let (_, place) = self.peers.get_mut(&peer)?.waiting(is_proven).pop_first()?;
        place.state().is_closing = true;
        self.closing += 1;
        self.forget(peer, is_proven);
        metrics::counter!("ledger_connections_closed_early_total").increment(1);
        place.close.notify_one();
        Some(())
    }

    fn forget(&mut self, peer: Peer, is_proven: bool) {
        self.open -= 1;
        let Some(of_peer) = self.peers.get_mut(&peer) else { return };
        of_peer.open -= 1;
        of_peer.unproven -= usize::from(!is_proven);
        if of_peer.open == 0 {
            self.peers.remove(&peer);
        }
    }

    fn begin_to_wait(&mut self, place: &Arc<Place>) {
        self.clock += 1;
        let Some(of_peer) = self.peers.get_mut(&place.peer) else { return };
        let mut state = place.state();
        state.waits_since = self.clock;
        of_peer.waiting(state.is_proven).insert(self.clock, Arc::clone(place));
    }

    fn end_waiting(&mut self, place: &Place, state: &State) {
        if let Some(of_peer) = self.peers.get_mut(&place.peer) {
            of_peer.waiting(state.is_proven).remove(&state.waits_since);
        }
    }
}

impl OfPeer {
    fn waits(&self) -> bool {
        !self.silent.is_empty() || !self.resting.is_empty()
    }

    fn waiting(&mut self, is_proven: bool) -> &mut BTreeMap<u64, Arc<Place>> {
        if is_proven { &mut self.resting } else { &mut self.silent }
    }
}

impl Place {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns true if the connection is from one of the configured proxies.
    pub(crate) fn is_of_proxy(&self) -> bool {
        self.is_of_proxy
    }

    /// A request of this connection showed a valid credential.
    pub(crate) fn prove(&self) {
        let mut table = self.places.table();
        let mut state = self.state();
        if state.is_proven || state.is_closing {
            return;
        }
        state.is_proven = true;
        if let Some(of_peer) = table.peers.get_mut(&self.peer) {
            of_peer.unproven -= 1;
        }
    }
}

impl Seat {
    /// Begins a request; `None` when the connection is being closed.
    pub(super) fn begin(&self) -> Option<UnderWay> {
        let mut table = self.0.places.table();
        let mut state = self.0.state();
        if state.is_closing {
            return None;
        }
        if state.under_way == 0 {
            table.end_waiting(&self.0, &state);
        }
        state.under_way += 1;
        state.has_asked = true;
        Some(UnderWay(Arc::clone(&self.0)))
    }

    /// Resolves when the connection has to make way.
    pub(super) async fn closed(&self) {
        self.0.close.notified().await;
    }

    /// Whether a request has begun at any time.
    pub(super) fn has_asked(&self) -> bool {
        self.0.state().has_asked
    }

    /// For handlers, which may find that a request is proved.
    pub(super) fn place(&self) -> Arc<Place> {
        Arc::clone(&self.0)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut table = self.0.places.table();
        let mut state = self.0.state();
        state.under_way -= 1;
        let waits = state.under_way == 0 && !state.is_closing;
        drop(state);
        if waits {
            table.begin_to_wait(&self.0);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut table = self.0.places.table();
        let mut state = self.0.state();
        if state.is_closing {
            table.closing -= 1;
        } else {
            state.is_closing = true;
            table.end_waiting(&self.0, &state);
            table.forget(self.0.peer, state.is_proven);
        }
        if table.open + table.closing == 0 {
            self.0.places.emptied.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(nth: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, nth])
    }

    fn fill(places: &Places, nth: u8, count: usize) -> Vec<Seat> {
        let enter = |_| places.enter(address(nth)).expect("a place").seat;
        (0..count).map(enter).collect()
    }

    fn closing(seats: &[Seat]) -> Vec<bool> {
        seats.iter().map(|seat| seat.0.state().is_closing).collect()
    }

    #[test]
    fn a_network_of_ipv6_is_one_peer_and_an_address_of_ipv4_is_one() {
        let peer = |text: &str| Peer::of(text.parse().expect("an address"));
        assert_eq!(peer("2001:db8:1:2:3::4"), peer("2001:db8:1:2:ffff::1"));
        assert_ne!(peer("2001:db8:1:2::1"), peer("2001:db8:1:3::1"));
        assert_eq!(peer("::ffff:192.0.2.1"), peer("192.0.2.1"));
        assert_ne!(peer("192.0.2.1"), peer("192.0.2.2"));
    }

    #[test]
    fn the_oldest_silent_connection_of_an_address_beyond_its_share_makes_way() {
        let places = Places::new(32, Arc::default());
        let seats = fill(&places, 1, 8);
        let _under_way = seats[0].begin().expect("it is open");
        let _new = fill(&places, 1, 1);
        let expected: Vec<bool> = (0..8).map(|nth| nth == 1).collect();
        assert_eq!(closing(&seats), expected, "the first has a request under way");
        assert!(seats[1].begin().is_none(), "nothing begins on a connection that is closed");
    }

    #[test]
    fn connections_that_rest_make_way_when_none_is_silent_and_requests_under_way_never() {
        let places = Places::unshared(2);
        let seats = fill(&places, 1, 2);
        let under_way: Vec<_> =
            seats.iter().map(|seat| seat.begin().expect("it is open")).collect();
        seats[1].0.prove();
        assert!(places.enter(address(2)).is_none(), "all are under way");
        drop(under_way);
        let new = fill(&places, 2, 1);
        assert_eq!(closing(&seats), [true, false]);
        let _other = new[0].begin().expect("it is open");
        let _newest = fill(&places, 3, 1);
        assert_eq!(closing(&seats), [true, true]);
    }

    #[tokio::test]
    async fn every_place_is_given_back() {
        let places = Places::new(16, Arc::default());
        for _ in 0..3 {
            let seats: Vec<_> = (0..40).map(|nth| places.enter(address(nth % 4))).collect();
            for seat in seats.iter().flatten().filter_map(|admitted| admitted.seat.begin()) {
                seat.0.prove();
            }
            drop(seats);
            places.emptied().await;
            let table = places.table();
            assert_eq!((table.open, table.closing, table.peers.len()), (0, 0, 0));
        }
    }

    #[test]
    fn no_more_than_so_many_are_being_closed_at_once() {
        let places = Places::unshared(200);
        let _seats = fill(&places, 1, 200);
        let new: Vec<_> = (0..200).filter_map(|_| places.enter(address(2))).collect();
        assert_eq!(new.len(), CLOSING);
    }
}
