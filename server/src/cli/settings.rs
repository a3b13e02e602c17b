//! `settings show` and `settings set`.

use anyhow::Context;
use ledger_core::settings::{Setting, SettingName};
use ledger_core::tenant::TenantCommand;
use ledger_store::TenantTx;
use ledger_store::tenants::plan_limits;

use super::exit::{ExitStatus, usage_error};
use super::output;
use crate::config::Config;
use crate::instance::Instance;

/// Help of the name of a setting.
const NAME: &str = "Name of the setting: plan, hours, resources, services, bookings, dispositions, \
                    annotations or lead_score";

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
        match name {
            SettingName::Plan => {
                let mut tx = TenantTx::begin(store.app(), tenant_id).await?;
                Ok(Setting::Plan(plan_limits(&mut tx).await?))
            }
            SettingName::Hours
            | SettingName::Resources
            | SettingName::Services
            | SettingName::Bookings => {
                let values = store.booking_settings_in_full(tenant_id).await?;
                values.setting(name).context("it is a setting of bookings")
            }
            SettingName::Dispositions | SettingName::Annotations | SettingName::LeadScore => {
                let settings = store.call_settings(tenant_id).await?;
                settings.setting(name).context("it is a setting of calls")
            }
        }
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
        let by = store.operator();
        let unchanged = "the setting stays as it is";
        match setting.clone() {
            Setting::Plan(limits) => {
                let command = TenantCommand::SetPlan(limits);
                store.administer_tenant(&by, tenant_id, &command).await.context(unchanged)?;
            }
            Setting::Booking(setting) => {
                store.set_booking_setting(&by, tenant_id, setting).await.context(unchanged)?;
            }
            Setting::Call(setting) => {
                store.set_call_setting(&by, tenant_id, &setting).await.context(unchanged)?;
            }
        }
        Ok(setting)
    })
    .await
}

fn parse_name(name: &str) -> anyhow::Result<SettingName> {
    SettingName::parse(name).map_or_else(
        || usage_error(format!("there is no such setting; choose one of {}", SettingName::known())),
        Ok,
    )
}
