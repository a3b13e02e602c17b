use super::*;
use crate::aggregate::testing::{Given, given, given_state};
use crate::event::StateChanged;

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(second, 0).expect("a time")
}

fn period(from: impl Into<Option<i64>>, end: impl Into<Option<i64>>) -> Period {
    Period::new(from.into().map(at), end.into().map(at)).expect("a period")
}

fn source_id() -> SourceId {
    SourceId(Uuid::from_u128(9))
}

fn id(nth: u128) -> Uuid {
    Uuid::from_u128(nth)
}

fn other_tenant() -> TenantId {
    TenantId(Uuid::from_u128(8))
}

fn command(change: RouteChange) -> RouteCommand {
    RouteCommand { source_id: source_id(), kind: RouteKind::PhoneNumber, change }
}

fn add(nth: u128, period: Period) -> RouteCommand {
    command(RouteChange::Add { route_id: id(nth), period })
}

fn end(second: i64) -> RouteCommand {
    command(RouteChange::End(at(second)))
}

fn added(nth: u128, period: Period) -> TenantEvent {
    TenantEvent::RouteAdded(RouteAdded {
        source_id: source_id().0,
        kind: "phone_number".to_owned(),
        route_id: Some(id(nth)),
        valid_from: period.from(),
        valid_until: period.end(),
    })
}

fn ended(nth: u128, second: i64) -> TenantEvent {
    TenantEvent::RouteEnded(RouteEnded {
        source_id: source_id().0,
        kind: "phone_number".to_owned(),
        route_id: id(nth),
        valid_until: at(second),
    })
}

/// A shared source with the routes of these events, and those of another tenant.
fn routed(
    events: impl IntoIterator<Item = TenantEvent>,
    others: impl IntoIterator<Item = Period>,
) -> Given<Routes> {
    let state = given::<Routes>(events).state().clone();
    let others = others.into_iter().map(|period| (other_tenant(), period)).collect();
    given_state(RoutesState { is_shared: true, others, ..state })
}

#[test]
fn an_id_is_routed_for_a_period_or_without_a_limit() {
    for period in [Period::ALWAYS, period(1, 2), period(1, None), period(None, 2)] {
        routed([], []).when(add(1, period)).then(Ok(vec![added(1, period)]));
    }
}

#[test]
fn a_route_that_covers_the_period_is_not_added_again() {
    for period in [period(1, 5), period(2, 3)] {
        routed([added(1, self::period(1, 5))], []).when(add(2, period)).then(Ok(vec![]));
    }
    let longer = period(1, 6);
    routed([added(1, period(1, 5))], []).when(add(2, longer)).then(Ok(vec![added(2, longer)]));
}

#[test]
fn a_period_in_which_another_tenant_has_the_id_is_refused() {
    let theirs = period(5, 9);
    for period in [Period::ALWAYS, period(8, 12), period(1, 6), period(6, 7), theirs] {
        routed([], [theirs])
            .when(add(1, period))
            .then(Err(RouteRejection::Overlap { tenant_id: other_tenant(), period: theirs }));
    }
}

#[test]
fn an_id_passes_to_another_tenant_at_the_end_of_its_route() {
    for period in [period(9, None), period(None, 5)] {
        let mine = Ok(vec![added(1, period)]);
        routed([], [self::period(5, 9)]).when(add(1, period)).then(mine);
    }
}

#[test]
fn a_route_at_a_source_of_a_tenant_is_refused() {
    given::<Routes>([]).when(add(1, Period::ALWAYS)).then(Err(RouteRejection::NotShared));
}

#[test]
fn an_end_shortens_the_current_route_and_cancels_later_ones() {
    let history = || [added(1, period(1, 3)), added(2, period(4, 8)), added(3, period(9, None))];
    routed(history(), []).when(end(5)).then(Ok(vec![ended(2, 5), ended(3, 5)]));
    routed(history(), []).when(end(0)).then(Ok(vec![ended(1, 0), ended(2, 0), ended(3, 0)]));
}

#[test]
fn a_route_is_ended_once_at_a_time() {
    let history = || [added(1, Period::ALWAYS), ended(1, 5)];
    routed(history(), []).when(end(5)).then(Ok(vec![]));
    routed(history(), []).when(end(6)).then(Ok(vec![]));
    routed(history(), []).when(end(4)).then(Ok(vec![ended(1, 4)]));
    let cancelled = [added(1, period(5, None)), ended(1, 5)];
    routed(cancelled, []).when(end(4)).then(Ok(vec![]));
}

#[test]
fn an_id_without_a_route_is_not_ended() {
    routed([], [Period::ALWAYS]).when(end(5)).then(Err(RouteRejection::NotFound));
}

#[test]
fn a_cancelled_route_can_be_added_again() {
    let later = period(5, None);
    routed([added(1, later), ended(1, 5)], []).when(add(2, later)).then(Ok(vec![added(2, later)]));
}

#[test]
fn the_routes_of_an_inactive_tenant_stay() {
    for state in [TenantState::Frozen, TenantState::Closed] {
        let (from, to) = ("active".to_owned(), state.as_str().to_owned());
        let set = TenantEvent::StateChanged(StateChanged { from, to });
        let refused = || Err(RouteRejection::NotActive(state));
        let history = || [added(1, period(1, 5)), set.clone()];
        routed(history(), []).when(add(2, period(5, 6))).then(refused());
        routed(history(), []).when(end(4)).then(refused());
        routed(history(), []).when(end(5)).then(Ok(vec![]));
    }
}

#[test]
fn a_route_of_an_event_without_an_id_is_not_folded() {
    let old = TenantEvent::RouteAdded(RouteAdded {
        source_id: source_id().0,
        kind: "phone_number".to_owned(),
        route_id: None,
        valid_from: None,
        valid_until: None,
    });
    assert_eq!(given::<Routes>([old]).state().own.len(), 0);
}
