//! Service and resource of a request, by their ids in the settings.

use ledger_core::booking::{BookingSettings, Refusal, ResourceId, ServiceId};

/// Returns the service with this id or name. The case of a name does not matter. A tenant without a
/// list of services has any service, by its name as an id: `Dental check` is `dental-check`.
///
/// # Errors
/// `UnknownService` for a text that is no id and no name of a service. An id is looked up by the decision.
pub fn service_id(settings: &BookingSettings, text: &str) -> Result<ServiceId, Refusal> {
    let wanted = text.trim();
    if settings.services.as_slice().is_empty() {
        return word_of(wanted).ok_or(Refusal::UnknownService);
    }
    let id = ServiceId::parse(wanted);
    if let Some(id) = id.clone().filter(|id| settings.service(id).is_some()) {
        return Ok(id);
    }
    let is_named = |name: &String| name.to_lowercase() == wanted.to_lowercase();
    let mut services = settings.services.as_slice().iter();
    let named = services.find(|service| service.name.as_ref().is_some_and(is_named));
    let named = named.map(|service| service.id.clone());
    named.or(id).ok_or(Refusal::UnknownService)
}

/// Returns a name in the form of an id.
fn word_of(name: &str) -> Option<ServiceId> {
    let id =
        |c: char| if c.is_ascii_alphanumeric() || c == '_' { c.to_ascii_lowercase() } else { '-' };
    ServiceId::parse(name.chars().map(id).collect::<String>().trim_matches('-'))
}

/// Returns the resource with this id.
///
/// # Errors
/// `UnknownResource` for a text that is no id. An id is looked up by the decision.
pub fn resource_id(text: &str) -> Result<ResourceId, Refusal> {
    ResourceId::parse(text.trim()).ok_or(Refusal::UnknownResource)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_the_form_of_an_id_keeps_its_words() {
        for (name, id) in [
            ("cleaning", Some("cleaning")),
            ("Dental check", Some("dental-check")),
            ("root_canal", Some("root_canal")),
            ("  ", None),
            ("<>", None),
            (&"x".repeat(41), None),
        ] {
            assert_eq!(word_of(name).as_ref().map(ServiceId::as_str), id, "{name}");
        }
    }
}
