//! Tenants of a benchmark, each with a webhook source.

use std::sync::Arc;

use ledger_core::ids::{SourceId, TenantId};
use ledger_core::provider::Provider;
use ledger_store::Store;
use ledger_store::source::NewSource;
use ledger_store::tenants::NewTenant;
use tokio::task::JoinSet;

use ledger_app::system::fresh_secret;

/// Number of tenants created concurrently, limited by the store's connections for it.
const AT_ONCE: usize = 3;

/// A tenant with its webhook source.
#[derive(Debug, Clone)]
pub struct BenchTenant {
    /// Id of the tenant.
    pub tenant_id: TenantId,
    /// Id of its webhook source.
    pub source_id: SourceId,
    /// Secret of the source.
    pub secret: String,
}

/// Creates this many tenants.
///
/// # Errors
/// The database or the keyring cannot be used.
pub async fn tenants(store: &Arc<Store>, count: usize) -> anyhow::Result<Vec<BenchTenant>> {
    // The installation's keys are created first, to avoid concurrent attempts.
    store.ensure_installation().await?;
    let (mut tenants, mut under_way) = (Vec::with_capacity(count), JoinSet::new());
    for nth in 0..count {
        if under_way.len() == AT_ONCE
            && let Some(made) = under_way.join_next().await
        {
            tenants.push(made??);
        }
        let store = Arc::clone(store);
        under_way.spawn(async move { tenant(&store, nth).await });
    }
    while let Some(made) = under_way.join_next().await {
        tenants.push(made??);
    }
    Ok(tenants)
}

async fn tenant(store: &Store, nth: usize) -> anyhow::Result<BenchTenant> {
    let new = NewTenant {
        slug: format!("bench-{nth}"),
        name: "bench".into(),
        timezone: "America/New_York".into(),
        country: "US".into(),
    };
    let tenant_id = store.create_tenant(&new).await?;
    let secret = fresh_secret();
    let source = NewSource {
        tenant_id,
        provider: Provider::Vapi,
        secret: &secret,
        name: None,
        record_all: false,
        assistant_id: None,
        tools: None,
    };
    let source_id = store.create_source(&source).await?;
    Ok(BenchTenant { tenant_id, source_id, secret })
}
