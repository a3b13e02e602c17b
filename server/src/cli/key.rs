//! `key create`, `key list`, `key revoke` and `key rotate-root`.

mod rotate_root;

use std::collections::HashMap;

use anyhow::{Context, bail};
use chrono::{DateTime, TimeDelta, Utc};
use ledger_app::api_key::new_key;
use ledger_core::ids::{KeyId, TenantId};
use ledger_core::scope::Scope;
use ledger_store::Store;
use ledger_store::api_keys::{ApiKeyInfo, KeyError, KeyRejection, NewKey, Revocation};
use serde_json::{Value, json};
use uuid::Uuid;

use super::exit::{ExitStatus, usage_error};
use super::text::short;
use super::{duration, output};

use crate::config::Config;
use crate::instance::Instance;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Create an API key; the key is printed once
    #[command(after_help = "Examples:
  call-ledger key create --tenant acme --scopes read,personal
  call-ledger key create --tenant acme --scopes read --expires 30d
  call-ledger key create --installation --scopes admin      for the quarantine")]
    Create(CreateArgs),
    /// List the API keys, without the keys
    #[command(after_help = "Example:
  call-ledger key list --tenant acme")]
    List(ListKeys),
    /// Revoke an API key permanently, whatever state its tenant is in
    #[command(after_help = "Example:
  call-ledger key revoke 01a1fcae-5d88-7792-b19c-87f840c88c04

A running server refuses the key at once, five seconds later at the latest. Again: the same answer.")]
    Revoke(Revoke),
    /// Replace the root key, while servers run
    #[command(after_help = rotate_root::EXAMPLES)]
    RotateRoot(rotate_root::Args),
}

#[derive(Debug, clap::Args)]
pub(super) struct CreateArgs {
    /// Slug or id of the tenant of the key
    #[arg(long, required_unless_present = "installation")]
    tenant: Option<String>,
    /// A key for what has no tenant: the quarantine. Its only scope is admin
    #[arg(long, conflicts_with = "tenant")]
    installation: bool,
    /// Scopes of the key: read, personal, write, compliance, admin
    #[arg(long, value_delimiter = ',', required = true)]
    scopes: Vec<String>,
    /// Name of the key, for lists
    #[arg(long, value_parser = short)]
    name: Option<String>,
    /// Lifetime of the key, such as 12h or 30d [default: until it is revoked]
    #[arg(long, value_name = "DUR", value_parser = duration::parse)]
    expires: Option<TimeDelta>,
}

#[derive(Debug, clap::Args)]
pub(super) struct ListKeys {
    /// Slug or id of a tenant [default: all keys, those of the installation too]
    #[arg(long)]
    tenant: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Revoke {
    /// Id of the key, as printed by key list
    #[arg(value_name = "ID")]
    key_id: Uuid,
}

pub(super) async fn run(config: &Config, command: &Command) -> anyhow::Result<ExitStatus> {
    match command {
        Command::Create(create) => run_create(config, create).await,
        Command::List(list) => run_list(config, list).await,
        Command::Revoke(revoke) => run_revoke(config, KeyId(revoke.key_id)).await,
        Command::RotateRoot(args) => rotate_root::run(config, args).await,
    }
}

async fn run_create(config: &Config, create: &CreateArgs) -> anyhow::Result<ExitStatus> {
    let mut scopes = Vec::with_capacity(create.scopes.len());
    for name in &create.scopes {
        let Some(scope) = Scope::parse(name) else {
            let known: Vec<_> = Scope::ALL.iter().map(|known| known.as_str()).collect();
            return usage_error(format!("--scopes: {name} is not one of {}", known.join(", ")));
        };
        scopes.push(scope);
    }
    if create.installation && scopes.iter().any(|scope| *scope != Scope::Admin) {
        return usage_error("--scopes: a key of the installation has scope admin and no other");
    }
    let made = Instance::run(config, async |instance| {
        let store = &instance.store;
        let tenant_id = match &create.tenant {
            Some(tenant) => output::find_tenant(store, tenant).await?.tenant_id,
            None => TenantId::INSTALLATION,
        };
        let api_key = new_key(tenant_id);
        let expires_at = create.expires.map(|length| store.clock().now_micros() + length);
        let new = NewKey { scopes: &scopes, name: create.name.as_deref(), expires_at };
        let author = store.operator();
        let (key_id, _) = store
            .create_api_key_by(&author, tenant_id, &api_key, &new)
            .await
            .context("the key was not made")?;
        Ok((key_id, api_key, expires_at))
    });
    let (key_id, api_key, expires_at) = made.await?;
    let mut shown = json!({ "key_id": key_id, "api_key": api_key, "scopes": create.scopes });
    if let Some(expires_at) = expires_at {
        shown["expires_at"] = json!(expires_at);
    }
    output::object(config.output, &shown)?;
    Ok(ExitStatus::Success)
}

async fn run_list(config: &Config, list: &ListKeys) -> anyhow::Result<ExitStatus> {
    let rows: Vec<_> = Instance::run(config, async |instance| {
        let store = &instance.store;
        let slugs = slugs(store).await?;
        let tenant_id = match &list.tenant {
            Some(tenant) => Some(output::find_tenant(store, tenant).await?.tenant_id),
            None => None,
        };
        let now = store.clock().now();
        let keys = store.api_keys(tenant_id).await.context("the keys cannot be read")?;
        Ok(keys.into_iter().map(|(tenant_id, key)| row(&slugs, tenant_id, &key, now)).collect())
    })
    .await?;
    let columns =
        ["tenant", "name", "scopes", "state", "created_at", "expires_at", "last_used_at", "key_id"];
    output::list(config.output, &columns, &rows)?;
    Ok(ExitStatus::Success)
}

fn row(
    slugs: &HashMap<TenantId, String>,
    tenant_id: TenantId,
    key: &ApiKeyInfo,
    now: DateTime<Utc>,
) -> Value {
    let state = match (key.revoked_at, key.expires_at) {
        (Some(_), _) => "revoked",
        (None, Some(end)) if end <= now => "expired",
        _ => "live",
    };
    json!({
        "key_id": key.key_id,
        "tenant_id": tenant_id,
        "tenant": slugs.get(&tenant_id),
        "name": key.name,
        "scopes": key.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>(),
        "state": state,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "last_used_at": key.last_used_at,
        "revoked_at": key.revoked_at,
    })
}

/// Returns the slug of each tenant, and a label for the installation.
pub(super) async fn slugs(store: &Store) -> anyhow::Result<HashMap<TenantId, String>> {
    let tenants = store.tenants().await.context("the tenants cannot be read")?;
    let named = tenants.into_iter().map(|tenant| (tenant.tenant_id, tenant.slug));
    Ok(named.chain([(TenantId::INSTALLATION, "(installation)".to_owned())]).collect())
}

async fn run_revoke(config: &Config, key_id: KeyId) -> anyhow::Result<ExitStatus> {
    Instance::run(config, async |instance| {
        let store = &instance.store;
        let revoked = store.revoke_api_key(&store.operator(), None, key_id).await;
        match revoked {
            Ok(Revocation::Revoked(_) | Revocation::AlreadyRevoked) => Ok(()),
            Err(KeyError::Rejected(KeyRejection::NotFound)) => {
                bail!("there is no key {key_id}; call-ledger key list shows those there are")
            }
            Err(error) => Err(error).context("the key was not revoked"),
        }
    })
    .await?;
    output::object(config.output, &json!({ "key_id": key_id, "state": "revoked" }))?;
    Ok(ExitStatus::Success)
}
