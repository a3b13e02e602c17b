//! Lists times that can be booked.

use chrono::{DateTime, TimeDelta, Utc};
use ledger_core::booking::availability::{Offer, Query};
use ledger_core::booking::slot::Kind;
use ledger_core::ids::TenantId;
use ledger_store::Store;
use ledger_store::bookings::AvailabilityError;

use super::error::BookingError;
use super::kind::{resource_id, service_id};

/// Length of the range without `until`.
const DEFAULT_DAYS: i64 = 7;

/// The times that are asked for.
#[derive(Debug, Clone, Default)]
pub struct FreeTimes {
    /// Id or name of a service.
    pub service: Option<String>,
    /// Id of a resource; any by default.
    pub resource: Option<String>,
    /// Length in minutes; that of the service by default.
    pub minutes: Option<u32>,
    /// Earliest start; now by default.
    pub from: Option<DateTime<Utc>>,
    /// End of the range, not part of it; seven days after `from` by default.
    pub until: Option<DateTime<Utc>>,
}

/// Lists at most `limit` times that can be booked, by the rules that decide a booking.
///
/// # Errors
/// `TenantNotFound`; `Refused` for a service, a resource, a length or a range that cannot be; `Fault`.
pub async fn free_times(
    store: &Store,
    tenant_id: TenantId,
    wanted: FreeTimes,
    limit: usize,
) -> Result<Vec<Offer>, BookingError> {
    let settings = store.booking_settings(tenant_id).await?;
    let settings = settings.ok_or(BookingError::TenantNotFound)?;
    let FreeTimes { service, resource, minutes, from, until } = wanted;
    let service = service.map(|text| service_id(&settings, &text)).transpose();
    let resource = resource.map(|text| resource_id(&text)).transpose();
    let kind = Kind {
        service: service.map_err(BookingError::Refused)?,
        resource: resource.map_err(BookingError::Refused)?,
        minutes,
    };
    let from = from.unwrap_or_else(|| store.clock().now());
    let default = || from.checked_add_signed(TimeDelta::days(DEFAULT_DAYS)).unwrap_or(from);
    let query = Query { kind, from, until: until.unwrap_or_else(default) };
    let offers = store.availability(tenant_id, &settings, &query, limit).await;
    offers.map_err(|error| match error {
        AvailabilityError::Refused(refusal) => BookingError::Refused(refusal),
        AvailabilityError::Store(error) => error.into(),
    })
}
