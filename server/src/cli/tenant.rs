//! `tenant create`, `tenant list`, `tenant update`, `tenant plan`, `tenant freeze|thaw|close`.

mod plan;

use anyhow::Context;
use ledger_core::phone::{country_meant, has_numbers, is_country};
use ledger_core::tenant::{TenantCommand, TenantPatch};
use ledger_store::tenants::{NewTenant, TenantInfo, TenantState};
use serde_json::json;

use super::exit::{ExitStatus, usage_error};
use super::output;
use super::text::short;
use crate::config::Config;
use crate::instance::Instance;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Create a tenant with its own log and keys
    #[command(after_help = "Example:
  call-ledger tenant create --slug harbor-dental --name 'Harbor Dental' --timezone America/Los_Angeles --country US")]
    Create(NewTenantArgs),
    /// List the tenants with their state and number of events
    List,
    /// Change the name, the country or the time zone of a tenant
    #[command(after_help = "Examples:
  call-ledger tenant update acme --name 'Acme Dental'
  call-ledger tenant update acme --country GB
  call-ledger tenant update acme --country none     only international numbers are recognized
  call-ledger tenant update acme --timezone Europe/London

A running server acts on it at once, five seconds later at the latest. Calls in the log stay as they are.")]
    Update(UpdateArgs),
    /// Show the limits of a tenant's plan, or set them
    #[command(after_help = "Examples:
  call-ledger tenant plan --tenant acme
  call-ledger tenant plan --tenant acme --calls 1000 --cost-usd 250
  call-ledger tenant plan --tenant acme --cost-usd none     that is not limited any more

What is not named stays as it is. Usage is shown against the limits; nothing is refused beyond them.")]
    Plan(plan::PlanArgs),
    /// Reject webhooks and writes of a tenant; reads continue
    #[command(after_help = "Example:
  call-ledger tenant freeze acme

Webhooks and writes are answered 403, what is in the log already as before. Keys go on reading, audited.
A running server acts on it at once, five seconds later at the latest.")]
    Freeze(Named),
    /// Make a frozen or closed tenant active again
    #[command(after_help = "Example:
  call-ledger tenant thaw acme")]
    Thaw(Named),
    /// Reject webhooks, writes and reads of a tenant
    #[command(after_help = "Example:
  call-ledger tenant close acme

Nothing is deleted, and tenant thaw undoes it. A running server acts on it at once, five seconds later at
the latest.")]
    Close(Named),
}

#[derive(Debug, clap::Args)]
pub(super) struct Named {
    /// Slug or id of the tenant
    #[arg(value_name = "TENANT")]
    tenant: String,
}

#[derive(Debug, clap::Args)]
pub(super) struct UpdateArgs {
    /// Slug or id of the tenant
    #[arg(value_name = "TENANT")]
    tenant: String,
    /// The business's name
    #[arg(long)]
    name: Option<String>,
    /// ISO 3166-1 alpha-2 country of national phone numbers, or none
    #[arg(long)]
    country: Option<String>,
    /// IANA time zone of the tenant's days and opening hours; appointments keep their instants
    #[arg(long)]
    timezone: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct NewTenantArgs {
    /// Short name: lower-case letters, digits and hyphens
    #[arg(long)]
    slug: String,
    /// The business's name [default: the slug]
    #[arg(long, value_parser = short)]
    name: Option<String>,
    /// IANA time zone of the tenant's days and billing months
    #[arg(long, default_value = "UTC")]
    timezone: String,
    /// ISO 3166-1 alpha-2 country of national phone numbers; without it only international numbers
    /// are recognized
    #[arg(long)]
    country: Option<String>,
}

pub(super) async fn run(config: &Config, command: &Command) -> anyhow::Result<ExitStatus> {
    match command {
        Command::Create(create) => {
            let new = validated(create)?;
            let tenant_id = Instance::run(config, async |instance| {
                instance.store.create_tenant(&new).await.context("the tenant was not made")
            })
            .await?;
            if !new.country.is_empty() && !has_numbers(&new.country) {
                eprintln!(
                    "{} has no telephone numbers of its own: only international ones are numbers",
                    new.country
                );
            }
            output::object(config.output, &json!({ "tenant_id": tenant_id, "slug": new.slug }))?;
        }
        Command::List => {
            let tenants =
                Instance::run(config, async |instance| Ok(instance.store.tenants().await?)).await?;
            let rows: Vec<_> = tenants
                .iter()
                .map(|tenant| {
                    json!({
                        "tenant_id": tenant.tenant_id,
                        "slug": tenant.slug,
                        "name": tenant.name,
                        "timezone": tenant.timezone,
                        "state": tenant.state,
                        "events": tenant.events,
                    })
                })
                .collect();
            let columns = ["slug", "name", "timezone", "state", "events", "tenant_id"];
            output::list(config.output, &columns, &rows)?;
        }
        Command::Update(args) => update(config, args).await?,
        Command::Plan(args) => plan::run(config, args).await?,
        Command::Freeze(named) => set_state(config, named, TenantState::Frozen).await?,
        Command::Thaw(named) => set_state(config, named, TenantState::Active).await?,
        Command::Close(named) => set_state(config, named, TenantState::Closed).await?,
    }
    Ok(ExitStatus::Success)
}

async fn update(config: &Config, args: &UpdateArgs) -> anyhow::Result<()> {
    let none = |country: String| if country == "none" { String::new() } else { country };
    let (name, country) = (args.name.clone(), args.country.clone().map(none));
    let patch = match TenantPatch::new(name, country, args.timezone.as_deref()) {
        Ok(patch) if patch.is_empty() => return usage_error("name what to change"),
        Ok(patch) => patch,
        Err(invalid) => return usage_error(format!("--{}: {invalid}", invalid.field)),
    };
    let shown = Instance::run(config, async |instance| {
        let store = &instance.store;
        let TenantInfo { tenant_id, slug, .. } = output::find_tenant(store, &args.tenant).await?;
        let command = TenantCommand::Update(patch);
        let changed = store.administer_tenant(&store.operator(), tenant_id, &command).await;
        let profile = changed.context("the tenant stays as it is")?.profile;
        Ok(json!({
            "tenant_id": tenant_id,
            "slug": slug,
            "name": profile.name,
            "timezone": profile.timezone,
            "country": profile.country,
            "state": profile.state.as_str(),
        }))
    })
    .await?;
    output::object(config.output, &shown)
}

async fn set_state(config: &Config, named: &Named, state: TenantState) -> anyhow::Result<()> {
    let tenant = Instance::run(config, async |instance| {
        let store = &instance.store;
        let tenant = output::find_tenant(store, &named.tenant).await?;
        let set = store.set_tenant_state(&store.operator(), tenant.tenant_id, state).await;
        set.context("the tenant stays in its state")?;
        Ok(tenant)
    })
    .await?;
    let shown =
        json!({ "tenant_id": tenant.tenant_id, "slug": tenant.slug, "state": state.as_str() });
    output::object(config.output, &shown)
}

/// Validates the options of a new tenant. Each error names the option.
fn validated(create: &NewTenantArgs) -> anyhow::Result<NewTenant> {
    let is_slug = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if create.slug.is_empty() || create.slug.len() > 63 || !create.slug.chars().all(is_slug) {
        return usage_error("--slug: use 1 to 63 lower-case letters, digits and hyphens");
    }
    if create.timezone.parse::<chrono_tz::Tz>().is_err() {
        return usage_error(format!(
            "--timezone: {} is no IANA time zone (such as Europe/London)",
            create.timezone
        ));
    }
    let country = create.country.as_deref().map(str::to_ascii_uppercase);
    if let Some(country) = country.as_deref().filter(|country| !is_country(country)) {
        let meant = country_meant(country);
        return usage_error(meant.map_or_else(
            || "--country: use an ISO 3166-1 alpha-2 code (such as GB)".to_owned(),
            |meant| format!("--country: {country} is no code of ISO 3166-1; use {meant}"),
        ));
    }
    Ok(NewTenant {
        slug: create.slug.clone(),
        name: create.name.clone().unwrap_or_else(|| create.slug.clone()),
        timezone: create.timezone.clone(),
        country: country.unwrap_or_default(),
    })
}
