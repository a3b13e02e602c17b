//! Parked keys, and events dropped by an operator.

use std::collections::{HashMap, HashSet};

use ledger_core::ids::{Position, TenantId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::projector::LogEvent;

/// Parked keys and dropped events of the tenants of a transaction.
#[derive(Debug, Default)]
pub struct ParkedKeys {
    parked: HashMap<(TenantId, String, i32), HashMap<Uuid, Position>>,
    dropped: HashSet<(TenantId, String, i64)>,
}

impl ParkedKeys {
    /// Loads the parked keys and dropped events of these tenants.
    ///
    /// # Errors
    /// Fails if the database does not answer.
    pub async fn load(conn: &mut PgConnection, tenants: &[TenantId]) -> sqlx::Result<Self> {
        let ids: Vec<Uuid> = tenants.iter().map(|tenant| tenant.0).collect();
        let rows = sqlx::query!(
            r#"
            select tenant_id as "tenant_id!", projection as "projection!", version, key,
                   position as "position!"
              from projection.parked where tenant_id = any ($1)
             union all
            select tenant_id, projection, null, null, position
              from projection.dropped where tenant_id = any ($1)
            "#,
            &ids,
        )
        .fetch_all(conn)
        .await?;
        let mut parked_keys = Self::default();
        for row in rows {
            let tenant_id = TenantId(row.tenant_id);
            match row.version.zip(row.key) {
                Some((version, key)) => {
                    parked_keys.add(
                        tenant_id,
                        &row.projection,
                        version,
                        key,
                        Position(row.position),
                    );
                }
                None => {
                    parked_keys.dropped.insert((tenant_id, row.projection, row.position));
                }
            }
        }
        Ok(parked_keys)
    }

    /// Returns whether an event is applied now: not dropped, and not at or behind a parked event of
    /// its key.
    pub(super) fn is_applicable(
        &self,
        tenant_id: TenantId,
        projection: &str,
        version: i32,
        (key, event): (Uuid, &LogEvent),
    ) -> bool {
        if self.parked.is_empty() && self.dropped.is_empty() {
            return true;
        }
        let projection = projection.to_owned();
        let position = event.stored.position;
        let parked = self.parked.get(&(tenant_id, projection.clone(), version));
        let waits_since = parked.and_then(|keys| keys.get(&key));
        waits_since.is_none_or(|since| position < since.0)
            && !self.dropped.contains(&(tenant_id, projection, position))
    }

    /// Returns the position of the event that a parked key waits for.
    pub(super) fn since(
        &self,
        tenant_id: TenantId,
        projection: &str,
        version: i32,
        key: Uuid,
    ) -> Option<Position> {
        let keys = self.parked.get(&(tenant_id, projection.to_owned(), version))?;
        keys.get(&key).copied()
    }

    /// A key waits from an event on.
    pub(super) fn add(
        &mut self,
        tenant_id: TenantId,
        projection: &str,
        version: i32,
        key: Uuid,
        position: Position,
    ) {
        let keys = self.parked.entry((tenant_id, projection.to_owned(), version)).or_default();
        keys.insert(key, position);
    }

    /// Records that a key is no longer parked.
    pub(crate) fn free(&mut self, tenant_id: TenantId, projection: &str, version: i32, key: Uuid) {
        if let Some(keys) = self.parked.get_mut(&(tenant_id, projection.to_owned(), version)) {
            keys.remove(&key);
        }
    }
}

/// Parks the key of an event, with the reason. If the key is parked already, counts another
/// attempt.
pub(super) async fn park(
    conn: &mut PgConnection,
    tenant_id: TenantId,
    projection: &'static str,
    version: i32,
    (key, event): (Uuid, &LogEvent),
    reason: &str,
) -> sqlx::Result<()> {
    let position = event.stored.position;
    tracing::error!(error = reason, %tenant_id, projection, position, "projection.parked");
    metrics::counter!("ledger_parked_events_total", "projection" => projection).increment(1);
    sqlx::query!(
        "insert into projection.parked
           (tenant_id, parked_id, projection, version, key, position, event_type, reason)
         values ($1, gen_random_uuid(), $2, $3, $4, $5, $6, $7)
             on conflict on constraint parked_key do update
            set position = excluded.position, event_type = excluded.event_type,
                reason = excluded.reason, attempts = parked.attempts + 1",
        tenant_id.0,
        projection,
        version,
        key,
        position,
        event.stored.event_type,
        reason,
    )
    .execute(conn)
    .await?;
    Ok(())
}
