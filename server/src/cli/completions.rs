//! `completions`: shell completion scripts.

use clap_complete::Shell;
use serde_json::json;

use super::exit::ExitStatus;
use super::output;
use crate::config::Output;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  call-ledger completions bash > /etc/bash_completion.d/call-ledger
  call-ledger completions zsh > ~/.zfunc/_call-ledger
  call-ledger completions fish > ~/.config/fish/completions/call-ledger.fish")]
pub(super) struct Args {
    /// Shell to complete for
    shell: Shell,
}

pub(super) fn run(
    form: Output,
    args: &Args,
    command: &mut clap::Command,
) -> anyhow::Result<ExitStatus> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, command, "call-ledger", &mut script);
    let script = String::from_utf8(script)?;
    match form {
        Output::Json => {
            output::print_line(json!({ "shell": args.shell.to_string(), "script": script }))?;
        }
        Output::Table => output::print_line(script.trim_end())?,
    }
    Ok(ExitStatus::Success)
}
