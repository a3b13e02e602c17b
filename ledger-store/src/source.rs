//! Webhook sources, and ([`route`]) the routes that assign messages of a shared source to tenants.

pub mod change;
pub mod list;
pub mod route;
mod rows;
mod secret;

use std::time::Duration;

use chrono::{DateTime, Utc};
use ledger_core::ids::{CommandId, Position, SourceId, TenantId};
use ledger_core::provider::Provider;
use ledger_core::provider::signature::SignatureScheme;
use ledger_core::tenant::sources::{SourceChange, SourceCommand, Sources};
use ledger_core::tools::ToolSettings;
use zeroize::Zeroizing;

use crate::Store;
use crate::admin_events::Attribution;
use crate::caches;
use crate::error::StoreError;
use crate::execute::ChangeError;
use crate::settings_cache::TenantFacts;
use crate::tenants::stored_state::stored_state;

use rows::{SourceRows, Write};

pub use ledger_core::tenant::routes::{Period, RouteKind, RouteRejection};
pub use ledger_core::tenant::sources::SourceRejection;

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
    /// Settings for the tools of voice agents.
    pub tools: ToolSettings,
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
    /// Settings for the tools of voice agents; `None` for the default.
    pub tools: Option<&'a ToolSettings>,
}

/// The reason for which a source was not created or changed.
pub type SourceError = ChangeError<SourceRejection>;

impl Store {
    /// Creates a webhook source with the operator as actor. The secret is sealed under the tenant's
    /// keys.
    ///
    /// # Errors
    /// [`StoreError::Keyring`] when the tenant's keys are not available.
    pub async fn create_source(&self, new: &NewSource<'_>) -> Result<SourceId, SourceError> {
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
    ) -> Result<SourceId, SourceError> {
        Ok(self.create_source_by(&self.operator(), new, signature).await?.0)
    }

    /// Creates a source attributed to `by`. Returns its id and the position of the event;
    /// `None` for a source of the installation, which has no log.
    ///
    /// # Errors
    /// The errors of [`Store::create_source`], and [`SourceRejection::NotActive`].
    pub async fn create_source_by(
        &self,
        by: &Attribution,
        new: &NewSource<'_>,
        signature: Option<&SignatureScheme>,
    ) -> Result<(SourceId, Option<Position>), SourceError> {
        self.ensure_installation().await?;
        let tenant_id = new.tenant_id;
        let derived = |id: CommandId| tenant_id.derive(&[b"source of command", id.0.as_bytes()]);
        let source_id = SourceId(by.command_id.map_or_else(|| self.ids.random(), derived));
        let rows = SourceRows {
            epoch: self.vault.epoch(tenant_id).await.map_err(StoreError::from)?,
            tenant_id,
            source_id,
            write: Write::Create(new, signature),
            now: self.clock.now_micros(),
        };
        let change = SourceChange::Create {
            provider: new.provider.as_str().to_owned(),
            record_all: new.record_all,
            tools: new.tools.cloned().unwrap_or_default(),
        };
        let command = SourceCommand { source_id, change };
        let done = self.execute_over_rows::<Sources, _>(by, tenant_id, &command, &rows).await?;
        Ok((source_id, done.position))
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
                      old_secret_sealed, old_secret_until, tools
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
        let tools = list::read_tools(row.tools.as_deref());
        let source = Source {
            source_id,
            signature: signature.map_err(|_| corrupt("signature"))?,
            tenant_id,
            provider: Provider::parse(&row.provider).ok_or_else(|| corrupt("provider"))?,
            secret: open("secret_sealed", &row.secret_sealed)?,
            old_secret,
            record_all: row.record_all,
            assistant_id: row.assistant_id,
            tools: tools.ok_or_else(|| corrupt("tools"))?,
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
}

pub(crate) fn secret_aad(tenant_id: TenantId, source_id: SourceId) -> Vec<u8> {
    [b"source-secret".as_slice(), tenant_id.0.as_bytes(), source_id.0.as_bytes()].concat()
}
