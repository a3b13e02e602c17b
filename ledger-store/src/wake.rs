//! Wake-ups after a commit: a hint that there is something to read. The guarantee is a sweep.
//!
//! Inside the process a counter moves; other processes get at most one NOTIFY per 50 ms, sent
//! outside every append (inside, it would serialise all commits of the instance).

use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::watch;

const CHANNEL: &str = "call_ledger";
const COALESCE: Duration = Duration::from_millis(50);
const RECONNECT: Duration = Duration::from_secs(1);

/// Rings after commits; whoever listens looks at the log.
#[derive(Debug, Clone)]
pub struct Wake {
    rung: watch::Sender<u64>,
    own: watch::Sender<u64>,
}

impl Wake {
    pub(crate) fn new() -> Self {
        Self { rung: watch::Sender::new(0), own: watch::Sender::new(0) }
    }

    /// Says that something was committed here.
    pub(crate) fn ring(&self) {
        self.own.send_modify(|count| *count += 1);
        self.rung.send_modify(|count| *count += 1);
    }

    /// A receiver that changes when something was committed, here or in another process.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.rung.subscribe()
    }

    /// Tells other processes, and hears them. Runs until the store is closed.
    pub(crate) fn spawn(&self, pool: &PgPool) {
        tokio::spawn(tell(pool.clone(), self.own.subscribe()));
        tokio::spawn(hear(pool.clone(), self.rung.clone()));
    }
}

async fn tell(pool: PgPool, mut own: watch::Receiver<u64>) {
    while own.changed().await.is_ok() && !pool.is_closed() {
        let told = sqlx::query!("select pg_notify($1, '')", CHANNEL).fetch_one(&pool).await;
        if let Err(error) = told {
            tracing::debug!(error = %error, "wake.notify_failed");
        }
        tokio::time::sleep(COALESCE).await;
    }
}

async fn hear(pool: PgPool, rung: watch::Sender<u64>) {
    while !pool.is_closed() {
        if let Err(error) = listen(&pool, &rung).await {
            tracing::debug!(error = %error, "wake.listen_failed");
        }
        tokio::time::sleep(RECONNECT).await;
    }
}

async fn listen(pool: &PgPool, rung: &watch::Sender<u64>) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    loop {
        listener.recv().await?;
        rung.send_modify(|count| *count += 1);
    }
}
