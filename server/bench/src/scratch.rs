//! A private, durable PostgreSQL for one benchmark, removed afterwards.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use ledger_store::embedded::{Cluster, Durability};
use ledger_store::journal::Journal;
use ledger_store::keyring::Keyring;
use ledger_store::{Settings, Store, migrate};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, PgPool, Row};

use ledger_app::config::Config;
use ledger_app::instance;
use ledger_app::shutdown::shutdown_signal;
use ledger_app::system::{SystemClock, SystemIds};

/// The `application_name` of the benchmark's own connections.
pub(crate) const CONNECTION: &str = "call-ledger bench";

/// The server, its directory, and connections of a superuser.
pub struct Scratch {
    /// Directory of the server and its keys.
    pub dir: PathBuf,
    /// Connect options of the migrated database.
    pub database: PgConnectOptions,
    /// Connections of a superuser, so that limits are measured without row-level security.
    pub superuser: PgPool,
    cluster: Cluster,
    append_workers: usize,
}

impl Scratch {
    /// Starts a server, runs `measure`, and removes the server whether that succeeded or not. Ctrl-C cancels
    /// `measure`.
    ///
    /// # Errors
    /// Those of starting, of `measure`, then of stopping.
    pub async fn with<T>(
        config: &Config,
        measure: impl AsyncFnOnce(&Self) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let scratch = Self::start(config).await?;
        let measured = tokio::select! {
            measured = measure(&scratch) => measured,
            signal = shutdown_signal() => {
                Err(signal.map_or_else(Into::into, |()| anyhow::anyhow!("interrupted")))
            }
        };
        let ended = scratch.end().await;
        let value = measured?;
        ended?;
        Ok(value)
    }

    /// Starts a server below the data directory.
    async fn start(config: &Config) -> anyhow::Result<Self> {
        let dir = config.data_dir.join(format!("bench-{}", std::process::id()));
        let config = Config { data_dir: dir.clone(), ..config.clone() };
        let cluster = instance::start(&config, Durability::Durable).await?;
        let database = cluster.connect_options().disable_statement_logging();
        migrate(&database).await.context("the scratch database cannot be used")?;
        let superuser = PgPoolOptions::new()
            .max_connections(64)
            .connect_lazy_with(database.clone().application_name(CONNECTION));
        Ok(Self { dir, database, superuser, cluster, append_workers: config.append_lanes })
    }

    /// Opens a store on the server.
    #[must_use]
    pub fn store(&self) -> Store {
        let keyring = Keyring::new(self.dir.join("keyring"), self.dir.join("root.key"));
        Store::open(Settings {
            database: self.database.clone(),
            connections: 16,
            append_workers: self.append_workers,
            keyring: Arc::new(keyring),
            journal: Journal::new(self.dir.join("journal"), self.dir.join("signing.key")),
            clock: Arc::new(SystemClock),
            ids: Arc::new(SystemIds),
        })
    }

    /// Bytes of write-ahead log written so far.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn wal_bytes(&self) -> anyhow::Result<u64> {
        let row = sqlx::query("select (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint")
            .fetch_one(&self.superuser)
            .await?;
        Ok(row.get::<i64, _>(0).cast_unsigned())
    }

    /// Version of PostgreSQL.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn version(&self) -> anyhow::Result<String> {
        let row =
            sqlx::query("select current_setting('server_version')").fetch_one(&self.superuser);
        Ok(row.await?.get(0))
    }

    /// Empties the log. Disables the trigger that forbids it, which is acceptable in a scratch database only.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn empty(&self) -> anyhow::Result<()> {
        for statement in [
            "alter table ledger.events disable trigger immutable",
            "truncate ledger.events",
            "alter table ledger.events enable always trigger immutable",
            "checkpoint",
        ] {
            sqlx::query(statement).execute(&self.superuser).await?;
        }
        Ok(())
    }

    /// Keeps the write-ahead log of the whole run for analysis.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn keep_wal(&self) -> anyhow::Result<()> {
        for statement in ["alter system set wal_keep_size = '8GB'", "select pg_reload_conf()"] {
            sqlx::query(statement).execute(&self.superuser).await?;
        }
        Ok(())
    }

    /// Runs vacuum, analyze and a checkpoint now, so that results do not depend on when PostgreSQL would.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn vacuum_and_checkpoint(&self) -> anyhow::Result<()> {
        for statement in ["vacuum analyze", "checkpoint"] {
            sqlx::query(statement).execute(&self.superuser).await?;
        }
        Ok(())
    }

    /// Stops the server and removes its directory.
    async fn end(self) -> anyhow::Result<()> {
        self.superuser.close().await;
        self.cluster.stop().await.context("the scratch PostgreSQL did not end")?;
        std::fs::remove_dir_all(&self.dir)
            .with_context(|| format!("{} cannot be removed", self.dir.display()))
    }
}
