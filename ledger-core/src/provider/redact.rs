//! Removal of secrets from a body before any of it is stored: an append-only log cannot delete them
//! later.
//!
//! Removed by name: `server.secret`, `twilioAuthToken`, `monitor.controlUrl`, SIP `identity` and
//! similar fields at any depth, also inside JSON in a string and inside raw SIP headers. Removed by
//! form, anywhere: JSON Web Tokens, API keys, bearer values and passwords in URLs. In doubt the
//! value is removed; real tokens were found in public captures.

use std::borrow::Cow;

use super::secret_text;
use crate::json::Json;

/// Replacement for a secret.
pub(super) const REMOVED: &str = "[removed]";

/// Maximum number of nested levels of JSON inside a string.
const MAX_NESTING: usize = 4;

/// Ids that are returned to the platform unchanged. Their form is not checked for secrets.
const KEPT_IDS: [&str; 2] = ["id", "toolCallId"];

/// Names of a provider's fields with links to recordings and logs. The query string of such a link is
/// the permission to open it, so it stays; a password in it is removed.
pub(super) type LinkNames = &'static [&'static str];

/// Removes all secrets from a tree.
pub(super) fn redact(tree: &mut Json<'_>, links: LinkNames) {
    redact_value(tree, MAX_NESTING, links);
}

/// Redacts a value. Returns true if anything was removed.
fn redact_value(value: &mut Json<'_>, nesting: usize, links: LinkNames) -> bool {
    match value {
        Json::String(text) => match redacted_text(text, nesting, links) {
            Some(redacted) => {
                *text = Cow::Owned(redacted);
                true
            }
            None => false,
        },
        Json::Array(items) => {
            items.iter_mut().fold(false, |cut, item| redact_value(item, nesting, links) | cut)
        }
        Json::Object(fields) => redact_fields(fields, nesting, links),
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}

fn redact_fields(
    fields: &mut [(Cow<'_, str>, Json<'_>)],
    nesting: usize,
    links: LinkNames,
) -> bool {
    let is_secret_pair = is_secret_header(fields);
    fields.iter_mut().fold(false, |cut, (key, value)| {
        let is_secret =
            is_secret_name(key) || (is_secret_pair && key.eq_ignore_ascii_case("value"));
        let was_cut = if is_secret {
            remove(value)
        } else if let Some(link) = link(key, value, links) {
            cut_password(link)
        } else if KEPT_IDS.contains(&key.as_ref()) && value.as_str().is_some() {
            false
        } else {
            redact_value(value, nesting, links)
        };
        was_cut | cut
    })
}

fn link<'t, 'v>(
    key: &str,
    value: &'t mut Json<'v>,
    links: LinkNames,
) -> Option<&'t mut Cow<'v, str>> {
    let is_link = links.contains(&key) || (key.starts_with("presigned") && key.ends_with("Url"));
    match value {
        Json::String(text) if is_link && text.trim_start().starts_with("http") => Some(text),
        _ => None,
    }
}

/// Removes a password from a link and keeps the rest. A password gives access to more than one
/// recording.
fn cut_password(link: &mut Cow<'_, str>) -> bool {
    let Some((from, to)) = secret_text::user_info(link) else { return false };
    let cut = format!("{}{REMOVED}{}", &link[..from], &link[to..]);
    *link = Cow::Owned(cut);
    true
}

/// Returns true for a header in a list: `{"name": "Authorization", "value": …}`.
fn is_secret_header(fields: &[(Cow<'_, str>, Json<'_>)]) -> bool {
    fields.iter().any(|(key, value)| {
        matches!(key.as_ref(), "name" | "key" | "header")
            && value.as_str().is_some_and(is_secret_name)
    })
}

/// Replaces a value. Null and the empty string mean that there is no secret, so they are kept.
fn remove(value: &mut Json<'_>) -> bool {
    let is_absent = matches!(value, Json::Null) || value.as_str().is_some_and(str::is_empty);
    if !is_absent {
        *value = Json::String(Cow::Borrowed(REMOVED));
    }
    !is_absent
}

/// Returns the text without its secrets; `None` if it has none.
fn redacted_text(text: &str, nesting: usize, links: LinkNames) -> Option<String> {
    let may_be_json = nesting > 0 && text.trim_start().starts_with(['{', '[']);
    match Some(text).filter(|_| may_be_json).map(|text| Json::parse(text.as_bytes())) {
        Some(Ok(mut inner)) => redact_value(&mut inner, nesting - 1, links)
            .then(|| String::from_utf8_lossy(&inner.to_compact()).into_owned()),
        _ => secret_text::redact(text),
    }
}

/// Returns true if the name is that of a secret. Case and separators are ignored.
pub(super) fn is_secret_name(name: &str) -> bool {
    const WHOLE: [&[u8]; 16] = [
        b"token",
        b"identity",
        b"controlurl",
        b"listenurl",
        b"authorization",
        b"proxyauthorization",
        b"cookie",
        b"setcookie",
        b"jwt",
        b"passphrase",
        b"credential",
        b"credentials",
        b"bearer",
        b"passwd",
        b"pwd",
        b"connectionstring",
    ];
    const ENDS: [&[u8]; 10] = [
        b"secret",
        b"password",
        b"token",
        b"apikey",
        b"privatekey",
        b"secretkey",
        b"accesskey",
        b"signingkey",
        b"authkey",
        b"accountkey",
    ];
    // Called for every key of a body, so it does not allocate. A longer name is prose.
    let mut folded = [0; 64];
    let mut len = 0;
    for byte in name.bytes().filter(u8::is_ascii_alphanumeric) {
        let Some(place) = folded.get_mut(len) else { return false };
        *place = byte.to_ascii_lowercase();
        len += 1;
    }
    let name = &folded[..len];
    // A carrier passes SIP headers on under such a name.
    let name = name.strip_prefix(b"sipheader").unwrap_or(name);
    WHOLE.contains(&name) || ENDS.iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(text: &str) -> String {
        let mut tree = Json::parse(text.as_bytes()).expect("JSON");
        redact(&mut tree, &[]);
        String::from_utf8(tree.to_compact()).expect("UTF-8")
    }

    #[test]
    fn a_value_with_a_secret_name_is_removed_at_any_depth() {
        for name in [
            "twilioAuthToken",
            "authToken",
            "serverUrlSecret",
            "secret",
            "SECRET",
            "controlUrl",
            "listenUrl",
            "apiKey",
            "api_key",
            "x-api-key",
            "password",
            "Authorization",
            "cookie",
            "token",
            "access_token",
            "refreshToken",
            "identity",
            "clientSecret",
            "privateKey",
            "x-vapi-secret",
            "twilioApiSecret",
            "credential",
            "SipHeader_Identity",
            "connectionString",
            "storageAccountKey",
        ] {
            let body = format!(r#"{{"a":[{{"{name}":"hush"}}]}}"#);
            assert_eq!(redacted(&body), body.replace("hush", REMOVED), "{name}");
        }
    }

    #[test]
    fn what_only_sounds_like_a_secret_stays() {
        let body = concat!(
            r#"{"credentialId":"c-1","llmPromptTokens":257,"maxTokens":250,"key":"a","keys":[1],"#,
            r#""tokenizer":"t","secretary":"s","accountSid":"AC1","id":"key-0123456789abcdef0123"}"#
        );
        assert_eq!(redacted(body), body);
    }

    #[test]
    fn an_absent_secret_stays_absent() {
        let body = r#"{"secret":null,"token":""}"#;
        assert_eq!(redacted(body), body);
        assert_eq!(
            redacted(r#"{"secret":{"a":1},"token":5}"#),
            r#"{"secret":"[removed]","token":"[removed]"}"#
        );
    }

    #[test]
    fn headers_as_a_list_lose_their_secrets() {
        assert_eq!(
            redacted(r#"[{"name":"Cookie","value":"a=b"},{"name":"Accept","value":"x"}]"#),
            r#"[{"name":"Cookie","value":"[removed]"},{"name":"Accept","value":"x"}]"#
        );
    }

    #[test]
    fn json_inside_a_string_is_opened() {
        assert_eq!(
            redacted(
                r#"{"arguments":"{\"day\": \"Monday\", \"inner\": \"{\\\"apiKey\\\":1}\", \"password\": \"hush\"}"}"#
            ),
            r#"{"arguments":"{\"day\":\"Monday\",\"inner\":\"{\\\"apiKey\\\":\\\"[removed]\\\"}\",\"password\":\"[removed]\"}"}"#
        );
        let clean = r#"{"arguments":"{ \"day\": \"Monday\" }"}"#;
        assert_eq!(redacted(clean), clean);
    }
}
