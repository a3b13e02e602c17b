//! `source create`, `source update`, `source route`, `source unroute`, `source list`, `source rotate-secret`, `source disable|enable`.

mod change;
mod route;
mod signature;
mod update;

use anyhow::Context;
use ledger_core::ids::TenantId;
use ledger_core::provider::Provider;
use ledger_core::tools::ToolSettings;
use ledger_store::source::{NewSource, check_secret};
use serde_json::json;

use super::exit::{ExitStatus, usage_error};
use super::output;
use super::text::short;
use crate::config::Config;
use crate::instance::Instance;
use crate::system::fresh_secret;

use signature::Signature;
use update::ToolOptions;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Create a webhook source; the secret is printed once
    #[command(after_help = "Examples:
  call-ledger source create --tenant acme --provider vapi
  call-ledger source create --shared --provider vapi     routes decide whose each message is
  call-ledger source create --tenant acme --provider vapi --hmac     only signed requests are believed
  call-ledger source create --tenant acme --provider vapi --hmac --hmac-algorithm sha512 \\
    --hmac-signature-header x-acme-signature --hmac-no-timestamp --hmac-payload '{body}'")]
    Create(Box<CreateArgs>),
    /// Change settings of a source; what is not named stays
    #[command(after_help = "Examples:
  call-ledger source update 3f0e… --tool reserve_slot=book --tool who_is_calling=look_up
  call-ledger source update 3f0e… --speech verbatim     Vapi speaks the answers word by word
  call-ledger source update 3f0e… --no-tools            only the names that are built in

All names of tools are replaced. A running server acts on it at once, five seconds later at the latest.")]
    Update(Box<update::Update>),
    /// Assign messages of a shared source to a tenant, by an id of the platform's objects
    #[command(after_help = "Example:
  call-ledger source route --source 3f0e… --tenant acme --assistant-id 054ea7e1-…
  call-ledger source route --source 3f0e… --tenant acme --phone-number +15550100123 \\
    --valid-from 2026-07-01T00:00:00Z

The time of receipt of a message decides, also when it is replayed from the quarantine. An id belongs to one
tenant at a time.")]
    Route(route::RouteArgs),
    /// End the routes of an id to a tenant; later messages are not assigned to it
    #[command(after_help = "Example:
  call-ledger source unroute --source 3f0e… --tenant acme --phone-number +15550100123 \\
    --from 2026-07-01T00:00:00Z

Routes that begin later are cancelled. Recorded messages stay in the log of the tenant.")]
    Unroute(route::UnrouteArgs),
    /// List the webhook sources, without their secrets
    #[command(after_help = "Example:
  call-ledger source list --tenant acme")]
    List(change::ListSources),
    /// Replace the secret of a source; the new one is printed once
    #[command(after_help = "Examples:
  call-ledger source rotate-secret 3f0e… --overlap 1d     both secrets are accepted for a day
  call-ledger source rotate-secret 3f0e…                  the old one has leaked: it is refused at once

A running server acts on it at once, five seconds later at the latest. Works whatever state the tenant is in.")]
    RotateSecret(change::Rotate),
    /// Disable a source: webhooks are answered 404, as for an unknown source
    #[command(after_help = "Example:
  call-ledger source disable 3f0e…

A running server acts on it at once, five seconds later at the latest. Works whatever state the tenant is in.")]
    Disable(change::Switch),
    /// Enable a disabled source again
    #[command(after_help = "Example:
  call-ledger source enable 3f0e…")]
    Enable(change::Switch),
}

#[derive(Debug, clap::Args)]
pub(super) struct CreateArgs {
    /// Slug or id of the tenant that owns the messages
    #[arg(long, required_unless_present = "shared")]
    tenant: Option<String>,
    /// Accept messages of several tenants, assigned by routes
    #[arg(long, conflicts_with = "tenant")]
    shared: bool,
    /// The voice platform: vapi
    #[arg(long)]
    provider: String,
    /// The shared secret [default: a generated one]
    #[arg(long, env = "CALL_LEDGER_SOURCE_SECRET", hide_env_values = true)]
    secret: Option<String>,
    /// Name of the source, for lists
    #[arg(long, value_parser = short)]
    name: Option<String>,
    /// Id of the assistant that answers calls when the platform asks (assistant-request)
    #[arg(long, value_name = "ID", value_parser = short)]
    assistant_id: Option<String>,
    /// `important` skips streaming telemetry that the report repeats; `all` records it
    #[arg(long, default_value = "important", value_parser = ["important", "all"])]
    record: String,
    #[command(flatten)]
    tools: ToolOptions,
    #[command(flatten)]
    signature: Signature,
}

pub(super) async fn run(config: &Config, command: &Command) -> anyhow::Result<ExitStatus> {
    match command {
        Command::Create(create) => run_create(config, create).await,
        Command::Update(update) => update::run(config, update).await,
        Command::Route(route) => route::run_add(config, route).await,
        Command::Unroute(unroute) => route::run_end(config, unroute).await,
        Command::List(list) => change::run_list(config, list).await,
        Command::RotateSecret(rotate) => change::run_rotate(config, rotate).await,
        Command::Disable(switch) => change::run_switch(config, switch, false).await,
        Command::Enable(switch) => change::run_switch(config, switch, true).await,
    }
}

async fn run_create(config: &Config, create: &CreateArgs) -> anyhow::Result<ExitStatus> {
    let Some(provider) = Provider::parse(&create.provider) else {
        let known: Vec<_> = Provider::ALL.iter().map(|known| known.as_str()).collect();
        return usage_error(format!("--provider: this build speaks {}", known.join(", ")));
    };
    let secret = create.secret.clone().unwrap_or_else(fresh_secret);
    if let Err(weak) = check_secret(&secret) {
        return usage_error(format!("--secret: {weak}"));
    }
    let signature = create.signature.scheme(&secret)?;
    let tools = ToolSettings {
        names: create.tools.names()?.unwrap_or_default(),
        speech: create.tools.speech().unwrap_or_default(),
    };
    let source_id = Instance::run(config, async |instance| {
        let store = &instance.store;
        let tenant_id = match &create.tenant {
            Some(tenant) => output::find_tenant(store, tenant).await?.tenant_id,
            None => TenantId::INSTALLATION,
        };
        let new = NewSource {
            tenant_id,
            provider,
            secret: &secret,
            name: create.name.as_deref(),
            record_all: create.record == "all",
            assistant_id: create.assistant_id.as_deref(),
            tools: Some(&tools),
        };
        let made = store.create_signed_source(&new, signature.as_ref()).await;
        made.context("the source was not made")
    })
    .await?;
    let path = format!("/ingest/{source_id}");
    let shown = json!({ "source_id": source_id, "path": path, "secret": secret });
    output::object(config.output, &shown)?;
    Ok(ExitStatus::Success)
}
