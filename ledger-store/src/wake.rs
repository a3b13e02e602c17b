//! Wake-ups after a commit: a hint that there is something to read. The guarantee is a sweep.
//!
//! Inside the process a counter moves and the tenants are remembered; other processes get at most one
//! NOTIFY per 50 ms, sent outside every append (inside, it would serialise all commits of the
//! instance). It names nobody: they look at all tenants.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ledger_core::ids::TenantId;

use sqlx::PgPool;
use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::sync::watch;
use tokio::time::timeout;
use uuid::Uuid;

use crate::remembered::Remembered;

use crate::stage::{self, Stage};

const CHANNEL: &str = "call_ledger";
/// Whose sources, keys or state were changed: sent by triggers of the tables, with the tenant.
const CHANGES: &str = "call_ledger_changes";
const COALESCE: Duration = Duration::from_millis(50);
const RECONNECT: Duration = Duration::from_secs(1);
/// How long the database may take for one of our questions.
const PATIENCE: Duration = Duration::from_secs(5);
/// A listener that hears nothing for this long asks whether the database is still there.
const SILENCE: Duration = Duration::from_secs(30);

/// More tenants than this are not remembered one by one.
const REMEMBERED: usize = 4_096;

/// Rings after commits; whoever listens looks at the log.
#[derive(Debug, Clone)]
pub struct Wake {
    rung: watch::Sender<u64>,
    own: watch::Sender<u64>,
    moved: watch::Sender<u64>,
    woken: Arc<Mutex<Woken>>,
    /// Our name among processes: we need not hear ourselves.
    name: Arc<str>,
}

/// Whose logs have grown.
#[derive(Debug, Default)]
pub struct Woken {
    /// These.
    pub tenants: HashSet<TenantId>,
    /// And who else is not known.
    pub any: bool,
}

impl Wake {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            rung: watch::Sender::new(0),
            own: watch::Sender::new(0),
            moved: watch::Sender::new(0),
            woken: Arc::default(),
            name: name.into(),
        }
    }

    /// Says that something was committed here, to these logs.
    pub(crate) fn ring(&self, tenants: impl IntoIterator<Item = TenantId>) {
        self.remember(tenants);
        self.own.send_modify(|count| *count += 1);
        self.rung.send_modify(|count| *count += 1);
    }

    /// Keeps in mind that these have something to be read.
    pub fn remember(&self, tenants: impl IntoIterator<Item = TenantId>) {
        let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
        woken.tenants.extend(tenants);
        if woken.tenants.len() > REMEMBERED {
            *woken = Woken { any: true, ..Woken::default() };
        }
    }

    /// Whose logs have grown since this was asked last. One reader gets them.
    #[must_use]
    pub fn take(&self) -> Woken {
        std::mem::take(&mut *self.woken.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Says that read models have moved, by this process.
    pub fn has_moved(&self) {
        self.moved.send_modify(|count| *count += 1);
    }

    /// A receiver that changes when this process has moved read models.
    #[must_use]
    pub fn moves(&self) -> watch::Receiver<u64> {
        self.moved.subscribe()
    }

    fn heard(&self) {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner).any = true;
        self.rung.send_modify(|count| *count += 1);
    }

    /// A receiver that changes when something was committed, here or in another process.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.rung.subscribe()
    }

    /// Tells other processes, and hears them. Runs until the store is closed.
    pub(crate) fn spawn(&self, pool: &PgPool, remembered: &Arc<Remembered>) {
        let tell = tell(pool.clone(), self.own.subscribe(), Arc::clone(&self.name));
        tokio::spawn(stage::drive(Stage::Project, tell));
        tokio::spawn(hear(pool.clone(), self.clone(), Arc::clone(remembered)));
    }
}

async fn tell(pool: PgPool, mut own: watch::Receiver<u64>, name: Arc<str>) {
    while own.changed().await.is_ok() && !pool.is_closed() {
        let told = sqlx::query!("select pg_notify($1, $2)", CHANNEL, &*name).fetch_one(&pool);
        match timeout(PATIENCE, told).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::debug!(error = %error, "wake.notify_failed"),
            Err(_) => tracing::debug!("wake.notify_timed_out"),
        }
        tokio::time::sleep(COALESCE).await;
    }
}

async fn hear(pool: PgPool, wake: Wake, remembered: Arc<Remembered>) {
    while !pool.is_closed() {
        // A connection of its own: sqlx waits without end to give back one that listened.
        let own = PgPoolOptions::new().max_connections(1).acquire_timeout(PATIENCE);
        let own = own.connect_lazy_with((*pool.connect_options()).clone());
        let heard = pool.close_event().do_until(listen(&own, &wake, &remembered)).await;
        if let Ok(Err(error)) = heard {
            tracing::debug!(error = %error, "wake.listen_failed");
            tokio::time::sleep(RECONNECT).await;
        }
    }
}

async fn listen(pool: &PgPool, wake: &Wake, remembered: &Remembered) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen_all([CHANNEL, CHANGES]).await?;
    loop {
        match timeout(SILENCE, listener.recv()).await {
            Ok(heard) => {
                let heard = heard?;
                match Uuid::try_parse(heard.payload()) {
                    Ok(tenant_id) if heard.channel() == CHANGES => {
                        remembered.forget(TenantId(tenant_id));
                    }
                    _ if heard.payload() != &*wake.name => wake.heard(),
                    _ => {}
                }
            }
            // Nothing to hear, or nobody there to be heard.
            Err(_) => {
                let asked = sqlx::query("select").execute(&mut listener);
                timeout(PATIENCE, asked).await.map_err(|_| sqlx::Error::PoolTimedOut)??;
            }
        }
    }
}
