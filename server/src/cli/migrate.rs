//! `migrate`.

use serde_json::json;

use super::{Done, output};
use crate::config::Config;
use crate::instance::Instance;

pub(super) async fn run(config: &Config) -> anyhow::Result<Done> {
    let instance = Instance::open(config).await?;
    let applied = instance.migrated;
    instance.close().await?;
    output::object(config.output, &json!({ "applied": applied }));
    Ok(Done::Well)
}
