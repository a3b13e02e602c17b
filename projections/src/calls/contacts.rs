//! Sums over the calls of each contact, by the difference between the old and the new contribution
//! of a call. Test calls do not count.

use std::collections::BTreeMap;

use ledger_core::ids::TenantId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::contribution::Contribution;
use super::update::RollupChange;
use crate::projector::ProjectError;

/// Key of a sum: tenant, contact and currency of the costs.
type SumKey<'c> = (TenantId, Uuid, &'c str);

/// A change of a sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Sum {
    calls: i64,
    duration_ms: i128,
    cost_nanos: i128,
}

pub(super) async fn write(
    conn: &mut PgConnection,
    calls: &[RollupChange],
) -> Result<(), ProjectError> {
    let differences = differences(calls);
    if differences.is_empty() {
        return Ok(());
    }
    let rows: Vec<serde_json::Value> = differences
        .iter()
        .map(|((tenant_id, contact_id, currency), sum)| {
            serde_json::json!({
                "tenant_id": tenant_id.0, "contact_id": contact_id, "currency": currency,
                "calls": sum.calls, "duration_ms": sum.duration_ms.to_string(),
                "cost_nanos": sum.cost_nanos.to_string(),
            })
        })
        .collect();
    sqlx::query!(
        "insert into contact_calls (tenant_id, contact_id, currency, calls, duration_ms, cost_nanos)
         select tenant_id, contact_id, currency, calls, duration_ms, cost_nanos
           from json_to_recordset($1::text::json)
             as n (tenant_id uuid, contact_id uuid, currency text, calls bigint,
                   duration_ms numeric, cost_nanos numeric)
             on conflict (tenant_id, contact_id, currency) do update
            set calls = contact_calls.calls + excluded.calls,
                duration_ms = contact_calls.duration_ms + excluded.duration_ms,
                cost_nanos = contact_calls.cost_nanos + excluded.cost_nanos",
        serde_json::to_string(&rows).expect("rows are plain data"),
    )
    .execute(&mut *conn)
    .await?;
    if differences.values().any(|sum| sum.calls < 0) {
        remove_empty(conn, &differences).await?;
    }
    Ok(())
}

/// Deletes those of the sums that have no call left.
async fn remove_empty(
    conn: &mut PgConnection,
    differences: &BTreeMap<SumKey<'_>, Sum>,
) -> Result<(), ProjectError> {
    let tenants: Vec<Uuid> = differences.keys().map(|(tenant_id, ..)| tenant_id.0).collect();
    let contacts: Vec<Uuid> = differences.keys().map(|(_, contact_id, _)| *contact_id).collect();
    let currencies: Vec<String> =
        differences.keys().map(|(.., currency)| (*currency).to_owned()).collect();
    sqlx::query!(
        "delete from contact_calls s
          using unnest($1::uuid[], $2::uuid[], $3::text[]) as k (tenant_id, contact_id, currency)
          where s.tenant_id = k.tenant_id and s.contact_id = k.contact_id
            and s.currency = k.currency and s.calls = 0",
        &tenants,
        &contacts,
        &currencies,
    )
    .execute(conn)
    .await?;
    Ok(())
}

fn differences(calls: &[RollupChange]) -> BTreeMap<SumKey<'_>, Sum> {
    let mut differences: BTreeMap<SumKey<'_>, Sum> = BTreeMap::new();
    for call in calls {
        for (one, sign) in [(call.before.as_ref(), -1), (call.now.as_ref(), 1)] {
            let Some((contribution, contact_id)) = one.and_then(counted) else { continue };
            let key = (call.key.0, contact_id, contribution.currency.as_str());
            let sum = differences.entry(key).or_default();
            sum.calls += sign;
            sum.duration_ms += i128::from(sign) * contribution.measures.duration_ms;
            sum.cost_nanos += i128::from(sign) * contribution.measures.cost_nanos;
        }
    }
    differences.retain(|_, sum| *sum != Sum::default());
    differences
}

/// The contribution of a call that counts, with its contact.
fn counted(contribution: &Contribution) -> Option<(&Contribution, Uuid)> {
    let contact_id = contribution.contact_id.filter(|_| !contribution.is_test)?;
    Some((contribution, contact_id))
}
