//! Authentication and authorization: an API key names its tenant and carries scopes. Refusals are recorded in
//! the tenant's log.

pub mod denials;
pub mod lookups;

use std::sync::Arc;

use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use ledger_app::system::fresh_secret;
use ledger_core::event::{AccessDenied, AccessEvent};
use ledger_core::ids::{SubjectId, TenantId};
use ledger_store::admin_events::Attribution;
use ledger_store::tenants::ApiKey;
use uuid::Uuid;

use crate::app::{App, RequestId};
use crate::connections::Place;
use crate::idempotency::RunningCommand;
use crate::problem::ApiError;
use crate::read_admission::ReadPermit;

pub use denials::Denials;
pub use ledger_app::api_key::{key_of, new_key, tenant_of_key};
pub use ledger_core::scope::Scope;
pub use lookups::LookupLimiter;

/// The authenticated caller of a request. Handlers get it with the operation it is authorized for
/// (`http::operation::Authorized`).
#[derive(Debug, Clone)]
pub struct Caller {
    /// Name of the operation in audit events, such as `keys.create`.
    pub action: &'static str,
    /// The API key, valid at the start of the request.
    pub key: ApiKey,
    /// The server's id of the request, also recorded in the audit events.
    pub request_id: Uuid,
    /// The request's permit among the concurrent reads of its tenant; released while the request waits for a
    /// projection.
    pub read_permit: ReadPermit,
    /// The command, for a request with an `Idempotency-Key`.
    pub command: Option<RunningCommand>,
}

impl Caller {
    /// Identifies the key of a request. The tenant of the key may be in any state, and the caller has no reader
    /// permit yet.
    ///
    /// # Errors
    /// 401 `unauthorized` without a valid key.
    pub(crate) async fn identify(
        parts: &Parts,
        app: &App,
        action: &'static str,
    ) -> Result<Self, ApiError> {
        let request_id = parts.extensions.get::<RequestId>().map_or(Uuid::nil(), |id| id.0);
        let key = bearer(&parts.headers).ok_or_else(unauthorized)?;
        let key = app.find_key(key).await?.ok_or_else(unauthorized)?;
        if let Some(place) = parts.extensions.get::<Arc<Place>>() {
            place.prove();
        }
        let command = parts.extensions.get::<RunningCommand>().cloned();
        Ok(Self { action, key, request_id, read_permit: ReadPermit::default(), command })
    }

    /// Rejects the keys of a closed tenant, then waits for a reader permit.
    ///
    /// # Errors
    /// 403 `tenant-closed`; 503 if no permit becomes free in time.
    pub(crate) async fn admit(&mut self, app: &App) -> Result<(), ApiError> {
        if self.key.is_tenant_closed {
            let detail = "this tenant is closed: its keys open nothing";
            return Err(ApiError::new(StatusCode::FORBIDDEN, "tenant-closed", detail));
        }
        self.read_permit = app.read_admission.acquire(self.tenant_id()).await?;
        Ok(())
    }

    /// The tenant of the key. All data of the request is read as this tenant.
    #[must_use]
    pub fn tenant_id(&self) -> TenantId {
        self.key.tenant_id
    }

    /// The actor of a change that this request makes.
    #[must_use]
    pub fn actor(&self) -> Attribution {
        let command_id = self.command.as_ref().map(RunningCommand::id);
        Attribution::key(self.key.key_id, self.request_id).with_command(command_id)
    }

    /// A new secret; the same one if the same command runs again.
    #[must_use]
    pub fn new_secret(&self) -> String {
        self.command.as_ref().map_or_else(fresh_secret, RunningCommand::secret)
    }

    /// True if the key has the scope; `personal` includes `read`.
    #[must_use]
    pub fn has(&self, scope: Scope) -> bool {
        let named = |scope: Scope| self.key.scopes.contains(&scope);
        named(scope) || (scope == Scope::Read && named(Scope::Personal))
    }

    /// The tenant the key is limited to; `None` for a key of the installation.
    #[must_use]
    pub fn tenant_scope(&self) -> Option<TenantId> {
        Some(self.tenant_id()).filter(|id| *id != TenantId::INSTALLATION)
    }

    /// Requires the scope; a refusal is recorded in the tenant's log.
    ///
    /// # Errors
    /// 403 `scope-missing`.
    pub(crate) async fn require(
        &self,
        app: &App,
        scope: Scope,
        action: &'static str,
    ) -> Result<(), ApiError> {
        if self.has(scope) {
            return Ok(());
        }
        let detail = format!("this needs a key with scope {scope}");
        Err(self.deny(app, action, "scope-missing", detail).await)
    }

    /// Requires a key of the installation, for operations that affect every tenant. A refusal is recorded in
    /// the tenant's log.
    ///
    /// # Errors
    /// 403 `installation-key-required`.
    pub async fn require_installation(&self, app: &App) -> Result<(), ApiError> {
        if self.tenant_scope().is_none() {
            return Ok(());
        }
        let detail = "this changes what every tenant sees: it needs a key of the installation";
        Err(self.deny(app, self.action, "installation-key-required", detail.to_owned()).await)
    }

    /// Requires that the key itself has each of these scopes, because a key may only grant scopes it has. A
    /// refusal is recorded in the tenant's log.
    ///
    /// # Errors
    /// 403 `scope-missing`.
    pub async fn require_to_grant(&self, app: &App, scopes: &[Scope]) -> Result<(), ApiError> {
        let Some(lacking) = scopes.iter().find(|scope| !self.has(**scope)) else { return Ok(()) };
        let detail =
            format!("a key grants only scopes that it has itself, and this one lacks {lacking}");
        Err(self.deny(app, self.action, "scope-missing", detail).await)
    }

    /// The tenant of which the key may revoke credentials; `None` means every tenant, for a key of the
    /// installation.
    #[must_use]
    pub fn revocation_scope(&self) -> Option<TenantId> {
        self.tenant_scope()
    }

    /// Requires scope `personal` and counts the request against the key's rate limit for searches by number
    /// or e-mail address.
    ///
    /// # Errors
    /// 403 `scope-missing`; 429 `too-many-lookups` with the seconds until the next search is allowed.
    pub async fn require_lookup(&self, app: &App, action: &'static str) -> Result<(), ApiError> {
        self.require(app, Scope::Personal, action).await?;
        self.count_lookup(app, action).await
    }

    /// Counts a search by number, e-mail address or external id against the rate of the key; a refusal is
    /// recorded in the tenant's log.
    ///
    /// # Errors
    /// 429 `too-many-lookups`.
    pub(crate) async fn count_lookup(
        &self,
        app: &App,
        action: &'static str,
    ) -> Result<(), ApiError> {
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

    /// Records that personal data is about to be returned. The caller must not return it if this fails.
    ///
    /// # Errors
    /// 503 `audit-unavailable` if the event could not be appended.
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
        let by = Attribution::key(self.key.key_id, self.request_id);
        let event = AccessEvent::PersonalDataRead(read);
        app.store
            .record_tenant_event(self.tenant_id(), by, event, subjects)
            .await
            .map(|_| ())
            .map_err(|error| {
                tracing::error!(error = %error, "audit.failed");
                ApiError::unavailable("audit-unavailable", "personal data is not shown unaudited")
            })
    }
}

/// The API key in a request's headers.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

fn unauthorized() -> ApiError {
    let detail = "send a valid API key: Authorization: Bearer <key>";
    ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
}
