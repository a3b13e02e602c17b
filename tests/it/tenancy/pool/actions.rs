//! The transactions of the callers, and the checks of each result.

use std::convert::Infallible;
use std::panic::resume_unwind;

use ledger_core::envelope::StreamKind;
use ledger_core::identity::{Handle, PersonIdentifiers};
use ledger_core::ids::{EventId, StreamId, TenantId};
use ledger_store::TenantTx;
use ledger_store::append::AppendError;
use ledger_store::append::{AppendRequest, Expected, NewEvent, StreamAppend};
use ledger_store::seal::Opened;
use ledger_store::vault::VaultError;
use sqlx::{FromRow, PgConnection, PgPool};
use uuid::Uuid;

use super::{CONNECTIONS, Dice, PoolTenant, PoolTest};

/// Queries without a tenant condition. Each tenant has rows in all of these tables.
pub(super) const READS: [&str; 5] = [
    "select tenant_id from ledger.events order by position desc limit 20",
    "select tenant_id from ledger.tenants",
    "select tenant_id from vault.subject_keys limit 20",
    "select tenant_id from vault.handles limit 20",
    "select tenant_id from vault.epochs",
];

/// One transaction of a caller.
pub(super) struct Action {
    resident: usize,
    other: usize,
    kind: Kind,
}

enum Kind {
    /// Checks a connection right after it was acquired.
    Probe,
    Read {
        query: &'static str,
        is_committed: bool,
    },
    Link {
        to: Uuid,
        is_committed: bool,
    },
    /// Tries to write another tenant's row.
    WriteForeignRow,
    /// A statement fails, and the transaction is left open.
    Abort,
    /// The task of the caller panics with the transaction open.
    Panic,
    Resolve {
        person: usize,
    },
    Open,
    Append {
        event_id: EventId,
        stream: u8,
    },
}

impl Action {
    pub(super) fn choose(pool_test: &PoolTest, dice: &mut Dice) -> Self {
        let id = |pool_test: &PoolTest| pool_test.store.ids().random();
        let kind = match dice.roll(100) {
            0..25 => Kind::Probe,
            25..50 => Kind::Read { query: READS[dice.roll(5)], is_committed: dice.roll(2) == 0 },
            50..56 => Kind::Link { to: id(pool_test), is_committed: dice.roll(4) > 0 },
            56..59 => Kind::WriteForeignRow,
            59..62 => Kind::Abort,
            62..64 => Kind::Panic,
            64..75 => Kind::Resolve { person: dice.roll(5) },
            75..85 => Kind::Open,
            _ => {
                let stream = u8::try_from(dice.roll(8)).expect("it is small");
                Kind::Append { event_id: EventId(id(pool_test)), stream }
            }
        };
        let len = pool_test.tenants.len();
        let resident = dice.roll(len);
        // Never the tenant itself.
        let other = (resident + 1 + dice.roll(len - 1)) % len;
        Self { resident, other, kind }
    }

    pub(super) async fn run(self, pool_test: &PoolTest) -> sqlx::Result<()> {
        let (own, other) = (&pool_test.tenants[self.resident], &pool_test.tenants[self.other]);
        match self.kind {
            Kind::Probe => probe(pool_test).await,
            Kind::Read { query, is_committed } => read(pool_test, own, query, is_committed).await,
            Kind::Link { to, is_committed } => link(pool_test, own, to, is_committed).await,
            Kind::WriteForeignRow => write_foreign_row(pool_test, own, other).await,
            Kind::Abort => abort(pool_test, own).await,
            Kind::Panic => panic_inside(pool_test, own).await,
            Kind::Resolve { person } => resolve(pool_test, own, person).await,
            Kind::Open => open(pool_test, own, other).await,
            Kind::Append { event_id, stream } => append(pool_test, own, event_id, stream).await,
        }
    }
}

/// Returns whether the backend was terminated, during the statement or while it was idle.
pub(super) fn is_transient(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    matches!(error, sqlx::Error::Io(_) | sqlx::Error::Protocol(_))
        || code.is_some_and(|code| code.starts_with("57P") || code.starts_with("08"))
}

fn sqlstate(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

/// Reads tenant, role and transaction state of a connection. One statement, so that both clocks are
/// equal unless a transaction was open before.
const CONNECTION_STATE: &str =
    "select coalesce(current_setting('ledger.tenant_id', true), ''), current_user::text,
        now() = statement_timestamp() and pg_current_xact_id_if_assigned() is null,
        current_setting('statement_timeout')";

/// Checks that a connection has no tenant, no transaction, and the expected role.
pub(super) async fn check_connection(
    pool_test: &PoolTest,
    conn: &mut PgConnection,
) -> sqlx::Result<()> {
    let row = sqlx::raw_sql(CONNECTION_STATE).fetch_one(conn).await?;
    let (tenant, role, is_fresh, timeout): (String, String, bool, String) =
        FromRow::from_row(&row)?;
    if !tenant.is_empty() {
        pool_test.report_violation(format!("a connection came back with tenant {tenant}"));
    }
    if role != "ledger_app" || timeout != "30s" {
        pool_test
            .report_violation(format!("a connection came back as {role} with timeout {timeout}"));
    }
    if !is_fresh {
        pool_test.report_violation("a connection came back inside a transaction".into());
    }
    Ok(())
}

pub(super) async fn probe(pool_test: &PoolTest) -> sqlx::Result<()> {
    let pool = pool_test.store.app();
    if pool.size() > CONNECTIONS {
        pool_test.report_violation(format!("the pool has {} connections", pool.size()));
    }
    check_connection(pool_test, &mut *pool.acquire().await?).await?;
    pool_test.count("probed");
    Ok(())
}

pub(super) async fn read(
    pool_test: &PoolTest,
    own: &PoolTenant,
    query: &'static str,
    is_committed: bool,
) -> sqlx::Result<()> {
    let mut tx = TenantTx::begin(pool_test.store.app(), own.tenant_id).await?;
    let rows: Vec<Uuid> = sqlx::query_scalar(query).fetch_all(tx.conn()).await?;
    if rows.is_empty() {
        pool_test.report_violation(format!("{} saw nothing: {query}", own.tenant_id));
    }
    if let Some(foreign) = rows.iter().find(|tenant| **tenant != own.tenant_id.0) {
        pool_test.report_violation(format!("{} saw a row of {foreign}: {query}", own.tenant_id));
    }
    if is_committed { tx.commit().await } else { Ok(()) }
}

async fn link(
    pool_test: &PoolTest,
    own: &PoolTenant,
    to: Uuid,
    is_committed: bool,
) -> sqlx::Result<()> {
    let mut tx = TenantTx::begin(pool_test.store.app(), own.tenant_id).await?;
    // A second column also holds the tenant of the row.
    insert_link(tx.conn(), own.tenant_id, own.tenant_id, to).await?;
    if is_committed {
        tx.commit().await?;
        pool_test.linked.lock().expect("no panic while held").push((own.tenant_id, to));
    }
    Ok(())
}

async fn insert_link(
    conn: &mut PgConnection,
    tenant: TenantId,
    by: TenantId,
    to: Uuid,
) -> sqlx::Result<()> {
    sqlx::query("insert into vault.contacts values ($1, $2, null, $3, now())")
        .bind(tenant.0)
        .bind(to)
        .bind(by.0)
        .execute(conn)
        .await?;
    Ok(())
}

async fn write_foreign_row(
    pool_test: &PoolTest,
    own: &PoolTenant,
    other: &PoolTenant,
) -> sqlx::Result<()> {
    let mut tx = TenantTx::begin(pool_test.store.app(), own.tenant_id).await?;
    match insert_link(tx.conn(), other.tenant_id, own.tenant_id, Uuid::nil()).await {
        Ok(()) => pool_test.report_violation(format!("{} wrote a row of another", own.tenant_id)),
        Err(error) if sqlstate(&error).as_deref() == Some("42501") => pool_test.count("refused"),
        Err(error) => return Err(error),
    }
    Ok(())
}

async fn abort(pool_test: &PoolTest, own: &PoolTenant) -> sqlx::Result<()> {
    let mut tx = TenantTx::begin(pool_test.store.app(), own.tenant_id).await?;
    match sqlx::query("select 1 / 0").execute(tx.conn()).await {
        Err(error) if sqlstate(&error).as_deref() == Some("22012") => Ok(()),
        Err(error) => Err(error),
        Ok(_) => unreachable!("nothing divides by zero"),
    }
}

async fn panic_inside(pool_test: &PoolTest, own: &PoolTenant) -> sqlx::Result<()> {
    match tokio::spawn(doomed(pool_test.store.app().clone(), own.tenant_id)).await {
        Err(error) => {
            assert!(error.is_panic(), "nobody else ends it");
            pool_test.count("panicked");
            Ok(())
        }
        Ok(lost) => lost.map(|never| match never {}),
    }
}

async fn doomed(pool: PgPool, tenant_id: TenantId) -> sqlx::Result<Infallible> {
    let mut tx = TenantTx::begin(&pool, tenant_id).await?;
    sqlx::query(READS[0]).execute(tx.conn()).await?;
    // Unwinds as a panic does, without printing.
    resume_unwind(Box::new("planned"))
}

async fn resolve(pool_test: &PoolTest, own: &PoolTenant, person: usize) -> sqlx::Result<()> {
    let handles = vec![Handle::phone(&format!("+155501001{person:02}"), None)];
    let identifiers = PersonIdentifiers { handles, name: None };
    let stream = own.tenant_id.stream_of("call", "test", &person.to_string());
    let subject = match pool_test.store.vault().resolve(own.tenant_id, stream, identifiers).await {
        Ok(resolved) => resolved.subject,
        Err(error) => {
            lost(pool_test, &error);
            return Ok(());
        }
    };
    let mut subjects = pool_test.subjects.lock().expect("no panic while held");
    let known = *subjects.entry(subject.subject_id).or_insert(own.tenant_id);
    if known != own.tenant_id {
        pool_test.report_violation(format!("one subject for {} and {known}", own.tenant_id));
    }
    Ok(())
}

/// The vault lost its backend, for one caller or for its batch.
fn lost(pool_test: &PoolTest, error: &VaultError) {
    match error {
        VaultError::Database(error) if is_transient(error) => pool_test.count("lost its backend"),
        error => pool_test.report_violation(format!("the vault failed: {error:?}")),
    }
}

async fn open(pool_test: &PoolTest, own: &PoolTenant, other: &PoolTenant) -> sqlx::Result<()> {
    let columns =
        [(own.section_column, own.column.as_slice()), (other.section_column, &other.column)];
    let opened = match pool_test.store.vault().open(own.tenant_id, &columns).await {
        Ok(opened) => opened,
        Err(error) => {
            lost(pool_test, &error);
            return Ok(());
        }
    };
    let is_own = match &opened[0][0].plain {
        Opened::Clear(plain) => plain.as_revealed() == own.tenant_id.to_string().as_bytes(),
        Opened::Erased | Opened::Restricted | Opened::Corrupt => false,
    };
    if !is_own {
        pool_test.report_violation(format!("{} cannot open what is its own", own.tenant_id));
    }
    if !matches!(opened[1][0].plain, Opened::Corrupt) {
        pool_test
            .report_violation(format!("{} opened what is {}'s", own.tenant_id, other.tenant_id));
    }
    Ok(())
}

async fn append(
    pool_test: &PoolTest,
    own: &PoolTenant,
    event_id: EventId,
    stream: u8,
) -> sqlx::Result<()> {
    let now = pool_test.store.clock().now_micros();
    let event = NewEvent {
        event_id,
        event_type: "call.ended",
        schema_version: 1,
        occurred_at: now,
        recorded_at: now,
        // The facts repeat the tenant.
        facts: format!("{{\"tenant\":\"{}\"}}", own.tenant_id),
        sections: None,
        bulk: None,
        subjects: Vec::new(),
        meta: "{}".into(),
    };
    let stream = StreamAppend {
        stream_id: StreamId(Uuid::from_u128(stream.into())),
        kind: StreamKind::Call,
        expected: Expected::Any,
        events: vec![event],
    };
    let request = AppendRequest { tenant_id: own.tenant_id, streams: vec![stream] };
    match pool_test.store.appender().append(request).await {
        Ok(appended) => {
            let acknowledged = (own.tenant_id, appended.first, event_id);
            pool_test.appended.lock().expect("no panic while held").push(acknowledged);
        }
        Err(AppendError::Unavailable(_)) => pool_test.count("not known whether appended"),
        Err(error) => pool_test.report_violation(format!("an append failed: {error:?}")),
    }
    Ok(())
}
