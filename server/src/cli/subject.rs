//! `subject`: the rights of persons over their data.

mod export;

use super::exit::ExitStatus;
use crate::config::Config;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Write everything the log has about a person into a file that is encrypted to a passphrase
    #[command(after_help = "Examples:
  call-ledger subject export 01a1fcae-… --tenant acme --out person.age
  call-ledger subject export 01a1fcae-… --tenant acme --passphrase-file passphrase.txt

The file is a zip, encrypted in the format of age: `age -d person.age > person.zip` opens it. Without
--passphrase-file a passphrase is generated and printed once.")]
    Export(export::Args),
}

pub(super) async fn run(config: &Config, command: &Command) -> anyhow::Result<ExitStatus> {
    match command {
        Command::Export(args) => export::run(config, args).await,
    }
}
