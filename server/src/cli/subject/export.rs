//! `subject export`: a copy of a person's data, for the person.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use ledger_app::access_export::{AccessExports, ExportFiles, NewExport, Passphrase};
use ledger_core::event::Requester;
use ledger_core::ids::SubjectId;
use serde_json::json;
use uuid::Uuid;

use crate::cli::exit::{ExitStatus, UsageError};
use crate::cli::output;
use crate::config::Config;
use crate::instance::Instance;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Id of the contact
    #[arg(value_name = "ID")]
    subject_id: Uuid,
    /// Slug or id of the tenant
    #[arg(long)]
    tenant: String,
    /// File that the export is copied to [default: only the directory for exports]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// File with the passphrase in its first line [default: one is generated and printed]
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// The party that requests the export
    #[arg(long, value_name = "PARTY", default_value = "person", value_parser = requester)]
    requested_by: Requester,
}

fn requester(word: &str) -> Result<Requester, String> {
    let words = || Requester::ALL.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(", ");
    Requester::parse(word).ok_or_else(|| format!("it is none of {}", words()))
}

pub(super) async fn run(config: &Config, args: &Args) -> anyhow::Result<ExitStatus> {
    let given = args.passphrase_file.as_deref().map(read_passphrase).transpose()?;
    let generated = given.is_none().then(Passphrase::generate);
    let passphrase = given.or_else(|| generated.clone()).context("there is no passphrase")?;
    let subject_id = SubjectId(args.subject_id);
    let shown = Instance::run(config, async |instance| {
        let store = &instance.store;
        let tenant_id = output::find_tenant(store, &args.tenant).await?.tenant_id;
        let files = ExportFiles::new(config.exports_path());
        let exports = AccessExports::new(store.clone(), files);
        let new = NewExport { subject_id, requester: args.requested_by, passphrase };
        let by = store.operator();
        let made = exports.request_and_make(&by, tenant_id, new).await;
        let (requested, made) = made.map_err(|error| anyhow!("{error}"))?;
        let file = exports.files().path(tenant_id, requested.export_id);
        if let Some(out) = &args.out {
            copy(&file, out).with_context(|| format!("cannot write {}", out.display()))?;
        }
        Ok(json!({
            "export_id": requested.export_id,
            "state": "ready",
            "due_at": requested.due_at,
            "expires_at": requested.expires_at,
            "events": made.events,
            "sections": made.sections,
            "withheld_sections": made.withheld,
            "bytes": made.bytes,
            "manifest_sha256": made.digest,
            "file": args.out.as_deref().unwrap_or(&file),
            "passphrase": generated.as_ref().map(Passphrase::as_str),
        }))
    })
    .await?;
    output::object(config.output, &shown)?;
    Ok(ExitStatus::Success)
}

/// Reads the first line of a file. The error does not quote it.
fn read_passphrase(path: &Path) -> anyhow::Result<Passphrase> {
    let text = fs::read_to_string(path);
    let text = text.with_context(|| format!("cannot read {}", path.display()))?;
    let line = text.lines().next().unwrap_or_default().to_owned();
    Passphrase::parse(line).ok_or_else(|| {
        let detail = "the first line needs at least 12 characters and no control characters";
        UsageError(format!("--passphrase-file: {detail}")).into()
    })
}

/// Copies the encrypted file. A file that is there is not replaced.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = fs::File::open(from)?;
    let mut target = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    io::copy(&mut source, &mut target)?;
    target.sync_all()
}
