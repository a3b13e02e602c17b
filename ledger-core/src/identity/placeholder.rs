//! Placeholder values, which forms, templates and programs write into fields without a value. A
//! placeholder identifies no person. The tables below are the only place that lists them.

use super::name::fold;

/// Whole values in lower case, without surrounding quotes and brackets.
const WORDS: &[&str] = &[
    // From programming languages and databases.
    "undefined",
    "null",
    "nil",
    "nul",
    "none",
    "nan",
    "void",
    "infinity",
    "-infinity",
    "inf",
    "true",
    "false",
    "object object",
    "function",
    "nothing",
    "no value",
    "novalue",
    // From people who fill in forms.
    "n/a",
    "na",
    "n.a",
    "n.a.",
    "#n/a",
    "#ref!",
    "#value!",
    "n\\a",
    "not available",
    "not applicable",
    "not provided",
    "not set",
    "not specified",
    "unspecified",
    "unset",
    "missing",
    "empty",
    "blank",
    "tbd",
    "tba",
    "todo",
    "unknown",
    "unkown",
    "unidentified",
    "unregistered",
    "anonymous",
    "anon",
    "no data",
    "no id",
    // Numbers that mean a missing value, and default ids.
    "-1",
    "distinct_id",
    "anonymous_id",
];

/// Values that name a role or a field instead of a person. Valid as the id of a call.
const ROLES: &[&str] = &[
    // Roles instead of persons.
    "guest",
    "visitor",
    "user",
    "customer",
    "caller",
    "client",
    "contact",
    "patient",
    "lead",
    "default",
    "test",
    "testing",
    "example",
    "sample",
    "demo",
    "dummy",
    "placeholder",
    "string",
    "admin",
    "system",
    "public",
    // Names of fields instead of their values.
    "id",
    "uuid",
    "guid",
    "userid",
    "user_id",
    "user-id",
    "customerid",
    "customer_id",
    "customer-id",
    "externalid",
    "external_id",
    "external-id",
    "callid",
    "call_id",
    "call-id",
    "your_id_here",
];

/// Fragments of an unexpanded template or a failed conversion, anywhere in the value.
const FRAGMENTS: &[&str] = &[
    "{{",
    "}}",
    "${",
    "{%",
    "%}",
    "<%",
    "%>",
    "[object",
    "<null>",
    "<undefined>",
    "<none>",
    "%s",
    "$(",
];

/// User parts of unattended mailboxes, at any domain.
const MAIL_USERS: &[&str] = &[
    "noreply",
    "no-reply",
    "no_reply",
    "no.reply",
    "donotreply",
    "do-not-reply",
    "do_not_reply",
    "do.not.reply",
    "dontreply",
    "notreply",
    "null",
    "none",
    "undefined",
    "nan",
    "na",
    "n-a",
    "nil",
    "noemail",
    "no-email",
    "no_email",
    "no.email",
    "nomail",
    "no-mail",
    "notprovided",
    "not-provided",
    "unknown",
    "anonymous",
    "anon",
    "mailer-daemon",
    "postmaster",
    "bounce",
    "bounces",
    "placeholder",
];

/// User parts that are placeholders at a domain of the same name or at one of [`MAIL_DOMAINS`].
const MAIL_ECHOES: &[&str] = &[
    "test", "email", "mail", "example", "user", "guest", "customer", "client", "abc", "a", "x",
    "xx", "xxx", "aaa", "asd", "asdf", "foo", "fake", "temp", "sample", "demo", "no", "name",
    "string", "me", "you", "someone", "info", "123",
];

/// Domains without real mailboxes.
const MAIL_DOMAINS: &[&str] = &[
    "test.com",
    "test.test",
    "email.com",
    "example.test",
    "null.com",
    "none.com",
    "undefined.com",
    "noemail.com",
    "nomail.com",
    "fake.com",
    "domain.com",
    "localhost",
];

/// Returns true if a value for a person is a placeholder.
#[must_use]
pub fn is_placeholder(raw: &str) -> bool {
    is_placeholder_in(&[WORDS, ROLES], raw)
}

/// Returns true if the id of an object, such as a call, is a placeholder.
#[must_use]
pub fn is_placeholder_id(raw: &str) -> bool {
    is_placeholder_in(&[WORDS], raw)
}

fn is_placeholder_in(tables: &[&[&str]], raw: &str) -> bool {
    let folded = fold(raw);
    let value = folded.trim();
    if FRAGMENTS.iter().any(|fragment| value.contains(fragment)) {
        return true;
    }
    let is_wrap = |c: char| c.is_whitespace() || "\"'`<>()[]{}".contains(c);
    let bare = value.trim_matches(is_wrap);
    tables.iter().any(|words| words.contains(&bare)) || is_empty_number(bare)
}

/// Returns true for zeros, for a text of signs only, and for the nil and the maximum UUID.
fn is_empty_number(bare: &str) -> bool {
    let significant = || bare.chars().filter(|c| c.is_alphanumeric());
    let is_greatest = significant().count() == 32 && significant().all(|c| c == 'f');
    significant().all(|c| c == '0') || is_greatest
}

/// Returns true if an external id identifies no person: a placeholder, or a text without a digit.
#[must_use]
pub fn is_placeholder_external_id(raw: &str) -> bool {
    is_placeholder(raw) || !raw.chars().any(char::is_numeric)
}

/// Returns true if an e-mail address in its normal form is a placeholder.
#[must_use]
pub fn is_placeholder_email(email: &str) -> bool {
    let Some((user, domain)) = email.rsplit_once('@') else { return true };
    let user = user.split('+').next().unwrap_or_default();
    let label = domain.split('.').next().unwrap_or_default();
    let is_echo = MAIL_ECHOES.contains(&user) && (label == user || MAIL_DOMAINS.contains(&domain));
    is_placeholder_word(user)
        || MAIL_USERS.contains(&user)
        || is_echo
        || FRAGMENTS.iter().any(|fragment| email.contains(fragment))
        || ["null", "undefined", "none", "nan"].contains(&label)
        || domain == "localhost"
        || domain == "invalid"
        || domain.ends_with(".invalid")
}

/// Checks the user part of an address. Roles may have a mailbox (`admin@`, `guest@`), failed
/// conversions may not.
fn is_placeholder_word(user: &str) -> bool {
    is_empty_number(user) || user == "[object"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_is_a_placeholder_in_any_case_and_quotes() {
        for word in WORDS.iter().chain(ROLES) {
            assert_eq!(is_placeholder_id(word), WORDS.contains(word), "{word}");
            for spelling in [
                (*word).to_owned(),
                word.to_uppercase(),
                format!(" \"{word}\" "),
                format!("<{word}>"),
            ] {
                assert!(is_placeholder(&spelling), "{spelling}");
                assert!(is_placeholder_external_id(&spelling), "{spelling}");
            }
        }
        for fragment in FRAGMENTS {
            assert!(is_placeholder(&format!("a{fragment}b")), "{fragment}");
        }
        for user in MAIL_USERS {
            assert!(is_placeholder_email(&format!("{user}@example.com")), "{user}");
            assert!(is_placeholder_email(&format!("{user}+7@example.com")), "{user}");
        }
        for user in MAIL_ECHOES {
            assert!(is_placeholder_email(&format!("{user}@{user}.com")), "{user}");
            assert!(!is_placeholder_email(&format!("{user}@clinic.example.com")), "{user}");
            for domain in MAIL_DOMAINS {
                assert!(is_placeholder_email(&format!("{user}@{domain}")), "{user} {domain}");
            }
        }
    }

    #[test]
    fn reported_placeholders_are_recognised() {
        for value in [
            "undefined",
            "null",
            "None",
            "N/A",
            "0",
            "000",
            "-1",
            "NaN",
            "guest",
            "anonymous",
            "{{customer.id}}",
            "${id}",
            "[object Object]",
            "",
            " ",
            "--",
            "0.0",
            "00000000-0000-0000-0000-000000000000",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
            "'null'",
            "\u{200B}undefined",
            "ｎｕｌｌ",
        ] {
            assert!(is_placeholder_external_id(value), "{value}");
        }
        assert!(is_placeholder_external_id("vip-lead"), "a word without any digit");
        for email in [
            "null@null.com",
            "noreply@example.com",
            "test@test.com",
            "none@none.org",
            "a@b.invalid",
        ] {
            assert!(is_placeholder_email(email), "{email}");
        }
    }

    #[test]
    fn a_value_that_may_identify_a_person_is_no_placeholder() {
        for id in
            ["1", "cust-1", "42", "c0ffee", "6a1f2b54-93d0-5c1e-8d27-4f0b91ce77a3", "nullable-7"]
        {
            assert!(!is_placeholder_external_id(id), "{id}");
        }
        for email in [
            "person@example.com",
            "anna@anna.com",
            "frontdesk@example.com",
            "test@clinic.example.com",
            "info@example.com",
            "null.anna@example.com",
            "a@example.com",
        ] {
            assert!(!is_placeholder_email(email), "{email}");
        }
        for call in ["a0", "x", "s0", "c-1", "019ab", "test", "lead"] {
            assert!(!is_placeholder_id(call), "{call}");
        }
    }
}
