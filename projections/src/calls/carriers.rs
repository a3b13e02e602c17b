//! Joins the call of a telephone carrier to the calls of platforms that name it.
//!
//! A platform states the id that its call has at the carrier. The carrier's call is then a part of
//! the platform's call: its row is in `carrier_calls` and not in `calls`, it counts in no sum, and
//! its handles find the platform's call, and an appointment that was booked in it is one of the
//! platform's call. Which rows are parts depends on the set of folded events
//! only: each batch compares the carriers' calls that it touches with the calls that name them.

mod group;
mod rows;

use std::collections::BTreeSet;

use sqlx::PgConnection;

use super::bookings;
use super::contribution::Contribution;
use super::update::{CallKey, RollupChange, load_keys};
use crate::projector::{ProjectError, WriteMode};
use group::Groups;

pub(super) use rows::delete_parts;

/// Joins the calls of a batch whose rows are written already. Returns the changes of the records:
/// those of the batch and of the calls joined to them, without the changes of parts.
pub(super) async fn join(
    conn: &mut PgConnection,
    changes: Vec<RollupChange>,
    mode: WriteMode,
) -> Result<Vec<RollupChange>, ProjectError> {
    let carriers: BTreeSet<CallKey> = changes.iter().flat_map(affected).collect();
    rows::write_names(conn, &changes, mode).await?;
    let mut groups = Groups::new(changes);
    let unread = carriers.iter().filter(|key| !groups.contains(key)).copied();
    groups.add_stored(load_keys(conn, unread.collect()).await?);
    let reported: Vec<CallKey> = carriers.into_iter().filter(|key| groups.contains(key)).collect();
    let names: BTreeSet<CallKey> = rows::names(conn, &reported).await?.into_iter().collect();
    let unread = names.into_iter().filter(|key| !groups.contains(key));
    groups.add_stored(load_keys(conn, unread.collect()).await?);
    for carrier in reported {
        groups.join(carrier);
    }
    let (changes, moves, rebooked) = groups.finish();
    rows::hide(conn, &moves.to_hide).await?;
    rows::show(conn, &moves.to_show).await?;
    bookings::write_columns(conn, &rebooked).await?;
    Ok(changes)
}

/// Returns the carriers' calls whose group a change affects.
fn affected(change: &RollupChange) -> impl Iterator<Item = CallKey> {
    let sides = [change.before.as_ref(), change.now.as_ref()];
    let [before, now] = sides.map(|one| {
        one.map(|one| (one.carrier_call_id, one.started_at, &one.handles, &one.bookings))
    });
    let key = change.key;
    let carrier = move |one: &Contribution| {
        let own = one.is_carrier_call.then_some(key.1);
        Some((key.0, own.or(one.carrier_call_id)?))
    };
    sides.into_iter().flatten().filter(move |_| before != now).filter_map(carrier)
}
