//! `projection promote`, `projection rollback`, `projection cancel` and `projection diff`.

use ledger_store::Store;
use projections::versions::{self, Version, VersionError, named};
use serde_json::json;

use super::super::exit::{ExitStatus, usage_error};
use super::super::output;
use crate::config::{Config, Output};
use crate::instance::Instance;

#[derive(Debug, clap::Args)]
pub(crate) struct Promote {
    /// Name of the read model
    name: String,
    /// Only the version of this tenant (slug or id) [default: that of all tenants, otherwise of a
    /// single tenant]
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// Promote even with keys parked that are not parked in the served version
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Rollback {
    /// Name of the read model
    name: String,
    /// Accepted for symmetry; not required, because another rollback reverts it
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Cancel {
    /// Name of the read model
    name: String,
    /// Only the version of this tenant (slug or id) [default: that of all tenants, otherwise of a
    /// single tenant]
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// Confirm that the filled rows are deleted
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DiffArgs {
    /// Name of the read model
    name: String,
    /// The version to compare with [default: the one under construction, otherwise the previous
    /// one]
    #[arg(long, value_name = "VERSION")]
    against: Option<i32>,
    /// Maximum number of rows to list; all are counted
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..=100_000))]
    limit: i64,
}

pub(super) async fn promote(config: &Config, args: &Promote) -> anyhow::Result<ExitStatus> {
    let name = named(&args.name)?.name();
    let shown = Instance::run(config, async |instance| {
        let store = &instance.store;
        let building = building(store, name, args.tenant.as_deref()).await?;
        let version = match versions::promote_version(store.owner(), &building, args.yes).await {
            Err(error @ VersionError::Parked { .. }) => {
                let todo = "see call-ledger parked list, or show it all the same with --yes";
                anyhow::bail!("{error}; {todo}")
            }
            promoted => promoted?,
        };
        let mut shown = json!({ "name": name, "version": version, "state": "active" });
        if let Some(only) = building.only {
            shown["tenant_id"] = json!(only);
        }
        Ok(shown)
    })
    .await?;
    output::object(config.output, &shown)?;
    Ok(ExitStatus::Success)
}

/// Returns the version under construction: of the named tenant, otherwise of all tenants, otherwise
/// of any single tenant.
async fn building(store: &Store, name: &str, tenant: Option<&str>) -> anyhow::Result<Version> {
    let only = match tenant {
        Some(tenant) => Some(output::find_tenant(store, tenant).await?.tenant_id),
        None => None,
    };
    let mut conn = store.projector().acquire().await?;
    let building = match only {
        Some(_) => versions::building_of(&mut conn, name, only).await?,
        None => versions::building(&mut conn, name).await?,
    };
    Ok(building.ok_or_else(|| VersionError::NoneBuilding { name: name.to_owned() })?)
}

pub(super) async fn rollback(config: &Config, args: &Rollback) -> anyhow::Result<ExitStatus> {
    let name = named(&args.name)?.name();
    let version = Instance::run(config, async |instance| {
        Ok(versions::rollback(instance.store.owner(), name).await?)
    })
    .await?;
    let shown = json!({ "name": name, "version": version, "state": "active" });
    output::object(config.output, &shown)?;
    Ok(ExitStatus::Success)
}

pub(super) async fn cancel(config: &Config, args: &Cancel) -> anyhow::Result<ExitStatus> {
    if !args.yes {
        return usage_error("what was filled is thrown away: say so with --yes");
    }
    let name = named(&args.name)?.name();
    let version = Instance::run(config, async |instance| {
        let building = building(&instance.store, name, args.tenant.as_deref()).await?;
        Ok(versions::cancel_version(instance.store.owner(), &building).await?)
    })
    .await?;
    let gone = json!({ "name": name, "version": version, "state": "cancelled" });
    output::object(config.output, &gone)?;
    Ok(ExitStatus::Success)
}

pub(super) async fn diff(config: &Config, args: &DiffArgs) -> anyhow::Result<ExitStatus> {
    let name = named(&args.name)?.name();
    let diff = Instance::run(config, async |instance| {
        let pool = instance.store.projector();
        let pair = versions::pair(pool, name, args.against, None).await?;
        Ok(versions::diff_within(pool, name, pair, None, args.limit).await?)
    })
    .await?;
    if config.output == Output::Json {
        output::print_line(serde_json::to_string(&diff)?)?;
        return Ok(ExitStatus::Success);
    }
    let rows: Vec<_> = diff
        .differences
        .iter()
        .map(|one| {
            let columns = one.columns.join(", ");
            json!({ "table": one.table, "key": one.key, "how": one.how, "columns": columns })
        })
        .collect();
    if !rows.is_empty() {
        output::list(config.output, &["table", "key", "how", "columns"], &rows)?;
    }
    output::print_line(format_args!(
        "{} rows differ between version {} (here) and {} (there) of {name}, over {} tenants; {} stand elsewhere and were not compared",
        diff.rows, diff.here, diff.there, diff.tenants, diff.not_compared
    ))?;
    Ok(ExitStatus::Success)
}
