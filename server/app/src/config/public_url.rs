//! Checks the setting `public_url`.

use http::Uri;

/// Checks the setting `public_url`: scheme, host, and possibly a port and a path.
///
/// # Errors
/// A sentence that describes the mistake.
pub(super) fn check(base: &str) -> Result<(), String> {
    let refuse = |why: &str| Err(format!("public_url: {base:?}: {why}"));
    let Ok(url) = base.parse::<Uri>() else { return refuse("this is not a URL") };
    match (url.scheme_str(), url.authority()) {
        (Some("https" | "http"), Some(authority)) if !authority.as_str().contains('@') => {}
        _ => return refuse("write scheme and host, such as https://ledger.example.com"),
    }
    if url.query().is_some() || base.contains('#') {
        return refuse("a query or a fragment cannot be a part of it");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_is_no_base_of_urls_is_refused() {
        for base in ["https://ledger.example.com", "http://10.0.0.1:8080/ledger/"] {
            assert_eq!(check(base), Ok(()), "{base}");
        }
        for base in [
            "",
            "ledger.example.com",
            "ftp://ledger.example.com",
            "https://",
            "https://user:word@ledger.example.com",
            "https://ledger.example.com/?a=1",
            "https://ledger.example.com/#a",
        ] {
            assert!(check(base).is_err(), "{base}");
        }
    }
}
