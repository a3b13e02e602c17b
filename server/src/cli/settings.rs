//! `settings show` and `settings set`.

use anyhow::Context;
use ledger_app::settings::{self, SettingError};
use ledger_core::settings::{Setting, SettingName};
use ledger_store::execute::ExecuteError;

use super::exit::{ExitStatus, usage_error};
use super::output;
use crate::config::Config;
use crate::instance::Instance;

/// Help of the name of a setting.
const NAME: &str = "Name of the setting: plan, hours, resources, services, bookings, reminders, dispositions, \
                    annotations, lead_score, contacts or retention";

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Show a setting of a tenant
    #[command(after_help = "Example:
  call-ledger settings show plan --tenant acme")]
    Show(ShowArgs),
    /// Set a setting of a tenant; the value is replaced as a whole
    #[command(after_help = "Example:
  call-ledger settings set plan '{\"calls\": 1000}' --tenant acme

A field that is not named gets its default. Equal values record nothing.")]
    Set(SetArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct ShowArgs {
    #[arg(help = NAME)]
    name: String,
    /// Slug or id of the tenant
    #[arg(long)]
    tenant: String,
}

#[derive(Debug, clap::Args)]
pub(super) struct SetArgs {
    #[arg(help = NAME)]
    name: String,
    /// Value as a JSON object, as PUT /v1/settings/{name} takes it
    #[arg(value_name = "JSON")]
    value: String,
    /// Slug or id of the tenant
    #[arg(long)]
    tenant: String,
}

pub(super) async fn run(config: &Config, command: &Command) -> anyhow::Result<ExitStatus> {
    let shown = match command {
        Command::Show(args) => show(config, args).await?,
        Command::Set(args) => set(config, args).await?,
    };
    output::object(config.output, &shown.to_json())?;
    Ok(ExitStatus::Success)
}

async fn show(config: &Config, args: &ShowArgs) -> anyhow::Result<Setting> {
    let name = parse_name(&args.name)?;
    Instance::run(config, async |instance| {
        let store = &instance.store;
        let tenant_id = output::find_tenant(store, &args.tenant).await?.tenant_id;
        settings::get(store, tenant_id, name).await?.context("the tenant is gone")
    })
    .await
}

async fn set(config: &Config, args: &SetArgs) -> anyhow::Result<Setting> {
    let name = parse_name(&args.name)?;
    let Ok(fields) = serde_json::from_str(&args.value) else {
        return usage_error("the value is not a JSON object");
    };
    let setting = match Setting::parse(name, fields) {
        Ok(setting) => setting,
        Err(invalid) => return usage_error(invalid.to_string()),
    };
    Instance::run(config, async |instance| {
        let store = &instance.store;
        let tenant_id = output::find_tenant(store, &args.tenant).await?.tenant_id;
        let replaced =
            settings::replace(store, &store.operator(), tenant_id, setting.clone()).await;
        match replaced {
            Err(SettingError::Booking(ExecuteError::Rejected(invalid))) => {
                usage_error(invalid.to_string())
            }
            replaced => {
                replaced.context("the setting stays as it is")?;
                Ok(setting)
            }
        }
    })
    .await
}

fn parse_name(name: &str) -> anyhow::Result<SettingName> {
    SettingName::parse(name).map_or_else(
        || usage_error(format!("there is no such setting; choose one of {}", SettingName::known())),
        Ok,
    )
}
