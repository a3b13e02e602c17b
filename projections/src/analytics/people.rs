//! Counts the people of a set of calls. The count depends on the set only, not on the order of
//! arrival.

use ledger_core::annotation::spelling::Spellings;
use std::collections::HashMap;

use ledger_store::TenantTx;
use uuid::Uuid;

use super::question::AnalyticsFilter;
use super::range::Range;
use crate::calls::list::carrier_call_ids;

/// A pair of handle and name: the handle, and the first contact with both, which stands for the
/// pair.
type Named = (Uuid, Uuid);

/// Combinations of handles and name of the selected calls, as the query returns them.
struct Combined {
    /// Number of distinct combinations.
    all: i64,
    /// Number of those that share a handle with another combination. All following fields are about
    /// these.
    sharing: i64,
    /// Number of strongest handles of calls without a name that no other call has with a name or
    /// with a stronger handle.
    nameless: i64,
    /// Number of distinct pairs of strongest handle and name.
    named: i64,
    /// Named combinations that share another handle under the same name: one row per shared handle.
    /// Five arrays of equal length.
    strongest: Vec<Uuid>,
    strongest_holders: Vec<Uuid>,
    have_external_id: Vec<bool>,
    /// The shared handle of each row.
    shared: Vec<Uuid>,
    shared_holders: Vec<Uuid>,
}

/// Counts exactly the people who called or were called.
///
/// Calls with the same name that share a handle are of one person, directly or through a chain of
/// such calls; but each external id is a person of its own. A call without a name counts as its
/// strongest handle, unless another of the calls has that handle with a name or with a stronger
/// handle. A call without a handle counts as itself.
///
/// # Errors
/// The database did not answer.
pub async fn contacts(
    tx: &mut TenantTx,
    range: Range,
    filter: &AnalyticsFilter,
) -> sqlx::Result<i64> {
    let combined = combined(tx, range, filter).await?;
    let people =
        combined.all - combined.sharing + combined.nameless + combined.named - surplus(&combined);
    // The calls of one contact are of one person, even if no call connects their handles.
    Ok(if filter.contact_id.is_some() { people.min(1) } else { people })
}

/// Returns the number of named strongest handles in excess of people: connected handles are one
/// person, found by union-find.
fn surplus(combined: &Combined) -> i64 {
    let strongest =
        combined.strongest.iter().copied().zip(combined.strongest_holders.iter().copied());
    let shared = combined.shared.iter().copied().zip(combined.shared_holders.iter().copied());
    let mut places: HashMap<Named, usize> = HashMap::new();
    let mut parents: Vec<usize> = Vec::new();
    let mut have_id: Vec<bool> = Vec::new();
    let mut first: HashMap<Named, usize> = HashMap::new();
    for ((strongest, shared), has_id) in strongest.zip(shared).zip(&combined.have_external_id) {
        let place = *places.entry(strongest).or_insert_with(|| {
            parents.push(parents.len());
            have_id.push(*has_id);
            parents.len() - 1
        });
        let other = *first.entry(shared).or_insert(place);
        let (root, other) = (root(&mut parents, place), root(&mut parents, other));
        parents[root] = other;
    }
    // For each connected group: its handles, and how many of them are external ids.
    let mut groups: HashMap<usize, (i64, i64)> = HashMap::new();
    for (place, has_id) in have_id.into_iter().enumerate() {
        let group = groups.entry(root(&mut parents, place)).or_default();
        *group = (group.0 + 1, group.1 + i64::from(has_id));
    }
    groups.into_values().map(|(all, external_ids)| all - external_ids.max(1)).sum()
}

/// Returns the representative of a group, with path halving.
fn root(parents: &mut [usize], mut place: usize) -> usize {
    while parents[place] != place {
        parents[place] = parents[parents[place]];
        place = parents[place];
    }
    place
}

/// Reads the combinations: for all calls of a tenant from `callers`, for those of a tool from
/// `call_tools`, otherwise from the filtered calls.
async fn combined(
    tx: &mut TenantTx,
    range: Range,
    filter: &AnalyticsFilter,
) -> sqlx::Result<Combined> {
    let tenant_id = tx.tenant_id();
    let unfiltered = AnalyticsFilter { is_test: filter.is_test, ..AnalyticsFilter::default() };
    let is_all = range.is_open() && *filter == unfiltered && filter.is_test.is_some();
    let is_of_tool = filter.tool.is_some()
        && *filter == AnalyticsFilter { tool: filter.tool.clone(), ..unfiltered };
    let span = range.span();
    sqlx::query_file_as!(
        Combined,
        "src/analytics/people.sql",
        tenant_id.0,
        span.from,
        span.to,
        filter.is_test,
        filter.agent_id,
        filter.direction,
        filter.outcome,
        filter.ended_reason,
        filter.tool,
        filter.status,
        filter.provider_call_id,
        filter.phone_number_id,
        filter.min_cost_nanos,
        filter.contact_id,
        filter.phone.as_deref(),
        filter.email.as_deref(),
        is_all,
        is_of_tool,
        &carrier_call_ids(tenant_id, filter.provider_call_id.as_deref()),
        filter.has_appointment,
        filter.disposition.as_ref().map(Spellings::first),
        filter.campaign,
        filter.attempt,
        filter.call_type.as_ref().map(Spellings::first),
        filter.tag,
        filter.disposition.as_ref().and_then(Spellings::others),
        filter.call_type.as_ref().and_then(Spellings::others),
    )
    .fetch_one(tx.conn())
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Builds rows of strongest handle, whether it is an external id, and a shared handle.
    fn shared(rows: &[(u128, bool, u128)]) -> Combined {
        let ids = |of: fn(&(u128, bool, u128)) -> u128| -> Vec<Uuid> {
            rows.iter().map(|row| Uuid::from_u128(of(row))).collect()
        };
        let holder = vec![Uuid::nil(); rows.len()];
        Combined {
            all: 0,
            sharing: 0,
            nameless: 0,
            named: 0,
            strongest: ids(|row| row.0),
            strongest_holders: holder.clone(),
            have_external_id: rows.iter().map(|row| row.1).collect(),
            shared: ids(|row| row.2),
            shared_holders: holder,
        }
    }

    #[test]
    fn handles_of_one_name_that_are_connected_are_one_person_and_each_external_id_another() {
        for (rows, surplus) in [
            (vec![], 0),
            (vec![(1, false, 9), (2, false, 9)], 1),
            (vec![(1, false, 8), (2, false, 8), (2, false, 9), (3, false, 9)], 2),
            (vec![(1, false, 8), (2, false, 8), (3, false, 9), (4, false, 9)], 2),
            (vec![(1, true, 9), (2, true, 9)], 0),
            (vec![(1, true, 9), (2, true, 9), (3, false, 9)], 1),
            (vec![(1, true, 8), (3, false, 8), (3, false, 9), (4, false, 9)], 2),
        ] {
            assert_eq!(super::surplus(&shared(&rows)), surplus, "{rows:?}");
            let reversed: Vec<_> = rows.iter().copied().rev().collect();
            assert_eq!(super::surplus(&shared(&reversed)), surplus, "{reversed:?}");
        }
    }
}
