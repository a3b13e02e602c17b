//! Routes as an aggregate: which tenant gets the messages of a shared source that carry an id, and
//! when.
//!
//! No event has the id, because the number of a business may be that of a person. A state therefore
//! has the routes of one id, which the store selects.

mod period;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::TenantState;
use crate::aggregate::{Aggregate, Decided, Stream};
use crate::envelope::StreamKind;
use crate::event::{RouteAdded, RouteEnded, TenantEvent};
use crate::ids::{SourceId, TenantId};

pub use period::{EmptyPeriod, Period};

/// The kind of id that a route matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteKind {
    /// The platform's id of the assistant.
    AssistantId,
    /// The platform's id of the tenant's phone number.
    PhoneNumberId,
    /// The tenant's phone number in E.164 form.
    PhoneNumber,
}

impl RouteKind {
    /// The stored name of the kind.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AssistantId => "assistant_id",
            Self::PhoneNumberId => "phone_number_id",
            Self::PhoneNumber => "phone_number",
        }
    }
}

/// The routes of one id at one source, and the state of the tenant of the command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoutesState {
    /// The state of the tenant.
    pub tenant: TenantState,
    /// Whether the source is an enabled one of the installation. False after [`Routes::evolve`]: the
    /// tenant's log has no event of such a source.
    pub is_shared: bool,
    /// The validity of the tenant's routes of the id, by the id of the route; `None` for a route that
    /// was ended before it began.
    pub own: BTreeMap<Uuid, Option<Period>>,
    /// The validity of the routes of other tenants.
    pub others: Vec<(TenantId, Period)>,
}

/// A change of a tenant's routes of one id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteCommand {
    /// The shared source.
    pub source_id: SourceId,
    /// The kind of the id.
    pub kind: RouteKind,
    /// The change.
    pub change: RouteChange,
}

/// What changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteChange {
    /// Route the messages of a period to the tenant.
    Add {
        /// Id of the new route.
        route_id: Uuid,
        /// Its validity.
        period: Period,
    },
    /// Route no message from this time on to the tenant.
    End(DateTime<Utc>),
}

/// The reason for which a change of routes is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RouteRejection {
    /// The source is not a shared one, or disabled.
    #[error("it is no shared source")]
    NotShared,
    /// The tenant has no route of the id.
    #[error("the tenant has no route for this id")]
    NotFound,
    /// The id is routed to another tenant in a part of the period.
    #[error("the id is routed to tenant {tenant_id} {period}")]
    Overlap {
        /// The other tenant.
        tenant_id: TenantId,
        /// The validity of its route.
        period: Period,
    },
    /// The tenant is frozen or closed.
    #[error("the tenant is {}", .0.as_str())]
    NotActive(TenantState),
}

/// The aggregate of a tenant's routes.
#[derive(Debug, Clone, Copy)]
pub struct Routes;

impl Aggregate for Routes {
    type State = RoutesState;
    type Command = RouteCommand;
    type Event = TenantEvent;
    type Rejection = RouteRejection;

    fn streams(tenant_id: TenantId, _: &RouteCommand) -> Vec<Stream> {
        vec![Stream::new(tenant_id.tenant_stream(), StreamKind::Tenant)]
    }

    fn decide(
        state: &RoutesState,
        command: &RouteCommand,
    ) -> Result<Vec<Decided<TenantEvent>>, RouteRejection> {
        let events = match command.change {
            RouteChange::Add { route_id, period } => added(state, command, route_id, period)?,
            RouteChange::End(at) => ended(state, command, at)?,
        };
        if !events.is_empty() && state.tenant != TenantState::Active {
            return Err(RouteRejection::NotActive(state.tenant));
        }
        Ok(events.into_iter().map(Decided::first).collect())
    }

    fn evolve(state: &mut RoutesState, event: &TenantEvent) {
        match event {
            TenantEvent::RouteAdded(added) => {
                // Routes of builds without periods have no id in the event.
                let Some(route_id) = added.route_id else { return };
                let period = Period::new(added.valid_from, added.valid_until).ok();
                state.own.insert(route_id, period);
            }
            TenantEvent::RouteEnded(ended) => {
                if let Some(period) = state.own.get_mut(&ended.route_id) {
                    *period = period.and_then(|period| period.until(ended.valid_until));
                }
            }
            TenantEvent::StateChanged(changed) => {
                state.tenant = TenantState::parse(&changed.to).unwrap_or(state.tenant);
            }
            _ => {}
        }
    }
}

fn added(
    state: &RoutesState,
    command: &RouteCommand,
    route_id: Uuid,
    period: Period,
) -> Result<Vec<TenantEvent>, RouteRejection> {
    if !state.is_shared {
        return Err(RouteRejection::NotShared);
    }
    if state.own.values().flatten().any(|own| own.contains(&period)) {
        return Ok(Vec::new());
    }
    let other = state.others.iter().find(|(_, other)| other.overlaps(&period));
    if let Some(&(tenant_id, period)) = other {
        return Err(RouteRejection::Overlap { tenant_id, period });
    }
    Ok(vec![TenantEvent::RouteAdded(RouteAdded {
        source_id: command.source_id.0,
        kind: command.kind.as_str().to_owned(),
        route_id: Some(route_id),
        valid_from: period.from(),
        valid_until: period.end(),
    })])
}

fn ended(
    state: &RoutesState,
    command: &RouteCommand,
    at: DateTime<Utc>,
) -> Result<Vec<TenantEvent>, RouteRejection> {
    if state.own.is_empty() {
        return Err(RouteRejection::NotFound);
    }
    let lasts_longer = |period: &Option<Period>| {
        period.is_some_and(|period| period.end().is_none_or(|end| at < end))
    };
    let longer = state.own.iter().filter(|(_, period)| lasts_longer(period));
    let ended = longer.map(|(route_id, _)| {
        TenantEvent::RouteEnded(RouteEnded {
            source_id: command.source_id.0,
            kind: command.kind.as_str().to_owned(),
            route_id: *route_id,
            valid_until: at,
        })
    });
    Ok(ended.collect())
}
