//! `subject`: persons, for the rights over their data. No command prints a name, number or address.

mod erase;
mod export;
mod find;
mod rights;

use ledger_core::ids::{SubjectId, TenantId};
use ledger_store::Store;
use uuid::Uuid;

use super::exit::ExitStatus;
use super::output;
use crate::config::Config;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Find the persons with a number, an e-mail address or an external id
    #[command(after_help = "Examples:
  call-ledger subject find --tenant acme --phone +15550100123
  call-ledger subject find --tenant acme --external-id crm-77

Lists every person with the number. Other users of this machine can see the arguments of a running command.")]
    Find(find::FindArgs),
    /// Show what is held about a person: counts, keys, legal holds, restriction, erasure
    #[command(after_help = "Example:
  call-ledger subject show 01a1fcae-… --tenant acme")]
    Show(OneSubject),
    /// Write everything the log has about a person into a file that is encrypted to a passphrase
    #[command(after_help = "Examples:
  call-ledger subject export 01a1fcae-… --tenant acme --out person.age
  call-ledger subject export 01a1fcae-… --tenant acme --passphrase-file passphrase.txt

The file is a zip, encrypted in the format of age: `age -d person.age > person.zip` opens it. Without
--passphrase-file a passphrase is generated and printed once.")]
    Export(export::Args),
    /// Erase a person: destroy the keys of the person's data, and issue a certificate
    #[command(after_help = "Examples:
  call-ledger subject erase 01a1fcae-… --tenant acme --ground 17.1.a --yes
  call-ledger subject erase 01a1fcae-… --tenant acme --ground 17.1.b --yes --now --output json

Carries the erasure out to its live certificate, with --now to the final one. An erasure of the person that has not ended is continued. A legal
hold defers it.")]
    Erase(erase::EraseArgs),
    /// Place a legal hold: as long as it is not released, the person is not erased
    #[command(after_help = "Example:
  call-ledger subject hold 01a1fcae-… --tenant acme --reason litigation")]
    Hold(rights::HoldArgs),
    /// Release a legal hold
    #[command(after_help = "Example:
  call-ledger subject release 01a1fcae-… --tenant acme --hold 01a2b3c4-…

An erasure that the hold deferred is carried out by a running server.")]
    Release(rights::ReleaseArgs),
    /// Restrict the processing of a person's data: nothing new is stored about the person
    #[command(after_help = "Example:
  call-ledger subject restrict 01a1fcae-… --tenant acme --reason 18.1.a")]
    Restrict(rights::RestrictArgs),
    /// Lift the restriction of a person
    #[command(after_help = "Example:
  call-ledger subject unrestrict 01a1fcae-… --tenant acme")]
    Unrestrict(OneSubject),
}

/// A person by id.
#[derive(Debug, clap::Args)]
pub(super) struct OneSubject {
    /// Id of the person, as printed by subject find
    #[arg(value_name = "ID")]
    subject_id: Uuid,
    /// Slug or id of the tenant [default: the one with this person]
    #[arg(long)]
    tenant: Option<String>,
}

impl OneSubject {
    /// Returns the tenant and the person.
    async fn find(&self, store: &Store) -> anyhow::Result<(TenantId, SubjectId)> {
        let subject_id = SubjectId(self.subject_id);
        let tenants = match &self.tenant {
            Some(name) => vec![output::find_tenant(store, name).await?.tenant_id],
            None => output::tenants_of(store, None).await?,
        };
        for tenant_id in tenants {
            if store.vault().contact(tenant_id, subject_id).await?.is_some() {
                return Ok((tenant_id, subject_id));
            }
        }
        anyhow::bail!("there is no such person; subject find prints the ids")
    }
}

pub(super) async fn run(config: &Config, command: &Command) -> anyhow::Result<ExitStatus> {
    match command {
        Command::Find(args) => find::run(config, args).await,
        Command::Show(one) => find::run_show(config, one).await,
        Command::Export(args) => export::run(config, args).await,
        Command::Erase(args) => erase::run(config, args).await,
        Command::Hold(args) => rights::run_hold(config, args).await,
        Command::Release(args) => rights::run_release(config, args).await,
        Command::Restrict(args) => rights::run_restrict(config, args).await,
        Command::Unrestrict(one) => rights::run_unrestrict(config, one).await,
    }
}

/// Parses a word of a closed list, for an option.
fn word<T>(parse: impl Fn(&str) -> Option<T>, known: &[&str], text: &str) -> Result<T, String> {
    parse(text).ok_or_else(|| format!("choose one of {}", known.join(", ")))
}
