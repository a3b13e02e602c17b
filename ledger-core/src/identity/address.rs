//! Normal forms of SIP addresses, and extensions of phone numbers.

use super::placeholder::is_placeholder;
use crate::phone::{Phone, normalise_phone, parse_phone};

/// Maximum number of digits of an extension.
const MAX_EXTENSION: usize = 15;
const MAX_SIP: usize = 320;

/// Users of a SIP address that mean a withheld caller (RFC 3323, RFC 3325).
const WITHHELD_USERS: [&str; 8] = [
    "anonymous",
    "unavailable",
    "restricted",
    "private",
    "blocked",
    "withheld",
    "id-hidden",
    "unknown",
];

/// Splits a number from its extension: `+15550100123,101`, `… x101`, `… ext. 101`, `…;ext=101`.
/// Returns the digits of the extension; a text without an extension is returned unchanged.
#[must_use]
fn split_extension(raw: &str) -> (&str, Option<String>) {
    const MARKS: [&str; 8] = [";ext=", ";extension=", "extension", "ext.", "ext", ",", "x", "#"];
    let lower = raw.to_ascii_lowercase();
    // Only after a number: the text before the mark must have digits of its own.
    let found = MARKS.iter().find_map(|mark| {
        let at = lower.find(mark)?;
        let (number, rest) = (&raw[..at], &raw[at + mark.len()..]);
        let extension = extension(rest)?;
        (number.bytes().filter(u8::is_ascii_digit).count() >= 3).then_some((number, extension))
    });
    match found {
        Some((number, extension)) => (number.trim_end_matches([' ', ';', ',']), Some(extension)),
        None => (raw, None),
    }
}

/// Parses a number with its extension, in the notation of the numbering plans or after one of the
/// marks of `split_extension`. `None` if the number is not valid.
#[must_use]
pub fn read_number(raw: &str, region: Option<&str>) -> Option<Phone> {
    parse_phone(raw, region).or_else(|| {
        let (bare, extension) = split_extension(raw);
        let phone = parse_phone(bare, region)?;
        Some(Phone { extension: phone.extension.or(extension), ..phone })
    })
}

/// Returns the digits of an extension, without pauses and spaces. `None` if the text is no
/// extension.
pub(crate) fn extension(raw: &str) -> Option<String> {
    let dialled = |c: char| c.is_ascii_digit() || c == '*';
    let is_pause = |c: char| matches!(c, ' ' | ',' | ';' | '-' | '.' | '#' | ':' | '=');
    if !raw.chars().all(|c| dialled(c) || is_pause(c)) {
        return None;
    }
    let digits: String = raw.chars().filter(|c| dialled(*c)).collect();
    (1..=MAX_EXTENSION).contains(&digits.len()).then_some(digits)
}

/// Returns the user and the host of a SIP address in lower case. Parameters, a password, the
/// display name and the default port are ignored.
fn parts(raw: &str) -> Option<(String, String)> {
    let raw = raw.trim();
    let inside = match (raw.find('<'), raw.rfind('>')) {
        (Some(open), Some(close)) if open < close => &raw[open + 1..close],
        _ => raw,
    };
    let lower = inside.trim().to_lowercase();
    if lower.len() > MAX_SIP || lower.contains(char::is_whitespace) {
        return None;
    }
    let address = lower.strip_prefix("sips:").or_else(|| lower.strip_prefix("sip:"))?;
    let (user, rest) = address.rsplit_once('@')?;
    let user = user.split([';', ':']).next().unwrap_or_default().replace("%2b", "+");
    let host = rest.split([';', '?']).next().unwrap_or_default();
    let host = host.strip_suffix(":5060").or_else(|| host.strip_suffix(":5061")).unwrap_or(host);
    let host = host.trim_end_matches('.');
    (!user.is_empty() && !host.is_empty()).then(|| (user, host.to_owned()))
}

/// Returns the normal form of a SIP address, `user@host`. `None` if the text is no SIP address or
/// the caller is withheld.
pub(super) fn normal_sip(raw: &str) -> Option<String> {
    let (user, host) = parts(raw)?;
    let is_withheld = WITHHELD_USERS.contains(&user.as_str())
        || is_placeholder(&user)
        || host == "anonymous.invalid";
    (!is_withheld).then(|| format!("{user}@{host}"))
}

/// Returns the phone number in a SIP address if its user is an E.164 number. The extension is read
/// from the parameters of the user (RFC 3261 19.1.6, RFC 3966).
#[must_use]
pub fn phone_of_sip(raw: &str) -> Option<Phone> {
    let (user, _) = parts(raw)?;
    let rest = user.strip_prefix('+')?;
    let is_number = rest.chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | '.' | '(' | ')'));
    if !is_number {
        return None;
    }
    let e164 = normalise_phone(&user, None)?;
    Some(Phone { e164, extension: extension_of_user(raw) })
}

/// Returns the parameter `ext` of the user of a SIP address.
fn extension_of_user(raw: &str) -> Option<String> {
    let lower = raw.to_ascii_lowercase();
    let (user, _) = lower.rsplit_once('@')?;
    let (_, parameters) = user.split_once(';')?;
    parameters.split(';').find_map(|one| one.strip_prefix("ext=")).and_then(extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_is_read_in_every_notation() {
        for (raw, number, extension) in [
            ("+15550100123,101", "+15550100123", Some("101")),
            ("+15550100123,,101#", "+15550100123", Some("101")),
            ("+15550100123 ext. 101", "+15550100123", Some("101")),
            ("+15550100123 Extension 7", "+15550100123", Some("7")),
            ("+15550100123;ext=0042", "+15550100123", Some("0042")),
            ("(555) 010-0123 x101", "(555) 010-0123", Some("101")),
            ("+15550100123#101", "+15550100123", Some("101")),
            ("+15550100123", "+15550100123", None),
            ("+15550100123,", "+15550100123,", None),
            ("extension 101", "extension 101", None),
            ("sip:alice@example.com", "sip:alice@example.com", None),
        ] {
            assert_eq!(split_extension(raw), (number, extension.map(str::to_owned)), "{raw}");
        }
    }

    #[test]
    fn a_sip_address_has_one_normal_form() {
        for raw in [
            "sip:alice@pbx.example.com",
            "SIP:Alice@PBX.EXAMPLE.COM",
            "sips:alice:secret@pbx.example.com:5061;transport=tls?subject=x",
            "\"Alice\" <sip:alice@pbx.example.com>;tag=1",
            " sip:alice@pbx.example.com. ",
        ] {
            assert_eq!(normal_sip(raw).as_deref(), Some("alice@pbx.example.com"), "{raw}");
        }
        for raw in ["alice@pbx.example.com", "sip:", "sip:@x", "sip:a@", "sip:anonymous@b.example"]
        {
            assert_eq!(normal_sip(raw), None, "{raw}");
        }
        let phone = |raw| phone_of_sip(raw).map(|Phone { e164, extension }| (e164, extension));
        let number = |extension: Option<&str>| {
            Some(("+15550100123".to_owned(), extension.map(str::to_owned)))
        };
        assert_eq!(phone("sip:%2B15550100123@x.example"), number(None));
        assert_eq!(phone("sip:+15550100123;ext=101@x.example;user=phone"), number(Some("101")));
        for raw in ["sip:101@x.example", "sip:+1@x.example", "sip:+alice@x.example"] {
            assert_eq!(phone_of_sip(raw), None, "{raw}");
        }
    }
}
