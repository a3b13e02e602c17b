//! Whether a pooler in transaction mode stands between us and the database.

use super::check::Check;
use crate::instance::pooler;
use sqlx::postgres::PgConnectOptions;

pub(super) async fn check(database: &PgConnectOptions) -> Option<Check> {
    let found = pooler::find(database).await.ok()?;
    found.then(|| Check::failed("pooler", "DATABASE_URL", pooler::FOUND, pooler::TODO))
}
