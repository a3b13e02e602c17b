//! An opened ledger: the database (private or external) with a current schema, and the open store.

pub mod database_error;
pub mod pooler;

use std::sync::Arc;

use anyhow::Context;
use ledger_store::embedded::{Cluster, Durability, Settings as ClusterSettings};
use ledger_store::journal::Journal;
use ledger_store::keyring::Keyring;
use ledger_store::root_key::Roots;
use ledger_store::{Settings, Store, migrate};
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;

use crate::backups::WAL_DIR;
use crate::config::{Config, database_url};
use crate::shutdown::shutdown_signal;
use crate::system::{SystemClock, SystemIds};

/// Connection limit of the private PostgreSQL, for all processes that share it.
const MAX_CONNECTIONS: u16 = 200;

/// An opened ledger. Close it, so that a private PostgreSQL without other users is stopped too.
pub struct Instance {
    /// Handle to the log and the vault.
    pub store: Arc<Store>,
    /// Number of migrations applied by [`Instance::open`].
    pub migrated: usize,
    /// Connect options with the login role itself, not a role of the ledger.
    pub database: PgConnectOptions,
    cluster: Option<Cluster>,
}

impl Instance {
    /// Starts or adopts the private PostgreSQL, or connects to the external one, and applies migrations.
    ///
    /// # Errors
    /// The database cannot be started or reached, or a migration fails; the error chain gives the reason and
    /// a remedy.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        let roots = config.roots()?;
        Self::open_connected(config, roots, connect(config).await?).await
    }

    /// Opens the ledger like [`Instance::open`], with this `application_name` on every connection.
    ///
    /// # Errors
    /// As [`Instance::open`].
    pub async fn open_as(config: &Config, application_name: &str) -> anyhow::Result<Self> {
        let roots = config.roots()?;
        let (cluster, database) = connect(config).await?;
        let database = database.application_name(application_name);
        Self::open_connected(config, roots, (cluster, database)).await
    }

    async fn open_connected(
        config: &Config,
        roots: Roots,
        (cluster, database): (Option<Cluster>, PgConnectOptions),
    ) -> anyhow::Result<Self> {
        let prepared = match cluster {
            Some(_) => Ok(()),
            None => refuse_pooler(&database).await,
        };
        let migrated = match prepared {
            Ok(()) => {
                migrate(&database).await.map_err(|error| database_error::explain(&error, &database))
            }
            Err(error) => Err(error),
        };
        let migrated = match migrated {
            Ok(migrated) => migrated,
            Err(error) => {
                if let Some(cluster) = cluster {
                    // A failed stop is ignored: the first error is the one to report.
                    let _ = cluster.stop().await;
                }
                return Err(error.context("the database cannot be used"));
            }
        };
        let mut opened = Self::from_parts(roots, config, cluster, database);
        opened.migrated = migrated;
        Ok(opened)
    }

    /// Opens the ledger without applying migrations, for inspection. The schema may be older or newer than
    /// this build's, or absent.
    ///
    /// # Errors
    /// The database cannot be started or reached.
    pub async fn open_without_migrating(config: &Config) -> anyhow::Result<Self> {
        let roots = config.roots()?;
        let (cluster, database) = connect(config).await?;
        Ok(Self::from_parts(roots, config, cluster, database))
    }

    fn from_parts(
        roots: Roots,
        config: &Config,
        cluster: Option<Cluster>,
        database: PgConnectOptions,
    ) -> Self {
        let keyring = Keyring::under(config.keyring_path(), roots);
        let store = Store::open(Settings {
            database: database.clone(),
            connections: config.connections,
            append_workers: config.append_lanes,
            keyring: Arc::new(keyring),
            journal: Journal::new(config.journal_path(), config.signing_key_path()),
            clock: Arc::new(SystemClock),
            ids: Arc::new(SystemIds),
        });
        store.keep_vault_exports_in(config.vault_backup_path());
        Self { store: Arc::new(store), migrated: 0, database, cluster }
    }

    /// Opens the ledger, runs `body`, and closes the ledger whether `body` succeeded or not. Ctrl-C
    /// cancels `body`; its committed changes remain.
    ///
    /// # Errors
    /// The first error of opening, of `body`, and of closing.
    pub async fn run<T>(
        config: &Config,
        body: impl AsyncFnOnce(&Self) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let instance = Self::open(config).await?;
        let ran = tokio::select! {
            ran = body(&instance) => ran,
            signal = shutdown_signal() => {
                Err(signal.map_or_else(Into::into, |()| anyhow::anyhow!("interrupted")))
            }
        };
        let closed = instance.close().await;
        let value = ran?;
        closed?;
        Ok(value)
    }

    /// Closes the connections, then stops the private PostgreSQL if no other process uses it.
    ///
    /// # Errors
    /// The server did not stop in time.
    pub async fn close(self) -> anyhow::Result<()> {
        self.store.close().await;
        if let Some(cluster) = self.cluster {
            cluster.stop().await.context("the private PostgreSQL did not end")?;
        }
        Ok(())
    }
}

/// Connects to the external database, or starts or adopts the private one.
async fn connect(config: &Config) -> anyhow::Result<(Option<Cluster>, PgConnectOptions)> {
    let (cluster, database) = match &config.database_url {
        Some(url) => (None, database_url::parse(&url.0)?),
        None => {
            let cluster = start(config, Durability::Durable).await?;
            let database = cluster.connect_options();
            (Some(cluster), database)
        }
    };
    // Statements carry blind indexes and ciphertext only, but none is logged either way.
    Ok((cluster, database.disable_statement_logging()))
}

/// Fails if a pooler in transaction mode is in front of the database, since the faults it causes later
/// resemble many others.
async fn refuse_pooler(database: &PgConnectOptions) -> anyhow::Result<()> {
    match pooler::find(database).await {
        Ok(false) => Ok(()),
        Ok(true) => anyhow::bail!("{}; {}", pooler::PROBLEM, pooler::REMEDY),
        Err(error) => Err(database_error::explain(&error.into(), database)),
    }
}

/// Starts or adopts the private PostgreSQL of a data directory.
///
/// # Errors
/// No binaries, an unreachable directory, or a wrong version; the message names a remedy.
pub async fn start(config: &Config, durability: Durability) -> anyhow::Result<Cluster> {
    let settings = cluster_settings(config, durability);
    Cluster::start_or_adopt(settings).await.context("the private PostgreSQL cannot be used")
}

/// Settings of the private PostgreSQL, derived from the configuration.
#[must_use]
pub fn cluster_settings(config: &Config, durability: Durability) -> ClusterSettings {
    ClusterSettings {
        data_dir: config.data_dir.clone(),
        binaries: config.pg_bin.clone(),
        user: config.pg_user.clone(),
        durability,
        max_connections: MAX_CONNECTIONS,
        archive: config.wal_archive.then(|| config.backup_path().join(WAL_DIR)),
    }
}
