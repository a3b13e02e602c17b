//! Tests of the places of connections.

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
    let places = Places::new(12, Arc::default());
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
    let under_way: Vec<_> = seats.iter().map(|seat| seat.begin().expect("it is open")).collect();
    seats[1].0.prove();
    assert!(places.enter(address(2)).is_none(), "all are under way");
    drop(under_way);
    let new = fill(&places, 2, 1);
    assert_eq!(closing(&seats), [true, false]);
    let _other = new[0].begin().expect("it is open");
    let _newest = fill(&places, 3, 1);
    assert_eq!(closing(&seats), [true, true]);
}

#[test]
fn peers_that_open_all_they_can_leave_a_part_of_the_places_free() {
    let places = Places::new(400, Arc::default());
    let mut seats = Vec::new();
    for round in 0..400 {
        for nth in 0..3 {
            seats.extend(places.enter(address(nth)).map(|admitted| admitted.seat));
        }
        assert!(places.table().open <= 345, "round {round}");
    }
    assert!(places.table().open >= 340);
    assert!(places.enter(address(9)).is_some());
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
