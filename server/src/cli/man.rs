//! `man`: manual pages.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap_mangen::Man;
use serde_json::json;

use super::exit::ExitStatus;
use super::output;
use crate::config::Output;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  call-ledger man | man -l -
  call-ledger man --dir /usr/local/share/man/man1     one page a command")]
pub(super) struct Args {
    /// Write the pages of all commands into this directory
    #[arg(long)]
    dir: Option<PathBuf>,
}

pub(super) fn run(form: Output, args: &Args, command: clap::Command) -> anyhow::Result<ExitStatus> {
    match &args.dir {
        Some(dir) => write_all(form, dir, command)?,
        None => {
            let mut page = Vec::new();
            Man::new(command).render(&mut page)?;
            let page = String::from_utf8(page)?;
            match form {
                Output::Json => output::print_line(json!({ "page": page }))?,
                Output::Table => output::print_line(page.trim_end())?,
            }
        }
    }
    Ok(ExitStatus::Success)
}

fn write_all(form: Output, dir: &Path, command: clap::Command) -> anyhow::Result<()> {
    let cannot = || format!("the pages cannot be written to {}", dir.display());
    fs::create_dir_all(dir).with_context(cannot)?;
    clap_mangen::generate_to(command, dir).with_context(cannot)?;
    let mut pages: Vec<String> = fs::read_dir(dir)
        .with_context(cannot)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with("call-ledger") && name.ends_with(".1"))
        .collect();
    pages.sort();
    output::object(form, &json!({ "dir": dir, "pages": pages }))
}
