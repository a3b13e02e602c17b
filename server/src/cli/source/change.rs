//! `source list`, `source rotate-secret`, `source disable` and `source enable`.

use anyhow::{Context, bail};
use chrono::{DateTime, TimeDelta, Utc};
use ledger_app::sources::{MAX_OVERLAP_S, rotate_secret};
use ledger_core::ids::{SourceId, TenantId};
use ledger_store::source::change::Changed;
use ledger_store::source::list::SourceInfo;
use ledger_store::source::{SourceError, SourceRejection, check_secret};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::cli::exit::{ExitStatus, usage_error};
use crate::cli::{duration, key, output};
use crate::config::Config;
use crate::instance::Instance;
use crate::system::fresh_secret;

#[derive(Debug, clap::Args)]
pub(crate) struct ListSources {
    /// Slug or id of a tenant [default: all sources, shared ones too]
    #[arg(long)]
    tenant: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Rotate {
    /// Id of the source, as printed by source list
    #[arg(value_name = "ID")]
    source_id: Uuid,
    /// Time the old secret is still accepted, such as 1h or 7d, at most 30d [default: not at all]
    #[arg(long, value_name = "DUR", value_parser = duration::parse)]
    overlap: Option<TimeDelta>,
    /// The new secret [default: a generated one]
    #[arg(long, env = "CALL_LEDGER_SOURCE_SECRET", hide_env_values = true)]
    secret: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Switch {
    /// Id of the source, as printed by source list
    #[arg(value_name = "ID")]
    source_id: Uuid,
}

pub(super) async fn run_list(config: &Config, list: &ListSources) -> anyhow::Result<ExitStatus> {
    let rows: Vec<_> = Instance::run(config, async |instance| {
        let store = &instance.store;
        let slugs = key::slugs(store).await?;
        let tenant_id = match &list.tenant {
            Some(tenant) => Some(output::find_tenant(store, tenant).await?.tenant_id),
            None => None,
        };
        let now = store.clock().now();
        let sources = store.sources(tenant_id).await.context("the sources cannot be read")?;
        let row = |(tenant_id, source)| row(slugs.get(&tenant_id), tenant_id, &source, now);
        Ok(sources.into_iter().map(row).collect())
    })
    .await?;
    let columns = ["tenant", "provider", "name", "state", "old_secret_until", "path"];
    output::list(config.output, &columns, &rows)?;
    Ok(ExitStatus::Success)
}

fn row(
    slug: Option<&String>,
    tenant_id: TenantId,
    source: &SourceInfo,
    now: DateTime<Utc>,
) -> Value {
    let mut row = settings(source, now);
    row["tenant_id"] = json!(tenant_id);
    row["tenant"] = json!(slug);
    row
}

/// The settings of a source without its secret.
pub(super) fn settings(source: &SourceInfo, now: DateTime<Utc>) -> Value {
    json!({
        "source_id": source.source_id,
        "provider": source.provider,
        "name": source.name,
        "path": format!("/ingest/{}", source.source_id),
        "state": if source.disabled_at.is_some() { "disabled" } else { "enabled" },
        "record_all": source.record_all,
        "assistant_id": source.assistant_id,
        "tools": source.tools.names,
        "speech": source.tools.speech,
        "signed": source.signature.is_some(),
        "created_at": source.created_at,
        "disabled_at": source.disabled_at,
        "old_secret_until": source.old_secret_until.filter(|until| now < *until),
    })
}

pub(super) async fn run_rotate(config: &Config, rotate: &Rotate) -> anyhow::Result<ExitStatus> {
    let overlap = rotate.overlap.map_or(0, |overlap| overlap.num_seconds());
    if overlap > MAX_OVERLAP_S {
        return usage_error("--overlap: two secrets are accepted for at most 30d");
    }
    let secret = rotate.secret.clone().unwrap_or_else(fresh_secret);
    if let Err(weak) = check_secret(&secret) {
        return usage_error(format!("--secret: {weak}"));
    }
    let source_id = SourceId(rotate.source_id);
    let until = Instance::run(config, async |instance| {
        let store = &instance.store;
        let author = store.operator();
        let rotated = rotate_secret(store, &author, None, source_id, (&secret, overlap)).await;
        let changed = found(source_id, rotated)?.context("the secret was not changed")?;
        Ok(changed.source.old_secret_until)
    })
    .await?;
    let shown = json!({ "source_id": source_id, "secret": secret, "old_secret_until": until });
    output::object(config.output, &shown)?;
    Ok(ExitStatus::Success)
}

pub(super) async fn run_switch(
    config: &Config,
    switch: &Switch,
    is_enabled: bool,
) -> anyhow::Result<ExitStatus> {
    let source_id = SourceId(switch.source_id);
    Instance::run(config, async |instance| {
        let store = &instance.store;
        let switched = store.switch_source(&store.operator(), None, source_id, is_enabled).await;
        found(source_id, switched)?.context("it stays as it was").map(|_| ())
    })
    .await?;
    let state = if is_enabled { "enabled" } else { "disabled" };
    output::object(config.output, &json!({ "source_id": source_id, "state": state }))?;
    Ok(ExitStatus::Success)
}

/// Separates a change of an unknown source from other failures.
pub(super) fn found(
    source_id: SourceId,
    changed: Result<Changed, SourceError>,
) -> anyhow::Result<Result<Changed, SourceError>> {
    if matches!(changed, Err(SourceError::Rejected(SourceRejection::NotFound))) {
        bail!("there is no source {source_id}; call-ledger source list shows those there are");
    }
    Ok(changed)
}
