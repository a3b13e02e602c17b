//! `source route` and `source unroute`.

use anyhow::{Context, bail};
use chrono::{DateTime, SubsecRound, Utc};
use ledger_core::ids::SourceId;
use ledger_core::personal::normalise_phone;
use ledger_store::source::route::{RouteError, Routed};
use ledger_store::source::{Period, RouteKind, RouteRejection};
use serde_json::json;
use uuid::Uuid;

use crate::cli::exit::{ExitStatus, usage_error};
use crate::cli::output;
use crate::config::Config;
use crate::instance::Instance;

#[derive(Debug, clap::Args)]
pub(crate) struct RouteArgs {
    #[command(flatten)]
    of: RouteOf,
    #[command(flatten)]
    by: RouteBy,
    /// Time of the first message that is assigned, RFC 3339 [default: no limit]
    #[arg(long, value_name = "TIME")]
    valid_from: Option<DateTime<Utc>>,
    /// Time from which messages are no longer assigned, RFC 3339 [default: no limit]
    #[arg(long, value_name = "TIME")]
    valid_until: Option<DateTime<Utc>>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct UnrouteArgs {
    #[command(flatten)]
    of: RouteOf,
    #[command(flatten)]
    by: RouteBy,
    /// Time from which messages are no longer assigned, RFC 3339 [default: now]
    #[arg(long, value_name = "TIME")]
    from: Option<DateTime<Utc>>,
}

#[derive(Debug, clap::Args)]
struct RouteOf {
    /// Id of the shared source
    #[arg(long)]
    source: Uuid,
    /// Slug or id of the tenant
    #[arg(long)]
    tenant: String,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct RouteBy {
    /// Match messages of this assistant
    #[arg(long)]
    assistant_id: Option<String>,
    /// Match messages of this number, by the platform's id
    #[arg(long)]
    phone_number_id: Option<String>,
    /// Match messages of this number, in E.164
    #[arg(long)]
    phone_number: Option<String>,
}

impl RouteBy {
    fn id(&self) -> anyhow::Result<(RouteKind, String)> {
        match (&self.assistant_id, &self.phone_number_id, &self.phone_number) {
            (Some(id), ..) => Ok((RouteKind::AssistantId, id.clone())),
            (_, Some(id), _) => Ok((RouteKind::PhoneNumberId, id.clone())),
            (_, _, Some(number)) => match normalise_phone(number, None) {
                Some(number) => Ok((RouteKind::PhoneNumber, number)),
                None => usage_error("--phone-number: use E.164, such as +15550100123"),
            },
            (None, None, None) => usage_error("say by what: an assistant, a number's id, a number"),
        }
    }
}

/// Times are stored with microseconds.
fn stored(at: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    at.map(|at| at.trunc_subsecs(6))
}

pub(super) async fn run_add(config: &Config, route: &RouteArgs) -> anyhow::Result<ExitStatus> {
    let (kind, value) = route.by.id()?;
    let period = match Period::new(stored(route.valid_from), stored(route.valid_until)) {
        Ok(period) => period,
        Err(empty) => return usage_error(format!("--valid-until: {empty}")),
    };
    let source_id = SourceId(route.of.source);
    let tenant_id = Instance::run(config, async |instance| {
        let store = &instance.store;
        let tenant_id = output::find_tenant(store, &route.of.tenant).await?.tenant_id;
        let routed = Routed { tenant_id, source_id, kind, value: &value };
        match store.add_route_for(&store.operator(), routed, period).await {
            Ok(_) => Ok(tenant_id),
            Err(RouteError::Rejected(RouteRejection::NotShared)) => {
                bail!("{source_id} is no shared source; source create --shared makes one")
            }
            Err(error) => Err(error).context("the route was not added"),
        }
    })
    .await?;
    let mut shown = json!({ "source_id": source_id, "tenant_id": tenant_id, "by": kind.as_str() });
    for (name, limit) in [("valid_from", period.from()), ("valid_until", period.end())] {
        if let Some(limit) = limit {
            shown[name] = json!(limit);
        }
    }
    output::object(config.output, &shown)?;
    Ok(ExitStatus::Success)
}

pub(super) async fn run_end(config: &Config, unroute: &UnrouteArgs) -> anyhow::Result<ExitStatus> {
    let (kind, value) = unroute.by.id()?;
    let source_id = SourceId(unroute.of.source);
    let (tenant_id, at) = Instance::run(config, async |instance| {
        let store = &instance.store;
        let tenant_id = output::find_tenant(store, &unroute.of.tenant).await?.tenant_id;
        let at = stored(unroute.from).unwrap_or_else(|| store.clock().now_micros());
        let routed = Routed { tenant_id, source_id, kind, value: &value };
        let ended = store.end_route(&store.operator(), routed, at).await;
        ended.context("no route was ended")?;
        Ok((tenant_id, at))
    })
    .await?;
    let by = kind.as_str();
    let shown =
        json!({ "source_id": source_id, "tenant_id": tenant_id, "by": by, "valid_until": at });
    output::object(config.output, &shown)?;
    Ok(ExitStatus::Success)
}
