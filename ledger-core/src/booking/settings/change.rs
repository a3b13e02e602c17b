//! Changes of the settings for bookings, as events of the stream of settings.

use super::hours::Hours;
use super::reminders::Reminders;
use super::resources::Resources;
use super::rules::Rules;
use super::services::Services;
use crate::aggregate::{Aggregate, Decided, Stream};
use crate::envelope::StreamKind;
use crate::event::{
    BookingRulesSet, HoursSet, RemindersSet, ResourcesSet, ServicesSet, TenantEvent,
};
use crate::ids::TenantId;
use crate::section::Sections;
use crate::settings::{BookingSetting, Setting, SettingName};

/// The current values, without the names of resources.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Values {
    /// Number of changes.
    pub version: i64,
    /// Opening hours.
    pub hours: Hours,
    /// Resources.
    pub resources: Resources,
    /// Services.
    pub services: Services,
    /// Rules.
    pub rules: Rules,
    /// Reminders.
    pub reminders: Reminders,
}

impl Values {
    /// The value of a setting; `None` for a setting that is not of bookings.
    #[must_use]
    pub fn setting(self, name: SettingName) -> Option<Setting> {
        let setting = match name {
            SettingName::Plan
            | SettingName::Dispositions
            | SettingName::Annotations
            | SettingName::LeadScore
            | SettingName::Contacts => return None,
            SettingName::Hours => BookingSetting::Hours(self.hours),
            SettingName::Resources => BookingSetting::Resources(self.resources),
            SettingName::Services => BookingSetting::Services(self.services),
            SettingName::Bookings => BookingSetting::Rules(self.rules),
            SettingName::Reminders => BookingSetting::Reminders(self.reminders),
        };
        Some(Setting::Booking(setting))
    }
}

/// Sets a setting to a value.
#[derive(Debug, Clone)]
pub struct SetBookingSetting {
    /// The setting with its value.
    pub setting: BookingSetting,
    /// Whether the names of resources differ from those that are stored sealed, which the state does
    /// not have.
    pub names_differ: bool,
}

/// A change that is never rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Never {}

/// The aggregate of the settings for bookings.
#[derive(Debug, Clone, Copy)]
pub struct BookingSettingsChange;

impl Aggregate for BookingSettingsChange {
    type State = Values;
    type Command = SetBookingSetting;
    type Event = TenantEvent;
    type Rejection = Never;

    fn streams(tenant_id: TenantId, _: &SetBookingSetting) -> Vec<Stream> {
        vec![Stream::new(tenant_id.settings_stream(), StreamKind::Tenant)]
    }

    fn decide(
        state: &Values,
        command: &SetBookingSetting,
    ) -> Result<Vec<Decided<TenantEvent>>, Never> {
        let mut after = state.clone();
        let event = to_event(command.setting.clone());
        Self::evolve(&mut after, &event);
        after.version = state.version;
        if after == *state && !command.names_differ {
            return Ok(Vec::new());
        }
        let names = match &command.setting {
            BookingSetting::Resources(resources) => Some(resources.names()),
            BookingSetting::Hours(_)
            | BookingSetting::Services(_)
            | BookingSetting::Rules(_)
            | BookingSetting::Reminders(_) => None,
        };
        let names = names.filter(|names| !names.0.is_empty());
        let sections = Sections { names, ..Sections::default() };
        Ok(vec![Decided { stream: 0, event, sections }])
    }

    fn evolve(state: &mut Values, event: &TenantEvent) {
        match event {
            TenantEvent::HoursSet(set) => state.hours = set.0.clone(),
            TenantEvent::ResourcesSet(set) => state.resources = set.resources.clone(),
            TenantEvent::ServicesSet(set) => state.services = set.services.clone(),
            TenantEvent::BookingRulesSet(set) => state.rules = set.0,
            TenantEvent::RemindersSet(set) => state.reminders = set.0.clone(),
            _ => return,
        }
        state.version += 1;
    }
}

fn to_event(setting: BookingSetting) -> TenantEvent {
    match setting {
        BookingSetting::Hours(hours) => TenantEvent::HoursSet(HoursSet(hours)),
        BookingSetting::Resources(resources) => {
            TenantEvent::ResourcesSet(ResourcesSet { resources: resources.without_names() })
        }
        BookingSetting::Services(services) => TenantEvent::ServicesSet(ServicesSet { services }),
        BookingSetting::Rules(rules) => TenantEvent::BookingRulesSet(BookingRulesSet(rules)),
        BookingSetting::Reminders(reminders) => TenantEvent::RemindersSet(RemindersSet(reminders)),
    }
}
