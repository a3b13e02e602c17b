//! `tenant plan`: shows and sets the limits of a plan.

use anyhow::Context;
use ledger_core::ids::TenantId;
use ledger_core::money::Nanos;
use ledger_store::tenants::{Limit, PlanLimits, plan_limits};
use ledger_store::{Store, TenantTx};
use serde_json::{Value, json};

use super::super::output;
use crate::config::Config;
use crate::instance::Instance;

#[derive(Debug, clap::Args)]
pub(crate) struct PlanArgs {
    /// Slug or id of the tenant
    #[arg(long)]
    tenant: String,
    /// Calls included in a billing month, or none
    #[arg(long, value_name = "N", value_parser = whole, allow_negative_numbers = true)]
    calls: Option<LimitChange>,
    /// Minutes of calls included in a billing month, or none
    #[arg(long, value_name = "N", value_parser = whole, allow_negative_numbers = true)]
    minutes: Option<LimitChange>,
    /// Cost of calls included in a billing month, in US dollars, or none
    #[arg(long, value_name = "D", value_parser = dollars, allow_negative_numbers = true)]
    cost_usd: Option<LimitChange>,
    /// Events included in a billing month, or none
    #[arg(long, value_name = "N", value_parser = whole, allow_negative_numbers = true)]
    events: Option<LimitChange>,
}

/// New value of a limit; `None` removes it.
#[derive(Debug, Clone, Copy)]
struct LimitChange(Option<Limit>);

impl PlanArgs {
    /// Returns the plan with the given options applied; other limits stay unchanged.
    fn on(&self, plan: PlanLimits) -> PlanLimits {
        let changed =
            |change: Option<LimitChange>, stays| change.map_or(stays, |LimitChange(limit)| limit);
        PlanLimits {
            calls: changed(self.calls, plan.calls),
            minutes: changed(self.minutes, plan.minutes),
            cost_nanos: changed(self.cost_usd, plan.cost_nanos),
            events: changed(self.events, plan.events),
        }
    }
}

pub(super) async fn run(config: &Config, args: &PlanArgs) -> anyhow::Result<()> {
    let shown = Instance::run(config, async |instance| {
        let store = &instance.store;
        let tenant_id = output::find_tenant(store, &args.tenant).await?.tenant_id;
        let known = read(store, tenant_id).await.context("the plan cannot be read")?;
        let plan = args.on(known);
        // Without a change nothing is written, so that showing a plan cannot revert a concurrent
        // change.
        if plan != known {
            store.set_plan_limits(tenant_id, plan).await.context("the plan was not set")?;
        }
        Ok(view(tenant_id, plan))
    })
    .await?;
    output::object(config.output, &shown)
}

async fn read(store: &Store, tenant_id: TenantId) -> anyhow::Result<PlanLimits> {
    let mut tx = TenantTx::begin(store.app(), tenant_id).await?;
    Ok(plan_limits(&mut tx).await?)
}

fn view(tenant_id: TenantId, plan: PlanLimits) -> Value {
    let amount = |limit: Option<Limit>| limit.map(Limit::get);
    json!({
        "tenant_id": tenant_id,
        "calls": amount(plan.calls),
        "minutes": amount(plan.minutes),
        "cost_nanos": amount(plan.cost_nanos),
        "events": amount(plan.events),
    })
}

fn whole(text: &str) -> Result<LimitChange, &'static str> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let amount = text.parse().ok().filter(|_| is_plain);
    change(text, amount).ok_or("use a whole number above zero, or none")
}

fn dollars(text: &str) -> Result<LimitChange, &'static str> {
    change(text, Nanos::parse_exact(text).map(|Nanos(nanos)| nanos))
        .ok_or("use an amount above zero with at most nine decimals, such as 99.50, or none")
}

fn change(text: &str, amount: Option<i64>) -> Option<LimitChange> {
    match text {
        "none" => Some(LimitChange(None)),
        _ => Limit::new(amount?).map(|limit| LimitChange(Some(limit))),
    }
}
