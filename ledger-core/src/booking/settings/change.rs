//! Changes of the settings for bookings, as events of the stream of settings.

use super::hours::Hours;
use super::reminders::Reminders;
use super::resources::Resources;
use super::rules::Rules;
use super::services::Services;
use crate::aggregate::{Aggregate, Decided, Stream};
use crate::booking::ResourceId;
use crate::envelope::StreamKind;
use crate::event::{
    BookingRulesSet, HoursSet, RemindersSet, ResourcesSet, ServicesSet, TenantEvent,
};
use crate::ids::TenantId;
use crate::section::Sections;
use crate::settings::{BookingSetting, InvalidSetting, Setting, SettingName};

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
            | SettingName::Contacts
            | SettingName::Retention => return None,
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

/// The aggregate of the settings for bookings.
#[derive(Debug, Clone, Copy)]
pub struct BookingSettingsChange;

impl Aggregate for BookingSettingsChange {
    type State = Values;
    type Command = SetBookingSetting;
    type Event = TenantEvent;
    type Rejection = InvalidSetting;

    fn streams(tenant_id: TenantId, _: &SetBookingSetting) -> Vec<Stream> {
        vec![Stream::new(tenant_id.settings_stream(), StreamKind::Tenant)]
    }

    /// Checks a setting against the others: the resources of a service have to exist. Services that an
    /// earlier release recorded may name missing resources until the services are set again.
    fn decide(
        state: &Values,
        command: &SetBookingSetting,
    ) -> Result<Vec<Decided<TenantEvent>>, InvalidSetting> {
        let mut after = state.clone();
        let event = to_event(command.setting.clone());
        Self::evolve(&mut after, &event);
        after.version = state.version;
        if after == *state && !command.names_differ {
            return Ok(Vec::new());
        }
        check_resources(state, &after, &command.setting)?;
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

/// Checks the resources of services after a change of one of the two settings.
///
/// # Errors
/// For services, the entry that is no resource; for resources, the list that lacks one.
fn check_resources(
    before: &Values,
    after: &Values,
    setting: &BookingSetting,
) -> Result<(), InvalidSetting> {
    let has = |values: &Values, id: &ResourceId| {
        values.resources.as_slice().iter().any(|resource| resource.id == *id)
    };
    let invalid = |field, detail| Err(InvalidSetting { field, detail, is_unknown: false });
    for (nth, service) in after.services.as_slice().iter().enumerate() {
        for (entry, id) in service.resources.iter().enumerate().filter(|(_, id)| !has(after, id)) {
            match setting {
                BookingSetting::Services(_) => {
                    let detail = "the tenant has no such resource; see the setting resources";
                    let field = format!("services/{nth}/resources/{entry}");
                    return invalid(field, detail.to_owned());
                }
                BookingSetting::Resources(_) if has(before, id) => {
                    let service = &service.id;
                    let detail =
                        format!("it lacks {id}, on which the service {service} takes place");
                    return invalid("resources".to_owned(), detail);
                }
                _ => {}
            }
        }
    }
    Ok(())
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
