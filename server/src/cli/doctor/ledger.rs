//! Checks of the ledger: keys, read models, parked events and quarantine.

use ledger_store::StoreError;
use ledger_store::root_key::RootKeyError;
use projections::versions::State;

use super::check::Check;
use crate::config::Config;
use crate::instance::Instance;

/// Lag in events above which a warning is given; a smaller lag is normal.
const LAG_WARNING: i64 = 1_000;
/// Age of an epoch above which a warning is given; servers roll after 30 days.
const MAX_EPOCH_DAYS: i64 = 31;
/// Number of differences that are named.
const SHOWN: usize = 3;

pub(super) async fn check(config: &Config, instance: &Instance, checks: &mut Vec<Check>) {
    keys(config, instance, checks).await;
    checks.push(epochs(instance).await);
    checks.push(read_models(instance).await);
    checks.push(parked(instance).await);
    checks.push(quarantine(instance).await);
    checks.push(bookings(instance).await);
    checks.push(async_tools(instance).await);
}

/// Checks the root key: its file, or the Vault server. `epochs` is the number of epoch keys in the database
/// that it wraps, or `None` if unknown.
pub(super) async fn root_key(config: &Config, epochs: Option<usize>) -> Check {
    let name = "root_key";
    let roots = match config.roots() {
        Ok(roots) => roots,
        Err(error) => {
            let todo = "correct the setting, or remove it for root.key in the data directory";
            return Check::failed(name, "--root-key", format!("{error:#}"), todo);
        }
    };
    let place = roots.place();
    let error = match roots.test().await {
        Ok(()) => return Check::ok(name, place, "there, and it wraps and opens keys"),
        Err(RootKeyError::Missing { .. }) if epochs == Some(0) => {
            return Check::ok(name, place, "not there yet; the first server or tenant makes it");
        }
        Err(error) => error,
    };
    let found = error.to_string();
    let todo = match error {
        RootKeyError::TooOpen { path, .. } => format!("chmod 600 {}", path.display()),
        RootKeyError::Io { source, .. } => format!("the system said: {source}"),
        RootKeyError::Unavailable { .. }
        | RootKeyError::Refused { .. }
        | RootKeyError::Token { .. } => "no webhook is taken until it answers".into(),
        _ => "put it back from its own backup; a new one opens nothing that is there".into(),
    };
    Check::failed(name, place, found, todo)
}

async fn keys(config: &Config, instance: &Instance, checks: &mut Vec<Check>) {
    let (name, place) = ("keyring", config.keyring_path().display().to_string());
    let check = match instance.store.check_keys().await {
        Ok(check) => check,
        Err(error) => {
            checks.extend([root_key(config, None).await, unreadable(name, &place, &error)]);
            return;
        }
    };
    checks.push(root_key(config, Some(check.epochs)).await);
    checks.push(match check.failed.as_slice() {
        [] => {
            Check::ok(name, place, format!("{} epoch keys are those of the database", check.epochs))
        }
        [(tenant_id, first), ..] => {
            let all = check.failed.len();
            let found =
                format!("{all} of {} do not fit; tenant {tenant_id}: {first}", check.epochs);
            let todo = "restore these files from the keyring's own backup; no webhook of these \
                        tenants is taken meanwhile";
            Check::failed(name, place, found, todo)
        }
    });
}

async fn epochs(instance: &Instance) -> Check {
    let (name, place) = ("epochs", "vault.epochs");
    match instance.store.oldest_epoch().await {
        Err(error) => unreadable(name, place, &error),
        Ok(None) => Check::ok(name, place, "no tenant yet"),
        Ok(Some(oldest)) => {
            let days = (instance.store.clock().now() - oldest).num_days();
            let found = format!("the oldest one in use is {days} days old");
            if days > MAX_EPOCH_DAYS {
                let todo = "a running server rolls it after 30 days; call-ledger epoch roll, docs/operations/epochs.md";
                return Check::warning(name, place, found, todo);
            }
            Check::ok(name, place, found)
        }
    }
}

async fn read_models(instance: &Instance) -> Check {
    let (name, place) = ("read_models", "projection.checkpoints");
    let projector = instance.store.projector();
    let read = async {
        Ok((projections::progress(projector).await?, projections::halts(projector).await?))
    };
    let (progress, halts) = match read.await {
        Ok(read) => read,
        Err(error) => return unreadable(name, place, &StoreError::Database(error)),
    };
    if let Some(first) = halts.first() {
        let found = format!(
            "{} halted; {} of tenant {} after position {}: {}",
            halts.len(),
            first.name,
            first.tenant_id,
            first.position,
            first.reason
        );
        let todo = "run a build that knows the event; docs/operations/alerts/read-model-halted.md";
        return Check::failed(name, place, found, todo);
    }
    let shown: Vec<_> = progress.iter().filter(|one| one.version.state == State::Active).collect();
    let lag: i64 = shown.iter().map(|one| one.lag_events).sum();
    let found = format!("{lag} events behind the logs");
    let now = instance.store.clock().now();
    if let Some(stuck) = shown.iter().find(|one| one.has_stalled(now)) {
        let found = format!("{found}; {} has not moved for {} s", stuck.name(), stuck.lag_seconds);
        let todo = "start a server if none runs; docs/operations/alerts/read-model-stuck.md";
        return Check::warning(name, place, found, todo);
    }
    if lag > LAG_WARNING {
        let todo = "a running server catches up; docs/operations/alerts/read-model-lag.md";
        return Check::warning(name, place, found, todo);
    }
    Check::ok(name, place, found)
}

async fn parked(instance: &Instance) -> Check {
    let (name, place) = ("parked_events", "projection.parked");
    match projections::parked::list(instance.store.projector(), None, 100).await {
        Err(error) => unreadable(name, place, &StoreError::Database(error)),
        Ok(parked) => match parked.first() {
            None => Check::ok(name, place, "none"),
            Some(first) => {
                let found = format!(
                    "{}{}; the oldest: {} of {} version {}, tenant {}, position {}: {}",
                    parked.len(),
                    if parked.len() == 100 { " or more" } else { "" },
                    first.event_type,
                    first.name,
                    first.version,
                    first.tenant_id,
                    first.position,
                    first.reason
                );
                let todo = "call-ledger parked list; docs/operations/alerts/read-model-parked.md";
                Check::warning(name, place, found, todo)
            }
        },
    }
}

async fn quarantine(instance: &Instance) -> Check {
    let (name, place) = ("quarantine", "ledger.quarantine");
    match instance.store.quarantine_waiting().await {
        Err(error) => unreadable(name, place, &error),
        Ok((0, _)) => Check::ok(name, place, "nothing waits"),
        Ok((waiting, oldest)) => {
            let since =
                oldest.map_or_else(String::new, |at| format!(", the oldest since {at:.0?}"));
            let todo = "call-ledger quarantine list, source route, quarantine replay --all";
            Check::warning(name, place, format!("{waiting} wait{since}"), todo)
        }
    }
}

async fn bookings(instance: &Instance) -> Check {
    let (name, place) = ("bookings", "ledger.events");
    let compared = async {
        let (mut sums, mut first) = ((0, 0, 0), Vec::new());
        for tenant in instance.store.tenants().await? {
            let check = instance.store.check_bookings(tenant.tenant_id).await?;
            sums.0 += check.appointments;
            sums.1 += check.entries;
            sums.2 += check.differences.len();
            let slug = &tenant.slug;
            let named = check.differences.iter().map(|one| format!("{slug}: {one}"));
            first.extend(named.take(SHOWN - first.len().min(SHOWN)));
        }
        Ok((sums, first))
    };
    match compared.await {
        Err(error) => unreadable(name, place, &error),
        Ok(((appointments, entries, 0), _)) => {
            let found =
                format!("{appointments} appointments and {entries} entries of schedules agree");
            Check::ok(name, place, found)
        }
        Ok(((.., differences), first)) => {
            let found = format!("{differences} differences; {}", first.join("; "));
            let todo = "keep a backup and report it; cancelling the appointment and booking it again \
                        mends a missing entry";
            Check::failed(name, place, found, todo)
        }
    }
}

async fn async_tools(instance: &Instance) -> Check {
    let (name, place) = ("async_tools", "ledger.events");
    let listed = async {
        let mut found = Vec::new();
        for tenant in instance.store.tenants().await? {
            let tools = instance.store.async_tools(tenant.tenant_id).await?;
            found.extend(tools.into_iter().map(|tool| {
                let source =
                    tool.source_id.map_or_else(|| "unknown".to_owned(), |id| id.to_string());
                format!("{}: {} of source {source}, {} calls", tenant.slug, tool.tool, tool.calls)
            }));
        }
        Ok(found)
    };
    match listed.await {
        Err(error) => unreadable(name, place, &error),
        Ok(found) if found.is_empty() => {
            Check::ok(name, place, "no tool of the ledger is asynchronous")
        }
        Ok(found) => {
            let shown = found.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
            let todo = "switch async off for these tools at the platform: it ignores what they answer, \
                        and the caller is told nothing; docs/voice-tools.md";
            Check::warning(name, place, format!("{} asynchronous; {shown}", found.len()), todo)
        }
    }
}

fn unreadable(name: &'static str, place: &str, error: &StoreError) -> Check {
    let cause = std::error::Error::source(error).map_or_else(String::new, |why| format!(": {why}"));
    Check::failed(name, place, format!("{error}{cause}"), "check the database, above")
}
