//! A call as it was known then: folded from the log itself, up to a position, as the read model folds
//! it.

use std::ops::ControlFlow;

use chrono::{DateTime, Utc};
use ledger_core::ids::{Position, StreamId};
use ledger_store::{StoreError, TenantTx, read};
use uuid::Uuid;

use super::Folded;
use crate::marks::known_at;

/// A point in the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Up to a position.
    Position(i64),
    /// As far as everything was recorded by then: up to the first event that was recorded later, so that
    /// nothing is known of which something before it is not.
    Time(DateTime<Utc>),
}

/// The call as far as it was known. `None` when nothing was. An event that the read model does without
/// is left out, and one that it waits at ends what is known, as in what is shown now.
///
/// # Errors
/// [`StoreError::Database`].
pub async fn find(
    tx: &mut TenantTx,
    call_id: Uuid,
    moment: Moment,
) -> Result<Option<Folded>, StoreError> {
    let until = match moment {
        Moment::Position(position) => Position(position),
        Moment::Time(time) => known_at(tx, time).await?,
    };
    let passed_over = PassedOver::load(tx, call_id).await?;
    let mut folded: Option<Folded> = None;
    read::scan_stream(tx, StreamId(call_id), |event| {
        if event.stream_kind != "call" || passed_over.dropped.contains(&event.position) {
            return ControlFlow::Continue(());
        }
        let is_after = passed_over.waits_since.is_some_and(|since| event.position >= since);
        if event.position > until.0 || is_after {
            return ControlFlow::Break(());
        }
        // What this build cannot read is waited at, even if that is not noticed yet.
        let Ok(recorded) = event.decode() else { return ControlFlow::Break(()) };
        folded.get_or_insert_with(Folded::default).fold(&recorded, &event);
        ControlFlow::Continue(())
    })
    .await?;
    Ok(folded)
}

/// What the read model does not fold of a call.
struct PassedOver {
    waits_since: Option<i64>,
    dropped: Vec<i64>,
}

impl PassedOver {
    async fn load(tx: &mut TenantTx, call_id: Uuid) -> sqlx::Result<Self> {
        let tenant_id = tx.tenant_id();
        let row = sqlx::query!(
            r#"
            select (select min(p.position) from projection.parked p
                      join read.positions v
                        on v.tenant_id = p.tenant_id and v.projection = p.projection
                       and v.version = p.version
                     where p.tenant_id = $1 and p.projection = 'calls' and p.key = $2) as waits_since,
                   array(select d.position from projection.dropped d
                          where d.tenant_id = $1 and d.projection = 'calls') as "dropped!: Vec<i64>"
            "#,
            tenant_id.0,
            call_id,
        )
        .fetch_one(tx.conn())
        .await?;
        Ok(Self { waits_since: row.waits_since, dropped: row.dropped })
    }
}
