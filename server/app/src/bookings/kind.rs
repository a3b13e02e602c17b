//! Service and resource of a request, by their ids in the settings.

use ledger_core::booking::{BookingSettings, Refusal, ResourceId, ServiceId};

/// Most digits in the name of a service that is on no list. A longer number may be that of a person.
const MAX_DIGITS: usize = 3;
/// Maximum length of such a name, in characters.
const MAX_NAME: usize = 40;

/// Returns the service with this id or name. The case of a name does not matter. A tenant without a
/// list of services has any service with a plain name, by its name as an id: `Dental check` is `dental-check`.
///
/// # Errors
/// `UnknownService` for a text that is no id and no name of a service, and without a list for a text that is no
/// plain name. An id is looked up by the decision.
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

/// Returns a plain name in the form of an id. The id is stored in the clear, so a name with other
/// characters than letters, digits, blanks, `-` and `_`, or with a number of more than three digits in all, is none.
fn word_of(name: &str) -> Option<ServiceId> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    let digits = name.chars().filter(|c| c.is_numeric()).count();
    if name.chars().count() > MAX_NAME || digits > MAX_DIGITS || !name.chars().all(is_part) {
        return None;
    }
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
            ("Check-up 30 min", Some("check-up-30-min")),
            ("  ", None),
            ("<>", None),
            (&"x".repeat(41), None),
        ] {
            assert_eq!(word_of(name).as_ref().map(ServiceId::as_str), id, "{name}");
        }
    }

    #[test]
    fn a_text_that_may_be_about_a_person_is_no_name_of_a_service() {
        for text in [
            "Maria Kowalski +15550199999",
            "Maria 15550199999",
            "call 555 0199",
            "maria@example.com",
            "cleaning, for Maria",
            "x\u{661}\u{662}\u{663}\u{664}",
            "cleaning\nnow",
        ] {
            assert_eq!(word_of(text), None, "{text}");
        }
    }
}
