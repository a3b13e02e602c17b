//! Checks of the database: durability settings, roles, age of transactions and applied migrations.

use std::time::Duration;

use chrono::TimeDelta;
use ledger_store::OTHER_CONNECTIONS;
use ledger_store::diagnostics::{self, Migrations, Role, ServerFacts, TransactionAges};
use sqlx::{Connection, PgConnection};

use super::check::Check;
use crate::config::Config;
use crate::instance::{Instance, database_error};

/// Timeout of the whole database check.
const TIMEOUT: Duration = Duration::from_secs(10);
const OLDEST_SERVER: i32 = 150_000;
/// Webhook signatures are valid for five minutes, so a larger clock difference rejects them.
const CLOCK_FAILED_S: i64 = 60;
const CLOCK_WARNING_S: i64 = 2;
const LONG_TRANSACTION_S: i64 = 600;
const OLD_SNAPSHOT: i64 = 10_000_000;
/// PostgreSQL starts to freeze rows at 200 million transactions and stops at 2,000 million.
const WRAPAROUND_WARNING: i64 = 500_000_000;
const WRAPAROUND_FAILED: i64 = 1_500_000_000;

/// Content of the database, as far as this build can determine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Schema {
    /// All migrations of this build are applied, so the ledger can be checked.
    Ours,
    /// No migration is applied.
    None,
    /// Migrations of another build, or an unreadable database.
    Unknown,
}

/// Runs the checks of the database and returns what it contains.
pub(super) async fn check(config: &Config, instance: &Instance, checks: &mut Vec<Check>) -> Schema {
    let place = match &config.database_url {
        Some(_) => "DATABASE_URL".to_owned(),
        None => "private PostgreSQL".to_owned(),
    };
    let examined = tokio::time::timeout(TIMEOUT, examine(config, instance, &place, checks)).await;
    let found = match examined {
        Ok(Ok(schema)) => return schema,
        Ok(Err(error)) => {
            format!("{:#}", database_error::explain(&error.into(), &instance.database))
        }
        Err(_) => format!("no answer in {} s", TIMEOUT.as_secs()),
    };
    let todo = "check that the server runs, and that this login may connect to the database";
    checks.push(Check::failed("database", place, found, todo));
    Schema::Unknown
}

async fn examine(
    config: &Config,
    instance: &Instance,
    place: &str,
    checks: &mut Vec<Check>,
) -> sqlx::Result<Schema> {
    let mut conn = PgConnection::connect_with(&instance.database).await?;
    let clock = instance.store.clock();
    let requested_at = clock.now();
    let facts = diagnostics::facts(&mut conn).await?;
    let answered = clock.now();
    let skew = facts.now - (requested_at + (answered - requested_at) / 2);
    checks.extend([
        server(&facts, place),
        durability(&facts, config.database_url.is_none()),
        encoding(&facts),
        time(skew),
        connections(&facts, config),
    ]);
    checks.push(roles(&diagnostics::roles(&mut conn).await?, &facts));
    let ages = diagnostics::ages(&mut conn).await?;
    checks.extend([transactions(&ages), wraparound(&ages)]);
    let applied = diagnostics::migrations(&mut conn).await?;
    checks.push(migrations(&applied, &facts));
    conn.close().await?;
    Ok(match &applied {
        found if found.missing.is_empty() => Schema::Ours,
        Migrations { applied: 0, unknown, altered, .. }
            if unknown.is_empty() && altered.is_empty() =>
        {
            Schema::None
        }
        _ => Schema::Unknown,
    })
}

fn server(facts: &ServerFacts, place: &str) -> Check {
    let found = format!("version {}, database {}", facts.version, facts.database);
    if facts.version_num < OLDEST_SERVER {
        return Check::failed("database", place, found, "version 15 is the oldest that works");
    }
    if facts.is_standby {
        let todo = "this is a standby, which takes no events: name the primary";
        return Check::failed("database", place, found, todo);
    }
    Check::ok("database", place, found)
}

fn durability(facts: &ServerFacts, is_private: bool) -> Check {
    let (name, place) = ("durability", "server settings");
    let found = format!(
        "fsync {}, synchronous_commit {}, full_page_writes {}, data_checksums {}",
        facts.fsync, facts.synchronous_commit, facts.full_page_writes, facts.data_checksums
    );
    let settings = [
        ("fsync", &facts.fsync),
        ("synchronous_commit", &facts.synchronous_commit),
        ("full_page_writes", &facts.full_page_writes),
    ];
    if let Some((setting, _)) = settings.iter().find(|(_, value)| *value == "off") {
        let file = if is_private { "pg/postgresql.conf" } else { "postgresql.conf" };
        let todo =
            format!("a confirmed webhook can be lost: {setting} = on in {file}, then restart");
        return Check::failed(name, place, found, todo);
    }
    if facts.data_checksums == "off" {
        let todo = "a failing disk is noticed late: stop the server, pg_checksums --enable";
        return Check::warning(name, place, found, todo);
    }
    Check::ok(name, place, found)
}

fn encoding(facts: &ServerFacts) -> Check {
    let (name, place) = ("encoding", format!("database {}", facts.database));
    let found = format!("{}, collation {}", facts.encoding, facts.collation);
    if facts.encoding != "UTF8" {
        let todo = "names of all languages do not fit: create the database with encoding UTF8";
        return Check::failed(name, place, found, todo);
    }
    if facts.is_collation_changed {
        let todo = format!(
            "the system orders text otherwise than when the indexes were made: reindex database {0}; \
             alter database {0} refresh collation version",
            facts.database
        );
        return Check::warning(name, place, found, todo);
    }
    Check::ok(name, place, found)
}

fn time(skew: TimeDelta) -> Check {
    let (name, place) = ("clock", "this machine and the database");
    let found = format!("{} ms apart", skew.num_milliseconds().abs());
    let todo = "run a time service (chrony, systemd-timesyncd) on both";
    match skew.num_seconds().abs() {
        CLOCK_FAILED_S.. => Check::failed(name, place, found, todo),
        CLOCK_WARNING_S.. => Check::warning(name, place, found, todo),
        _ => Check::ok(name, place, found),
    }
}

fn connections(facts: &ServerFacts, config: &Config) -> Check {
    let (name, place) = ("connections", "server");
    let left = i64::from(facts.connections) - facts.connected;
    let append_workers = i64::try_from(config.append_lanes).unwrap_or(i64::MAX);
    let wanted = i64::from(config.connections)
        .saturating_add(append_workers)
        .saturating_add(i64::from(OTHER_CONNECTIONS));
    let found = format!(
        "{} of {} in use; one server takes up to {wanted}",
        facts.connected, facts.connections
    );
    if left < wanted {
        let todo = "raise max_connections, or lower the settings connections and append_lanes";
        return Check::warning(name, place, found, todo);
    }
    Check::ok(name, place, found)
}

fn roles(roles: &[Role], facts: &ServerFacts) -> Check {
    let (name, place) = ("roles", format!("login {}", facts.login));
    let names = |matching: &dyn Fn(&&Role) -> bool| {
        roles.iter().filter(matching).map(|role| role.name.clone()).collect::<Vec<_>>().join(", ")
    };
    let unbound = names(&|role| role.is_unbound);
    if !unbound.is_empty() {
        let todo =
            format!("tenants are not kept apart: alter role {unbound} nosuperuser nobypassrls");
        return Check::failed(name, place, format!("row security does not bind {unbound}"), todo);
    }
    let missing = names(&|role| !role.exists);
    if !missing.is_empty() {
        let todo = "call-ledger migrate makes them, when the login may create roles";
        return Check::warning(name, place, format!("there is no {missing}"), todo);
    }
    let foreign = names(&|role| !role.is_ours);
    if !foreign.is_empty() {
        let todo = format!("grant {foreign} to {}", facts.login);
        return Check::failed(name, place, format!("it is no member of {foreign}"), todo);
    }
    Check::ok(name, place, "row security binds the three roles, and the login may take each")
}

fn transactions(ages: &TransactionAges) -> Check {
    let (name, place) = ("transactions", "server");
    let found = format!(
        "oldest open for {} s, oldest snapshot {} transactions ago, {} prepared",
        ages.oldest_transaction_s, ages.snapshot_age, ages.prepared
    );
    if ages.prepared > 0 {
        let todo = "nothing of ours prepares: commit or roll back what is in pg_prepared_xacts";
        return Check::warning(name, place, found, todo);
    }
    if ages.oldest_transaction_s > LONG_TRANSACTION_S || ages.snapshot_age > OLD_SNAPSHOT {
        let todo = "dead rows cannot be cleaned away: find it in pg_stat_activity and \
                    pg_replication_slots, and end it";
        return Check::warning(name, place, found, todo);
    }
    Check::ok(name, place, found)
}

fn wraparound(ages: &TransactionAges) -> Check {
    let (name, place) = ("wraparound", "server");
    let age = ages.wraparound_age.max(ages.multixact_age);
    let found = format!("{} million of 2000", age / 1_000_000);
    let todo = "autovacuum does not keep up: vacuum (freeze), and see what holds it back above";
    match age {
        WRAPAROUND_FAILED.. => Check::failed(name, place, found, todo),
        WRAPAROUND_WARNING.. => Check::warning(name, place, found, todo),
        _ => Check::ok(name, place, found),
    }
}

fn migrations(found: &Migrations, facts: &ServerFacts) -> Check {
    let (name, place) = ("migrations", format!("database {}", facts.database));
    let list = |numbers: &[i64]| {
        numbers.iter().map(|number| format!("{number:04}")).collect::<Vec<_>>().join(", ")
    };
    if !found.altered.is_empty() {
        let found_text = format!("{} were applied with another text", list(&found.altered));
        return Check::failed(
            name,
            place,
            found_text,
            "this database was not made by this product's builds",
        );
    }
    if !found.unknown.is_empty() {
        let found_text = format!("{} are of a newer build", list(&found.unknown));
        return Check::failed(name, place, found_text, "run that build, or a newer one");
    }
    if found.applied == 0 {
        let todo = "call-ledger migrate, or serve, applies them";
        return Check::warning(name, place, "none is applied: the ledger is not set up", todo);
    }
    if !found.missing.is_empty() {
        let found_text = format!("{} are not applied", list(&found.missing));
        return Check::failed(name, place, found_text, "call-ledger migrate");
    }
    Check::ok(name, place, format!("all {} are applied", found.applied))
}
