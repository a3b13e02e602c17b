//! Webhook sources, and the routes that assign messages of a shared source to tenants.

pub mod change;
pub mod list;
mod secret;

use std::time::Duration;

use chrono::{DateTime, Utc};
use ledger_core::event::{RouteAdded, SourceCreated, TenantEvent};
use ledger_core::ids::{CommandId, Position, SourceId, TenantId};
use ledger_core::provider::signature::SignatureScheme;
use ledger_core::provider::{Provider, Routing};
use sqlx::PgConnection;
use zeroize::Zeroizing;

use crate::Store;
use crate::admin_events::Attribution;
use crate::caches;
use crate::error::StoreError;
use crate::settings_cache::TenantFacts;
use crate::tenant_tx::begin;
use crate::tenants::stored_state;

pub use secret::{MAX_SECRET, MIN_SECRET, WeakSecret, check_secret};

/// Timeout of a query for which a cached result exists.
const STALE_TIMEOUT: Duration = Duration::from_millis(300);

/// A webhook source as the intake needs it, with its secret.
#[derive(Clone)]
pub struct Source {
    /// Id of the source, part of its URL.
    pub source_id: SourceId,
    /// The tenant that owns the messages; the installation for a shared source.
    pub tenant_id: TenantId,
    /// The platform, which selects the adapter.
    pub provider: Provider,
    /// The secret shared with the platform.
    pub secret: Zeroizing<String>,
    /// The secret before the last rotation, accepted until this time too.
    pub old_secret: Option<(Zeroizing<String>, DateTime<Utc>)>,
    /// The signature scheme, if configured; then no other form of authentication is accepted.
    pub signature: Option<SignatureScheme>,
    /// Whether streaming telemetry is recorded.
    pub record_all: bool,
    /// The assistant returned when the platform asks for one to answer a call.
    pub assistant_id: Option<String>,
    /// Country for parsing the tenant's national phone numbers; `None` for a shared source.
    pub country: Option<String>,
}

impl Source {
    /// The secrets accepted at `now`: the current one, and during a rotation also the previous one.
    pub fn secrets(&self, now: DateTime<Utc>) -> impl Iterator<Item = &str> {
        let old = self.old_secret.as_ref().filter(|(_, until)| now < *until);
        [self.secret.as_str()].into_iter().chain(old.map(|(secret, _)| secret.as_str()))
    }
}

/// The properties of a source to create.
#[derive(Clone, Copy)]
pub struct NewSource<'a> {
    /// The tenant that owns the messages; the installation for a shared source.
    pub tenant_id: TenantId,
    /// The platform, which selects the adapter.
    pub provider: Provider,
    /// The secret shared with the platform.
    pub secret: &'a str,
    /// A label chosen by the operator.
    pub name: Option<&'a str>,
    /// Whether streaming telemetry is recorded.
    pub record_all: bool,
    /// The assistant returned when the platform asks for one to answer a call.
    pub assistant_id: Option<&'a str>,
}

/// The kind of id that a route matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteKind {
    /// The platform's id of the assistant.
    AssistantId,
    /// The platform's id of the tenant's phone number.
    PhoneNumberId,
    /// The tenant's phone number in E.164 form.
    PhoneNumber,
}

impl RouteKind {
    /// The stored name of the kind.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AssistantId => "assistant_id",
            Self::PhoneNumberId => "phone_number_id",
            Self::PhoneNumber => "phone_number",
        }
    }
}

/// Whether an earlier run of the same command created the source.
async fn is_created(
    conn: &mut PgConnection,
    tenant_id: TenantId,
    source_id: SourceId,
) -> Result<bool, StoreError> {
    let created = sqlx::query_scalar!(
        r#"select exists (select from ledger.sources where tenant_id = $1 and source_id = $2) as "created!""#,
        tenant_id.0,
        source_id.0,
    );
    Ok(created.fetch_one(conn).await?)
}

impl Store {
    /// Creates a webhook source with the operator as actor. The secret is sealed under the tenant's
    /// keys.
    ///
    /// # Errors
    /// [`StoreError::Keyring`] when the tenant's keys are not available.
    pub async fn create_source(&self, new: &NewSource<'_>) -> Result<SourceId, StoreError> {
        self.create_signed_source(new, None).await
    }

    /// Creates a source with a signature scheme, which the caller has validated.
    ///
    /// # Errors
    /// The errors of [`Store::create_source`].
    pub async fn create_signed_source(
        &self,
        new: &NewSource<'_>,
        signature: Option<&SignatureScheme>,
    ) -> Result<SourceId, StoreError> {
        Ok(self.create_source_by(&self.operator(), new, signature).await?.0)
    }

    /// Creates a source attributed to `by`. Returns its id and the position of the event;
    /// `None` for a source of the installation, which has no log.
    ///
    /// # Errors
    /// The errors of [`Store::create_source`], and [`StoreError::Append`] when the tenant's log
    /// accepts no events.
    pub async fn create_source_by(
        &self,
        by: &Attribution,
        new: &NewSource<'_>,
        signature: Option<&SignatureScheme>,
    ) -> Result<(SourceId, Option<Position>), StoreError> {
        let signature = signature
            .map(|scheme| serde_json::to_string(scheme).expect("a scheme is plain strings"));
        self.ensure_installation().await?;
        let tenant_id = new.tenant_id;
        let derived = |id: CommandId| tenant_id.derive(&[b"source of command", id.0.as_bytes()]);
        let source_id = SourceId(by.command_id.map_or_else(|| self.ids.random(), derived));
        let epoch = self.vault.epoch(tenant_id).await?;
        let aad = secret_aad(tenant_id, source_id);
        let sealed = epoch.seal_secret(&aad, new.secret.as_bytes());
        let mut tx = begin(&self.owner).await?;
        if by.command_id.is_some() && is_created(&mut tx, tenant_id, source_id).await? {
            return Ok((source_id, self.recorded_by_command(by, &mut tx, tenant_id).await?));
        }
        let created = TenantEvent::SourceCreated(SourceCreated {
            source_id: source_id.0,
            provider: new.provider.as_str().to_owned(),
            record_all: new.record_all,
        });
        let position = match tenant_id {
            TenantId::INSTALLATION => None,
            _ => Some(self.record_admin_event_by(by, &mut tx, tenant_id, created).await?),
        };
        sqlx::query!(
            "insert into ledger.sources
               (tenant_id, source_id, provider, name, secret_sealed, record_all, assistant_id,
                created_at, signature)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            tenant_id.0,
            source_id.0,
            new.provider.as_str(),
            new.name,
            sealed,
            new.record_all,
            new.assistant_id,
            self.clock.now_micros(),
            signature,
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        self.notifier.notify([tenant_id]);
        Ok((source_id, position))
    }

    /// Returns the enabled source with this id, of any tenant; `None` when there is none.
    ///
    /// Changes take effect within seconds. While the database does not answer, a cached source of
    /// the last ten minutes is used, so that live tool calls still get an answer.
    ///
    /// # Errors
    /// [`StoreError::Keyring`] when its secret cannot be opened; [`StoreError::Database`] when the
    /// database did not answer.
    pub async fn find_source(&self, source_id: SourceId) -> Result<Option<Source>, StoreError> {
        let known = self.settings_cache.source(source_id);
        let Some((known, read_at)) = known else {
            return self.read_source(source_id).await;
        };
        if read_at.elapsed() < caches::TENANT_FACTS.lifetime {
            return Ok(Some(known));
        }
        match tokio::time::timeout(STALE_TIMEOUT, self.read_source(source_id)).await {
            Ok(Ok(source)) => Ok(source),
            Ok(Err(error @ StoreError::Corrupt { .. })) => Err(error),
            Ok(Err(_)) | Err(_) => Ok(Some(known)),
        }
    }

    async fn read_source(&self, source_id: SourceId) -> Result<Option<Source>, StoreError> {
        let version = self.settings_cache.version();
        let row = sqlx::query!(
            r#"select tenant_id as "tenant_id!", provider as "provider!",
                      secret_sealed as "secret_sealed!", record_all as "record_all!",
                      assistant_id, country, signature, state,
                      old_secret_sealed, old_secret_until
                 from ledger.find_source($1)"#,
            source_id.0,
        )
        .fetch_optional(&self.intake)
        .await?;
        let Some(row) = row else {
            self.settings_cache.invalidate_source(source_id);
            return Ok(None);
        };
        let corrupt = |column| StoreError::Corrupt { table: "ledger.sources", column };
        let tenant_id = TenantId(row.tenant_id);
        let epoch = self.vault.epoch(tenant_id).await?;
        let aad = secret_aad(tenant_id, source_id);
        let open = |column, sealed: &[u8]| {
            let opened = epoch.open_secret(&aad, sealed);
            let text = opened.and_then(|secret| String::from_utf8(secret.to_vec()).ok());
            text.map(Zeroizing::new).ok_or_else(|| corrupt(column))
        };
        let old_secret = match (row.old_secret_sealed, row.old_secret_until) {
            (Some(sealed), Some(until)) => Some((open("old_secret_sealed", &sealed)?, until)),
            _ => None,
        };
        let signature = row.signature.map(|text| serde_json::from_str(&text)).transpose();
        let source = Source {
            source_id,
            signature: signature.map_err(|_| corrupt("signature"))?,
            tenant_id,
            provider: Provider::parse(&row.provider).ok_or_else(|| corrupt("provider"))?,
            secret: open("secret_sealed", &row.secret_sealed)?,
            old_secret,
            record_all: row.record_all,
            assistant_id: row.assistant_id,
            country: row.country,
        };
        let facts = match (&source.country, row.state) {
            (Some(country), Some(state)) => {
                Some(TenantFacts { country: country.clone(), state: stored_state(&state)? })
            }
            _ => None,
        };
        self.settings_cache.insert_source(version, &source, facts);
        Ok(Some(source))
    }

    /// Adds a route: messages with this id at a shared source are assigned to the tenant.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn add_route(
        &self,
        tenant_id: TenantId,
        source_id: SourceId,
        kind: RouteKind,
        value: &str,
    ) -> Result<(), StoreError> {
        let mut tx = begin(&self.owner).await?;
        let added = RouteAdded { source_id: source_id.0, kind: kind.as_str().to_owned() };
        self.record_admin_event(&mut tx, tenant_id, TenantEvent::RouteAdded(added)).await?;
        sqlx::query!(
            "insert into ledger.source_routes (tenant_id, source_id, kind, value, created_at)
             values ($1, $2, $3, $4, $5) on conflict do nothing",
            tenant_id.0,
            source_id.0,
            kind.as_str(),
            value,
            self.clock.now_micros(),
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        self.notifier.notify([tenant_id]);
        Ok(())
    }

    /// Returns the tenants with a route for any of these ids at a shared source. A message is
    /// assigned only if there is exactly one; otherwise the tenant is unknown.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn find_routes(
        &self,
        source_id: SourceId,
        routing: &Routing,
    ) -> Result<Vec<TenantId>, StoreError> {
        let rows = sqlx::query_scalar!(
            r#"select tenant_id as "tenant_id!" from ledger.find_routes($1, $2, $3, $4)"#,
            source_id.0,
            routing.assistant_id,
            routing.phone_number_id,
            routing.phone_number,
        )
        .fetch_all(&self.intake)
        .await?;
        Ok(rows.into_iter().map(TenantId).collect())
    }
}

fn secret_aad(tenant_id: TenantId, source_id: SourceId) -> Vec<u8> {
    [b"source-secret".as_slice(), tenant_id.0.as_bytes(), source_id.0.as_bytes()].concat()
}
