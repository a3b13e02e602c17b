use super::*;
use crate::aggregate::fold;
use crate::aggregate::testing::given_state;

fn profile(state: TenantState) -> TenantProfile {
    TenantProfile {
        name: "Harbor Dental".to_owned(),
        timezone: "UTC".to_owned(),
        country: "US".to_owned(),
        state,
        plan: PlanLimits::default(),
    }
}

fn given(state: TenantState) -> crate::aggregate::testing::Given<Tenant> {
    given_state(Some(profile(state)))
}

fn new() -> NewTenant {
    let text = str::to_owned;
    NewTenant {
        slug: text("harbor"),
        name: text("Harbor Dental"),
        timezone: text("UTC"),
        country: text("US"),
    }
}

fn created() -> TenantEvent {
    let NewTenant { slug, timezone, country, .. } = new();
    TenantEvent::Created(TenantCreated { slug, timezone, country })
}

fn changed(from: &str, to: &str) -> TenantEvent {
    TenantEvent::StateChanged(StateChanged { from: from.to_owned(), to: to.to_owned() })
}

fn update(name: Option<&str>, country: Option<&str>) -> TenantCommand {
    let text = |value: Option<&str>| value.map(str::to_owned);
    TenantCommand::Update(TenantPatch::new(text(name), text(country), None).expect("valid values"))
}

fn plan(calls: i64) -> PlanLimits {
    PlanLimits { calls: Limit::new(calls), ..PlanLimits::default() }
}

#[test]
fn a_tenant_is_created_once() {
    given_state::<Tenant>(None).when(TenantCommand::Create(new())).then(Ok(vec![created()]));
    given(TenantState::Active)
        .when(TenantCommand::Create(new()))
        .then(Err(TenantRejection::Exists));
}

#[test]
fn an_update_records_the_changed_settings_and_no_name() {
    let fact = TenantUpdated {
        changed: vec!["name".to_owned(), "country".to_owned()],
        country: Some("GB".to_owned()),
        timezone: None,
    };
    given(TenantState::Active)
        .when(update(Some("Harbour Dental"), Some("gb")))
        .then(Ok(vec![TenantEvent::Updated(fact)]));
}

#[test]
fn an_update_to_the_same_values_records_nothing() {
    given(TenantState::Active).when(update(Some("Harbor Dental"), Some("US"))).then(Ok(vec![]));
    given(TenantState::Active).when(update(None, None)).then(Ok(vec![]));
    given(TenantState::Frozen).when(update(None, Some("US"))).then(Ok(vec![]));
}

#[test]
fn the_time_zone_is_changed_to_one_that_exists() {
    let patch = |zone| TenantPatch::new(None, None, Some(zone));
    let to = |zone| TenantCommand::Update(patch(zone).expect("a zone"));
    let fact = TenantUpdated {
        changed: vec!["timezone".to_owned()],
        country: None,
        timezone: Some("Asia/Tokyo".to_owned()),
    };
    let updated = TenantEvent::Updated(fact);
    given(TenantState::Active).when(to("Asia/Tokyo")).then(Ok(vec![updated.clone()]));
    given(TenantState::Active).when(to("UTC")).then(Ok(vec![]));
    let refused = TenantRejection::NotActive(TenantState::Frozen);
    given(TenantState::Frozen).when(to("Asia/Tokyo")).then(Err(refused));
    let folded = fold::<Tenant>(&[created(), updated]).expect("a tenant");
    assert_eq!(folded.timezone, "Asia/Tokyo");
    for zone in ["Mars/Olympus", "", "+02:00", "europe/berlin "] {
        assert_eq!(patch(zone).expect_err("it is no zone").field, "timezone", "{zone}");
    }
}

#[test]
fn a_country_can_be_removed() {
    let fact = TenantUpdated {
        changed: vec!["country".to_owned()],
        country: Some(String::new()),
        timezone: None,
    };
    given(TenantState::Active)
        .when(update(None, Some("")))
        .then(Ok(vec![TenantEvent::Updated(fact)]));
}

#[test]
fn a_frozen_or_closed_tenant_changes_nothing_but_its_state() {
    for state in [TenantState::Frozen, TenantState::Closed] {
        for command in [update(Some("Other"), None), TenantCommand::SetPlan(plan(5))] {
            given(state).when(command).then(Err(TenantRejection::NotActive(state)));
        }
        given(state)
            .when(TenantCommand::SetState(TenantState::Active))
            .then(Ok(vec![changed(state.as_str(), "active")]));
    }
}

#[test]
fn freezing_thawing_and_closing_record_the_change_of_state() {
    use TenantState::{Active, Closed, Frozen};
    for (from, to) in [(Active, Frozen), (Frozen, Active), (Frozen, Closed), (Active, Closed)] {
        given(from)
            .when(TenantCommand::SetState(to))
            .then(Ok(vec![changed(from.as_str(), to.as_str())]));
    }
}

#[test]
fn setting_the_state_it_has_records_nothing() {
    for state in [TenantState::Active, TenantState::Frozen, TenantState::Closed] {
        given(state).when(TenantCommand::SetState(state)).then(Ok(vec![]));
    }
}

#[test]
fn a_plan_is_recorded_whole_and_only_when_it_differs() {
    given(TenantState::Active)
        .when(TenantCommand::SetPlan(plan(100)))
        .then(Ok(vec![TenantEvent::PlanLimitsSet(plan(100).to_facts())]));
    given(TenantState::Active).when(TenantCommand::SetPlan(PlanLimits::default())).then(Ok(vec![]));
}

#[test]
fn a_tenant_that_does_not_exist_cannot_be_changed() {
    for command in [
        update(Some("Other"), None),
        TenantCommand::SetState(TenantState::Frozen),
        TenantCommand::SetPlan(plan(1)),
    ] {
        given_state::<Tenant>(None).when(command).then(Err(TenantRejection::NotFound));
    }
}

#[test]
fn the_fold_of_the_decided_events_is_the_profile_without_its_name() {
    let mut state = None;
    let mut log = Vec::new();
    for command in [
        TenantCommand::Create(new()),
        update(Some("Other"), Some("GB")),
        TenantCommand::SetPlan(plan(9)),
        TenantCommand::SetState(TenantState::Frozen),
    ] {
        for decided in Tenant::decide(&state, &command).expect("it is allowed") {
            Tenant::evolve(&mut state, &decided.event);
            log.push(decided.event);
        }
    }
    let expected = TenantProfile {
        name: String::new(),
        country: "GB".to_owned(),
        plan: plan(9),
        ..profile(TenantState::Frozen)
    };
    assert_eq!(fold::<Tenant>(&log), Some(expected));
}

#[test]
fn a_value_that_no_tenant_has_is_refused_by_field_without_the_value() {
    for (name, country, field) in [
        (Some(" "), None, "name"),
        (Some("a\u{0}b"), None, "name"),
        (None, Some("UK"), "country"),
        (None, Some("Atlantis"), "country"),
    ] {
        let text = |value: Option<&str>| value.map(str::to_owned);
        let refused =
            TenantPatch::new(text(name), text(country), None).expect_err("it is no value");
        assert_eq!(refused.field, field);
        assert!(!refused.detail.contains("Atlantis"), "{}", refused.detail);
    }
    assert!(TenantPatch::new(Some("x".repeat(MAX_NAME + 1)), None, None).is_err());
}
