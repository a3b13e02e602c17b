//! The event log and the vault in PostgreSQL: appends, reads, keys, and the configuration of
//! tenants.
//!
//! This crate owns the schemas `ledger` and `vault`; read models are built elsewhere, from what
//! [`read`] returns. Everything personal that leaves this process for the database is sealed:
//! plaintext exists in [`record`] before it is sealed and in [`vault`] after it is opened, and
//! never in SQL.

pub mod access_exports;
pub mod admin_events;
pub mod api_keys;
pub mod append;
pub mod appender;
pub mod backups;
pub mod bookings;
mod caches;
pub mod call_settings;
pub mod certificates;
pub mod command_answers;
pub mod compute;
pub mod contacts;
pub mod deliveries;
pub mod diagnostics;
pub mod embedded;
pub mod erasures;
pub mod error;
pub mod execute;
pub mod gate;
#[cfg(test)]
mod golden;
#[cfg(feature = "fault-injection")]
pub mod injected_faults;
pub mod journal;
pub mod keyring;
pub mod migrations;
pub mod notifier;
pub mod placement;
mod pool;
pub mod quarantine;
pub mod read;
pub mod reconcile;
pub mod record;
pub mod roll;
pub mod root_key;
pub mod seal;
mod settings_cache;
pub mod shares;
pub mod signing;
pub mod source;
pub mod stage;
pub mod tenant_tx;
pub mod tenants;
pub mod tool_calls;
pub mod vault;
pub mod webhook_counts;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ledger_core::clock::Clock;
use ledger_core::ids::{Ids, TenantId};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Executor, PgPool};

pub use error::StoreError;
pub use migrations::{MIGRATOR, migrate};
pub use tenant_tx::TenantTx;

use appender::{APART_CONNECTIONS, Appender};
use execute::Chains;
use journal::Journal;
use keyring::Keyring;
use notifier::{CommitNotifier, Notifiers};
use placement::Placement;
use pool::pool;
use settings_cache::SettingsCache;
use shares::Shares;
use signing::Signing;
use stage::Stage;
use vault::Vault;

/// Connections that take in webhooks: sources, and the transactions of the vault.
const INTAKE_CONNECTIONS: u32 = 5;
/// Connections that load the streams of commands and tool calls.
const COMMAND_CONNECTIONS: u32 = 8;
const PROJECTOR_CONNECTIONS: u32 = 12;
const OWNER_CONNECTIONS: u32 = 3;
/// Connections of a [`Store`] beyond [`Settings::connections`] and [`Settings::append_workers`]; one
/// of each placement receives the notifications of commits, and one reads the fences of the vault.
pub const OTHER_CONNECTIONS: u32 = INTAKE_CONNECTIONS
    + COMMAND_CONNECTIONS
    + APART_CONNECTIONS
    + PROJECTOR_CONNECTIONS
    + OWNER_CONNECTIONS
    + 2;

/// Settings for statements that look up a few rows by key: the generic plan uses the indexes, also
/// with the statistics of an empty table. Planning for each execution costs more than the look-up.
const BY_KEY: &str = "set role ledger_app; set statement_timeout = '5s'; \
     set plan_cache_mode = force_generic_plan; set enable_seqscan = off; \
     set enable_hashjoin = off; set enable_mergejoin = off; \
     set enable_material = off; set enable_bitmapscan = off";

/// How long [`Store::close`] waits for work in progress before it gives up on a pool.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// The dependencies and limits of a [`Store`].
pub struct Settings {
    /// The database server and login; the login must be a member of the three roles.
    pub database: PgConnectOptions,
    /// Size of the pool that serves reads.
    pub connections: u32,
    /// Number of append workers, and so of append batches in progress at the same time.
    pub append_workers: usize,
    /// The epoch keys of all tenants and of the installation.
    pub keyring: Arc<Keyring>,
    /// The erasure journal, with the signing key.
    pub journal: Journal,
    /// Source of `recorded_at` and of every expiry decision.
    pub clock: Arc<dyn Clock>,
    /// Generator of new ids, random or time-ordered.
    pub ids: Arc<dyn Ids>,
}

/// Handle to the log and the vault: one connection pool per role and purpose, plus the workers.
pub struct Store {
    app: PgPool,
    intake: PgPool,
    commands: PgPool,
    projector: PgPool,
    owner: PgPool,
    append: PgPool,
    apart: PgPool,
    appender: Appender,
    vault: Vault,
    keyring: Arc<Keyring>,
    journal: Journal,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    notifier: Notifiers,
    settings_cache: Arc<SettingsCache>,
    /// Limits the API key look-ups in progress of each tenant.
    lookups: Shares<TenantId>,
    /// Limits the tool calls in progress of each tenant, which share the connections of commands.
    tool_calls: Shares<TenantId>,
    /// Limits the look-ups of free times in progress of each tenant.
    availability: Shares<TenantId>,
    /// Decides the commands of each tenant one after another.
    chains: Chains,
    /// Directory of the vault exports that rolls of epochs write.
    vault_exports: OnceLock<PathBuf>,
}

impl Store {
    /// Opens the store and starts its background tasks. Connections are made when first needed.
    #[must_use]
    pub fn open(settings: Settings) -> Self {
        let Settings { database, connections, append_workers, keyring, journal, clock, ids } =
            settings;
        let append_connections = u32::try_from(append_workers).unwrap_or(2);
        let app =
            // Unused filters are bound as null, so each execution needs a plan for its own values.
            pool(
                &database,
                "call-ledger read",
                connections,
                "set role ledger_app; set statement_timeout = '30s'; \
                 set plan_cache_mode = force_custom_plan",
            );
        // Pools of their own, so that readers never delay a webhook or a command, with a short
        // timeout. When the planner overestimates the few rows of a look-up, it hashes all rows of a
        // tenant.
        let intake = pool(&database, name_of(Stage::Vault), INTAKE_CONNECTIONS, BY_KEY);
        let commands = pool(&database, name_of(Stage::Tools), COMMAND_CONNECTIONS, BY_KEY);
        // After this time the tenant of a locked row is moved to the `apart` pool, which may wait
        // longer.
        let append = pool(
            &database,
            name_of(Stage::Append),
            append_connections,
            "set role ledger_app; set lock_timeout = '50ms'",
        );
        let apart = pool(
            &database,
            name_of(Stage::Append),
            APART_CONNECTIONS,
            "set role ledger_app; set lock_timeout = '1s'",
        );
        let projector = pool(
            &database,
            name_of(Stage::Project),
            PROJECTOR_CONNECTIONS,
            "set role ledger_projector; set statement_timeout = '60s'; set enable_seqscan = off",
        );
        let owner =
            pool(&database, "call-ledger owner", OWNER_CONNECTIONS, "set role ledger_owner");
        let notifier = Notifiers::new(&ids.random().to_string());
        let settings_cache = Arc::new(SettingsCache::new());
        let appender = Appender::start((&append, &apart), append_workers, &notifier);
        let chains = Chains::new((&commands, &apart), &appender, &notifier);
        let pools = (app.clone(), intake.clone());
        let vault = Vault::start(
            pools,
            (Arc::clone(&keyring), journal.clone()),
            Arc::clone(&clock),
            Arc::clone(&ids),
        );
        let persons = vault.resolved_persons();
        let caches = notifier::Caches {
            settings: Arc::clone(&settings_cache),
            persons,
            vault: vault.waker(),
        };
        notifier.spawn(&projector, &caches);
        Self {
            app,
            intake,
            commands,
            projector,
            owner,
            append,
            apart,
            appender,
            vault,
            keyring,
            journal,
            clock,
            ids,
            notifier,
            settings_cache,
            lookups: Shares::default(),
            tool_calls: Shares::default(),
            availability: Shares::default(),
            chains,
            vault_exports: OnceLock::new(),
        }
    }

    /// The pool of the role `ledger_app`, for reads. Rows are visible only through a [`TenantTx`],
    /// of one tenant at a time.
    #[must_use]
    pub fn app(&self) -> &PgPool {
        &self.app
    }

    /// The pool of the role `ledger_projector`, which reads every tenant's log and nothing of the
    /// vault.
    #[must_use]
    pub fn projector(&self) -> &PgPool {
        &self.projector
    }

    /// The pool of the role `ledger_owner`, which owns every table. Operator commands use it, and
    /// the creation of read model versions; webhooks and API reads never do.
    #[must_use]
    pub fn owner(&self) -> &PgPool {
        &self.owner
    }

    /// The group-commit queue, the only way for requests to append events.
    #[must_use]
    pub fn appender(&self) -> &Appender {
        &self.appender
    }

    /// The service that resolves subjects and seals or opens their sections.
    #[must_use]
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// The keyring this store was opened with.
    #[must_use]
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// The erasure journal this store was opened with.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The signing key of the installation.
    #[must_use]
    pub fn signing(&self) -> &Signing {
        self.journal.signing()
    }

    /// The commit notifications of a placement.
    #[must_use]
    pub fn notifier(&self, placement: Placement) -> &CommitNotifier {
        self.notifier.of(placement)
    }

    /// The clock this store was opened with.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// The id generator this store was opened with.
    #[must_use]
    pub fn ids(&self) -> &dyn Ids {
        &*self.ids
    }

    /// Returns whether at least as many migrations are applied as this build has.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn is_migrated(&self) -> Result<bool, StoreError> {
        let mut tx = tenant_tx::begin(&self.app).await?;
        // The login owns the list of migrations; the application's role cannot read it.
        tx.execute("set local role none").await?;
        let applied = migrations::applied(&mut tx).await;
        Ok(usize::try_from(applied).is_ok_and(|applied| applied >= MIGRATOR.iter().count()))
    }

    /// Checks that the keyring can be read now, bypassing caches, and is the one this database was
    /// filled with.
    ///
    /// # Errors
    /// [`StoreError::Keyring`] when the installation's key is missing, unreadable or a different
    /// one; [`StoreError::Database`] when the database did not answer.
    pub async fn check_keyring(&self) -> Result<(), StoreError> {
        let keys = self.keyring.installation().await?;
        let mut tx = TenantTx::begin(&self.app, TenantId::INSTALLATION).await?;
        let settings_cache = sqlx::query_scalar!(
            "select check_value from vault.epochs where tenant_id = $1 and epoch = $2",
            TenantId::INSTALLATION.0,
            keys.epoch,
        )
        .fetch_optional(tx.conn())
        .await?;
        // Before setup no check value is stored, so no keyring can be the wrong one.
        let is_ours = settings_cache.is_none_or(|check_value| check_value == keys.check_value());
        if !is_ours {
            return Err(self.keyring.wrong_key(TenantId::INSTALLATION, keys.epoch).into());
        }
        Ok(())
    }

    /// Closes every connection after work in progress has finished. Appends still queued fail with
    /// [`append::AppendError::Unavailable`]. Gives up after 10 seconds, with a warning in the
    /// log.
    pub async fn close(&self) {
        let Self { append, apart, intake, commands, app, projector, owner, .. } = self;
        let closed = async {
            tokio::join!(
                append.close(),
                apart.close(),
                intake.close(),
                commands.close(),
                app.close(),
                projector.close(),
                owner.close()
            )
        };
        // A connection that was not returned in time is waiting for a database that does not
        // answer.
        if tokio::time::timeout(CLOSE_TIMEOUT, closed).await.is_err() {
            tracing::warn!("store.close_timed_out");
        }
    }
}

/// The `application_name` of the connections of a stage.
fn name_of(stage: Stage) -> &'static str {
    stage.connection().unwrap_or("call-ledger")
}
