//! `key rotate-root`.

use anyhow::Context;
use ledger_store::keyring::Keyring;
use serde_json::json;

use crate::cli::exit::{ExitStatus, usage_error};
use crate::cli::output;
use crate::config::Config;

pub(super) const EXAMPLES: &str = "Examples:
  call-ledger key rotate-root --yes
  call-ledger key rotate-root --prepare       writes root.key.next only, to copy it to other machines

All key files are wrapped by the new root key, root.key.next, which then becomes root.key; the former one is
destroyed. Servers need no restart. An interrupted rotation is continued by the next one.

Machines that share the keyring and have files of their own for the root key need the new one before: run
--prepare, copy root.key.next beside each root.key, rotate on one machine, then move root.key.next to
root.key on the others. With a root key in Vault, rotate it there first; this command then wraps the key
files by its newest version, also those that root.key in the data directory wrapped before.";

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Only create root.key.next
    #[arg(long)]
    prepare: bool,
    /// Rotate; the former root key is destroyed
    #[arg(long)]
    yes: bool,
}

/// The database is not needed: key files and root keys are outside of it.
pub(super) async fn run(config: &Config, args: &Args) -> anyhow::Result<ExitStatus> {
    let keyring = Keyring::under(config.keyring_path(), config.roots()?);
    if args.prepare {
        let next = keyring.prepare_rotation().context("no new root key was created")?;
        output::object(config.output, &json!({ "prepared": next }))?;
        return Ok(ExitStatus::Success);
    }
    if !args.yes {
        return usage_error("rotate-root destroys the former root key; add --yes");
    }
    let done = keyring.rotate_root().await.context("the rotation is not finished")?;
    let shown = json!({
        "files": done.files,
        "rewrapped": done.rewrapped,
        "root_id": done.root_id,
    });
    output::object(config.output, &shown)?;
    Ok(ExitStatus::Success)
}
