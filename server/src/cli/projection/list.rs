//! `projection list`: versions of the read models.

use projections::versions::{Checksum, checksum};
use projections::{Progress, progress};
use serde_json::{Value, json};

use super::super::exit::ExitStatus;
use super::super::output;
use crate::config::{Config, Output};
use crate::instance::Instance;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Skip the row count and checksum, which read every row
    #[arg(long)]
    no_checksum: bool,
}

const COLUMNS: &[&str] = &[
    "name",
    "version",
    "state",
    "tenants",
    "lag_events",
    "lag_seconds",
    "parked",
    "halted",
    "stalled",
    "rows",
    "checksum",
    "tenant_id",
];

pub(super) async fn run(config: &Config, args: &Args) -> anyhow::Result<ExitStatus> {
    let rows = Instance::run(config, async |instance| {
        let pool = instance.store.projector();
        let mut rows = Vec::new();
        for one in progress(pool).await? {
            let version = &one.version;
            // A version without indexes is still being filled; its checksum would be slow and
            // useless.
            let is_whole = version.indexed_at.is_some() || version.only.is_some();
            let sum = if is_whole && !args.no_checksum {
                checksum(pool, &version.name, version.version, version.only).await?
            } else {
                None
            };
            rows.push(row(&one, sum));
        }
        Ok(rows)
    })
    .await?;
    let is_scoped = rows.iter().any(|row| !row["tenant_id"].is_null());
    let columns = if is_scoped || config.output == Output::Json {
        COLUMNS
    } else {
        &COLUMNS[..COLUMNS.len() - 1]
    };
    output::list(config.output, columns, &rows)?;
    Ok(ExitStatus::Success)
}

fn row(one: &Progress, sum: Option<Checksum>) -> Value {
    let mut row = json!({
        "name": one.name(),
        "version": one.version.version,
        "state": one.state(),
        "tenants": one.tenants,
        "events": one.events,
        "lag_events": one.lag_events,
        "lag_seconds": one.lag_seconds,
        "parked": one.parked,
        "halted": one.halted,
        "stalled": one.stalled,
        "reason": one.why,
        "rows": sum.map(|sum| sum.rows),
        "checksum": sum,
    });
    if let Some(only) = one.version.only {
        row["tenant_id"] = json!(only);
    }
    row
}
