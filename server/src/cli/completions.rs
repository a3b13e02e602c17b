//! `completions`: shell completion scripts.

use clap_complete::Shell;
use serde_json::json;

use super::{Done, output};
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

pub(super) fn run(form: Output, args: &Args) -> anyhow::Result<Done> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::command(), "call-ledger", &mut script);
    let script = String::from_utf8(script)?;
    match form {
        Output::Json => {
            output::say(json!({ "shell": args.shell.to_string(), "script": script }))?;
        }
        Output::Table => output::say(script.trim_end())?,
    }
    Ok(Done::Well)
}
