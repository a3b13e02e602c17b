//! Detection of secrets in free text by their form: prompts, URLs, raw SIP messages.

use super::redact::{REMOVED, is_secret_name};

/// Prefixes of API keys, and the minimum length of the rest.
const KEY_PREFIXES: [(&str, usize); 9] = [
    ("sk-", 16),
    ("sk_", 16),
    ("rk_", 16),
    ("key-", 20),
    ("gsk_", 16),
    ("ghp_", 16),
    ("xoxb-", 16),
    ("xoxp-", 16),
    ("whsec_", 16),
];

/// Minimum length of the signature of a URL.
const MIN_SIGNATURE: usize = 12;

/// Returns the text without its secrets; `None` if it has none.
pub(super) fn redact(text: &str) -> Option<String> {
    let mut out = String::new();
    let (mut kept, mut at) = (0, 0);
    while let Some(word) = text[at..].bytes().position(is_word) {
        at += word;
        if let Some((from, to)) = secret_at(text, at) {
            out.push_str(&text[kept..from]);
            out.push_str(REMOVED);
            (kept, at) = (to, to);
        }
        at += run(&text[at..], is_word).len();
    }
    if kept == 0 {
        return None;
    }
    out.push_str(&text[kept..]);
    Some(out)
}

/// Returns the span of the secret at the word at `at`, or after it. Prompts have thousands of
/// words, so the first letter and the character before the word select the patterns to try.
fn secret_at(text: &str, at: usize) -> Option<(usize, usize)> {
    let rest = &text[at..];
    let by_first_letter = match rest.as_bytes()[0] {
        b'e' => json_web_token(rest),
        b'b' | b'B' => bearer(rest),
        b'g' | b'k' | b'r' | b's' | b'w' | b'x' => api_key(rest),
        _ => None,
    };
    let by_context = || match text[..at].bytes().next_back() {
        None | Some(b'\n') => header_line(rest),
        Some(b'?' | b'&') => query_value(rest),
        Some(b'"' | b'\'') => quoted_field(rest),
        _ => None,
    };
    let (from, to) = by_first_letter.or_else(by_context).or_else(|| user_info(rest))?;
    Some((at + from, at + to))
}

/// Matches three parts of base64url, where the first is a JSON object (`eyJ` is `{"`). The third
/// part is read only after the first two match, so that many prefixes in a text cannot cause
/// quadratic time.
fn json_web_token(rest: &str) -> Option<(usize, usize)> {
    const LEAST: usize = 4;
    let header = run(rest, is_word);
    let after = rest.strip_prefix("eyJ").and(rest[header.len()..].strip_prefix('.'))?;
    let payload = run(after, is_word);
    let two_parts = header.len() + 1 + payload.len();
    if header.len() < LEAST || payload.len() < LEAST || !rest[two_parts..].starts_with('.') {
        return None;
    }
    let token = run(rest, |byte| is_word(byte) || byte == b'.');
    (token.trim_end_matches('.').len() > two_parts).then_some((0, token.len()))
}

/// Matches a known prefix and a rest with the minimum length and at least one digit.
fn api_key(rest: &str) -> Option<(usize, usize)> {
    let (prefix, least) = KEY_PREFIXES.iter().find(|(prefix, _)| rest.starts_with(prefix))?;
    let key = run(&rest[prefix.len()..], is_word);
    let is_key = key.len() >= *least && key.bytes().any(|byte| byte.is_ascii_digit());
    is_key.then_some((0, prefix.len() + key.len()))
}

/// Matches `Bearer <value>` with a long value. A shorter word after "bearer" is English.
fn bearer(rest: &str) -> Option<(usize, usize)> {
    const SCHEME: &str = "bearer ";
    rest.get(..SCHEME.len()).filter(|scheme| scheme.eq_ignore_ascii_case(SCHEME))?;
    let value = run(&rest[SCHEME.len()..], |b| is_word(b) || b".~+/=".contains(&b));
    let is_token =
        value.len() >= 16 || (value.len() >= 8 && value.bytes().any(|byte| byte.is_ascii_digit()));
    is_token.then_some((SCHEME.len(), SCHEME.len() + value.len()))
}

/// Matches `Identity: …` and similar headers at the start of a line, as in raw SIP and HTTP
/// messages.
fn header_line(rest: &str) -> Option<(usize, usize)> {
    let name = run(rest, is_word);
    let value = rest[name.len()..].strip_prefix(": ").filter(|_| is_secret_name(name))?;
    let from = rest.len() - value.len();
    let line = value.find(['\r', '\n']).unwrap_or(value.len());
    (line > 0).then_some((from, from + line))
}

/// Matches `?token=…`, `&api_key=…` or the signature of a signed URL.
fn query_value(rest: &str) -> Option<(usize, usize)> {
    let name = run(rest, is_word);
    let is_signature = ["sig", "signature", "x-amz-signature", "x-goog-signature"];
    let is_signature = is_signature.iter().any(|known| name.eq_ignore_ascii_case(known));
    let is_secret = is_secret_name(name) || name.eq_ignore_ascii_case("key");
    let value = rest[name.len()..].strip_prefix('=').filter(|_| is_secret || is_signature)?;
    let from = rest.len() - value.len();
    let end = value.find(|c: char| c.is_whitespace() || "&#\"'<>".contains(c));
    let len = end.unwrap_or(value.len());
    let least = if is_secret { 1 } else { MIN_SIGNATURE };
    (len >= least).then_some((from, from + len))
}

/// Matches `"secret": "…"` in a text that is not JSON as a whole, such as an error message that
/// quotes a body.
fn quoted_field(rest: &str) -> Option<(usize, usize)> {
    const QUOTES: [char; 2] = ['"', '\''];
    let name = run(rest, is_word);
    let after = rest[name.len()..].trim_start_matches('\\');
    let after = after.strip_prefix(QUOTES).filter(|_| is_secret_name(name))?.trim_start();
    let value = after.strip_prefix(':')?.trim_start().trim_start_matches('\\');
    let value = value.strip_prefix(QUOTES)?;
    let from = rest.len() - value.len();
    let len = value.find(['"', '\'', '\\', '\n']).unwrap_or(value.len());
    (len > 0).then_some((from, from + len))
}

/// Matches the user and password in `https://user:password@host`.
pub(super) fn user_info(rest: &str) -> Option<(usize, usize)> {
    let scheme = run(rest, |b| b.is_ascii_alphanumeric());
    let after = rest[scheme.len()..].strip_prefix("://")?;
    let end = after.find(|c: char| c.is_whitespace() || "/?#\"'<>".contains(c));
    let (user_info, _) = after[..end.unwrap_or(after.len())].rsplit_once('@')?;
    let from = scheme.len() + 3;
    user_info.contains(':').then_some((from, from + user_info.len()))
}

fn run(text: &str, is_member: impl Fn(u8) -> bool) -> &str {
    let len = text.bytes().position(|byte| !is_member(byte)).unwrap_or(text.len());
    &text[..len]
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const JWT: &str = "eyJhbGciOiJFUzI1NiJ9.eyJleGFtcGxlIjoxfQ.c2lnbmF0dXJl";

    #[test]
    fn secrets_are_known_by_their_form() {
        for (text, left) in [
            (JWT.to_owned(), "[removed]"),
            (format!("use {JWT}, please"), "use [removed], please"),
            (format!("{JWT};alg=ES256"), "[removed];alg=ES256"),
            ("the key sk-proj-abc123DEF456ghi789 works".into(), "the key [removed] works"),
            ("key-0123456789abcdef0123456789".into(), "[removed]"),
            ("Authorization is bearer abc.def-123!".into(), "Authorization is bearer [removed]!"),
            (
                "INVITE\r\nIdentity: hush;info=<x>\r\nTo: a".into(),
                "INVITE\r\nIdentity: [removed]\r\nTo: a",
            ),
            ("wss://h/x?a=1&token=hush&b=2".into(), "wss://h/x?a=1&token=[removed]&b=2"),
            ("https://h/?api_key=hush#f".into(), "https://h/?api_key=[removed]#f"),
            (
                "sent {\"secret\" : \"hush\"} to us".into(),
                "sent {\"secret\" : \"[removed]\"} to us",
            ),
            ("{'apiKey': 'hush".into(), "{'apiKey': '[removed]"),
            (r#"a \"token\":\"hush\" b"#.into(), r#"a \"token\":\"[removed]\" b"#),
            ("see https://user:hush@host/a".into(), "see https://[removed]@host/a"),
            ("ж Bearer 0123456789 ж".into(), "ж Bearer [removed] ж"),
        ] {
            assert_eq!(redact(&text).as_deref(), Some(left), "{text}");
        }
    }

    #[test]
    fn ordinary_words_are_left_alone() {
        for text in [
            "",
            "The bearer of this letter may enter",
            "a key-value-store-for-everything",
            "sk-learn",
            "eyJust a word.and another.one",
            "https://storage.example.com/a?sig=1&page=2",
            "My identity: none",
            "a \"secret\" and \"token\": none",
            "mail person1@example.com or https://example.com/@name",
            "https://host:8080/path",
        ] {
            assert_eq!(redact(text), None, "{text}");
        }
    }

    #[test]
    fn a_text_of_mere_beginnings_is_read_through_but_once() {
        let begun = std::time::Instant::now();
        for beginning in
            ["eyJ.", "eyJaaaa.b.", "eyJaaaa.eyJaaaa", "b.", "Bearer ", "a://", "?token=\n"]
        {
            let text = beginning.repeat(2_000_000 / beginning.len());
            let left = redact(&text);
            assert!(left.is_none_or(|left| left.len() <= 2 * text.len()), "{beginning}");
        }
        // Quadratic time would take hours.
        assert!(begun.elapsed() < std::time::Duration::from_mins(1));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(\\PC|\n|eyJ|\\.|Bearer |\\?token=|://|@|sk-|: ){0,40}") {
            let _ = redact(&text);
        }
    }
}
