//! `availability`: times that can be booked.

use chrono::{DateTime, Utc};
use ledger_app::bookings::{FreeTimes, free_times};
use ledger_core::booking::availability::{MAX_OFFERS, Offer};
use serde_json::json;

use super::appointment::{minutes, refused};
use super::exit::ExitStatus;
use super::output;
use super::text::short;
use crate::config::Config;
use crate::instance::Instance;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Slug or id of the tenant
    #[arg(long)]
    tenant: String,
    /// Id or name of a service of the settings
    #[arg(long, value_parser = short)]
    service: Option<String>,
    /// Id of a resource of the settings [default: any]
    #[arg(long, value_parser = short)]
    resource: Option<String>,
    /// Length in minutes [default: that of the service]
    #[arg(long, value_parser = minutes)]
    minutes: Option<u32>,
    /// Earliest start, RFC 3339 [default: now]
    #[arg(long, value_name = "TIME")]
    from: Option<DateTime<Utc>>,
    /// Start before, RFC 3339, at most 31 days after --from [default: 7 days after it]
    #[arg(long, value_name = "TIME")]
    to: Option<DateTime<Utc>>,
    /// Maximum number of times, 1 to 200
    #[arg(long, default_value_t = MAX_OFFERS, value_parser = limit)]
    limit: usize,
}

fn limit(text: &str) -> Result<usize, String> {
    let limit = text.parse().ok().filter(|limit| (1..=MAX_OFFERS).contains(limit));
    limit.ok_or_else(|| format!("choose 1 to {MAX_OFFERS}"))
}

pub(super) async fn run(config: &Config, args: &Args) -> anyhow::Result<ExitStatus> {
    let wanted = FreeTimes {
        service: args.service.clone(),
        resource: args.resource.clone(),
        minutes: args.minutes,
        from: args.from,
        until: args.to,
    };
    let offers = Instance::run(config, async |instance| {
        let store = &instance.store;
        let tenant_id = output::find_tenant(store, &args.tenant).await?.tenant_id;
        let offers = free_times(store, tenant_id, wanted, args.limit).await;
        offers.map_err(|error| refused(&error))
    })
    .await?;
    let row = |offer: &Offer| {
        json!({
            "starts_at": offer.starts_at,
            "ends_at": offer.ends_at,
            "resource": offer.resource.as_str(),
        })
    };
    let rows: Vec<_> = offers.iter().map(row).collect();
    output::list(config.output, &["starts_at", "ends_at", "resource"], &rows)?;
    Ok(ExitStatus::Success)
}
