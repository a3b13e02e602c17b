//! `verify`: checks that positions and stream versions are dense, and that every leaf hash matches
//! the stored bytes. `verify certificate` and `verify journal` verify what erasures leave.

mod certificate;

use std::collections::HashMap;

use ledger_core::ids::{Position, TenantId};
use ledger_store::read::{PageSize, full_after};
use ledger_store::{Store, TenantTx};
use serde_json::json;
use uuid::Uuid;

use super::exit::ExitStatus;
use super::output;
use crate::config::{Config, Output};
use crate::instance::Instance;

/// Page size of the verification, which bounds its memory.
const PAGE: PageSize = PageSize { rows: 2_000, bytes: 4 << 20 };

#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  call-ledger verify --tenant acme; echo $?      3 when something was altered
  call-ledger verify certificate erasure.txt --public-key call-ledger-0123456789abcdef+…"
)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// Slug or id of one tenant [default: all]
    #[arg(long)]
    tenant: Option<String>,
}

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Verify the certificate of an erasure, without a server and without a database
    #[command(after_help = "Exit codes: 0 valid, 2 usage, 3 not valid.

Example:
  call-ledger verify certificate erasure.txt --public-key public-key.txt --output json")]
    Certificate(certificate::CertificateArgs),
    /// Verify the erasure journal from its first line, without a database
    #[command(after_help = "Exit codes: 0 valid, 2 usage, 3 not valid.

Example:
  call-ledger verify journal --journal /mnt/journal")]
    Journal(certificate::JournalArgs),
}

/// Result of the verification of a tenant's log.
struct Verified {
    size: i64,
    first_bad: Option<i64>,
}

pub(super) async fn run(config: &Config, args: &Args) -> anyhow::Result<ExitStatus> {
    match &args.command {
        Some(Command::Certificate(args)) => return certificate::certificate(config, args),
        Some(Command::Journal(args)) => return certificate::journal(config, args),
        None => {}
    }
    let (ok, rows) = Instance::run(config, async |instance| {
        let mut rows = Vec::new();
        let mut ok = true;
        for tenant_id in output::tenants_of(&instance.store, args.tenant.as_deref()).await? {
            let verified = verify(&instance.store, tenant_id).await?;
            ok &= verified.first_bad.is_none();
            rows.push(json!({
                "tenant_id": tenant_id,
                "size": verified.size,
                "root": null,
                "first_bad_position": verified.first_bad,
            }));
        }
        Ok((ok, rows))
    })
    .await?;
    let printed = match config.output {
        Output::Json => output::print_line(json!({ "ok": ok, "tenants": rows })),
        Output::Table => {
            let columns = ["tenant_id", "size", "first_bad_position"];
            output::list(config.output, &columns, &rows).and_then(|()| {
                output::print_line(if ok { "nothing was altered" } else { "TAMPERED" })
            })
        }
    };
    if ok {
        printed.map(|()| ExitStatus::Success)
    } else {
        // The exit code reports tampering even if standard output is closed.
        Ok(ExitStatus::TamperingFound)
    }
}

/// Verifies a whole log; stops at the first position that fails.
async fn verify(store: &Store, tenant_id: TenantId) -> anyhow::Result<Verified> {
    let mut tx = TenantTx::begin(store.app(), tenant_id).await?;
    let mut versions: HashMap<Uuid, i64> = HashMap::new();
    let mut size = 0;
    loop {
        let page = full_after(&mut tx, Position(size), PAGE).await?;
        if page.is_empty() {
            return Ok(Verified { size, first_bad: None });
        }
        for row in page {
            let version = versions.entry(row.event.stream_id).or_default();
            *version += 1;
            let is_sound = row.event.position == size + 1
                && row.event.stream_version == *version
                && row.is_intact(tenant_id);
            if !is_sound {
                return Ok(Verified { size, first_bad: Some(size + 1) });
            }
            size += 1;
        }
    }
}
