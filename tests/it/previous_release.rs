//! Servers of the previous release and of this build share one database while servers are replaced.
//! The statements of the previous release must run on this schema.
//!
//! `tests/fixtures/previous-release.json` holds the statements and columns of that release, and its
//! commit, from which `.ci/previous` runs its servers beside those of this build. On the commit of a
//! release it is recorded again:
//! `UPDATE_PREVIOUS_RELEASE=1 cargo test -p ledger-tests --test it -- previous_release`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use ledger_tests::{OwnDatabase, run};
use serde::{Deserialize, Serialize};
use sqlx::{
    AssertSqlSafe, Column, Either, Executor, PgConnection, SqlStr, Statement as _, TypeInfo,
};

/// What a release expects of the schema.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Release {
    /// The commit of the release, from which `.ci/previous` builds its servers.
    commit: String,
    /// Number of the last migration of the release.
    migration: i64,
    /// Columns by table; read models are left out, because a release fills only its own versions.
    columns: BTreeMap<String, Vec<String>>,
    statements: Vec<Statement>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Statement {
    sql: String,
    /// Names of the parameter types.
    parameters: Vec<String>,
    /// Name and type of each column of the result.
    columns: Vec<(String, String)>,
}

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/previous-release.json")
}

fn previous() -> Release {
    let text = std::fs::read_to_string(fixture()).expect("the fixture");
    serde_json::from_str(&text).expect("a release")
}

/// Prepares a statement on this schema.
async fn prepared(conn: &mut PgConnection, sql: &str) -> Result<Statement, sqlx::Error> {
    let text: SqlStr = sqlx::SqlSafeStr::into_sql_str(AssertSqlSafe(sql.to_owned()));
    let prepared = conn.prepare(text).await?;
    let parameters = match prepared.parameters() {
        Some(Either::Left(types)) => types.iter().map(|one| one.name().to_owned()).collect(),
        _ => Vec::new(),
    };
    let column =
        |one: &sqlx::postgres::PgColumn| (one.name().to_owned(), one.type_info().name().to_owned());
    let columns = prepared.columns().iter().map(column).collect();
    Ok(Statement { sql: sql.to_owned(), parameters, columns })
}

/// Returns one sentence for each expectation of a release that this schema does not meet.
async fn unmet(conn: &mut PgConnection, release: &Release) -> Vec<String> {
    let mut unmet = Vec::new();
    for old in &release.statements {
        match prepared(conn, &old.sql).await {
            Err(error) => unmet.push(format!("{error}: {}", old.sql)),
            Ok(new) if new.columns != old.columns => {
                unmet.push(format!("columns are {:?}: {}", new.columns, old.sql));
            }
            Ok(new) if new.parameters != old.parameters => {
                unmet.push(format!("parameters are {:?}: {}", new.parameters, old.sql));
            }
            Ok(_) => {}
        }
    }
    for (table, column) in required(conn).await {
        let known = release.columns.get(&table);
        if known.is_some_and(|columns| !columns.contains(&column)) {
            unmet.push(format!("{table}.{column} is required and has no default"));
        }
    }
    unmet
}

const COLUMNS: &str = "
select format('%I.%I', n.nspname, c.relname), a.attname::text
  from pg_attribute a
  join pg_class c on c.oid = a.attrelid
  join pg_namespace n on n.oid = c.relnamespace
 where c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped
   and n.nspname in ('ledger', 'vault', 'projection')";

/// Columns that an insert has to name.
async fn required(conn: &mut PgConnection) -> Vec<(String, String)> {
    let sql = format!("{COLUMNS} and a.attnotnull and not a.atthasdef and a.attidentity = ''");
    sqlx::query_as(AssertSqlSafe(sql)).fetch_all(conn).await.expect("the catalogue")
}

/// A database with this build's schema, and a connection that finds the tables of read models.
async fn schema() -> (OwnDatabase, PgConnection) {
    let own = OwnDatabase::create().await;
    let mut conn = own.superuser().await;
    let path: String = sqlx::query_scalar(
        "select string_agg(nspname, ', ') from pg_namespace where nspname ~ '_v[0-9]+$'",
    )
    .fetch_one(&mut conn)
    .await
    .expect("read models");
    let path = AssertSqlSafe(format!("set search_path = {path}, public"));
    conn.execute(path).await.expect("a search path");
    (own, conn)
}

/// Reads the checked statements of this build.
fn own_statements() -> Vec<String> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.sqlx");
    let mut all: Vec<String> = std::fs::read_dir(dir)
        .expect("the checked statements")
        .map(|entry| {
            let text = std::fs::read_to_string(entry.expect("an entry").path()).expect("a file");
            let one: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            one["query"].as_str().expect("a statement").to_owned()
        })
        .collect();
    all.sort();
    all
}

/// The commit that is checked out.
fn head() -> String {
    let dir = env!("CARGO_MANIFEST_DIR");
    let ran = Command::new("git").args(["-C", dir, "rev-parse", "HEAD"]).output().expect("git");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).expect("an id").trim().to_owned()
}

async fn record(conn: &mut PgConnection) {
    let migration = ledger_store::MIGRATOR.iter().map(|one| one.version).max().unwrap_or(0);
    let mut release = Release { commit: head(), migration, ..Release::default() };
    let columns: Vec<(String, String)> =
        sqlx::query_as(COLUMNS).fetch_all(&mut *conn).await.expect("the catalogue");
    for (table, column) in columns {
        release.columns.entry(table).or_default().push(column);
    }
    for sql in own_statements() {
        release.statements.push(prepared(conn, &sql).await.expect("a statement of this build"));
    }
    let text = serde_json::to_string_pretty(&release).expect("JSON");
    std::fs::write(fixture(), text + "\n").expect("the fixture");
}

#[test]
fn every_statement_of_the_previous_release_runs_on_this_schema() {
    run(async {
        let (_own, mut conn) = schema().await;
        if std::env::var_os("UPDATE_PREVIOUS_RELEASE").is_some() {
            record(&mut conn).await;
        }
        let release = previous();
        assert!(release.statements.len() > 100 && release.columns.len() > 20);
        assert_eq!(release.commit.len(), 40, "a whole id, which a later release's tools find");
        let unmet = unmet(&mut conn, &release).await;
        assert!(
            unmet.is_empty(),
            "expand first, contract in a later release:\n{}",
            unmet.join("\n")
        );
    });
}

#[test]
fn a_change_that_stops_servers_of_the_previous_release_is_found() {
    for (change, wanted) in [
        ("alter table ledger.sources rename column name to title", "column \"name\""),
        ("alter table projection.parked alter attempts type bigint", "\"INT8\""),
        (
            "alter table vault.handles add column region text not null;
             alter table vault.handles alter region drop default",
            "vault.handles.region is required",
        ),
        ("drop function ledger.free_tenants(uuid[])", "ledger.free_tenants"),
    ] {
        run(async {
            let (_own, mut conn) = schema().await;
            sqlx::raw_sql(change).execute(&mut conn).await.expect(change);
            let unmet = unmet(&mut conn, &previous()).await;
            assert!(unmet.iter().any(|one| one.contains(wanted)), "{change}: {unmet:#?}");
        });
    }
}
