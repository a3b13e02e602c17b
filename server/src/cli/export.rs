//! `export events`: the log as JSON lines, with the stored bytes unchanged.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use ledger_core::ids::{Position, TenantId};
use ledger_store::read::{FullEvent, PageSize, full_after};
use ledger_store::{Store, TenantTx};
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::exit::ExitStatus;
use super::output;
use crate::config::Config;
use crate::instance::Instance;

/// Page size of the export, which bounds its memory.
const PAGE: PageSize = PageSize { rows: 1_000, bytes: 4 << 20 };

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Export events as stored, with sealed sections
    #[command(after_help = "Example:
  call-ledger export events --tenant acme --format ndjson --file events.ndjson")]
    Events(Events),
}

#[derive(Debug, clap::Args)]
pub(super) struct Events {
    /// Slug or id of one tenant [default: all, one after the other]
    #[arg(long)]
    tenant: Option<String>,
    /// Output format
    #[arg(long, default_value = "ndjson", value_parser = ["ndjson"])]
    format: String,
    /// Only events after this position
    #[arg(long, default_value_t = 0)]
    after: i64,
    /// Output file [default: standard output]
    #[arg(long)]
    file: Option<PathBuf>,
}

/// One line of the export. Facts and meta are the stored bytes, so the leaf hash can be verified.
#[derive(Serialize)]
struct ExportLine<'a> {
    tenant_id: TenantId,
    position: i64,
    stream_id: Uuid,
    stream_kind: &'a str,
    stream_version: i64,
    event_id: Uuid,
    r#type: &'a str,
    schema_version: i16,
    occurred_at: DateTime<Utc>,
    recorded_at: DateTime<Utc>,
    facts: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    sections: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bulk: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subjects: Option<&'a [Uuid]>,
    meta: &'a RawValue,
    /// Digests of the sections; absent if the hash has the format leaf/1.
    #[serde(skip_serializing_if = "Option::is_none")]
    section_digests: Option<String>,
    leaf_hash: String,
}

pub(super) async fn run(config: &Config, command: &Command) -> anyhow::Result<ExitStatus> {
    let Command::Events(events) = command;
    let mut out: Box<dyn Write> = match &events.file {
        Some(path) => Box::new(BufWriter::new(
            File::create(path).with_context(|| format!("cannot write {}", path.display()))?,
        )),
        None => Box::new(BufWriter::new(output::Stdout::new())),
    };
    Instance::run(config, async |instance| {
        for tenant_id in output::tenants_of(&instance.store, events.tenant.as_deref()).await? {
            write_tenant(&mut out, &instance.store, tenant_id, Position(events.after)).await?;
        }
        out.flush().context("the export broke off")
    })
    .await?;
    Ok(ExitStatus::Success)
}

async fn write_tenant(
    out: &mut dyn Write,
    store: &Store,
    tenant_id: TenantId,
    mut after: Position,
) -> anyhow::Result<()> {
    loop {
        // One transaction per page, so that a slow reader does not keep one open for hours.
        let mut tx = TenantTx::begin(store.app(), tenant_id).await?;
        let page = full_after(&mut tx, after, PAGE).await?;
        drop(tx);
        let Some(last) = page.last() else { return Ok(()) };
        after = Position(last.event.position);
        for row in page {
            write_line(out, tenant_id, &row).context("the export broke off")?;
        }
    }
}

fn write_line(out: &mut dyn Write, tenant_id: TenantId, row: &FullEvent) -> anyhow::Result<()> {
    let line = ExportLine {
        tenant_id,
        position: row.event.position,
        stream_id: row.event.stream_id,
        stream_kind: &row.event.stream_kind,
        stream_version: row.event.stream_version,
        event_id: row.event.event_id,
        r#type: &row.event.event_type,
        schema_version: row.event.schema_version,
        occurred_at: row.event.occurred_at,
        recorded_at: row.event.recorded_at,
        facts: serde_json::from_str(&row.event.facts)?,
        sections: row.event.sections.as_ref().map(|bytes| STANDARD.encode(bytes)),
        bulk: row.event.bulk.as_ref().map(|bytes| STANDARD.encode(bytes)),
        subjects: row.event.subjects.as_deref(),
        meta: serde_json::from_str(&row.meta)?,
        section_digests: row.section_digests.as_ref().map(hex::encode),
        leaf_hash: hex::encode(&row.leaf_hash),
    };
    let mut text = serde_json::to_vec(&line)?;
    text.push(b'\n');
    out.write_all(&text)?;
    Ok(())
}
