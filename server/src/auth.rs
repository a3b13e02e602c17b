//! Who is asking: an API key names its tenant and its scopes. Refusals are audited.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use ledger_core::event::{AccessDenied, Event};
use ledger_core::ids::{SubjectId, TenantId};
use ledger_store::tenants::ApiKey;
use uuid::Uuid;

use crate::app::{App, RequestId};
use crate::problem::ApiError;
use crate::system::fresh_secret;

/// Every key begins with this, so that scanners can find one that leaked.
const PREFIX: &str = "clg_";
/// Of refusals alike, one is recorded in this time; the rest are counted.
const DENIAL_INTERVAL: Duration = Duration::from_secs(1);
const DENIALS_REMEMBERED: usize = 10_000;

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
        let denied = AccessDenied {
            action: action.to_owned(),
            reason: "scope-missing".into(),
            source_id: None,
            key_id: Some(self.key.key_id.0),
            suppressed: 0,
        };
        app.denials.record(app, self.tenant_id(), self.request_id, denied).await;
        let detail = format!("this needs a key with scope {}", scope.as_str());
        Err(ApiError::new(StatusCode::FORBIDDEN, "scope-missing", detail))
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

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let request_id = parts.extensions.get::<RequestId>().map_or(Uuid::nil(), |id| id.0);
        let key = bearer(parts).ok_or_else(unauthorized)?;
        let key = app.find_key(key).await?.ok_or_else(unauthorized)?;
        Ok(Self { key, request_id })
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

/// Whose refusal, at which source or key, of what, and why.
type Like = (TenantId, Uuid, String, String);

/// Refusals on their way to the log: a flood of them is counted, not stored one by one.
#[derive(Default)]
pub struct Denials {
    /// When one like it was recorded, and how many were counted since.
    recent: Mutex<HashMap<Like, (Instant, u64)>>,
}

impl Denials {
    /// Records a refusal, or counts it when one like it was recorded a moment ago. A refusal that
    /// cannot be recorded is still a refusal; the failure is logged.
    pub async fn record(
        self: &Arc<Self>,
        app: &App,
        tenant_id: TenantId,
        request_id: Uuid,
        mut denied: AccessDenied,
    ) {
        metrics::counter!("ledger_access_denied_total", "reason" => denied.reason.clone())
            .increment(1);
        let who = denied.source_id.or(denied.key_id).unwrap_or_default();
        let Some(suppressed) =
            self.admit((tenant_id, who, denied.action.clone(), denied.reason.clone()))
        else {
            return;
        };
        denied.suppressed = suppressed;
        let actor = denied.key_id.map_or_else(|| "unproven".to_owned(), |key| format!("key:{key}"));
        let event = Event::AccessDenied(denied);
        let recorded =
            app.store.record_own(tenant_id, &actor, request_id, &event, Vec::new()).await;
        if let Err(error) = recorded {
            tracing::warn!(error = %error, "audit.denial_not_recorded");
        }
    }

    /// How many were counted since the last recorded one, when it is time to record again.
    fn admit(&self, like: Like) -> Option<u64> {
        let mut recent = self.recent.lock().expect("nothing panics while holding it");
        let now = Instant::now();
        if recent.len() > DENIALS_REMEMBERED {
            recent.retain(|_, (last, _)| now.duration_since(*last) < DENIAL_INTERVAL);
        }
        match recent.get_mut(&like) {
            Some((last, suppressed)) if now.duration_since(*last) < DENIAL_INTERVAL => {
                *suppressed += 1;
                None
            }
            Some((last, suppressed)) => {
                *last = now;
                Some(std::mem::take(suppressed))
            }
            None => {
                recent.insert(like, (now, 0));
                Some(0)
            }
        }
    }
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

    #[test]
    fn a_flood_of_refusals_is_counted_not_stored() {
        let denials = Denials::default();
        let like = || {
            let (action, reason) = ("ingest".to_owned(), "proof-wrong".to_owned());
            (TenantId(Uuid::nil()), Uuid::nil(), action, reason)
        };
        assert_eq!(denials.admit(like()), Some(0));
        assert_eq!((0..50).filter_map(|_| denials.admit(like())).count(), 0);
    }
}
