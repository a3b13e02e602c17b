//! API keys of a tenant as an aggregate: issue and revocation.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::TenantState;
use crate::aggregate::{Aggregate, Decided, Stream};
use crate::envelope::StreamKind;
use crate::event::{KeyCreated, KeyRevoked, TenantEvent};
use crate::ids::{KeyId, TenantId};
use crate::scope::Scope;

/// The facts of an API key that decisions need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFacts {
    /// The granted scopes, without those that this build does not know.
    pub scopes: Vec<Scope>,
    /// Expiry time; `None` if the key does not expire.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether the key was revoked.
    pub is_revoked: bool,
}

/// The keys that a decision is about, and the state of their tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeysState {
    /// The state of the tenant; active for the installation.
    pub tenant: TenantState,
    /// The keys by their id.
    pub keys: BTreeMap<KeyId, KeyFacts>,
}

/// A change of a tenant's keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyCommand {
    /// Issue a key. Its id is derived from the command if the command can be repeated.
    Create(CreateKey),
    /// Revoke a key permanently.
    Revoke(KeyId),
}

/// The properties of a key to issue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateKey {
    /// Id of the new key.
    pub key_id: KeyId,
    /// Whether it is a key of the installation, which has access to no tenant's data.
    pub is_installation: bool,
    /// The scopes to grant.
    pub scopes: Vec<Scope>,
    /// Expiry time; `None` if the key does not expire.
    pub expires_at: Option<DateTime<Utc>>,
    /// Time of the command.
    pub now: DateTime<Utc>,
}

/// The reason for which a change of a tenant's keys is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyRejection {
    /// There is no such key.
    #[error("there is no such key")]
    NotFound,
    /// A key with this id and other properties exists.
    #[error("a key with this id exists")]
    Exists,
    /// The key would grant nothing.
    #[error("a key has at least one scope")]
    NoScopes,
    /// A key of the installation has scope `admin` and no other.
    #[error("a key of the installation has scope admin and no other")]
    InstallationScope,
    /// The key would be expired when it is issued.
    #[error("the expiry is in the past")]
    Expired,
    /// The tenant is frozen or closed; keys can be revoked, and none issued.
    #[error("the tenant is {}", .0.as_str())]
    NotActive(TenantState),
}

/// The aggregate of a tenant's API keys.
#[derive(Debug, Clone, Copy)]
pub struct ApiKeys;

impl Aggregate for ApiKeys {
    type State = KeysState;
    type Command = KeyCommand;
    type Event = TenantEvent;
    type Rejection = KeyRejection;

    fn streams(tenant_id: TenantId, _: &KeyCommand) -> Vec<Stream> {
        vec![Stream::new(tenant_id.tenant_stream(), StreamKind::Tenant)]
    }

    fn decide(
        state: &KeysState,
        command: &KeyCommand,
    ) -> Result<Vec<Decided<TenantEvent>>, KeyRejection> {
        match command {
            KeyCommand::Create(create) => decide_create(state, create),
            KeyCommand::Revoke(key_id) => {
                let key = state.keys.get(key_id).ok_or(KeyRejection::NotFound)?;
                if key.is_revoked {
                    return Ok(Vec::new());
                }
                let revoked = KeyRevoked { key_id: key_id.0 };
                Ok(vec![Decided::first(TenantEvent::KeyRevoked(revoked))])
            }
        }
    }

    fn evolve(state: &mut KeysState, event: &TenantEvent) {
        match event {
            TenantEvent::KeyCreated(created) => {
                let key = KeyFacts {
                    scopes: Scope::known_among(&created.scopes),
                    expires_at: created.expires_at,
                    is_revoked: false,
                };
                state.keys.insert(KeyId(created.key_id), key);
            }
            TenantEvent::KeyRevoked(revoked) => {
                if let Some(key) = state.keys.get_mut(&KeyId(revoked.key_id)) {
                    key.is_revoked = true;
                }
            }
            TenantEvent::StateChanged(changed) => {
                state.tenant = TenantState::parse(&changed.to).unwrap_or(state.tenant);
            }
            _ => {}
        }
    }
}

fn decide_create(
    state: &KeysState,
    create: &CreateKey,
) -> Result<Vec<Decided<TenantEvent>>, KeyRejection> {
    if let Some(known) = state.keys.get(&create.key_id) {
        // The installation has no log in which an earlier run of the command could be found.
        let is_same = known.scopes == create.scopes && known.expires_at == create.expires_at;
        return if is_same { Ok(Vec::new()) } else { Err(KeyRejection::Exists) };
    }
    if create.scopes.is_empty() {
        return Err(KeyRejection::NoScopes);
    }
    if create.is_installation && create.scopes.iter().any(|scope| *scope != Scope::Admin) {
        return Err(KeyRejection::InstallationScope);
    }
    if create.expires_at.is_some_and(|end| end <= create.now) {
        return Err(KeyRejection::Expired);
    }
    if state.tenant != TenantState::Active {
        return Err(KeyRejection::NotActive(state.tenant));
    }
    let created = KeyCreated {
        key_id: create.key_id.0,
        scopes: create.scopes.iter().map(Scope::to_string).collect(),
        expires_at: create.expires_at,
    };
    Ok(vec![Decided::first(TenantEvent::KeyCreated(created))])
}
