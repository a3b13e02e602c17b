//! `migrate`: applies the database migrations.

use serde_json::json;

use super::exit::ExitStatus;
use super::output;
use crate::config::Config;
use crate::instance::Instance;

pub(super) async fn run(config: &Config) -> anyhow::Result<ExitStatus> {
    let applied = Instance::run(config, async |instance| Ok(instance.migrated)).await?;
    output::object(config.output, &json!({ "applied": applied }))?;
    Ok(ExitStatus::Success)
}
