//! Routes: which tenant the messages of a shared source are assigned to, by ids in the messages and
//! by the time of receipt.

use chrono::{DateTime, Utc};
use ledger_core::event::TenantEvent;
use ledger_core::ids::{Position, SourceId, TenantId};
use ledger_core::provider::Routing;
use ledger_core::tenant::TenantState;
use ledger_core::tenant::routes::{
    Period, RouteChange, RouteCommand, RouteKind, RouteRejection, Routes, RoutesState,
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Store;
use crate::admin_events::Attribution;
use crate::error::StoreError;
use crate::execute::{ChangeError, Rows};

/// The reason for which routes were not changed.
pub type RouteError = ChangeError<RouteRejection>;

/// An id at a shared source, and the tenant that its messages are assigned to.
#[derive(Debug, Clone, Copy)]
pub struct Routed<'a> {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The shared source.
    pub source_id: SourceId,
    /// The kind of the id.
    pub kind: RouteKind,
    /// The id as the platform writes it; a number in E.164.
    pub value: &'a str,
}

impl Store {
    /// Adds a route without limits, with the operator as actor.
    ///
    /// # Errors
    /// The errors of [`Store::add_route_for`].
    pub async fn add_route(
        &self,
        tenant_id: TenantId,
        source_id: SourceId,
        kind: RouteKind,
        value: &str,
    ) -> Result<(), RouteError> {
        let routed = Routed { tenant_id, source_id, kind, value };
        self.add_route_for(&self.operator(), routed, Period::ALWAYS).await.map(|_| ())
    }

    /// Assigns messages with this id that are received in a period to the tenant. Returns the
    /// position of the event; `None` if a route of the tenant covers the period already.
    ///
    /// # Errors
    /// [`RouteRejection`]; the database did not answer.
    pub async fn add_route_for(
        &self,
        by: &Attribution,
        routed: Routed<'_>,
        period: Period,
    ) -> Result<Option<Position>, RouteError> {
        let derived = |id: ledger_core::ids::CommandId| {
            routed.tenant_id.derive(&[b"route of command", id.0.as_bytes()])
        };
        let route_id = by.command_id.map_or_else(|| self.ids.ordered(), derived);
        self.change_routes(by, routed, RouteChange::Add { route_id, period }).await
    }

    /// Assigns no message with this id that is received from a time on to the tenant: its routes end
    /// then, and later ones are cancelled. Recorded messages stay. Returns the position of the last
    /// event; `None` if no route lasts longer.
    ///
    /// # Errors
    /// [`RouteRejection`]; the database did not answer.
    pub async fn end_route(
        &self,
        by: &Attribution,
        routed: Routed<'_>,
        at: DateTime<Utc>,
    ) -> Result<Option<Position>, RouteError> {
        self.change_routes(by, routed, RouteChange::End(at)).await
    }

    async fn change_routes(
        &self,
        by: &Attribution,
        routed: Routed<'_>,
        change: RouteChange,
    ) -> Result<Option<Position>, RouteError> {
        let Routed { tenant_id, source_id, kind, .. } = routed;
        let rows = RouteRows { routed, now: self.clock.now_micros() };
        let command = RouteCommand { source_id, kind, change };
        let done = self.execute_over_rows::<Routes, _>(by, tenant_id, &command, &rows).await?;
        Ok(done.position)
    }

    /// Returns the tenants with a route for any of these ids at a shared source at a time. A message
    /// is assigned only if there is exactly one; otherwise the tenant is unknown.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn find_routes(
        &self,
        source_id: SourceId,
        routing: &Routing,
        received_at: DateTime<Utc>,
    ) -> Result<Vec<TenantId>, StoreError> {
        let rows = sqlx::query_scalar!(
            r#"select tenant_id as "tenant_id!" from ledger.find_routes_at($1, $2, $3, $4, $5)"#,
            source_id.0,
            routing.assistant_id,
            routing.phone_number_id,
            routing.phone_number,
            received_at,
        )
        .fetch_all(&self.intake)
        .await?;
        Ok(rows.into_iter().map(TenantId).collect())
    }
}

/// The routes of one id, for one command.
struct RouteRows<'a> {
    routed: Routed<'a>,
    now: DateTime<Utc>,
}

impl Rows<Routes> for RouteRows<'_> {
    type Loaded = ();

    async fn load(
        &self,
        conn: &mut PgConnection,
        tenant: Option<TenantState>,
    ) -> Result<(RoutesState, ()), StoreError> {
        let Routed { tenant_id, source_id, kind, value } = self.routed;
        // Changes of the routes of a source wait for each other: the tenants' logs are locked one by
        // one, and another tenant's change could otherwise come between.
        let source = sqlx::query_scalar!(
            r#"select disabled_at is null as "is_enabled!" from ledger.sources
                where tenant_id = $1 and source_id = $2 for no key update"#,
            TenantId::INSTALLATION.0,
            source_id.0,
        )
        .fetch_optional(&mut *conn)
        .await?;
        let rows = sqlx::query!(
            "select tenant_id, route_id, valid_from, valid_until from ledger.source_routes
              where source_id = $1 and kind = $2 and value = $3
              order by valid_from nulls first, route_id",
            source_id.0,
            kind.as_str(),
            value,
        )
        .fetch_all(conn)
        .await?;
        let mut state = RoutesState {
            tenant: tenant.unwrap_or_default(),
            is_shared: source.unwrap_or(false),
            ..RoutesState::default()
        };
        for row in rows {
            let period = Period::new(row.valid_from, row.valid_until).ok();
            if row.tenant_id == tenant_id.0 {
                state.own.insert(row.route_id, period);
            } else if let Some(period) = period {
                state.others.push((TenantId(row.tenant_id), period));
            }
        }
        Ok((state, ()))
    }

    async fn write(
        &self,
        conn: &mut PgConnection,
        (): &mut (),
        events: &[TenantEvent],
    ) -> Result<(), StoreError> {
        for event in events {
            match event {
                TenantEvent::RouteAdded(added) => {
                    let route_id = added.route_id.unwrap_or_default();
                    let limits = (added.valid_from, added.valid_until);
                    self.insert(&mut *conn, route_id, limits).await?;
                }
                TenantEvent::RouteEnded(ended) => {
                    self.end(&mut *conn, ended.route_id, ended.valid_until).await?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl RouteRows<'_> {
    async fn insert(
        &self,
        conn: &mut PgConnection,
        route_id: Uuid,
        (valid_from, valid_until): (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "insert into ledger.source_routes
               (tenant_id, route_id, source_id, kind, value, created_at, valid_from, valid_until)
             values ($1, $2, $3, $4, $5, $6, $7, $8)",
            self.routed.tenant_id.0,
            route_id,
            self.routed.source_id.0,
            self.routed.kind.as_str(),
            self.routed.value,
            self.now,
            valid_from,
            valid_until,
        )
        .execute(conn)
        .await?;
        Ok(())
    }

    /// Ends a route. One that has not begun by then gets an empty period.
    async fn end(
        &self,
        conn: &mut PgConnection,
        route_id: Uuid,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "update ledger.source_routes set valid_until = greatest($3::timestamptz, valid_from)
              where tenant_id = $1 and route_id = $2",
            self.routed.tenant_id.0,
            route_id,
            at,
        )
        .execute(conn)
        .await?;
        Ok(())
    }
}
