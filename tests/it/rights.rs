//! Credentials and rights: revocation, the requests allowed in each tenant state, and actions that
//! no key allows.

mod headers;
mod keys;
mod rotation;
mod states;
mod switches;
mod write_only;

use ledger_core::ids::TenantId;
use ledger_store::Store;
use ledger_store::tenants::TenantState;
use ledger_tests::{TestTenant, cluster};
use reqwest::{Client, Method, Response};
use serde_json::Value;

/// Sends a command; an empty `body` sends none.
async fn send(tenant: &TestTenant, key: &str, method: Method, path: &str, body: &str) -> Response {
    let request = Client::new().request(method, tenant.url(path)).bearer_auth(key);
    request.body(body.to_owned()).send().await.expect("an answer")
}

/// Sends a command without a body; returns status and JSON of the response.
async fn command(tenant: &TestTenant, key: &str, method: Method, path: &str) -> (u16, Value) {
    ledger_tests::ledger::status_and_json(send(tenant, key, method, path, "").await).await
}

async fn set_state(store: &Store, tenant_id: TenantId, state: TenantState) {
    let set = store.set_tenant_state(&store.operator(), tenant_id, state).await;
    set.expect("the database answers").expect("there is such a tenant");
}

/// Returns the number of rows of a tenant in each table of the vault.
async fn vault_rows(tenant_id: TenantId) -> Vec<(String, i64)> {
    let conn = &mut cluster::superuser().await;
    let tables: Vec<String> = sqlx::query_scalar(
        "select format('%I.%I', table_schema, table_name) from information_schema.columns
          where table_schema = 'vault' and column_name = 'tenant_id' order by 1",
    )
    .fetch_all(&mut *conn)
    .await
    .expect("the catalogue answers");
    let mut rows = Vec::new();
    for table in tables {
        let count = format!("select count(*) from {table} where tenant_id = $1");
        let count = sqlx::query_scalar(sqlx::AssertSqlSafe(count)).bind(tenant_id.0);
        rows.push((table, count.fetch_one(&mut *conn).await.expect("a count")));
    }
    rows
}
