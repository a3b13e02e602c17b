//! `projection list`.

use serde_json::json;

use super::{Done, output};
use crate::config::Config;
use crate::instance::Instance;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the read models and how far each is
    List,
}

pub(super) async fn run(config: &Config, command: &Command) -> anyhow::Result<Done> {
    let Command::List = command;
    let progress = Instance::run(config, async |instance| {
        Ok(projections::progress(instance.store.projector()).await?)
    })
    .await?;
    let rows: Vec<_> = progress
        .iter()
        .map(|one| {
            json!({
                "name": one.name(),
                "version": one.version.version,
                "state": one.state(),
                "tenants": one.tenants,
                "lag_events": one.lag_events,
                "parked": one.parked,
            })
        })
        .collect();
    let columns = ["name", "version", "state", "tenants", "lag_events", "parked"];
    output::list(config.output, &columns, &rows)?;
    Ok(Done::Well)
}
