//! Admission of connections: a bounded table by peer, and the choice of the connection that is closed for a new one.
//!
//! A connection is waiting while no request of it is in progress: its head has not arrived, or it is idle between two
//! requests. Only waiting connections are closed early, those without an authenticated request first.
//!
//! The share of a peer is a dynamic threshold: it may have at most twice as many unproven connections as
//! there are free places. One peer alone can have two thirds of all places, so a platform that sends a burst
//! from one address is served; n peers that open all they can leave one of 2n + 1 parts free.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::config::Network;

/// Unproven connections of a peer for each place that is free.
const FACTOR: usize = 2;
/// Minimum share of a peer, whatever is free.
const LEAST: usize = 8;
/// Maximum number of connections that are being closed for new ones at the same time.
const CLOSING: usize = 64;

/// Origin of a connection: an IPv4 address, or an IPv6 network with a prefix of 64 bits, which
/// usually belongs to one sender.
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
    has_shares: bool,
    proxies: Arc<[Network]>,
    /// Logical clock that orders waiting connections by the start of their wait.
    clock: u64,
    /// Number of connections that have a place.
    open: usize,
    /// Number of connections that have lost their place and are being closed.
    closing: usize,
    peers: HashMap<Peer, OfPeer>,
}

/// The connections of one peer.
#[derive(Debug, Default)]
struct OfPeer {
    is_proxy: bool,
    open: usize,
    unproven: usize,
    /// Waiting connections by the start of their wait: `silent` without an authenticated request, `resting` with one.
    silent: BTreeMap<u64, Arc<Place>>,
    resting: BTreeMap<u64, Arc<Place>>,
}

/// State of one connection; changed only while the table is locked.
#[derive(Debug, Default)]
struct State {
    is_proven: bool,
    under_way: u32,
    waits_since: u64,
    has_asked: bool,
    is_closing: bool,
}

/// The place of one connection, shared by its driver and its requests.
#[derive(Debug)]
pub(crate) struct Place {
    places: Places,
    peer: Peer,
    is_of_proxy: bool,
    state: Mutex<State>,
    close: Notify,
}

/// Result of an admission.
pub(super) struct Admitted {
    /// Releases the place on drop.
    pub(super) seat: Seat,
    /// Whether the short head timeout applies, because places are scarce.
    pub(super) is_hurried: bool,
}

/// Guard of a place; releases it on drop.
pub(super) struct Seat(Arc<Place>);

/// Guard of a request in progress; ends it on drop.
pub(super) struct UnderWay(Arc<Place>);

impl Places {
    /// Creates the places of a listener. No share applies to connections of `proxies`.
    pub(super) fn new(limit: usize, proxies: Arc<[Network]>) -> Self {
        Self::with_shares(limit, true, proxies)
    }

    /// Creates places without shares per peer.
    pub(super) fn unshared(limit: usize) -> Self {
        Self::with_shares(limit, false, Arc::default())
    }

    fn with_shares(limit: usize, has_shares: bool, proxies: Arc<[Network]>) -> Self {
        let peers = HashMap::new();
        let table = Table { limit, has_shares, proxies, clock: 0, open: 0, closing: 0, peers };
        Self { table: Arc::new(Mutex::new(table)), emptied: Arc::default() }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Admits a connection from an address. Returns `None` if no place is free and no connection
    /// can be closed for it.
    pub(super) fn enter(&self, address: IpAddr) -> Option<Admitted> {
        let peer = Peer::of(address);
        let mut table = self.table();
        let is_proxy = table.proxies.iter().any(|network| network.contains(address));
        let unproven = table.peers.get(&peer).map_or(0, |of_peer| of_peer.unproven);
        let share = if is_proxy { table.limit } else { table.share() };
        if unproven >= share {
            table.close_silent(peer)?;
        } else if table.open >= table.limit {
            let peer = table.peer_with_most()?;
            table.close_silent(peer).or_else(|| table.close_resting(peer))?;
        }
        let is_hurried = 2 * table.open >= table.limit || 2 * unproven >= share;
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

    /// Resolves when all connections have ended.
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
    /// Maximum number of unproven connections of a peer at this moment.
    fn share(&self) -> usize {
        let free = self.limit.saturating_sub(self.open);
        if self.has_shares {
            (FACTOR * free).clamp(LEAST, self.limit.max(LEAST))
        } else {
            self.limit
        }
    }

    /// Returns the peer that loses a connection: the one with the most silent connections, then the
    /// one with the most resting ones. Proxies rank last.
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

    /// Closes the oldest resting connection of a peer; its place is free at once.
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

    /// Marks the connection as authenticated, after a request with a valid credential.
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
    /// Begins a request. Returns `None` if the connection is being closed.
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

    /// Resolves when the connection has to be closed for a new one.
    pub(super) async fn closed(&self) {
        self.0.close.notified().await;
    }

    /// Returns whether a request has begun on this connection so far.
    pub(super) fn has_asked(&self) -> bool {
        self.0.state().has_asked
    }

    /// Returns the place for handlers, which mark it as authenticated.
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
mod tests;
