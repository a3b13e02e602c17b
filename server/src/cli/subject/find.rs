//! `subject find`, `subject show`.

use anyhow::Context;
use ledger_app::erasures::HeldData;
use ledger_core::identity::Handle;
use ledger_core::ids::TenantId;
use ledger_core::personal::normalise_email;
use ledger_store::Store;
use serde_json::{Value, json};

use super::OneSubject;
use crate::cli::exit::{ExitStatus, UsageError};
use crate::cli::output;
use crate::cli::text::short;
use crate::config::{Config, Output};
use crate::erasures::{process, with_projections};
use crate::instance::Instance;

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false, id = "handle")]
pub(crate) struct Given {
    /// Telephone number; a national one is read in the tenant's country
    #[arg(long, value_parser = short)]
    phone: Option<String>,
    /// E-mail address
    #[arg(long, value_parser = short)]
    email: Option<String>,
    /// Id in another system
    #[arg(long, value_name = "ID", value_parser = short)]
    external_id: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct FindArgs {
    /// Slug or id of the tenant
    #[arg(long)]
    tenant: String,
    #[command(flatten)]
    given: Given,
}

pub(super) async fn run(config: &Config, args: &FindArgs) -> anyhow::Result<ExitStatus> {
    let found = Instance::run(config, async |instance| {
        let store = &instance.store;
        let tenant_id = output::find_tenant(store, &args.tenant).await?.tenant_id;
        let handle = handle(store, tenant_id, &args.given).await?;
        let found = match handle {
            Some(handle) => store.vault().contacts_with(tenant_id, &handle).await?,
            None => Vec::new(),
        };
        with_projections(store, async || {
            let mut held = Vec::new();
            for subject_id in &found {
                held.extend(process(store).held(tenant_id, *subject_id).await?);
            }
            Ok(held)
        })
        .await
    })
    .await?;
    let subjects: Vec<Value> = found.iter().map(view).collect();
    if config.output == Output::Json {
        let only = match found.as_slice() {
            [one] => json!(one.subject_id),
            _ => Value::Null,
        };
        output::object(config.output, &json!({ "subjects": subjects, "subject_id": only }))?;
    } else {
        let columns = ["subject_id", "state", "calls", "appointments_and_tasks", "holds"];
        output::list(config.output, &columns, &subjects)?;
    }
    Ok(ExitStatus::Success)
}

pub(super) async fn run_show(config: &Config, one: &OneSubject) -> anyhow::Result<ExitStatus> {
    let held = Instance::run(config, async |instance| {
        let store = &instance.store;
        let (tenant_id, subject_id) = one.find(store).await?;
        with_projections(store, async || Ok(process(store).held(tenant_id, subject_id).await?))
            .await?
            .context("there is no such person")
    })
    .await?;
    output::object(config.output, &view(&held))?;
    Ok(ExitStatus::Success)
}

async fn handle(
    store: &Store,
    tenant_id: TenantId,
    given: &Given,
) -> anyhow::Result<Option<Handle>> {
    let refused = |text: &str| UsageError(text.to_owned());
    if let Some(phone) = &given.phone {
        let country = store.country(tenant_id).await?;
        let handle = Handle::typed_phone(phone, country.as_deref());
        let handle = handle.ok_or_else(|| refused("--phone: it is no telephone number"))?;
        return Ok(Some(handle));
    }
    if let Some(email) = &given.email {
        if normalise_email(email).is_none() {
            return Err(refused("--email: it is no e-mail address").into());
        }
        return Ok(Handle::email(email));
    }
    Ok(given.external_id.as_deref().and_then(Handle::external_id))
}

fn view(held: &HeldData) -> Value {
    let holds: Vec<Value> = held
        .holds
        .iter()
        .map(|hold| {
            json!({ "hold_id": hold.hold_id, "subject_id": hold.subject_id,
                    "reason": hold.reason.as_str(), "placed_at": hold.placed_at })
        })
        .collect();
    json!({
        "subject_id": held.subject_id,
        // No command prints a name.
        "name_shown": Value::Null,
        "state": held.state,
        "merged_into": held.merged_into,
        "parts": held.parts,
        "calls": held.calls,
        "appointments_and_tasks": held.others,
        "ambiguous_calls": held.ambiguous_calls,
        "subjects": held.subjects,
        "keys": held.keys,
        "events": held.events,
        "holds": holds,
        "restriction": held.restriction.map(|(reason, at)| {
            json!({ "reason": reason.as_str(), "restricted_at": at })
        }),
        "erasure": held.erasure.map(|(erasure_id, state, due_at)| {
            json!({ "erasure_id": erasure_id, "state": state.as_str(), "due_at": due_at })
        }),
    })
}
