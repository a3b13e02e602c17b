//! `key create`.

use ledger_core::ids::TenantId;
use serde_json::json;

use super::{Done, output, usage};
use crate::auth::{Scope, new_key};
use crate::config::Config;
use crate::instance::Instance;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make an API key; it is shown once
    #[command(after_help = "Examples:
  call-ledger key create --tenant acme --scopes read,personal
  call-ledger key create --installation --scopes admin      for the quarantine")]
    Create(Create),
}

#[derive(Debug, clap::Args)]
pub(super) struct Create {
    /// Slug or id of the tenant whose data the key opens
    #[arg(long, required_unless_present = "installation")]
    tenant: Option<String>,
    /// A key to what belongs to no tenant: the quarantine. Its only scope is admin
    #[arg(long, conflicts_with = "tenant")]
    installation: bool,
    /// What it may do: read, personal, write, compliance, admin
    #[arg(long, value_delimiter = ',', required = true)]
    scopes: Vec<String>,
    /// What to call it
    #[arg(long)]
    name: Option<String>,
}

pub(super) async fn run(config: &Config, command: &Command) -> anyhow::Result<Done> {
    let Command::Create(create) = command;
    for scope in &create.scopes {
        if !Scope::ALL.iter().any(|known| known.as_str() == scope) {
            let known: Vec<_> = Scope::ALL.iter().map(|known| known.as_str()).collect();
            return usage(format!("--scopes: {scope} is not one of {}", known.join(", ")));
        }
    }
    if create.installation && create.scopes.iter().any(|scope| scope != Scope::Admin.as_str()) {
        return usage("--scopes: a key of the installation has scope admin and no other");
    }
    let (key_id, api_key) = Instance::run(config, async |instance| {
        let store = &instance.store;
        let tenant_id = match &create.tenant {
            Some(tenant) => output::find_tenant(store, tenant).await?.tenant_id,
            None => TenantId::INSTALLATION,
        };
        let api_key = new_key(tenant_id);
        let name = create.name.as_deref();
        let key_id = store.create_api_key(tenant_id, &api_key, &create.scopes, name).await?;
        Ok((key_id, api_key))
    })
    .await?;
    let shown = json!({ "key_id": key_id, "api_key": api_key, "scopes": create.scopes });
    output::object(config.output, &shown)?;
    Ok(Done::Well)
}
