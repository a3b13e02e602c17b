//! The catalogue lint: what PostgreSQL's own catalogue says, against the rules that keep tenants
//! apart and the log as it was written. It knows no table: what is allowed is listed in
//! `expected.rs`, everything else is a finding.
//!
//! A migration that adds a table adds its lines to `expected.rs`. A version of a read model has a
//! schema of its own, called `<model>_v<n>`, and needs no line: the rules of `{model}` are its rules.

mod expected;
mod grants;
mod policies;
mod rules;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

/// What is wrong with the database a superuser is connected to: sentences, sorted; none when all is
/// well. Works inside a transaction, too, and sees what that transaction did.
///
/// # Panics
/// When the catalogue does not answer.
pub async fn findings(conn: &mut PgConnection) -> Vec<String> {
    let mut tx = conn.begin().await.expect("a transaction, or a part of one");
    // Names are then written with their schemas.
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

/// A rule as a query for the sentences that break it. Every rule sees our schemas as `ours`, and
/// the names it makes an exception of as `$1`.
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

/// The schema of an object as the lists name it: all versions of all read models are `{model}`.
fn listed_schema(schema: &str) -> &str {
    let version = schema.rsplit_once("_v").map(|(_, version)| version).unwrap_or_default();
    let is_version = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
    if is_version { "{model}" } else { schema }
}
