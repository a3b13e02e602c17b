use chrono::TimeDelta;
use uuid::Uuid;

use super::*;
use crate::aggregate::testing::{Given, given, given_state};
use crate::event::StateChanged;

fn key_id() -> KeyId {
    KeyId(Uuid::from_u128(1))
}

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH
}

fn create() -> CreateKey {
    CreateKey {
        key_id: key_id(),
        is_installation: false,
        scopes: vec![Scope::Read, Scope::Admin],
        expires_at: None,
        now: now(),
    }
}

fn created() -> TenantEvent {
    let scopes = vec!["read".to_owned(), "admin".to_owned()];
    TenantEvent::KeyCreated(KeyCreated { key_id: key_id().0, scopes, expires_at: None })
}

fn revoked() -> TenantEvent {
    TenantEvent::KeyRevoked(KeyRevoked { key_id: key_id().0 })
}

fn set_to(state: TenantState) -> TenantEvent {
    let (from, to) = ("active".to_owned(), state.as_str().to_owned());
    TenantEvent::StateChanged(StateChanged { from, to })
}

fn given_keys(events: impl IntoIterator<Item = TenantEvent>) -> Given<ApiKeys> {
    given(events)
}

#[test]
fn a_key_is_issued_with_its_scopes_and_expiry() {
    given_keys([]).when(KeyCommand::Create(create())).then(Ok(vec![created()]));
    let end = now() + TimeDelta::seconds(1);
    let scopes = vec!["read".to_owned(), "admin".to_owned()];
    let event = KeyCreated { key_id: key_id().0, scopes, expires_at: Some(end) };
    let brief = CreateKey { expires_at: Some(end), ..create() };
    given_keys([]).when(KeyCommand::Create(brief)).then(Ok(vec![TenantEvent::KeyCreated(event)]));
}

#[test]
fn an_issue_that_ran_before_changes_nothing_also_after_the_revocation() {
    given_keys([created()]).when(KeyCommand::Create(create())).then(Ok(vec![]));
    given_keys([created(), revoked()]).when(KeyCommand::Create(create())).then(Ok(vec![]));
    given_keys([created(), set_to(TenantState::Closed)])
        .when(KeyCommand::Create(create()))
        .then(Ok(vec![]));
}

#[test]
fn an_id_of_another_key_is_refused() {
    let other = CreateKey { scopes: vec![Scope::Read], ..create() };
    given_keys([created()]).when(KeyCommand::Create(other)).then(Err(KeyRejection::Exists));
    let other = CreateKey { expires_at: Some(now() + TimeDelta::days(1)), ..create() };
    given_keys([created()]).when(KeyCommand::Create(other)).then(Err(KeyRejection::Exists));
}

#[test]
fn a_key_that_grants_nothing_or_is_expired_is_refused() {
    let empty = CreateKey { scopes: vec![], ..create() };
    given_keys([]).when(KeyCommand::Create(empty)).then(Err(KeyRejection::NoScopes));
    for end in [now(), now() - TimeDelta::days(1)] {
        let expired = CreateKey { expires_at: Some(end), ..create() };
        given_keys([]).when(KeyCommand::Create(expired)).then(Err(KeyRejection::Expired));
    }
}

#[test]
fn a_key_of_the_installation_has_scope_admin_only() {
    let installation = CreateKey { is_installation: true, ..create() };
    given_keys([])
        .when(KeyCommand::Create(installation))
        .then(Err(KeyRejection::InstallationScope));
    let admin = CreateKey { is_installation: true, scopes: vec![Scope::Admin], ..create() };
    let scopes = vec!["admin".to_owned()];
    let event = KeyCreated { key_id: key_id().0, scopes, expires_at: None };
    given_keys([]).when(KeyCommand::Create(admin)).then(Ok(vec![TenantEvent::KeyCreated(event)]));
}

#[test]
fn an_inactive_tenant_gets_no_key_and_its_keys_are_revoked() {
    for state in [TenantState::Frozen, TenantState::Closed] {
        given_keys([set_to(state)])
            .when(KeyCommand::Create(create()))
            .then(Err(KeyRejection::NotActive(state)));
        given_keys([created(), set_to(state)])
            .when(KeyCommand::Revoke(key_id()))
            .then(Ok(vec![revoked()]));
    }
}

#[test]
fn a_key_is_revoked_once() {
    given_keys([created()]).when(KeyCommand::Revoke(key_id())).then(Ok(vec![revoked()]));
    given_keys([created(), revoked()]).when(KeyCommand::Revoke(key_id())).then(Ok(vec![]));
}

#[test]
fn an_unknown_key_is_not_revoked() {
    given_keys([]).when(KeyCommand::Revoke(key_id())).then(Err(KeyRejection::NotFound));
    let other = KeyId(Uuid::from_u128(2));
    given_keys([created()]).when(KeyCommand::Revoke(other)).then(Err(KeyRejection::NotFound));
}

#[test]
fn a_revocation_of_an_unknown_key_is_folded_to_nothing() {
    assert_eq!(*given_keys([revoked()]).state(), KeysState::default());
    given_state::<ApiKeys>(KeysState::default())
        .when(KeyCommand::Create(create()))
        .then(Ok(vec![created()]));
}
