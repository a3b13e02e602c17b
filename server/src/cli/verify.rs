//! `verify`: checks that positions and stream versions are dense, and that every leaf hash matches
//! the stored bytes. `verify certificate` and `verify journal` verify what erasures leave.

mod certificate;

use ledger_app::log_check::check_log;
use serde_json::json;

use super::exit::ExitStatus;
use super::output;
use crate::config::{Config, Output};
use crate::instance::Instance;

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
            let verified = check_log(&instance.store, tenant_id).await?;
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
