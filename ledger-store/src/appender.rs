//! Group commit: append requests that queue up while a batch commits form the next batch. Each
//! caller gets its own answer after the commit.
//!
//! There is no timer, so a single request is never delayed. Each placement has workers of its own.
//! Its tenants are distributed over them by hash, so two batches never wait for each other's tenant locks; two workers measured best (see
//! `docs/decisions/0003-append.md`). A tenant with a row that another session has locked is set
//! apart, so that the lock delays only this tenant (`docs/decisions/0022-resource-isolation.md`).

mod apart;

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ledger_core::ids::TenantId;
use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use self::apart::Apart;
use crate::append::{AppendError, AppendOutcome, AppendRejection, AppendRequest, Appended, append};
use crate::notifier::{CommitNotifier, Notifiers};
use crate::placement::Placements;
use crate::shares::Shares;
use crate::stage::{self, Stage};

const MAX_REQUESTS: usize = 512;
const MAX_BYTES: usize = 2 << 20;
/// Idle time after which a worker returns its connection to the pool.
const IDLE_RELEASE: Duration = Duration::from_secs(1);
/// Maximum number of requests queued in one worker.
const MAX_QUEUED: usize = 4_096;
/// Timeout of one batch, so that a database that stopped responding blocks a worker no longer. Above
/// the lock timeouts, because their errors are more specific.
const BATCH_TIMEOUT: Duration = Duration::from_secs(8);
/// Maximum kilobytes queued in all workers together.
const MAX_QUEUED_KILOBYTES: usize = 64 << 10;

/// Requests and kilobytes that one tenant may have queued: half of the total.
const MAX_QUEUED_PER_TENANT: usize = MAX_QUEUED / 2;
const MAX_KILOBYTES_PER_TENANT: usize = MAX_QUEUED_KILOBYTES / 2;
/// Connections for tenants that are set apart.
pub(crate) const APART_CONNECTIONS: u32 = 4;

struct PendingAppend {
    request: AppendRequest,
    reply: oneshot::Sender<Result<Appended, AppendError>>,
    since: Instant,
    _permits: [OwnedSemaphorePermit; 3],
}

/// Accepts append requests from any number of callers and distributes them over the workers.
#[derive(Clone)]
pub struct Appender {
    /// The workers of each placement.
    workers: Arc<[Vec<mpsc::Sender<PendingAppend>>]>,
    budget: Arc<Semaphore>,
    queued: Shares<TenantId>,
    kilobytes: Shares<TenantId>,
}

impl Appender {
    /// Starts the workers. A worker ends when the last clone of the appender is dropped, after its
    /// queue is committed.
    pub(crate) fn start(
        (pool, apart): (&PgPool, &PgPool),
        workers: usize,
        notifiers: &Notifiers,
    ) -> Self {
        let start = |placement| {
            let notifier = notifiers.of(placement);
            let apart = Apart::new(apart, notifier);
            let start = |_| {
                let (sender, receiver) = mpsc::channel(MAX_QUEUED);
                tokio::spawn(stage::drive(
                    Stage::Append,
                    AppendWorker::new(pool, notifier).run(receiver, apart.clone()),
                ));
                sender
            };
            (0..workers.max(1)).map(start).collect()
        };
        Self {
            workers: Placements::CURRENT.all().map(start).collect(),
            budget: Arc::new(Semaphore::new(MAX_QUEUED_KILOBYTES)),
            queued: Shares::default(),
            kilobytes: Shares::default(),
        }
    }

    /// Number of requests in this process that are queued and not yet in a batch.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.workers.iter().flatten().map(|worker| worker.max_capacity() - worker.capacity()).sum()
    }

    /// Appends a request durably and returns its positions.
    ///
    /// # Errors
    /// [`AppendError`]; only `Unavailable` leaves open whether the request was appended.
    pub async fn append(&self, request: AppendRequest) -> Result<Appended, AppendError> {
        self.enqueue(request)?.await
    }

    /// Queues a request and returns its answer. Requests of a tenant are appended in the order in
    /// which they are queued, most of them in one batch, where each sees the ones before it.
    ///
    /// # Errors
    /// As for [`Appender::append`]; nothing was queued.
    pub(crate) fn enqueue(
        &self,
        request: AppendRequest,
    ) -> Result<impl Future<Output = Result<Appended, AppendError>> + use<>, AppendError> {
        if request.is_empty() {
            return Err(AppendError::Rejected(AppendRejection::NoEvents));
        }
        // The database checks versions of streams that get an event. A check of another one would be
        // left out without notice: `Store::execute` makes such checks.
        if request.checks_without_events() {
            return Err(AppendError::Rejected(AppendRejection::StreamWithoutEvents));
        }
        // The version that the second part expects would depend on the other requests of the batch.
        if request.repeats_a_stream() {
            return Err(AppendError::Rejected(AppendRejection::StreamRepeated));
        }
        let budget = self.reserve(&request).ok_or(AppendError::Overloaded)?;
        let mut hasher = DefaultHasher::new();
        request.tenant_id.hash(&mut hasher);
        let workers = &self.workers[Placements::CURRENT.of(request.tenant_id).index()];
        let nth = hasher.finish() % workers.len() as u64;
        let worker = &workers[usize::try_from(nth).expect("less than the number of workers")];
        let (reply, answer) = oneshot::channel();
        worker
            .try_send(PendingAppend { request, reply, since: Instant::now(), _permits: budget })
            .map_err(|_| AppendError::Overloaded)?;
        Ok(async { answer.await.map_err(|_| AppendError::Unavailable(None))? })
    }

    /// Reserves a queue slot, the tenant's share of kilobytes and kilobytes of the total.
    fn reserve(&self, request: &AppendRequest) -> Option<[OwnedSemaphorePermit; 3]> {
        let (tenant, kilobytes) = (&request.tenant_id, request.size() / 1024 + 1);
        let kilobytes = u32::try_from(kilobytes).unwrap_or(u32::MAX);
        let slot = self.queued.try_take(tenant, MAX_QUEUED_PER_TENANT, 1)?;
        let share = self.kilobytes.try_take(tenant, MAX_KILOBYTES_PER_TENANT, kilobytes)?;
        let budget = Arc::clone(&self.budget).try_acquire_many_owned(kilobytes).ok()?;
        Some([slot, share, budget])
    }
}

struct AppendWorker {
    pool: PgPool,
    /// Kept between batches: an acquire and release per batch would cost extra round trips.
    conn: Option<PoolConnection<Postgres>>,
    notifier: CommitNotifier,
    batches: u64,
}

impl AppendWorker {
    fn new(pool: &PgPool, notifier: &CommitNotifier) -> Self {
        Self { pool: pool.clone(), conn: None, notifier: notifier.clone(), batches: 0 }
    }

    async fn run(mut self, mut queue: mpsc::Receiver<PendingAppend>, apart: Apart) {
        while let Some(first) = self.next(&mut queue).await {
            let mut bytes = 0;
            let mut batch = Vec::new();
            let mut next = Some(first);
            while let Some(waiting) = next {
                // A request of a tenant that is set apart joins that queue, which keeps the
                // tenant's order.
                if let Some(waiting) = apart.divert(waiting) {
                    bytes += waiting.request.size();
                    batch.push(waiting);
                }
                let is_full = batch.len() >= MAX_REQUESTS || bytes >= MAX_BYTES;
                next = if is_full { None } else { queue.try_recv().ok() };
            }
            while !batch.is_empty() {
                metrics::histogram!("ledger_append_batch_requests").record(as_f64(batch.len()));
                let (locked, _) = self.commit(batch).await;
                batch = self.set_apart(locked, &apart).await;
            }
        }
    }

    /// After a lock timeout, sets apart the requests with a locked tenant. Returns the other
    /// requests, for an immediate retry.
    async fn set_apart(&mut self, locked: Vec<PendingAppend>, apart: &Apart) -> Vec<PendingAppend> {
        if locked.is_empty() {
            return locked;
        }
        let free = self.free(&locked).await.unwrap_or_else(|error| {
            tracing::warn!(error = %error, "append.locks_unknown");
            HashSet::new()
        });
        let is_free = |waiting: &PendingAppend| free.contains(&waiting.request.tenant_id);
        let (free, held): (Vec<_>, Vec<_>) = locked.into_iter().partition(is_free);
        // All tenants are free now: the locks were released since, or are short and frequent. All
        // are set apart, where a longer lock timeout applies.
        let (free, held) = if held.is_empty() { (held, free) } else { (free, held) };
        for waiting in held {
            apart.set_apart(waiting);
        }
        free
    }

    /// The tenants of a batch with a row that no other session locks at this moment.
    async fn free(&mut self, batch: &[PendingAppend]) -> sqlx::Result<HashSet<TenantId>> {
        let mut tenants: Vec<_> = batch.iter().map(|waiting| waiting.request.tenant_id.0).collect();
        tenants.sort_unstable();
        tenants.dedup();
        let free = async {
            let mut conn = match self.conn.take() {
                Some(conn) => conn,
                None => self.pool.acquire().await?,
            };
            sqlx::query_scalar!(
                r#"select tenant_id as "tenant_id!" from ledger.free_tenants($1) free (tenant_id)"#,
                &tenants,
            )
            .fetch_all(&mut *conn)
            .await
        };
        let free = timeout(BATCH_TIMEOUT, free).await.unwrap_or_else(|_| Err(timed_out()))?;
        Ok(free.into_iter().map(TenantId).collect())
    }

    /// Receives the next request. The connection is returned when the pool closes.
    async fn next(&mut self, queue: &mut mpsc::Receiver<PendingAppend>) -> Option<PendingAppend> {
        if self.conn.is_some() {
            tokio::select! {
                biased;
                next = queue.recv() => return next,
                () = self.pool.close_event() => self.conn = None,
                // An idle connection may have died unnoticed, so it is returned to the pool, which
                // pings it before reuse.
                () = tokio::time::sleep(IDLE_RELEASE) => self.conn = None,
            }
        }
        queue.recv().await
    }

    /// Commits a batch and answers its requests. A batch that fails on its data is halved until the
    /// faulty request is alone, so that no other request fails with it. Requests that ran into the
    /// lock timeout are returned without an answer, with the error.
    async fn commit(
        &mut self,
        batch: Vec<PendingAppend>,
    ) -> (Vec<PendingAppend>, Option<sqlx::Error>) {
        let mut pending = vec![batch];
        let (mut locked, mut lock_error) = (Vec::new(), None);
        while let Some(mut batch) = pending.pop() {
            let requests: Vec<&AppendRequest> =
                batch.iter().map(|waiting| &waiting.request).collect();
            match self.append(&requests).await {
                Ok(answers) => self.answer(batch, answers),
                Err(error) if is_data_error(&error) && batch.len() > 1 => {
                    let rest = batch.split_off(batch.len() / 2);
                    pending.extend([rest, batch]);
                }
                Err(error) if is_lock_timeout(&error) => {
                    locked.append(&mut batch);
                    lock_error = Some(error);
                }
                Err(error) => refuse(batch, error),
            }
        }
        (locked, lock_error)
    }

    async fn append(&mut self, requests: &[&AppendRequest]) -> sqlx::Result<Vec<AppendOutcome>> {
        match self.try_append(requests).await {
            // The connection died, or the statement deadlocked with an operator's. A retry is safe:
            // events already appended answer `duplicate`.
            Err(error) if is_transient(&error) && !is_timeout(&error) => {
                tracing::warn!(error = %error, "append.retry");
                tokio::time::sleep(Duration::from_millis(50)).await;
                self.try_append(requests).await
            }
            answered => answered,
        }
    }

    async fn try_append(
        &mut self,
        requests: &[&AppendRequest],
    ) -> sqlx::Result<Vec<AppendOutcome>> {
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => self.pool.acquire().await?,
        };
        self.batches += 1;
        #[cfg(feature = "fault-injection")]
        if crate::injected_faults::is(crate::injected_faults::ACKNOWLEDGE_BEFORE_COMMIT) {
            return crate::injected_faults::append_uncommitted(conn, requests).await;
        }
        let batches = self.batches;
        let appended = async {
            // A plan made while the table was small must not be used after it has grown.
            if matches!(batches, 100 | 1_000 | 10_000) {
                sqlx::query!("discard plans").execute(&mut *conn).await?;
            }
            append(&mut conn, requests).await
        };
        let appended =
            timeout(BATCH_TIMEOUT, appended).await.unwrap_or_else(|_| Err(timed_out()))?;
        self.conn = Some(conn);
        Ok(appended)
    }

    fn answer(&self, batch: Vec<PendingAppend>, answers: Vec<AppendOutcome>) {
        let mut appended = Vec::new();
        for (waiting, answer) in batch.into_iter().zip(answers) {
            let answer = match answer {
                AppendOutcome::Appended(done) => {
                    // Duplicates notify too: the notification of the first append may be lost.
                    appended.push(waiting.request.tenant_id);
                    Ok(done)
                }
                AppendOutcome::Conflict(actual) => Err(AppendError::Conflict { actual }),
                AppendOutcome::Rejected(why) => Err(AppendError::Rejected(why)),
            };
            // If the caller is gone, its answer is dropped; the event stays appended.
            let _ = waiting.reply.send(answer);
        }
        if !appended.is_empty() {
            self.notifier.notify(appended);
        }
    }
}

fn refuse(batch: Vec<PendingAppend>, error: sqlx::Error) {
    let about_data = is_data_error(&error);
    tracing::error!(error = %error, requests = batch.len(), "append.failed");
    let error = Arc::new(error);
    for waiting in batch {
        let refusal = if about_data {
            AppendError::Rejected(AppendRejection::Data)
        } else {
            AppendError::Unavailable(Some(Arc::clone(&error)))
        };
        let _ = waiting.reply.send(Err(refusal));
    }
}

/// SQLSTATE classes 22 (data exception) and 23 (integrity constraint): the batch holds a faulty
/// request.
pub(crate) fn is_data_error(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
}

/// SQLSTATE 55P03: another session has locked a tenant's row.
pub(crate) fn is_lock_timeout(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code == "55P03")
}

/// Errors that a retry may resolve: connection (class 08), server shutdown (57), deadlock (40).
fn is_transient(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    matches!(error, sqlx::Error::Io(_) | sqlx::Error::Protocol(_))
        || code.is_some_and(|code| ["08", "40", "57"].iter().any(|class| code.starts_with(class)))
}

/// The error of a batch that timed out. Its connection is dropped, which cancels the statement; the
/// outcome is unknown.
pub(crate) fn timed_out() -> sqlx::Error {
    sqlx::Error::Io(ErrorKind::TimedOut.into())
}

/// A timed-out batch is not retried: its callers have already waited for the whole timeout.
fn is_timeout(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(error) if error.kind() == ErrorKind::TimedOut)
}

#[expect(clippy::cast_precision_loss, reason = "a batch holds at most 512 requests")]
fn as_f64(len: usize) -> f64 {
    len as f64
}
