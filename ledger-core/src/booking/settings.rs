//! The tenant's settings for bookings: opening hours, resources, services and rules, with one schema
//! each. The defaults are one resource with capacity 1, always open, and appointments of 30 minutes.

pub mod change;
pub mod hours;
pub mod reminders;
pub mod resources;
pub mod rules;
pub mod services;
#[cfg(test)]
mod tests;

use chrono_tz::Tz;

use self::hours::Hours;
use self::reminders::Reminders;
use self::resources::{Resource, Resources};
use self::rules::Rules;
use self::services::{Service, Services};
use super::{ResourceId, ServiceId};

/// Longest appointment, in minutes.
pub const MAX_MINUTES: u32 = 24 * 60;

/// All settings that a decision on a booking depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookingSettings {
    /// Zone of the opening hours and of the daily limit.
    pub zone: Tz,
    /// Number of changes of these settings, from 0 for the defaults; recorded in each booking.
    pub version: i64,
    /// Opening hours of all resources without hours of their own.
    pub hours: Hours,
    /// The resources.
    pub resources: Resources,
    /// The services.
    pub services: Services,
    /// Notice, limits and lengths.
    pub rules: Rules,
    /// Reminders of appointments.
    pub reminders: Reminders,
}

impl BookingSettings {
    /// The defaults in a zone.
    #[must_use]
    pub fn defaults(zone: Tz) -> Self {
        Self {
            zone,
            version: 0,
            hours: Hours::default(),
            resources: Resources::default(),
            services: Services::default(),
            rules: Rules::default(),
            reminders: Reminders::default(),
        }
    }

    /// Returns a resource; `None` if there is no such one.
    #[must_use]
    pub fn resource(&self, id: &ResourceId) -> Option<&Resource> {
        self.resources.as_slice().iter().find(|resource| resource.id == *id)
    }

    /// Returns a service; `None` if there is no such one.
    #[must_use]
    pub fn service(&self, id: &ServiceId) -> Option<&Service> {
        self.services.as_slice().iter().find(|service| service.id == *id)
    }

    /// The opening hours of a resource.
    #[must_use]
    pub fn hours_of<'s>(&'s self, resource: &'s Resource) -> &'s Hours {
        resource.hours.as_ref().unwrap_or(&self.hours)
    }
}
