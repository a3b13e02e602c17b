//! What a command prints.

use anyhow::{Context, bail};
use comfy_table::Table;
use ledger_core::ids::TenantId;
use ledger_store::Store;
use ledger_store::tenants::Tenant;
use serde_json::Value;

use crate::config::Output;

/// Prints one object: as JSON, or one field a line.
pub(super) fn object(output: Output, value: &Value) {
    match output {
        Output::Json => println!("{value}"),
        Output::Table => {
            for (name, value) in value.as_object().into_iter().flatten() {
                println!("{name}: {}", cell(value));
            }
        }
    }
}

/// Prints a list of objects: as JSON, or a table of these columns.
pub(super) fn list(output: Output, columns: &[&str], rows: &[Value]) {
    match output {
        Output::Json => println!("{}", Value::from(rows)),
        Output::Table => {
            let mut table = Table::new();
            table.load_style(comfy_table::presets::UTF8_FULL_CONDENSED);
            table.set_header(columns.iter().copied());
            for row in rows {
                table.add_row(columns.iter().map(|column| cell(&row[*column])));
            }
            println!("{table}");
        }
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// The tenant of a slug or an id.
pub(super) async fn find_tenant(store: &Store, name: &str) -> anyhow::Result<Tenant> {
    let tenants = store.tenants().await.context("the tenants cannot be read")?;
    let found = tenants
        .into_iter()
        .find(|tenant| tenant.slug == name || tenant.tenant_id.to_string() == name);
    let Some(tenant) = found else {
        bail!("there is no tenant {name}; call-ledger tenant list shows those there are");
    };
    Ok(tenant)
}

/// The tenants a command is about: one, or all.
pub(super) async fn tenants_of(store: &Store, name: Option<&str>) -> anyhow::Result<Vec<TenantId>> {
    match name {
        Some(name) => Ok(vec![find_tenant(store, name).await?.tenant_id]),
        None => Ok(store.tenants().await?.into_iter().map(|tenant| tenant.tenant_id).collect()),
    }
}
