//! Prints the results of commands to standard output. A closed pipe, as with `… | head`, ends the
//! command quietly.

use std::fmt::Display;
use std::io::{self, Write};

use anyhow::{Context, bail};
use comfy_table::Table;
use ledger_core::ids::TenantId;
use ledger_store::Store;
use ledger_store::tenants::TenantInfo;
use serde_json::Value;

use crate::config::Output;

/// The reader of standard output closed the pipe; not an error of this program.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads standard output any more")]
struct PipeClosed;

/// Returns whether a command failed only because the reader of standard output closed the pipe.
pub(super) fn is_pipe_closed(error: &anyhow::Error) -> bool {
    let inner = |cause: &(dyn std::error::Error + 'static)| {
        let error = cause.downcast_ref::<io::Error>()?;
        Some(error.get_ref()?.is::<PipeClosed>())
    };
    error.chain().any(|cause| inner(cause).unwrap_or(false))
}

/// Standard output that marks a closed pipe, to distinguish it from errors such as a full disk.
pub(super) struct Stdout(io::Stdout);

impl Stdout {
    pub(super) fn new() -> Self {
        Self(io::stdout())
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(mark_closed_pipe)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(mark_closed_pipe)
    }
}

fn mark_closed_pipe(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::BrokenPipe => io::Error::new(error.kind(), PipeClosed),
        _ => error,
    }
}

/// Prints one or more lines to standard output.
pub(super) fn print_line(text: impl Display) -> anyhow::Result<()> {
    let mut out = Stdout::new();
    writeln!(out, "{text}").and_then(|()| out.flush()).context("standard output cannot be written")
}

/// Prints one object, as JSON or with one field per line.
pub(super) fn object(output: Output, value: &Value) -> anyhow::Result<()> {
    match output {
        Output::Json => print_line(value),
        Output::Table => value
            .as_object()
            .into_iter()
            .flatten()
            .try_for_each(|(name, value)| print_line(format_args!("{name}: {}", cell(value)))),
    }
}

/// Prints a list of objects, as JSON or as a table with these columns.
pub(super) fn list(output: Output, columns: &[&str], rows: &[Value]) -> anyhow::Result<()> {
    match output {
        Output::Json => print_line(Value::from(rows)),
        Output::Table => {
            let mut table = Table::new();
            table.load_style(comfy_table::presets::UTF8_FULL_CONDENSED);
            table.set_header(columns.iter().copied());
            for row in rows {
                table.add_row(columns.iter().map(|column| cell(&row[*column])));
            }
            print_line(table)
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

/// Returns the tenant with this slug or id.
pub(super) async fn find_tenant(store: &Store, name: &str) -> anyhow::Result<TenantInfo> {
    let tenants = store.tenants().await.context("the tenants cannot be read")?;
    let found = tenants
        .into_iter()
        .find(|tenant| tenant.slug == name || tenant.tenant_id.to_string() == name);
    let Some(tenant) = found else {
        bail!("there is no tenant {name}; call-ledger tenant list shows those there are");
    };
    Ok(tenant)
}

/// Returns the tenants a command applies to: the named one, or all.
pub(super) async fn tenants_of(store: &Store, name: Option<&str>) -> anyhow::Result<Vec<TenantId>> {
    match name {
        Some(name) => Ok(vec![find_tenant(store, name).await?.tenant_id]),
        None => Ok(store.tenants().await?.into_iter().map(|tenant| tenant.tenant_id).collect()),
    }
}
