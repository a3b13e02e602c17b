//! Direct calls of `ledger.append` with arguments that the appender never sends.

use chrono::{DateTime, Utc};
use ledger_core::ids::TenantId;
use sqlx::PgConnection;
use uuid::Uuid;

/// One event of a direct call, in a separate stream.
pub(super) struct RawEvent {
    pub(super) request: i32,
    pub(super) tenant_id: TenantId,
    pub(super) stream_id: Uuid,
    pub(super) event_id: Uuid,
}

/// The result of the function for one request.
#[derive(Debug, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct RawAnswer {
    pub(super) request: i32,
    pub(super) status: String,
    pub(super) first_position: Option<i64>,
    pub(super) reason: Option<String>,
}

/// Calls the function with an arbitrary hash for each event.
pub(super) async fn append(
    conn: &mut PgConnection,
    events: &[RawEvent],
) -> sqlx::Result<Vec<RawAnswer>> {
    let each = |of: fn(&RawEvent) -> Uuid| events.iter().map(of).collect::<Vec<Uuid>>();
    let numbers = 1..=i32::try_from(events.len()).expect("a few");
    let same = |text: &str| vec![text.to_owned(); events.len()];
    let now = vec![DateTime::<Utc>::UNIX_EPOCH; events.len()];
    let (mut tenants, mut streams, mut stream_tenant) = (Vec::new(), Vec::new(), Vec::new());
    for event in events {
        let known = tenants.iter().position(|tenant| *tenant == event.tenant_id.0);
        let slot = known.unwrap_or_else(|| {
            tenants.push(event.tenant_id.0);
            tenants.len() - 1
        });
        streams.push(event.stream_id);
        stream_tenant.push(i32::try_from(slot + 1).expect("a few"));
    }
    sqlx::query_as(
        "select request, status, first_position, reason
           from ledger.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
          order by request",
    )
    .bind(tenants)
    .bind(streams)
    .bind(stream_tenant)
    .bind(same("call"))
    .bind(events.iter().map(|event| event.request).collect::<Vec<i32>>())
    .bind(numbers.collect::<Vec<i32>>())
    .bind(vec![None::<i64>; events.len()])
    .bind(each(|event| event.event_id))
    .bind(same("call.message_received"))
    .bind(vec![1_i16; events.len()])
    .bind(now.clone())
    .bind(now)
    .bind(same("{}"))
    .bind(vec![None::<Vec<u8>>; events.len()])
    .bind(vec![None::<Vec<u8>>; events.len()])
    .bind(vec![None::<String>; events.len()])
    .bind(same("{}"))
    .bind(vec![vec![0_u8; 32]; events.len()])
    .fetch_all(conn)
    .await
}
