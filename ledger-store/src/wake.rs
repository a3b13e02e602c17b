//! Notifications after a commit: a hint that the log has grown. The periodic sweep is the
//! guarantee.
//!
//! Within the process a counter changes and the tenants are collected. Other processes get at most
//! one NOTIFY per 50 ms. NOTIFY is sent outside of the append's transaction, because inside it would
//! serialize all commits of the instance. A NOTIFY has no tenant, so its receivers check all
//! tenants.

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
/// Changes of sources, keys or tenant states: sent by triggers of the tables, with the tenant id.
const CHANGES: &str = "call_ledger_changes";
const COALESCE: Duration = Duration::from_millis(50);
const RECONNECT: Duration = Duration::from_secs(1);
/// Timeout of each statement of this module.
const PATIENCE: Duration = Duration::from_secs(5);
/// Time without notifications after which the listener checks its connection.
const SILENCE: Duration = Duration::from_secs(30);

/// Maximum number of tenants collected; above it all tenants are marked as changed.
const REMEMBERED: usize = 4_096;

/// Notifies subscribers after commits. A notification is a hint; the periodic sweep is the
/// guarantee.
#[derive(Debug, Clone)]
pub struct Wake {
    rung: watch::Sender<u64>,
    own: watch::Sender<u64>,
    moved: watch::Sender<u64>,
    woken: Arc<Mutex<Woken>>,
    /// Name of this process in notifications, to ignore its own.
    name: Arc<str>,
}

/// The tenants with new events.
#[derive(Debug, Default)]
pub struct Woken {
    /// Tenants known to have new events.
    pub tenants: HashSet<TenantId>,
    /// Whether further, unknown tenants may have new events.
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

    /// Notifies subscribers and other processes of a commit to these tenants' logs.
    pub(crate) fn ring(&self, tenants: impl IntoIterator<Item = TenantId>) {
        self.remember(tenants);
        self.own.send_modify(|count| *count += 1);
        self.rung.send_modify(|count| *count += 1);
    }

    /// Marks tenants as having unread events, without a notification.
    pub fn remember(&self, tenants: impl IntoIterator<Item = TenantId>) {
        let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
        woken.tenants.extend(tenants);
        if woken.tenants.len() > REMEMBERED {
            *woken = Woken { any: true, ..Woken::default() };
        }
    }

    /// Takes the tenants with new events since the last call. Each is returned to one caller only.
    #[must_use]
    pub fn take(&self) -> Woken {
        std::mem::take(&mut *self.woken.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notifies subscribers that this process has updated read models.
    pub fn has_moved(&self) {
        self.moved.send_modify(|count| *count += 1);
    }

    /// A receiver that changes when this process has updated read models.
    #[must_use]
    pub fn moves(&self) -> watch::Receiver<u64> {
        self.moved.subscribe()
    }

    fn heard(&self) {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner).any = true;
        self.rung.send_modify(|count| *count += 1);
    }

    /// A receiver that changes when events were committed, by this or another process.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.rung.subscribe()
    }

    /// Spawns the tasks that send and receive notifications. Both run until the store is closed.
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
        // A pool of its own: sqlx waits without limit when a connection that listened is returned.
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
            // Nothing arrived: either there was nothing, or the connection is dead.
            Err(_) => {
                let asked = sqlx::query("select").execute(&mut listener);
                timeout(PATIENCE, asked).await.map_err(|_| sqlx::Error::PoolTimedOut)??;
            }
        }
    }
}
