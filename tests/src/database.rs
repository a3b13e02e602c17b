//! A database and a keyring of a test's own, on the shared cluster: for tests that alter rows behind
//! the ledger's back, or take keys away.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use ledger_store::keyring::Keyring;
use ledger_store::{Settings, Store, migrate};
use server::limits::Limits;
use server::system::{SystemClock, SystemIds};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::cluster::{shared, superuser};
use crate::ledger::TestLedger;

/// A migrated, empty database. It goes when the cluster goes.
pub struct OwnDatabase {
    /// As its superuser.
    pub database: PgConnectOptions,
    /// Where its keyring and root key are.
    pub keys: PathBuf,
}

impl OwnDatabase {
    /// Makes one.
    ///
    /// # Panics
    /// When it cannot be made.
    pub async fn create() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("own_{}", COUNT.fetch_add(1, Ordering::Relaxed));
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

    /// The keys as a process sees them that has just started.
    #[must_use]
    pub fn keyring(&self) -> Arc<Keyring> {
        Arc::new(Keyring::new(self.keys.join("keyring"), self.keys.join("root.key")))
    }

    /// A server over it, with nothing in its caches.
    pub async fn server(&self) -> TestLedger {
        TestLedger::start_on(self.database.clone(), self.keyring()).await
    }

    /// The same, with bounds of the test's own.
    pub async fn server_within(&self, limits: Limits) -> TestLedger {
        TestLedger::start_on_within(self.database.clone(), self.keyring(), limits).await
    }

    /// A store over it, with nothing in its caches and nobody who projects.
    #[must_use]
    pub fn store(&self, lanes: usize) -> Store {
        Store::open(Settings {
            database: self.database.clone(),
            connections: 8,
            lanes,
            keyring: self.keyring(),
            clock: Arc::new(SystemClock),
            ids: Arc::new(SystemIds),
        })
    }

    /// A connection of the superuser, for looking and reaching behind the curtain.
    ///
    /// # Panics
    /// When the cluster does not answer.
    pub async fn superuser(&self) -> PgConnection {
        PgConnection::connect_with(&self.database).await.expect("the cluster answers")
    }

    /// Returns when somebody waits for a lock in it.
    ///
    /// # Panics
    /// When nobody does for a minute.
    pub async fn until_somebody_waits(&self) {
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
