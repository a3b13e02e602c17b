//! A separate database and keyring for one test on the shared cluster: for tests that alter stored
//! rows directly or remove keys.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use ledger_store::journal::Journal;
use ledger_store::keyring::Keyring;
use ledger_store::{Settings, Store, migrate};
use server::limits::Limits;
use server::system::{SystemClock, SystemIds};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::cluster::{shared, superuser};
use crate::ledger::{TestLedger, journal_beside};

/// A migrated, empty database. It exists until the cluster is removed.
pub struct OwnDatabase {
    /// Connection options as superuser.
    pub database: PgConnectOptions,
    /// Directory of its keyring and root key.
    pub keys: PathBuf,
}

impl OwnDatabase {
    /// Creates and migrates the database, with a keyring of its own.
    ///
    /// # Panics
    /// If the database or the keyring cannot be created.
    pub async fn create() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let nth = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("own_{}_{nth}", std::process::id());
        let mut conn = superuser().await;
        sqlx::raw_sql(AssertSqlSafe(format!("create database {name}")))
            .execute(&mut conn)
            .await
            .expect("a database");
        let shared = shared().await;
        let database = shared.database.clone().database(&name);
        migrate(&database).await.expect("the migrations apply");
        let keys = shared.dir.join(&name);
        std::fs::create_dir(&keys).expect("a directory for the keys");
        Self { database, keys }
    }

    /// Returns a keyring with an empty cache, as a new process has it.
    #[must_use]
    pub fn keyring(&self) -> Arc<Keyring> {
        Arc::new(Keyring::new(self.keys.join("keyring"), self.keys.join("root.key")))
    }

    /// Returns the erasure journal, as a new process has it.
    #[must_use]
    pub fn journal(&self) -> Journal {
        journal_beside(&self.keyring())
    }

    /// Starts a server on this database with empty caches.
    pub async fn server(&self) -> TestLedger {
        TestLedger::start_on(self.database.clone(), self.keyring()).await
    }

    /// Starts a server as [`Self::server`] does, with the given limits.
    pub async fn server_with_limits(&self, limits: Limits) -> TestLedger {
        TestLedger::start_on_with_limits(self.database.clone(), self.keyring(), limits).await
    }

    /// Opens a store on this database with empty caches. No projection runs.
    #[must_use]
    pub fn store(&self, append_workers: usize) -> Store {
        Store::open(Settings {
            database: self.database.clone(),
            connections: 8,
            append_workers,
            keyring: self.keyring(),
            journal: self.journal(),
            clock: Arc::new(SystemClock),
            ids: Arc::new(SystemIds),
        })
    }

    /// Opens a superuser connection to this database, to read and change rows directly.
    ///
    /// # Panics
    /// If the connection fails.
    pub async fn superuser(&self) -> PgConnection {
        PgConnection::connect_with(&self.database).await.expect("the cluster answers")
    }

    /// Returns as soon as a session of this database waits for a lock.
    ///
    /// # Panics
    /// If no session waits within one minute.
    pub async fn until_lock_wait(&self) {
        let mut conn = self.superuser().await;
        let waiting = "select count(*) from pg_stat_activity
                        where datname = current_database() and wait_event_type = 'Lock'";
        let begun = Instant::now();
        while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut conn).await.expect("a count")
            == 0
        {
            assert!(begun.elapsed() < Duration::from_mins(1), "nobody waits");
            tokio::task::yield_now().await;
        }
    }
}
