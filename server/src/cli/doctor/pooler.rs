//! Checks for a connection pooler in transaction mode between this process and the database.

use super::check::Check;
use crate::instance::pooler;
use sqlx::postgres::PgConnectOptions;

pub(super) async fn check(database: &PgConnectOptions) -> Option<Check> {
    let found = pooler::find(database).await.ok()?;
    found.then(|| Check::failed("pooler", "DATABASE_URL", pooler::PROBLEM, pooler::REMEDY))
}
