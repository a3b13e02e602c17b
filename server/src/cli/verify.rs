//! `verify`: checks that positions and stream versions are dense, and that every leaf hash matches
//! the stored bytes.

use ledger_app::log_check::check_log;
use serde_json::json;

use super::exit::ExitStatus;
use super::output;
use crate::config::{Config, Output};
use crate::instance::Instance;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  call-ledger verify --tenant acme; echo $?      3 when something was altered")]
pub(super) struct Args {
    /// Slug or id of one tenant [default: all]
    #[arg(long)]
    tenant: Option<String>,
}

pub(super) async fn run(config: &Config, args: &Args) -> anyhow::Result<ExitStatus> {
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
