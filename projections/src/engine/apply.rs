//! Applies events to one version of a read model and isolates the events that cannot be applied.

use sqlx::{Acquire, AssertSqlSafe, Executor, PgConnection};

use super::backoff::is_about_rows;
use super::parking::{ParkedKeys, park};
use crate::panic_guard::{catch_panic, catch_panic_sync};
use crate::projector::{
    LogEvent, Precomputed, ProjectError, Projector, TenantContext, TenantKeys, WriteMode,
};

/// A version of a tenant's read model; the search path must point to its schema.
#[derive(Clone, Copy)]
pub struct VersionTarget<'a> {
    /// Projector that applies the events.
    pub projector: &'a dyn Projector,
    /// Number of the version, from 1.
    pub version: i32,
    /// The tenant that owns the events and rows.
    pub tenant: TenantContext,
    /// How the projector writes its rows.
    pub mode: WriteMode,
}

/// Result of applying a batch of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    /// Number of keys that were parked.
    pub parked: usize,
}

/// Reason why a batch was rolled back.
enum Fault {
    /// The event at index `nth` failed.
    Event { nth: usize, reason: String },
    /// The batch failed as a whole; any of its events may be the cause.
    Batch { reason: String },
}

/// Points unqualified table names to the schema of a version, until the transaction ends.
///
/// # Errors
/// Fails if the database does not answer.
pub async fn set_search_path(
    conn: &mut PgConnection,
    name: &str,
    version: i32,
) -> sqlx::Result<()> {
    // Names of read models are constants of this code, not input.
    let path = format!("set local search_path = {name}_v{version}");
    conn.execute(AssertSqlSafe(path)).await?;
    Ok(())
}

/// Applies events, in order, to the version in the search path, and parks what cannot be applied.
///
/// The key of a failing event is parked from that event on; other keys continue. A failing batch is
/// bisected down to the single event. Halves are applied in log order, so the result does not
/// depend on the batch. `precomputed` is used by the first attempt only.
///
/// # Errors
/// Fails if the database does not answer. The caller's transaction then rolls back everything
/// applied.
pub async fn apply(
    conn: &mut PgConnection,
    target: VersionTarget<'_>,
    events: Vec<&LogEvent>,
    mut precomputed: Precomputed,
    parked_keys: &mut ParkedKeys,
) -> sqlx::Result<Applied> {
    let VersionTarget { version, tenant, .. } = target;
    let (tenant_id, name) = (tenant.tenant_id, target.projector.name());
    let keyed = |event| (target.projector.key(event), event);
    let mut applied = Applied { parked: 0 };
    let mut parts = vec![events];
    while let Some(mut part) = parts.pop() {
        part.retain(|event| parked_keys.is_applicable(tenant_id, name, version, keyed(event)));
        if part.is_empty() {
            continue;
        }
        let (nth, reason) =
            match attempt(conn, target, &part, std::mem::take(&mut precomputed)).await? {
                None => continue,
                Some(Fault::Event { nth, reason }) => (nth, reason),
                Some(Fault::Batch { reason }) if part.len() == 1 => (0, reason),
                Some(Fault::Batch { .. }) => {
                    let later = part.split_off(part.len() / 2);
                    parts.extend([later, part]);
                    continue;
                }
            };
        let event = part[nth];
        park(conn, tenant_id, name, version, keyed(event), &reason).await?;
        let position = ledger_core::ids::Position(event.stored.position);
        parked_keys.add(tenant_id, name, version, keyed(event).0, position);
        applied.parked += 1;
        // Later events may fail as well. The remainder is halved, so that a batch full of failing
        // events is not retried as a whole for each of them.
        let mut later = part.split_off(nth);
        let last = later.split_off(later.len() / 2);
        parts.extend([last, later, part]);
    }
    Ok(applied)
}

/// Applies all events or none, under a savepoint. Returns the fault if there was one.
async fn attempt(
    conn: &mut PgConnection,
    target: VersionTarget<'_>,
    events: &[&LogEvent],
    precomputed: Precomputed,
) -> sqlx::Result<Option<Fault>> {
    let keys = TenantKeys::of(target.projector, target.tenant, events.iter().copied());
    let mut savepoint = conn.begin().await?;
    let fault = match outcome(
        catch_panic(fold(&mut savepoint, target, keys, events, precomputed)).await,
    )? {
        Ok(None) => {
            savepoint.commit().await?;
            return Ok(None);
        }
        Ok(Some(fault)) => fault,
        Err(reason) => Fault::Batch { reason },
    };
    savepoint.rollback().await?;
    Ok(Some(fault))
}

/// Separates errors of the event from errors of the database: the inner error is permanent.
///
/// # Errors
/// The database did not answer; the projector may succeed later.
pub(super) fn outcome<T>(
    done: Result<Result<T, ProjectError>, String>,
) -> sqlx::Result<Result<T, String>> {
    match done {
        Ok(Ok(done)) => Ok(Ok(done)),
        Ok(Err(ProjectError::Poison(reason))) => Ok(Err(reason)),
        // A value that PostgreSQL refuses is refused at every attempt.
        Ok(Err(ProjectError::Database(error))) if is_about_data(&error) => {
            Ok(Err(crate::projector::reason(&without_values(&error))))
        }
        Ok(Err(ProjectError::Database(error))) => Err(error),
        Err(panic) => Ok(Err(format!("the projector panicked: {panic}"))),
    }
}

/// Events of some tenants that are to be folded together.
pub(super) struct TenantEvents<'a> {
    pub(super) tenant: TenantContext,
    pub(super) events: Vec<&'a LogEvent>,
}

/// Applies events of many tenants to one version, with as few statements as for one tenant.
///
/// If one event fails, the whole transaction is lost. [`is_caused_by_events`] then decides whether a
/// retry by [`apply`] for each tenant can isolate the cause.
pub(super) async fn apply_together(
    conn: &mut PgConnection,
    projector: &dyn Projector,
    parts: &[TenantEvents<'_>],
) -> sqlx::Result<()> {
    let keys = |part: &TenantEvents<'_>| {
        TenantKeys::of(projector, part.tenant, part.events.iter().copied())
    };
    let all = parts.iter().map(keys);
    let all: Vec<TenantKeys> = all.collect();
    let folded = async {
        let mut fold = projector.load(conn, &all, Precomputed::default()).await?;
        for part in parts {
            for event in &part.events {
                fold.apply(part.tenant.tenant_id, event)?;
            }
        }
        fold.write(conn, WriteMode::Upsert).await
    };
    match catch_panic(folded).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(ProjectError::Database(error))) => Err(error),
        Ok(Err(ProjectError::Poison(_))) | Err(_) => Err(sqlx::Error::WorkerCrashed),
    }
}

/// Returns whether a combined batch failed because of some of its events, and not because of the
/// database.
pub(super) fn is_caused_by_events(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::WorkerCrashed) || is_about_rows(error)
}

async fn fold(
    conn: &mut PgConnection,
    target: VersionTarget<'_>,
    keys: TenantKeys,
    events: &[&LogEvent],
    precomputed: Precomputed,
) -> Result<Option<Fault>, ProjectError> {
    let tenant_id = target.tenant.tenant_id;
    let mut fold = target.projector.load(conn, &[keys], precomputed).await?;
    for (nth, event) in events.iter().enumerate() {
        let reason = match catch_panic_sync(|| fold.apply(tenant_id, event)) {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => error.to_string(),
            Err(panic) => format!("the projector panicked: {panic}"),
        };
        return Ok(Some(Fault::Event { nth, reason }));
    }
    fold.write(conn, target.mode).await?;
    Ok(None)
}

/// Returns whether the SQLSTATE is of class 22 (data exception), 23 (integrity constraint
/// violation) or 54 (program limit exceeded).
fn is_about_data(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| ["22", "23", "54"].iter().any(|class| code.starts_with(class)))
}

/// A value PostgreSQL rejected, identified by SQLSTATE only: the message may quote data of a
/// provider.
#[derive(Debug, thiserror::Error)]
#[error("PostgreSQL refused a value (SQLSTATE {0})")]
struct Refused(String);

fn without_values(error: &sqlx::Error) -> Refused {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    Refused(code.map(std::borrow::Cow::into_owned).unwrap_or_default())
}
