//! The transactions of the callers, and the checks of each result.

use std::convert::Infallible;
use std::panic::resume_unwind;

use ledger_core::envelope::StreamKind;
use ledger_core::identity::{Handle, Told};
use ledger_core::ids::{EventId, StreamId, TenantId};
use ledger_store::TenantTx;
use ledger_store::append::{AppendRequest, Expected, NewEvent, StreamAppend};
use ledger_store::appender::AppendError;
use ledger_store::seal::Opened;
use ledger_store::vault::VaultError;
use sqlx::{FromRow, PgConnection, PgPool};
use uuid::Uuid;

use super::{CONNECTIONS, Dice, Resident, Town};

/// Queries without a tenant condition. Each tenant has rows in all of these tables.
pub(super) const READS: [&str; 5] = [
    "select tenant_id from ledger.events order by position desc limit 20",
    "select tenant_id from ledger.tenants",
    "select tenant_id from vault.subject_keys limit 20",
    "select tenant_id from vault.handles limit 20",
    "select tenant_id from vault.epochs",
];

/// One transaction of a caller.
pub(super) struct Act {
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
    Trespass,
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

impl Act {
    pub(super) fn choose(town: &Town, dice: &mut Dice) -> Self {
        let id = |town: &Town| town.store.ids().random();
        let kind = match dice.roll(100) {
            0..25 => Kind::Probe,
            25..50 => Kind::Read { query: READS[dice.roll(5)], is_committed: dice.roll(2) == 0 },
            50..56 => Kind::Link { to: id(town), is_committed: dice.roll(4) > 0 },
            56..59 => Kind::Trespass,
            59..62 => Kind::Abort,
            62..64 => Kind::Panic,
            64..75 => Kind::Resolve { person: dice.roll(5) },
            75..85 => Kind::Open,
            _ => {
                let stream = u8::try_from(dice.roll(8)).expect("it is small");
                Kind::Append { event_id: EventId(id(town)), stream }
            }
        };
        let len = town.residents.len();
        let resident = dice.roll(len);
        // Never the tenant itself.
        let other = (resident + 1 + dice.roll(len - 1)) % len;
        Self { resident, other, kind }
    }

    pub(super) async fn run(self, town: &Town) -> sqlx::Result<()> {
        let (own, other) = (&town.residents[self.resident], &town.residents[self.other]);
        match self.kind {
            Kind::Probe => probe(town).await,
            Kind::Read { query, is_committed } => read(town, own, query, is_committed).await,
            Kind::Link { to, is_committed } => link(town, own, to, is_committed).await,
            Kind::Trespass => trespass(town, own, other).await,
            Kind::Abort => abort(town, own).await,
            Kind::Panic => panic_inside(town, own).await,
            Kind::Resolve { person } => resolve(town, own, person).await,
            Kind::Open => open(town, own, other).await,
            Kind::Append { event_id, stream } => append(town, own, event_id, stream).await,
        }
    }
}

/// Returns whether the backend was terminated, during the statement or while it was idle.
pub(super) fn is_passing(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    matches!(error, sqlx::Error::Io(_) | sqlx::Error::Protocol(_))
        || code.is_some_and(|code| code.starts_with("57P") || code.starts_with("08"))
}

fn sqlstate(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

/// Reads tenant, role and transaction state of a connection. One statement, so that both clocks are
/// equal unless a transaction was open before.
const LOOK: &str =
    "select coalesce(current_setting('ledger.tenant_id', true), ''), current_user::text,
        now() = statement_timestamp() and pg_current_xact_id_if_assigned() is null,
        current_setting('statement_timeout')";

/// Checks that a connection has no tenant, no transaction, and the expected role.
pub(super) async fn look(town: &Town, conn: &mut PgConnection) -> sqlx::Result<()> {
    let row = sqlx::raw_sql(LOOK).fetch_one(conn).await?;
    let (tenant, role, is_fresh, timeout): (String, String, bool, String) =
        FromRow::from_row(&row)?;
    if !tenant.is_empty() {
        town.breaks(format!("a connection came back with tenant {tenant}"));
    }
    if role != "ledger_app" || timeout != "30s" {
        town.breaks(format!("a connection came back as {role} with timeout {timeout}"));
    }
    if !is_fresh {
        town.breaks("a connection came back inside a transaction".into());
    }
    Ok(())
}

pub(super) async fn probe(town: &Town) -> sqlx::Result<()> {
    let pool = town.store.app();
    if pool.size() > CONNECTIONS {
        town.breaks(format!("the pool has {} connections", pool.size()));
    }
    look(town, &mut *pool.acquire().await?).await?;
    town.count("probed");
    Ok(())
}

pub(super) async fn read(
    town: &Town,
    own: &Resident,
    query: &'static str,
    is_committed: bool,
) -> sqlx::Result<()> {
    let mut tx = TenantTx::begin(town.store.app(), own.tenant_id).await?;
    let rows: Vec<Uuid> = sqlx::query_scalar(query).fetch_all(tx.conn()).await?;
    if rows.is_empty() {
        town.breaks(format!("{} saw nothing: {query}", own.tenant_id));
    }
    if let Some(foreign) = rows.iter().find(|tenant| **tenant != own.tenant_id.0) {
        town.breaks(format!("{} saw a row of {foreign}: {query}", own.tenant_id));
    }
    if is_committed { tx.commit().await } else { Ok(()) }
}

async fn link(town: &Town, own: &Resident, to: Uuid, is_committed: bool) -> sqlx::Result<()> {
    let mut tx = TenantTx::begin(town.store.app(), own.tenant_id).await?;
    // A second column also holds the tenant of the row.
    insert_link(tx.conn(), own.tenant_id, own.tenant_id, to).await?;
    if is_committed {
        tx.commit().await?;
        town.linked.lock().expect("no panic while held").push((own.tenant_id, to));
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

async fn trespass(town: &Town, own: &Resident, other: &Resident) -> sqlx::Result<()> {
    let mut tx = TenantTx::begin(town.store.app(), own.tenant_id).await?;
    match insert_link(tx.conn(), other.tenant_id, own.tenant_id, Uuid::nil()).await {
        Ok(()) => town.breaks(format!("{} wrote a row of another", own.tenant_id)),
        Err(error) if sqlstate(&error).as_deref() == Some("42501") => town.count("refused"),
        Err(error) => return Err(error),
    }
    Ok(())
}

async fn abort(town: &Town, own: &Resident) -> sqlx::Result<()> {
    let mut tx = TenantTx::begin(town.store.app(), own.tenant_id).await?;
    match sqlx::query("select 1 / 0").execute(tx.conn()).await {
        Err(error) if sqlstate(&error).as_deref() == Some("22012") => Ok(()),
        Err(error) => Err(error),
        Ok(_) => unreachable!("nothing divides by zero"),
    }
}

async fn panic_inside(town: &Town, own: &Resident) -> sqlx::Result<()> {
    match tokio::spawn(doomed(town.store.app().clone(), own.tenant_id)).await {
        Err(error) => {
            assert!(error.is_panic(), "nobody else ends it");
            town.count("panicked");
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

async fn resolve(town: &Town, own: &Resident, person: usize) -> sqlx::Result<()> {
    let handles = vec![Handle::phone(&format!("+155501001{person:02}"), None)];
    let told = Told { handles, name: None };
    let stream = own.tenant_id.stream_of("call", "test", &person.to_string());
    let subject = match town.store.vault().resolve(own.tenant_id, stream, told).await {
        Ok(resolved) => resolved.subject,
        Err(error) => {
            lost(town, &error);
            return Ok(());
        }
    };
    let mut subjects = town.subjects.lock().expect("no panic while held");
    let known = *subjects.entry(subject.subject_id).or_insert(own.tenant_id);
    if known != own.tenant_id {
        town.breaks(format!("one subject for {} and {known}", own.tenant_id));
    }
    Ok(())
}

/// The vault lost its backend, for one caller or for its batch.
fn lost(town: &Town, error: &VaultError) {
    match error {
        VaultError::Database(error) if is_passing(error) => town.count("lost its backend"),
        error => town.breaks(format!("the vault failed: {error:?}")),
    }
}

async fn open(town: &Town, own: &Resident, other: &Resident) -> sqlx::Result<()> {
    let columns = [(own.shelf, own.column.as_slice()), (other.shelf, &other.column)];
    let opened = match town.store.vault().open(own.tenant_id, &columns).await {
        Ok(opened) => opened,
        Err(error) => {
            lost(town, &error);
            return Ok(());
        }
    };
    let is_own = match &opened[0][0].plain {
        Opened::Clear(plain) => plain.as_revealed() == own.tenant_id.to_string().as_bytes(),
        Opened::Erased | Opened::Corrupt => false,
    };
    if !is_own {
        town.breaks(format!("{} cannot open what is its own", own.tenant_id));
    }
    if !matches!(opened[1][0].plain, Opened::Corrupt) {
        town.breaks(format!("{} opened what is {}'s", own.tenant_id, other.tenant_id));
    }
    Ok(())
}

async fn append(town: &Town, own: &Resident, event_id: EventId, stream: u8) -> sqlx::Result<()> {
    let now = town.store.clock().now_micros();
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
    match town.store.appender().append(request).await {
        Ok(appended) => {
            let told = (own.tenant_id, appended.first, event_id);
            town.appended.lock().expect("no panic while held").push(told);
        }
        Err(AppendError::Unavailable(_)) => town.count("not known whether appended"),
        Err(error) => town.breaks(format!("an append failed: {error:?}")),
    }
    Ok(())
}
