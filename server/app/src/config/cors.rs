//! The setting `cors_origins`: origins of web pages that may read the API from a browser.

use std::fmt;

use serde::de::{Deserializer, Error, SeqAccess, Visitor};

/// Checks that an origin is written as browsers send it: scheme, host, and the port unless it is the scheme's
/// default.
///
/// # Errors
/// A sentence that says what is wrong.
pub(super) fn check(origin: &str) -> Result<(), String> {
    let refuse = |why: &str| Err(format!("cors_origins: {origin:?}: {why}"));
    if origin == "*" || origin == "null" {
        return refuse("name each origin; every origin cannot be allowed");
    }
    let Some((scheme, host)) = origin.split_once("://") else {
        return refuse("write scheme, host and port, such as https://dashboard.example.com");
    };
    if scheme != "https" && scheme != "http" {
        return refuse("the scheme is https or http");
    }
    let is_of_host = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b".-:[]".contains(&c);
    if host.is_empty() || !host.bytes().all(is_of_host) {
        return refuse("after the scheme come a host in lower case and a port, and nothing else");
    }
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    if name.is_empty() {
        return refuse("the host is missing");
    }
    match port.map(str::parse::<u16>) {
        Some(Err(_) | Ok(0)) => refuse("the port is not one"),
        Some(Ok(port)) if (scheme, port) == ("https", 443) || (scheme, port) == ("http", 80) => {
            refuse("browsers leave this port out; leave it out too")
        }
        _ => Ok(()),
    }
}

/// Deserializes a list, or a text with commas as an environment variable has it.
pub(super) fn list<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    struct OriginsVisitor;

    impl<'de> Visitor<'de> for OriginsVisitor {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of origins")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Vec<String>, E> {
            let origins = text.split(',').map(str::trim).filter(|origin| !origin.is_empty());
            Ok(origins.map(str::to_owned).collect())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<String>, A::Error> {
            let mut origins = Vec::new();
            while let Some(origin) = seq.next_element()? {
                origins.push(origin);
            }
            Ok(origins)
        }
    }

    from.deserialize_any(OriginsVisitor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_exact_or_refused() {
        for origin in [
            "https://dashboard.example.com",
            "http://localhost:3000",
            "http://127.0.0.1:5173",
            "http://[::1]:3000",
            "https://[::1]",
        ] {
            assert_eq!(check(origin), Ok(()), "{origin}");
        }
        for origin in [
            "*",
            "null",
            "",
            "dashboard.example.com",
            "https://",
            "https://dashboard.example.com/",
            "https://dashboard.example.com/app",
            "https://*.example.com",
            "https://user@example.com",
            "https://Example.com",
            "https://example.com:443",
            "http://example.com:80",
            "https://example.com:0",
            "https://example.com:99999",
            "https://:8080",
            "file://x",
            "https://exa mple.com",
            "https://example.com\r\nx: y",
        ] {
            assert!(check(origin).is_err(), "{origin}");
        }
    }
}
