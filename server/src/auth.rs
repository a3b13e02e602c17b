//! Who is asking: an API key names its tenant and its scopes. Refusals are audited.

mod denials;
mod lookups;

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use ledger_core::event::{AccessDenied, Event};
use ledger_core::ids::{SubjectId, TenantId};
use ledger_store::tenants::ApiKey;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::{App, RequestId};
use crate::connections::Place;
use crate::problem::ApiError;
use crate::readers::Seat;
use crate::system::fresh_secret;

pub use denials::Denials;
pub use lookups::Lookups;

/// Every key begins with this, so that scanners can find one that leaked.
const PREFIX: &str = "clg_";

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Facts; personal fields masked.
    Read,
    /// Personal fields in the clear, each read audited. Includes `read`.
    Personal,
    /// Commands.
    Write,
    /// Audit, proofs and people's rights.
    Compliance,
    /// Operations.
    Admin,
}

impl Scope {
    /// All of them.
    pub const ALL: &'static [Self] =
        &[Self::Read, Self::Personal, Self::Write, Self::Compliance, Self::Admin];

    /// From its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.as_str() == name)
    }

    /// The stored and typed name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Personal => "personal",
            Self::Write => "write",
            Self::Compliance => "compliance",
            Self::Admin => "admin",
        }
    }
}

/// The key of a request.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The key.
    pub key: ApiKey,
    /// Our name for the request.
    pub request_id: Uuid,
    /// The request's part of what its tenant may do at once; given up while it waits.
    pub seat: Seat,
}

impl Caller {
    /// Whose data is asked for.
    #[must_use]
    pub fn tenant_id(&self) -> TenantId {
        self.key.tenant_id
    }

    /// Whether the key has a scope; `personal` includes `read`.
    #[must_use]
    pub fn has(&self, scope: Scope) -> bool {
        let named = |scope: Scope| self.key.scopes.iter().any(|known| known == scope.as_str());
        named(scope) || (scope == Scope::Read && named(Scope::Personal))
    }

    /// The tenant whose rows alone the key is about; `None` for a key of the installation.
    #[must_use]
    pub fn only(&self) -> Option<TenantId> {
        Some(self.tenant_id()).filter(|id| *id != TenantId::INSTALLATION)
    }

    /// Goes on only with the scope; a refusal is recorded in the tenant's log.
    ///
    /// # Errors
    /// 403 `scope-missing`.
    pub async fn require(
        &self,
        app: &App,
        scope: Scope,
        action: &'static str,
    ) -> Result<(), ApiError> {
        if self.has(scope) {
            return Ok(());
        }
        let detail = format!("this needs a key with scope {}", scope.as_str());
        Err(self.deny(app, action, "scope-missing", detail).await)
    }

    /// Goes on only with a key of the installation, for what changes every tenant's answers; a refusal
    /// is recorded in the tenant's log.
    ///
    /// # Errors
    /// 403 `installation-key-needed`.
    pub async fn require_installation(
        &self,
        app: &App,
        action: &'static str,
    ) -> Result<(), ApiError> {
        if self.only().is_none() {
            return Ok(());
        }
        let detail = "this changes what every tenant sees: it needs a key of the installation";
        Err(self.deny(app, action, "installation-key-needed", detail.to_owned()).await)
    }

    /// Goes on only when the key has each of these scopes itself: no key grants what it lacks. A refusal
    /// is recorded in the tenant's log.
    ///
    /// # Errors
    /// 403 `scope-missing`.
    pub async fn require_to_grant(
        &self,
        app: &App,
        scopes: &[Scope],
        action: &'static str,
    ) -> Result<(), ApiError> {
        let Some(lacking) = scopes.iter().find(|scope| !self.has(**scope)) else { return Ok(()) };
        let detail = format!(
            "a key grants only scopes that it has itself, and this one lacks {}",
            lacking.as_str()
        );
        Err(self.deny(app, action, "scope-missing", detail).await)
    }

    /// The tenant whose credentials the key may withdraw; `None` is every tenant's, for a key of the
    /// installation.
    #[must_use]
    pub fn withdraws_from(&self) -> Option<TenantId> {
        self.only()
    }

    /// Goes on only with scope `personal` and within the key's share of searches for people.
    ///
    /// # Errors
    /// 403 `scope-missing`; 429 `too-many-lookups` with the seconds to wait.
    pub async fn require_lookup(&self, app: &App, action: &'static str) -> Result<(), ApiError> {
        self.require(app, Scope::Personal, action).await?;
        let seconds = match app.lookups.count(self.key.key_id) {
            Ok(()) => return Ok(()),
            Err(seconds) => seconds,
        };
        let detail = "this key has made all its searches by number or e-mail address of a minute";
        let refused = self.deny(app, action, "too-many-lookups", detail.to_owned()).await;
        let status = StatusCode::TOO_MANY_REQUESTS;
        Err(ApiError { status, retry_after: Some(seconds), ..refused })
    }

    async fn deny(
        &self,
        app: &App,
        action: &'static str,
        reason: &'static str,
        detail: String,
    ) -> ApiError {
        let denied = AccessDenied {
            action: action.to_owned(),
            reason: reason.to_owned(),
            source_id: None,
            key_id: Some(self.key.key_id.0),
            suppressed: 0,
        };
        app.denials.record(&app.store, self.tenant_id(), self.request_id, denied).await;
        ApiError::new(StatusCode::FORBIDDEN, reason, detail)
    }

    /// Records that personal data is about to be shown. No audit, no data.
    ///
    /// # Errors
    /// 503 when the log did not take it: then nothing may be shown.
    pub async fn audit_personal_read(
        &self,
        app: &App,
        action: &'static str,
        resource: Option<Uuid>,
        count: usize,
        subjects: Vec<SubjectId>,
    ) -> Result<(), ApiError> {
        let read = ledger_core::event::PersonalDataRead {
            action: action.to_owned(),
            key_id: self.key.key_id.0,
            resource,
            count: u32::try_from(count).unwrap_or(u32::MAX),
        };
        let actor = format!("key:{}", self.key.key_id);
        let event = Event::PersonalDataRead(read);
        app.store
            .record_own(self.tenant_id(), &actor, self.request_id, &event, subjects)
            .await
            .map(|_| ())
            .map_err(|error| {
                tracing::error!(error = %error, "audit.failed");
                ApiError::unavailable("audit-unavailable", "personal data is not shown unaudited")
            })
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    /// The keys of a closed tenant read nothing; see [`Withdrawer`].
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let Withdrawer(mut caller) = Withdrawer::from_request_parts(parts, app).await?;
        if caller.key.is_tenant_closed {
            let detail = "this tenant is closed: its keys open nothing";
            return Err(ApiError::new(StatusCode::FORBIDDEN, "tenant-closed", detail));
        }
        caller.seat = app.readers.enter(caller.tenant_id()).await?;
        Ok(caller)
    }
}

/// The caller of a withdrawal of a credential: the tenant may be in any state, and the request takes none
/// of the tenant's share of readers.
#[derive(Debug, Clone)]
pub struct Withdrawer(pub Caller);

impl FromRequestParts<App> for Withdrawer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let request_id = parts.extensions.get::<RequestId>().map_or(Uuid::nil(), |id| id.0);
        let key = bearer(parts).ok_or_else(unauthorized)?;
        let key = app.find_key(key).await?.ok_or_else(unauthorized)?;
        if let Some(place) = parts.extensions.get::<Arc<Place>>() {
            place.prove();
        }
        Ok(Self(Caller { key, request_id, seat: Seat::default() }))
    }
}

fn bearer(parts: &Parts) -> Option<&str> {
    let value = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

fn unauthorized() -> ApiError {
    let detail = "send a valid API key: Authorization: Bearer <key>";
    ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
}

/// A new key: it names its tenant, so that it is looked up under the tenant's own row security.
#[must_use]
pub fn new_key(tenant_id: TenantId) -> String {
    format!("{PREFIX}{}_{}", tenant_id.0.simple(), fresh_secret())
}

/// The tenant a key names; `None` when it is no key of ours.
#[must_use]
pub fn tenant_of_key(key: &str) -> Option<TenantId> {
    let (tenant, secret) = key.strip_prefix(PREFIX)?.split_once('_')?;
    let is_ours = secret.len() == 43 && tenant.len() == 32;
    is_ours.then(|| Uuid::try_parse(tenant).ok().map(TenantId)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_its_tenant_and_nothing_else_is_a_key() {
        let tenant_id = TenantId(Uuid::from_u128(7));
        let key = new_key(tenant_id);
        assert_eq!(tenant_of_key(&key), Some(tenant_id));
        for other in ["", "clg_", "clg_x_y", &key[1..], &key[..key.len() - 1]] {
            assert_eq!(tenant_of_key(other), None, "{other}");
        }
    }
}
