use chrono::TimeDelta;
use uuid::Uuid;

use super::*;
use crate::aggregate::testing::{given, given_state};
use crate::event::StateChanged;

fn id() -> Uuid {
    Uuid::from_u128(1)
}

fn command(change: SourceChange) -> SourceCommand {
    SourceCommand { source_id: SourceId(id()), change }
}

fn create(provider: &str) -> SourceCommand {
    command(SourceChange::Create {
        provider: provider.to_owned(),
        record_all: false,
        tools: ToolSettings::default(),
    })
}

fn update(patch: SourcePatch) -> SourceCommand {
    command(SourceChange::Update(patch))
}

fn rotate(old_secret_until: Option<DateTime<Utc>>, is_repeatable: bool) -> SourceCommand {
    command(SourceChange::RotateSecret { old_secret_until, is_repeatable })
}

fn created() -> TenantEvent {
    let provider = "vapi".to_owned();
    TenantEvent::SourceCreated(SourceCreated {
        source_id: id(),
        provider,
        record_all: false,
        tools: ToolNames::default(),
        speech: Speech::Model,
    })
}

fn names() -> ToolNames {
    ToolNames::parse([("my_tool", "book")]).expect("a name")
}

fn disabled() -> TenantEvent {
    TenantEvent::SourceDisabled(SourceSwitched { source_id: id() })
}

fn enabled() -> TenantEvent {
    TenantEvent::SourceEnabled(SourceSwitched { source_id: id() })
}

fn rotated(old_secret_until: Option<DateTime<Utc>>) -> TenantEvent {
    TenantEvent::SourceSecretRotated(SourceSecretRotated { source_id: id(), old_secret_until })
}

fn set_to(state: TenantState) -> TenantEvent {
    let (from, to) = ("active".to_owned(), state.as_str().to_owned());
    TenantEvent::StateChanged(StateChanged { from, to })
}

/// A source with values that no event has.
fn stored(name: Option<&str>, new_secret: NewSecret) -> SourcesState {
    let mut state = given::<Sources>([created()]).state().clone();
    let source = state.sources.get_mut(&SourceId(id())).expect("it is created");
    source.name = name.map(str::to_owned);
    SourcesState { new_secret, ..state }
}

#[test]
fn a_source_is_created_once() {
    given::<Sources>([]).when(create("vapi")).then(Ok(vec![created()]));
    given::<Sources>([created()]).when(create("vapi")).then(Ok(vec![]));
    given::<Sources>([created()]).when(create("retell")).then(Err(SourceRejection::Exists));
}

#[test]
fn an_unknown_source_is_not_changed() {
    for change in [
        update(SourcePatch::default()),
        command(SourceChange::SetEnabled(true)),
        command(SourceChange::SetEnabled(false)),
        rotate(None, false),
    ] {
        given::<Sources>([]).when(change).then(Err(SourceRejection::NotFound));
    }
}

#[test]
fn an_update_records_the_changed_settings_and_no_name() {
    let patch = SourcePatch {
        name: Some(Some("Front desk".to_owned())),
        record_all: Some(true),
        assistant_id: Some(Some("assistant-1".to_owned())),
        tool_names: Some(names()),
        speech: Some(Speech::Verbatim),
    };
    let changed = ["name", "record_all", "assistant_id", "tools", "speech"];
    let fact = SourceChanged {
        source_id: id(),
        changed: changed.map(str::to_owned).to_vec(),
        record_all: Some(true),
        tools: Some(names()),
        speech: Some(Speech::Verbatim),
    };
    given::<Sources>([created()])
        .when(update(patch))
        .then(Ok(vec![TenantEvent::SourceChanged(fact)]));
    let removed = SourceChanged {
        source_id: id(),
        changed: vec!["name".to_owned()],
        ..SourceChanged::default()
    };
    given_state::<Sources>(stored(Some("Front desk"), NewSecret::default()))
        .when(update(SourcePatch { name: Some(None), ..SourcePatch::default() }))
        .then(Ok(vec![TenantEvent::SourceChanged(removed)]));
}

#[test]
fn equal_settings_are_no_change() {
    let same = SourcePatch {
        name: Some(Some("Front desk".to_owned())),
        record_all: Some(false),
        assistant_id: Some(None),
        tool_names: Some(ToolNames::default()),
        speech: Some(Speech::Model),
    };
    for patch in [same, SourcePatch::default()] {
        given_state::<Sources>(stored(Some("Front desk"), NewSecret::default()))
            .when(update(patch))
            .then(Ok(vec![]));
    }
}

#[test]
fn a_source_is_disabled_and_enabled_once_each() {
    let set = |to| command(SourceChange::SetEnabled(to));
    given::<Sources>([created()]).when(set(false)).then(Ok(vec![disabled()]));
    given::<Sources>([created(), disabled()]).when(set(false)).then(Ok(vec![]));
    given::<Sources>([created(), disabled()]).when(set(true)).then(Ok(vec![enabled()]));
    given::<Sources>([created(), disabled(), enabled()]).when(set(true)).then(Ok(vec![]));
}

#[test]
fn a_secret_is_replaced_with_and_without_an_overlap() {
    let until = Some(DateTime::UNIX_EPOCH + TimeDelta::days(1));
    for until in [None, until] {
        let given = given::<Sources>([created()]);
        given.when(rotate(until, true)).then(Ok(vec![rotated(until)]));
    }
}

#[test]
fn the_secret_of_an_earlier_run_is_not_replaced_again() {
    let current = NewSecret { is_current: true, fault: None };
    given_state::<Sources>(stored(None, current)).when(rotate(None, true)).then(Ok(vec![]));
    // A command without an id is a new one: it ends the overlap.
    given_state::<Sources>(stored(None, current))
        .when(rotate(None, false))
        .then(Ok(vec![rotated(None)]));
}

#[test]
fn a_secret_that_the_signature_scheme_cannot_use_is_refused() {
    let fault = Some(SchemeError::NoBody);
    let unusable = NewSecret { is_current: false, fault };
    given_state::<Sources>(stored(None, unusable))
        .when(rotate(None, true))
        .then(Err(SourceRejection::WeakSecret(SchemeError::NoBody)));
}

#[test]
fn an_inactive_tenant_withdraws_credentials_and_nothing_else() {
    for state in [TenantState::Frozen, TenantState::Closed] {
        let refused = || Err(SourceRejection::NotActive(state));
        let on = SourcePatch { record_all: Some(true), ..SourcePatch::default() };
        given::<Sources>([set_to(state)]).when(create("vapi")).then(refused());
        given::<Sources>([created(), set_to(state)]).when(update(on)).then(refused());
        given::<Sources>([created(), disabled(), set_to(state)])
            .when(command(SourceChange::SetEnabled(true)))
            .then(refused());
        given::<Sources>([created(), set_to(state)])
            .when(command(SourceChange::SetEnabled(false)))
            .then(Ok(vec![disabled()]));
        given::<Sources>([created(), set_to(state)])
            .when(rotate(None, false))
            .then(Ok(vec![rotated(None)]));
        // What changes nothing needs no permission.
        given::<Sources>([created(), set_to(state)])
            .when(command(SourceChange::SetEnabled(true)))
            .then(Ok(vec![]));
    }
}

#[test]
fn an_event_of_an_unknown_source_is_folded_to_nothing() {
    for event in [disabled(), enabled(), rotated(None)] {
        assert_eq!(*given::<Sources>([event]).state(), SourcesState::default());
    }
}
