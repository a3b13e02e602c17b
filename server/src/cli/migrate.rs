//! `migrate`: applies the database migrations.

use serde_json::json;

use super::{Done, output};
use crate::config::Config;
use crate::instance::Instance;

pub(super) async fn run(config: &Config) -> anyhow::Result<Done> {
    let applied = Instance::run(config, async |instance| Ok(instance.migrated)).await?;
    output::object(config.output, &json!({ "applied": applied }))?;
    Ok(Done::Well)
}
