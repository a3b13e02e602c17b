//! The catalogue lint: compares the system catalogue of PostgreSQL with the rules that isolate
//! tenants and keep the log immutable. It has no list of tables in code: `expected.rs` holds what
//! is allowed, everything else is a finding.
//!
//! A migration that adds a table adds its lines to `expected.rs`. The schema `<model>_v<n>` of a
//! version of a read model needs no line: the rules of `{model}` apply to it.

mod expected;
mod grants;
mod policies;
mod rules;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

/// Returns the findings for the database as sorted sentences; empty if the database is as expected.
/// Needs a superuser connection. Also works inside a transaction and includes its uncommitted
/// changes.
///
/// # Panics
/// If a catalogue query fails.
pub async fn findings(conn: &mut PgConnection) -> Vec<String> {
    let mut tx = conn.begin().await.expect("a transaction, or a part of one");
    // An empty search path makes PostgreSQL print names with their schemas.
    tx.execute("set local search_path = pg_catalog").await.expect("a setting");
    let mut found = Vec::new();
    for (rule, exceptions) in rules::RULES {
        found.extend(sentences(&mut tx, rule, exceptions).await);
    }
    found.extend(policies::findings(&mut tx).await);
    found.extend(grants::findings(&mut tx).await);
    tx.rollback().await.expect("nothing was changed");
    found.sort();
    found
}

/// Runs a rule and returns the sentences of its violations. Every rule can use `ours` for the
/// schemas of this product and `$1` for the names of the exceptions.
async fn sentences(
    conn: &mut PgConnection,
    rule: &str,
    exceptions: &[expected::Exception],
) -> Vec<String> {
    let names: Vec<&str> = exceptions.iter().map(|exception| exception.name).collect();
    let query = format!(
        "with ours as (
           select oid, nspname from pg_namespace
            where nspname !~ '^pg_' and nspname <> 'information_schema'
         ), exceptions (name) as (select unnest($1::text[]))
         {rule}"
    );
    sqlx::query_scalar(AssertSqlSafe(query))
        .bind(names)
        .fetch_all(conn)
        .await
        .unwrap_or_else(|error| panic!("{error} in {rule}"))
}

/// The name of a schema in the lists: all versions of all read models are `{model}`.
fn listed_schema(schema: &str) -> &str {
    let version = schema.rsplit_once("_v").map(|(_, version)| version).unwrap_or_default();
    let is_version = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
    if is_version { "{model}" } else { schema }
}
