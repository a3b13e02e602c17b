//! The system under test: a PostgreSQL, two servers, the proxies between them, tenants and their
//! keys, all in one directory that is removed at the end.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use ledger_core::ids::{SourceId, TenantId};
use ledger_core::provider::Provider;
use ledger_core::scope::Scope;
use ledger_store::journal::Journal;
use ledger_store::keyring::Keyring;
use ledger_store::source::{NewSource, RouteKind};
use ledger_store::tenants::NewTenant;
use ledger_store::{Settings, Store, migrate};
use server::auth::new_key;
use server::system::{SystemClock, SystemIds};
use tokio::time::Instant;

use super::child;
use super::disk::Disk;
use super::injected_bugs::InjectedBug;
use super::postgres::Postgres;
use super::serving::{READY_TIMEOUT, Serving};
use crate::proxy::{NetworkMode, Proxy, Upstream};

const TENANTS: usize = 6;
/// Size in bytes: small enough to fill quickly, and the keys of a few tenants fit.
const KEYS_BYTES: u64 = 1 << 20;

/// A tenant of the system under test.
pub(super) struct Tenant {
    pub(super) tenant_id: TenantId,
    /// The webhook source of this tenant alone.
    pub(super) source: Source,
}

/// A webhook endpoint with its secret.
#[derive(Clone)]
pub(super) struct Source {
    pub(super) source_id: SourceId,
    pub(super) secret: String,
}

/// The complete system under test.
pub(super) struct World {
    pub(super) dir: PathBuf,
    pub(super) postgres: Postgres,
    /// The proxy between the servers and the database.
    pub(super) database_proxy: Proxy,
    pub(super) servers: Vec<Serving>,
    /// The store of the harness, with a direct connection to the database.
    pub(super) store: Store,
    pub(super) keyring: Arc<Keyring>,
    pub(super) tenants: Vec<Tenant>,
    /// A source that serves all tenants through routes.
    pub(super) shared: Source,
    /// An API key with read access to the calls of the first tenant.
    pub(super) hostile_key: String,
    /// The disk of the keyring; none if it may not be mounted.
    pub(super) keys: Option<Disk>,
    guard: std::process::Child,
}

impl World {
    /// Starts PostgreSQL, the servers and the proxies, and creates the tenants.
    ///
    /// # Errors
    /// If PostgreSQL or a server does not start; started processes are ended.
    pub(super) async fn start(
        may_mount: bool,
        plant: Option<&InjectedBug>,
    ) -> anyhow::Result<Self> {
        let dir = tempfile::Builder::new().prefix("call-ledger-torture-").tempdir()?.keep();
        set_passable(&dir)?;
        let guard = spawn_guard(&dir)?;
        let postgres = Postgres::start(&dir, may_mount).await?;
        migrate(&postgres.database).await?;
        std::fs::create_dir(dir.join("keys"))?;
        let keys = may_mount.then(|| Disk::mount(&dir.join("keys"), KEYS_BYTES)).transpose()?;
        let keyring = Keyring::new(dir.join("keys/keyring"), dir.join("keys/root.key"));
        let keyring = Arc::new(keyring);
        let store = Store::open(Settings {
            database: postgres.database.clone(),
            connections: 6,
            append_workers: 1,
            keyring: Arc::clone(&keyring),
            journal: Journal::new(dir.join("keys/journal"), dir.join("keys/signing.key")),
            clock: Arc::new(SystemClock),
            ids: Arc::new(SystemIds),
        });
        let shared = source(&store, TenantId::INSTALLATION, "shared").await?;
        let mut tenants = Vec::new();
        for nth in 0..TENANTS {
            tenants.push(tenant(&store, &shared, nth).await?);
        }
        let hostile_key = new_key(tenants[0].tenant_id);
        let scopes = [Scope::Read, Scope::Personal];
        store.create_api_key(tenants[0].tenant_id, &hostile_key, &scopes, None).await?;
        if let Some(plant) = plant {
            plant
                .inject(&mut postgres.connect().await?)
                .await
                .context("the bug cannot be planted")?;
        }
        let bug = plant.map(|plant| plant.name);
        let database_proxy = Proxy::start(Upstream::Unix(postgres.socket.clone())).await?;
        let url = format!("postgres://ledger@{}/ledger?sslmode=disable", database_proxy.address());
        // Two servers, so that they compete for the same tenants.
        let start = |nth| Serving::start(nth, &dir, url.clone(), bug);
        let servers = <[_; 2]>::from(tokio::try_join!(start(0), start(1))?).into();
        let world = Self {
            dir,
            postgres,
            database_proxy,
            servers,
            store,
            keyring,
            tenants,
            shared,
            hostile_key,
            keys,
            guard,
        };
        world.ready(Instant::now()).await.context("the servers do not become ready")?;
        Ok(world)
    }

    /// Shifts the clock of the servers by some milliseconds.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(super) fn shift_clock(&self, milliseconds: i64) -> std::io::Result<()> {
        // The rename is atomic: a concurrent reader gets the old or the new shift.
        let fresh = self.dir.join("clock.tmp");
        std::fs::write(&fresh, milliseconds.to_string())?;
        std::fs::rename(fresh, self.dir.join("clock"))
    }

    /// Waits until every server is ready; returns the latest time, or `None` if one does not become
    /// ready.
    pub(super) async fn ready(&self, since: Instant) -> Option<Duration> {
        let mut latest = Duration::ZERO;
        for server in &self.servers {
            latest = latest.max(server.ready_after(since).await?);
        }
        Some(latest)
    }

    /// Removes all faults and waits until the system is ready.
    ///
    /// # Errors
    /// If the system does not become ready.
    pub(super) async fn heal(&self) -> anyhow::Result<()> {
        for disk in self.postgres.disks.iter().flatten().chain(&self.keys) {
            disk.empty()?;
        }
        for proxy in self.servers.iter().map(|server| &server.proxy).chain([&self.database_proxy]) {
            proxy.set(NetworkMode::Normal);
        }
        self.shift_clock(0)?;
        self.postgres.continue_all().await;
        tokio::time::timeout(READY_TIMEOUT, self.postgres.restart_supervisor()).await??;
        for server in &self.servers {
            if server.pid().await.is_none() {
                server.spawn().await?;
            }
        }
        self.ready(Instant::now()).await.context("a server does not become ready again")?;
        Ok(())
    }

    /// Ends all processes and removes the directory.
    pub(super) async fn end(self) {
        let Self { dir, postgres, servers, store, keys, mut guard, .. } = self;
        for server in &servers {
            server.kill().await;
        }
        store.close().await;
        postgres.stop().await;
        drop(keys);
        child::clean_up(&dir);
        // The guard then has nothing to clean up.
        drop(guard.stdin.take());
        let _ = guard.wait();
    }
}

async fn source(store: &Store, tenant_id: TenantId, name: &str) -> anyhow::Result<Source> {
    let secret = format!("torture-secret-{name}");
    let new = NewSource {
        tenant_id,
        provider: Provider::Vapi,
        secret: &secret,
        name: None,
        record_all: false,
        assistant_id: None,
        tools: None,
    };
    Ok(Source { source_id: store.create_source(&new).await?, secret })
}

async fn tenant(store: &Store, shared: &Source, nth: usize) -> anyhow::Result<Tenant> {
    let tenant_id = store.create_tenant(&new_tenant(&format!("torture-{nth}"))).await?;
    let assistant_id = format!("assistant-{nth}");
    let kind = RouteKind::AssistantId;
    store.add_route(tenant_id, shared.source_id, kind, &assistant_id).await?;
    Ok(Tenant { tenant_id, source: source(store, tenant_id, &nth.to_string()).await? })
}

/// Returns the settings of a new tenant.
pub(super) fn new_tenant(slug: &str) -> NewTenant {
    NewTenant {
        slug: slug.to_owned(),
        name: "Torture".into(),
        timezone: "UTC".into(),
        country: "US".into(),
    }
}

/// Starts the guard, which holds the reading end of a pipe; the end of this process closes the
/// writing end.
fn spawn_guard(dir: &Path) -> anyhow::Result<std::process::Child> {
    use std::os::unix::process::CommandExt;
    let guard = Command::new(std::env::current_exe()?)
        .env(child::ROLE, "guard")
        .env(child::DIR, dir)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .process_group(0)
        .spawn()?;
    Ok(guard)
}

/// Creates a directory that the user of PostgreSQL may pass through.
pub(super) fn make_passable(dir: &Path) -> std::io::Result<()> {
    std::fs::create_dir(dir)?;
    set_passable(dir)
}

fn set_passable(dir: &Path) -> std::io::Result<()> {
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o711))
}
