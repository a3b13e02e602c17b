//! One opened ledger: the database (private or given), the schema up to date, the store.

pub mod pooler;
pub mod refusal;

use std::sync::Arc;

use anyhow::Context;
use ledger_store::embedded::{Cluster, Durability, Settings as ClusterSettings};
use ledger_store::keyring::Keyring;
use ledger_store::{Settings, Store, migrate};
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;

use crate::config::{Config, database_url};
use crate::service::shutdown_signal;
use crate::system::{SystemClock, SystemIds};

/// Connections the private server takes, from every process that shares it.
const MAX_CONNECTIONS: u16 = 200;

/// An opened ledger; close it, so that a private PostgreSQL nobody else uses ends too.
pub struct Instance {
    /// The log and the vault.
    pub store: Arc<Store>,
    /// How many migrations were applied when it was opened.
    pub migrated: usize,
    /// How the database is reached, as the login itself.
    pub database: PgConnectOptions,
    cluster: Option<Cluster>,
}

impl Instance {
    /// Starts or adopts the private PostgreSQL, or connects to the given one; applies migrations.
    ///
    /// # Errors
    /// The database cannot be started or reached, or a migration fails; the chain says why and what
    /// to do.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        let (cluster, database) = connect(config).await?;
        let prepared = match cluster {
            Some(_) => Ok(()),
            None => refuse_pooler(&database).await,
        };
        let migrated = match prepared {
            Ok(()) => migrate(&database).await.map_err(|error| refusal::explain(&error, &database)),
            Err(error) => Err(error),
        };
        let migrated = match migrated {
            Ok(migrated) => migrated,
            Err(error) => {
                if let Some(cluster) = cluster {
                    // Why it cannot be used is what the caller wants to know.
                    let _ = cluster.stop().await;
                }
                return Err(error.context("the database cannot be used"));
            }
        };
        let mut opened = Self::over(config, cluster, database);
        opened.migrated = migrated;
        Ok(opened)
    }

    /// The same without applying migrations: for looking at a ledger as it is. Its schema may be
    /// older or newer than this build's, or not there.
    ///
    /// # Errors
    /// The database cannot be started or reached.
    pub async fn open_as_it_is(config: &Config) -> anyhow::Result<Self> {
        let (cluster, database) = connect(config).await?;
        Ok(Self::over(config, cluster, database))
    }

    fn over(config: &Config, cluster: Option<Cluster>, database: PgConnectOptions) -> Self {
        let keyring = Keyring::new(config.keyring_path(), config.root_key_path());
        let store = Store::open(Settings {
            database: database.clone(),
            connections: config.connections,
            lanes: config.append_lanes,
            keyring: Arc::new(keyring),
            clock: Arc::new(SystemClock),
            ids: Arc::new(SystemIds),
        });
        Self { store: Arc::new(store), migrated: 0, database, cluster }
    }

    /// Opens the ledger, runs `body`, and closes the ledger, whatever `body` came to. Ctrl-C ends
    /// `body` where it stands; what it had committed stays.
    ///
    /// # Errors
    /// Those of opening, of `body`, then of closing.
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

    /// Closes connections, then ends the private PostgreSQL if nobody else uses it.
    ///
    /// # Errors
    /// The server did not end in time.
    pub async fn close(self) -> anyhow::Result<()> {
        self.store.close().await;
        if let Some(cluster) = self.cluster {
            cluster.stop().await.context("the private PostgreSQL did not end")?;
        }
        Ok(())
    }
}

/// The given database, or the private one, which is started or adopted.
async fn connect(config: &Config) -> anyhow::Result<(Option<Cluster>, PgConnectOptions)> {
    let (cluster, database) = match &config.database_url {
        Some(url) => (None, database_url::parse(&url.0)?),
        None => {
            let cluster = start(config, Durability::Durable).await?;
            let database = cluster.connect_options();
            (Some(cluster), database)
        }
    };
    // Statements carry blind indexes and ciphertext only; still, none is logged.
    Ok((cluster, database.disable_statement_logging()))
}

/// Refuses a pooler in transaction mode by name: what it breaks looks like many other faults.
async fn refuse_pooler(database: &PgConnectOptions) -> anyhow::Result<()> {
    match pooler::find(database).await {
        Ok(false) => Ok(()),
        Ok(true) => anyhow::bail!("{}; {}", pooler::FOUND, pooler::TODO),
        Err(error) => Err(refusal::explain(&error.into(), database)),
    }
}

/// Starts or adopts the private PostgreSQL of a data directory.
///
/// # Errors
/// No binaries, an unreachable directory, a wrong version: the message says what to do.
pub async fn start(config: &Config, durability: Durability) -> anyhow::Result<Cluster> {
    let settings = cluster_settings(config, durability);
    Cluster::start_or_adopt(settings).await.context("the private PostgreSQL cannot be used")
}

/// The private PostgreSQL as the settings say.
#[must_use]
pub fn cluster_settings(config: &Config, durability: Durability) -> ClusterSettings {
    ClusterSettings {
        data_dir: config.data_dir.clone(),
        binaries: config.pg_bin.clone(),
        user: config.pg_user.clone(),
        durability,
        max_connections: MAX_CONNECTIONS,
    }
}
