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
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use uuid::Uuid;

use crate::placement::{Placement, Placements};
use crate::settings_cache::SettingsCache;
use crate::stage::{self, Stage};
use crate::vault::{CHANGED_CONTACTS, LOOK, ResolvedPersons};

const CHANNEL: &str = "call_ledger";
/// Changes of sources, keys or tenant states: sent by triggers of the tables, with the tenant id.
const CHANGES: &str = "call_ledger_changes";
const MIN_INTERVAL: Duration = Duration::from_millis(50);
const RECONNECT: Duration = Duration::from_secs(1);
/// Timeout of each statement of this module.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Time without notifications after which the listener checks its connection.
const CHECK_AFTER_IDLE: Duration = Duration::from_secs(30);

/// Maximum number of tenants collected; above it all tenants are marked as changed.
const MAX_PENDING: usize = 4_096;

/// The caches that notifications of other processes invalidate.
#[derive(Clone)]
pub(crate) struct Caches {
    pub(crate) settings: Arc<SettingsCache>,
    pub(crate) persons: ResolvedPersons,
    /// Begins a look of the vault for fences and changes of epochs.
    pub(crate) vault: Arc<Notify>,
}

/// Notifies subscribers after commits. A notification is a hint; the periodic sweep is the
/// guarantee.
#[derive(Debug, Clone)]
pub struct CommitNotifier {
    commits: watch::Sender<u64>,
    own: watch::Sender<u64>,
    read_models: watch::Sender<u64>,
    pending: Arc<Mutex<PendingTenants>>,
    /// Name of this process in notifications, to ignore its own.
    name: Arc<str>,
}

/// The notifiers of all placements.
#[derive(Debug, Clone)]
pub(crate) struct Notifiers(Arc<[CommitNotifier]>);

impl Notifiers {
    pub(crate) fn new(name: &str) -> Self {
        Self(Placements::CURRENT.all().map(|_| CommitNotifier::new(name)).collect())
    }

    /// Starts the tasks of each notifier. They run until the store is closed.
    pub(crate) fn spawn(&self, pool: &PgPool, caches: &Caches) {
        self.0.iter().for_each(|one| one.spawn(pool, caches));
    }

    /// Returns the notifier of a placement.
    pub(crate) fn of(&self, placement: Placement) -> &CommitNotifier {
        &self.0[placement.index()]
    }

    /// Notifies of a commit to these tenants' logs, each in its placement.
    pub(crate) fn notify(&self, tenants: impl IntoIterator<Item = TenantId>) {
        for tenant_id in tenants {
            self.of(Placements::CURRENT.of(tenant_id)).notify([tenant_id]);
        }
    }
}

/// The tenants with new events.
#[derive(Debug, Default)]
pub struct PendingTenants {
    /// Tenants known to have new events.
    pub tenants: HashSet<TenantId>,
    /// Whether further, unknown tenants may have new events.
    pub any: bool,
}

impl CommitNotifier {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            commits: watch::Sender::new(0),
            own: watch::Sender::new(0),
            read_models: watch::Sender::new(0),
            pending: Arc::default(),
            name: name.into(),
        }
    }

    /// Notifies subscribers and other processes of a commit to these tenants' logs.
    pub(crate) fn notify(&self, tenants: impl IntoIterator<Item = TenantId>) {
        self.requeue(tenants);
        self.own.send_modify(|count| *count += 1);
        self.commits.send_modify(|count| *count += 1);
    }

    /// Marks tenants as having unread events, without a notification.
    pub fn requeue(&self, tenants: impl IntoIterator<Item = TenantId>) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.tenants.extend(tenants);
        if pending.tenants.len() > MAX_PENDING {
            *pending = PendingTenants { any: true, ..PendingTenants::default() };
        }
    }

    /// Takes the tenants with new events since the last call. Each is returned to one caller only.
    #[must_use]
    pub fn take_pending(&self) -> PendingTenants {
        std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notifies subscribers that this process has updated read models.
    pub fn notify_read_models(&self) {
        self.read_models.send_modify(|count| *count += 1);
    }

    /// A receiver that changes when this process has updated read models.
    #[must_use]
    pub fn subscribe_read_models(&self) -> watch::Receiver<u64> {
        self.read_models.subscribe()
    }

    fn on_remote_commit(&self) {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).any = true;
        self.commits.send_modify(|count| *count += 1);
    }

    /// A receiver that changes when events were committed, by this or another process.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.commits.subscribe()
    }

    /// Spawns the tasks that send and receive notifications. Both run until the store is closed.
    fn spawn(&self, pool: &PgPool, caches: &Caches) {
        let publish = publish(pool.clone(), self.own.subscribe(), Arc::clone(&self.name));
        tokio::spawn(stage::drive(Stage::Project, publish));
        tokio::spawn(receive(pool.clone(), self.clone(), caches.clone()));
    }
}

async fn publish(pool: PgPool, mut own: watch::Receiver<u64>, name: Arc<str>) {
    while own.changed().await.is_ok() && !pool.is_closed() {
        let sent = sqlx::query!("select pg_notify($1, $2)", CHANNEL, &*name).fetch_one(&pool);
        match timeout(TIMEOUT, sent).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::debug!(error = %error, "wake.notify_failed"),
            Err(_) => tracing::debug!("wake.notify_timed_out"),
        }
        tokio::time::sleep(MIN_INTERVAL).await;
    }
}

async fn receive(pool: PgPool, notifier: CommitNotifier, caches: Caches) {
    while !pool.is_closed() {
        // A pool of its own: sqlx waits without limit when a connection that listened is returned.
        let own = PgPoolOptions::new().max_connections(1).acquire_timeout(TIMEOUT);
        let own = own.connect_lazy_with((*pool.connect_options()).clone());
        let heard = pool.close_event().do_until(listen(&own, &notifier, &caches)).await;
        if let Ok(Err(error)) = heard {
            tracing::debug!(error = %error, "wake.listen_failed");
            tokio::time::sleep(RECONNECT).await;
        }
    }
}

async fn listen(pool: &PgPool, notifier: &CommitNotifier, caches: &Caches) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen_all([CHANNEL, CHANGES, CHANGED_CONTACTS, LOOK]).await?;
    loop {
        match timeout(CHECK_AFTER_IDLE, listener.recv()).await {
            Ok(heard) => {
                let heard = heard?;
                match Uuid::try_parse(heard.payload()) {
                    Ok(tenant_id) if heard.channel() == CHANGES => {
                        caches.settings.invalidate(TenantId(tenant_id));
                    }
                    Ok(tenant_id) if heard.channel() == CHANGED_CONTACTS => {
                        caches.persons.forget(TenantId(tenant_id));
                    }
                    _ if heard.channel() == LOOK => caches.vault.notify_one(),
                    _ if heard.payload() != &*notifier.name => notifier.on_remote_commit(),
                    _ => {}
                }
            }
            // Nothing arrived: either there was nothing, or the connection is dead.
            Err(_) => {
                let asked = sqlx::query("select").execute(&mut listener);
                timeout(TIMEOUT, asked).await.map_err(|_| sqlx::Error::PoolTimedOut)??;
            }
        }
    }
}
