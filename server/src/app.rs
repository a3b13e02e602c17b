//! The state that all handlers share.

use std::path::Path;
use std::sync::Arc;

use ledger_app::access_export::{AccessExports, ExportFiles};
use ledger_app::api_key::tenant_of_key;
use ledger_app::bookings::CommandAdmission;
use ledger_app::workers::WorkersHealth;
use ledger_store::Store;
use ledger_store::tenants::ApiKey;
use ledger_store::vault::Vault;
use metrics_exporter_prometheus::PrometheusHandle;
use projections::{Health, PositionWatch};
use tokio::sync::watch;
use uuid::Uuid;

use crate::auth::denials::Denials;
use crate::auth::lookups::LookupLimiter;
use crate::auth::{Caller, Scope};
use crate::ingest::admission::BodyBudgets;
use crate::ingest::counts::OutcomeCounter;
use crate::limits::Limits;
use crate::problem::ApiError;
use crate::public_url::PublicUrl;
use crate::read_admission::ReadAdmission;
use crate::read_budget::ReadBudget;
use ledger_app::erasures::ErasureWorker;
use ledger_app::intake::FollowUps;

/// State shared by all handlers. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// Handle to the log and the vault.
    pub store: Arc<Store>,
    /// Health of the projection engine, with the most recent worker error.
    pub engine: Health,
    /// Buffers audit events of refused requests and aggregates repeated ones.
    pub denials: Arc<Denials>,
    /// Rate limiter for searches by number or e-mail address, per API key.
    pub lookups: Arc<LookupLimiter>,
    /// Webhook counts that are not yet written to the database.
    pub counts: Arc<OutcomeCounter>,
    /// Tool calls whose outcome could not be confirmed, until a follow-up task is recorded.
    pub follow_ups: Arc<FollowUps>,
    /// Erasures, legal holds and restrictions of persons.
    pub erasures: Arc<ErasureWorker>,
    /// Renders the process's metrics for `/metrics`.
    pub metrics: PrometheusHandle,
    /// Resource bounds for each client and for the process.
    pub limits: Limits,
    /// Memory budgets for webhook bodies in flight.
    pub body_budgets: BodyBudgets,
    /// Admission control for concurrent reads, per tenant.
    pub read_admission: ReadAdmission,
    /// Admission control for commands on bookings, per tenant.
    pub command_admission: CommandAdmission,
    /// Memory budget for opened sections and for answers until they are sent.
    pub read_budget: ReadBudget,
    /// Health of the background tasks of the server.
    pub workers: WorkersHealth,
    /// Wakes requests that wait for a projection to reach a position.
    pub position_watch: PositionWatch,
    /// The public address of the server, for signatures over URLs.
    pub(crate) public_url: PublicUrl,
    /// Exports of persons' data, with their files.
    pub exports: AccessExports,
    /// The data directory, for the disk gauges; `None` with an external database.
    pub data_dir: Option<Arc<Path>>,
    /// Directory of the backups, for their gauges; `None` with an external database.
    pub backup_dir: Option<Arc<Path>>,
    /// Becomes true during shutdown when the drain time for requests is over.
    pub shutdown: ShutdownSignal,
}

/// Watch channel that becomes true when requests still in flight must be answered 503. A dropped sender never
/// does.
pub type ShutdownSignal = watch::Receiver<bool>;

/// The server's id of a request: in its span, in the `x-request-id` header and in the events it appends.
#[derive(Debug, Clone, Copy)]
pub struct RequestId(pub Uuid);

impl App {
    /// Creates the state over a store. The reader shares are derived from the size of the store's connection
    /// pool.
    #[must_use]
    pub fn new(
        store: Arc<Store>,
        metrics: PrometheusHandle,
        limits: Limits,
        shutdown: ShutdownSignal,
    ) -> Self {
        let counts = Arc::new(OutcomeCounter::new(store.ids().random()));
        let connections = store.app().options().get_max_connections();
        let position_watch = PositionWatch::start(&store);
        let erasures = Arc::new(ErasureWorker::new(crate::erasures::process(&store)));
        let files = ExportFiles::new(store.keyring().directory().with_file_name("exports"));
        let exports = AccessExports::new(Arc::clone(&store), files);
        Self {
            store,
            engine: Health::default(),
            denials: Arc::default(),
            lookups: Arc::new(LookupLimiter::new(limits.lookups)),
            counts,
            follow_ups: Arc::new(FollowUps::new(limits.follow_up_delay)),
            erasures,
            metrics,
            limits,
            body_budgets: BodyBudgets::new(&limits),
            read_admission: ReadAdmission::new(connections),
            command_admission: CommandAdmission::new(connections),
            read_budget: ReadBudget::default(),
            workers: WorkersHealth::default(),
            position_watch,
            public_url: PublicUrl::default(),
            exports,
            data_dir: None,
            backup_dir: None,
            shutdown,
        }
    }

    /// The vault as the caller may read it: data of restricted persons only with scope `compliance`.
    #[must_use]
    pub fn vault_of(&self, caller: &Caller) -> Vault {
        let vault = self.store.vault();
        if caller.has(Scope::Compliance) { vault.with_restricted() } else { vault.clone() }
    }

    /// Returns the valid API key with this text, or `None` if there is none.
    ///
    /// # Errors
    /// 503 if the database does not answer.
    pub async fn find_key(&self, key: &str) -> Result<Option<ApiKey>, ApiError> {
        let Some(tenant_id) = tenant_of_key(key) else { return Ok(None) };
        Ok(self.store.find_api_key(tenant_id, key).await?)
    }

    /// Resolves with a 503 when a request has used its maximum time or the server stops.
    ///
    /// The dropped handler may have committed already, so the client must retry with the same request.
    pub(crate) async fn deadline(&self) -> ApiError {
        let mut shutdown = self.shutdown.clone();
        let closed = async {
            if shutdown.wait_for(|shutdown| *shutdown).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = tokio::time::sleep(self.limits.request_timeout) => {
                tracing::warn!("request.timed_out");
                ApiError::unavailable("unavailable", "the ledger cannot answer now; try again")
            }
            () = closed => ApiError::unavailable("shutting-down", "this server stops; try again"),
        }
    }
}
