//! The event log and the vault in PostgreSQL. The only crate that knows the schemas `ledger` and
//! `vault`.
//!
//! What leaves this process for the database is sealed: plaintext about a person exists in
//! [`record`] before it is sealed and in [`vault`] after it is opened, and nowhere in SQL.

pub mod api_keys;
pub mod append;
pub mod appender;
pub mod change;
pub mod compute;
pub mod counts;
pub mod deliveries;
pub mod embedded;
pub mod error;
pub mod examine;
#[cfg(test)]
mod golden;
pub mod keyring;
#[cfg(feature = "planted-bugs")]
pub mod planted;
mod pool;
pub mod quarantine;
pub mod read;
pub mod record;
mod remembered;
pub mod root_key;
pub mod seal;
pub mod shares;
pub mod source;
pub mod stage;
pub mod tenant_tx;
pub mod tenants;
pub mod vault;
pub mod wake;

use std::sync::Arc;
use std::time::Duration;

use ledger_core::clock::Clock;
use ledger_core::ids::{Ids, TenantId};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, Executor, PgPool};

pub use error::StoreError;
pub use tenant_tx::TenantTx;

use appender::{APART, Appender};
use keyring::Keyring;
use pool::pool;
use remembered::Remembered;
use shares::Shares;
use stage::Stage;
use vault::Vault;
use wake::Wake;

/// The schema, applied in order and never edited once merged.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../migrations");

/// How long work under way may hold up the end of a pool.
const CLOSE_PATIENCE: Duration = Duration::from_secs(10);

/// What a store is opened with.
pub struct Settings {
    /// The database; its login must be able to take the three roles.
    pub database: PgConnectOptions,
    /// Connections for reads.
    pub connections: u32,
    /// Append batches under way at once.
    pub lanes: usize,
    /// The keys.
    pub keyring: Arc<Keyring>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Fresh ids.
    pub ids: Arc<dyn Ids>,
}

/// The log and the vault.
pub struct Store {
    app: PgPool,
    intake: PgPool,
    projector: PgPool,
    owner: PgPool,
    append: PgPool,
    apart: PgPool,
    appender: Appender,
    vault: Vault,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    wake: Wake,
    remembered: Arc<Remembered>,
    /// Look-ups of API keys under way, by tenant.
    lookups: Shares<TenantId>,
}

impl Store {
    /// Opens the store and starts its workers. Connections are made when they are first needed.
    #[must_use]
    pub fn open(settings: Settings) -> Self {
        let Settings { database, connections, lanes, keyring, clock, ids } = settings;
        let lanes_len = u32::try_from(lanes).unwrap_or(2);
        let app =
            // Filters that are not asked for are written as null: a plan must know which.
            pool(
                &database,
                "call-ledger read",
                connections,
                "set role ledger_app; set statement_timeout = '30s'; \
                 set plan_cache_mode = force_custom_plan",
            );
        // Readers never keep a webhook waiting, and nothing keeps one for long. All it asks is found by
        // keys, a few at a time: a plan made once, which does not read all of a tenant's rows to hash
        // them when the planner takes these few for many.
        let intake = pool(
            &database,
            name_of(Stage::Vault),
            4,
            "set role ledger_app; set statement_timeout = '5s'; \
             set plan_cache_mode = force_generic_plan; set enable_seqscan = off; \
             set enable_hashjoin = off; set enable_mergejoin = off; \
             set enable_material = off; set enable_bitmapscan = off",
        );
        // A tenant whose row is held is set apart after this time; there it may wait.
        let append = pool(
            &database,
            name_of(Stage::Append),
            lanes_len,
            "set role ledger_app; set lock_timeout = '50ms'",
        );
        let apart = pool(
            &database,
            name_of(Stage::Append),
            APART,
            "set role ledger_app; set lock_timeout = '1s'",
        );
        let projector = pool(
            &database,
            name_of(Stage::Project),
            12,
            "set role ledger_projector; set statement_timeout = '60s'; set enable_seqscan = off",
        );
        let owner = pool(&database, "call-ledger owner", 3, "set role ledger_owner");
        let wake = Wake::new(&ids.random().to_string());
        let remembered = Arc::new(Remembered::new());
        wake.spawn(&projector, &remembered);
        let appender = Appender::start((&append, &apart), lanes, &wake);
        let pools = (app.clone(), intake.clone());
        let vault = Vault::start(pools, Arc::clone(&keyring), Arc::clone(&clock), Arc::clone(&ids));
        Self {
            app,
            intake,
            projector,
            owner,
            append,
            apart,
            appender,
            vault,
            keyring,
            clock,
            ids,
            wake,
            remembered,
            lookups: Shares::default(),
        }
    }

    /// Connections that see one tenant at a time, through [`TenantTx`].
    #[must_use]
    pub fn app(&self) -> &PgPool {
        &self.app
    }

    /// Connections of the projector: every tenant's log, nothing of the vault.
    #[must_use]
    pub fn projector(&self) -> &PgPool {
        &self.projector
    }

    /// Connections of the owner of every table: for what no webhook and no request does, such as
    /// making a new version of a read model.
    #[must_use]
    pub fn owner(&self) -> &PgPool {
        &self.owner
    }

    /// The appender.
    #[must_use]
    pub fn appender(&self) -> &Appender {
        &self.appender
    }

    /// The vault.
    #[must_use]
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// The keyring.
    #[must_use]
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// The wake-ups after commits.
    #[must_use]
    pub fn wake(&self) -> &Wake {
        &self.wake
    }

    /// Time.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Fresh ids.
    #[must_use]
    pub fn ids(&self) -> &dyn Ids {
        &*self.ids
    }

    /// Whether every migration of this build is applied.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn is_migrated(&self) -> Result<bool, StoreError> {
        let mut tx = tenant_tx::begin(&self.app).await?;
        // The list of migrations belongs to the login, not to the application's role.
        tx.execute("set local role none").await?;
        let applied = applied(&mut tx).await;
        Ok(usize::try_from(applied).is_ok_and(|applied| applied >= MIGRATOR.iter().count()))
    }

    /// Whether the keyring can be used right now, whatever is cached, and is the one this database
    /// was filled with.
    ///
    /// # Errors
    /// [`StoreError::Keyring`] by what is wrong; the database did not answer.
    pub async fn check_keyring(&self) -> Result<(), StoreError> {
        let keys = self.keyring.installation()?;
        let mut tx = TenantTx::begin(&self.app, TenantId::INSTALLATION).await?;
        let remembered = sqlx::query_scalar!(
            "select check_value from vault.epochs where tenant_id = $1 and epoch = $2",
            TenantId::INSTALLATION.0,
            keys.epoch,
        )
        .fetch_optional(tx.conn())
        .await?;
        // Not set up yet: there is nothing it could be the wrong one for.
        let is_ours = remembered.is_none_or(|check_value| check_value == keys.check_value());
        if !is_ours {
            return Err(self.keyring.not_the_key(TenantId::INSTALLATION, keys.epoch).into());
        }
        Ok(())
    }

    /// Closes every connection. What is under way is finished; what still waits in a queue is told
    /// that the log cannot be reached.
    pub async fn close(&self) {
        let Self { append, apart, intake, app, projector, owner, .. } = self;
        let closed = async {
            tokio::join!(
                append.close(),
                apart.close(),
                intake.close(),
                app.close(),
                projector.close(),
                owner.close()
            )
        };
        // A connection that is not given back belongs to a database that does not answer.
        if tokio::time::timeout(CLOSE_PATIENCE, closed).await.is_err() {
            tracing::warn!("store.close_timed_out");
        }
    }
}

/// The `application_name` of a stage's connections.
fn name_of(stage: Stage) -> &'static str {
    stage.connection().unwrap_or("call-ledger")
}

/// Brings the schema up to date; returns how many migrations were applied now.
///
/// # Errors
/// [`StoreError::Migrate`] when one fails or the database is of a newer build.
pub async fn migrate(database: &PgConnectOptions) -> Result<usize, StoreError> {
    let mut conn = sqlx::PgConnection::connect_with(database).await?;
    // A login named like one of our schemas would otherwise look for the list of migrations there.
    conn.execute("set search_path = public").await?;
    let before = applied(&mut conn).await;
    MIGRATOR.run(&mut conn).await?;
    let after = applied(&mut conn).await;
    conn.close().await?;
    Ok(usize::try_from(after - before).unwrap_or(0))
}

/// The count of applied migrations; 0 before the first.
async fn applied(conn: &mut sqlx::PgConnection) -> i64 {
    sqlx::query_scalar("select count(*) from public._sqlx_migrations where success")
        .fetch_one(conn)
        .await
        .unwrap_or(0)
}
