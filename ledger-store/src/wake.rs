//! Wake-ups after a commit: a hint that there is something to read. The guarantee is a sweep.
//!
//! Inside the process a counter moves; other processes get at most one NOTIFY per 50 ms, sent
//! outside every append (inside, it would serialise all commits of the instance).

use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::sync::watch;
use tokio::time::timeout;

const CHANNEL: &str = "call_ledger";
const COALESCE: Duration = Duration::from_millis(50);
const RECONNECT: Duration = Duration::from_secs(1);
/// How long the database may take for one of our questions.
const PATIENCE: Duration = Duration::from_secs(5);
/// A listener that hears nothing for this long asks whether the database is still there.
const SILENCE: Duration = Duration::from_secs(30);

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
        let told = sqlx::query!("select pg_notify($1, '')", CHANNEL).fetch_one(&pool);
        match timeout(PATIENCE, told).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::debug!(error = %error, "wake.notify_failed"),
            Err(_) => tracing::debug!("wake.notify_timed_out"),
        }
        tokio::time::sleep(COALESCE).await;
    }
}

async fn hear(pool: PgPool, rung: watch::Sender<u64>) {
    while !pool.is_closed() {
        // A connection of its own: sqlx waits without end to give back one that listened.
        let own = PgPoolOptions::new().max_connections(1).acquire_timeout(PATIENCE);
        let own = own.connect_lazy_with((*pool.connect_options()).clone());
        let heard = pool.close_event().do_until(listen(&own, &rung)).await;
        if let Ok(Err(error)) = heard {
            tracing::debug!(error = %error, "wake.listen_failed");
            tokio::time::sleep(RECONNECT).await;
        }
    }
}

async fn listen(pool: &PgPool, rung: &watch::Sender<u64>) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    loop {
        match timeout(SILENCE, listener.recv()).await {
            Ok(heard) => drop(heard?),
            // Nothing to hear, or nobody there to be heard.
            Err(_) => {
                let asked = sqlx::query("select").execute(&mut listener);
                timeout(PATIENCE, asked).await.map_err(|_| sqlx::Error::PoolTimedOut)??;
            }
        }
        rung.send_modify(|count| *count += 1);
    }
}
