//! `config show` and `config check`.

use serde_json::json;

use super::exit::{ExitStatus, UsageError};
use super::output;
use crate::config::{Config, GlobalArgs, Output, Setting};

/// Known environment variables that are not settings of the config file.
const OTHER_VARIABLES: [&str; 2] = ["CALL_LEDGER_CONFIG", "CALL_LEDGER_SOURCE_SECRET"];

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Show every setting with its effective value
    #[command(after_help = "Example:
  call-ledger config show --origin      and where each value came from")]
    Show(Show),
    /// Check the settings, and list environment variables that look like settings and are not
    #[command(after_help = "Example:
  call-ledger config check --config /etc/call-ledger.toml")]
    Check,
}

#[derive(Debug, clap::Args)]
pub(super) struct Show {
    /// Show the origin of each value
    #[arg(long)]
    origin: bool,
}

pub(super) fn run(
    config: &Config,
    args: &GlobalArgs,
    command: &Command,
    is_flag: impl Fn(&str) -> bool,
) -> anyhow::Result<ExitStatus> {
    match command {
        Command::Show(show) => {
            let shown = Config::effective_settings(args, None, is_flag)
                .map_err(|error| UsageError(format!("{error:#}")))?;
            let mut columns = vec!["setting", "value"];
            if show.origin {
                columns.push("origin");
            }
            let rows: Vec<_> = shown
                .into_iter()
                .map(|one| {
                    let mut row = json!({ "setting": one.setting.name, "value": one.value });
                    if show.origin {
                        row["origin"] = one.origin.to_string().into();
                    }
                    row
                })
                .collect();
            output::list(config.output, &columns, &rows)?;
        }
        Command::Check => check(config)?,
    }
    Ok(ExitStatus::Success)
}

/// Lists environment variables with the product's prefix that are no settings, such as misspelt
/// names.
///
/// The settings themselves were validated when they were loaded. Unknown variables are no error,
/// because orchestrators generate variables with such names.
fn check(config: &Config) -> anyhow::Result<()> {
    let known = |name: &str| {
        OTHER_VARIABLES.contains(&name) || Setting::ALL.iter().any(|setting| setting.env == name)
    };
    let mut unknown: Vec<String> = std::env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        .filter(|name| name.starts_with("CALL_LEDGER_") && !known(name))
        .collect();
    unknown.sort();
    match config.output {
        Output::Json => output::print_line(json!({ "ok": true, "unknown_variables": unknown })),
        Output::Table => {
            for name in &unknown {
                output::print_line(format_args!("not a setting: environment variable {name}"))?;
            }
            output::print_line("the settings can be used")
        }
    }
}
