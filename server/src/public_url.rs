//! The URL of a request as its sender has it, which some signatures cover.
//!
//! Behind a reverse proxy the server receives another scheme, host or path. The setting `public_url`
//! names them. Without it, `X-Forwarded-Proto` and `X-Forwarded-Host` are used, on connections of the
//! configured proxies only: anyone else could choose them.

use axum::http::{HeaderMap, Uri, header};

/// The public address of this server, from the setting `public_url`.
#[derive(Debug, Clone, Default)]
pub(crate) struct PublicUrl(Option<String>);

impl PublicUrl {
    /// Creates it from the setting, which the configuration has checked. A slash at the end is ignored.
    pub(crate) fn new(base: Option<&str>) -> Self {
        Self(base.map(|base| base.trim_end_matches('/').to_owned()))
    }

    /// Returns the URL of a request, by its target and its headers.
    pub(crate) fn of(&self, target: &Uri, headers: &HeaderMap, is_of_proxy: bool) -> String {
        let path = target.path_and_query().map_or("/", |path| path.as_str());
        if let Some(base) = &self.0 {
            return format!("{base}{path}");
        }
        let forwarded = |name| is_of_proxy.then(|| last_value(headers, name)).flatten();
        let scheme = forwarded("x-forwarded-proto").unwrap_or("http");
        let host = forwarded("x-forwarded-host")
            .or_else(|| headers.get(header::HOST)?.to_str().ok())
            .or_else(|| target.authority().map(axum::http::uri::Authority::as_str))
            .unwrap_or_default();
        format!("{scheme}://{host}{path}")
    }
}

/// Returns the last value of a forwarded header: the one that the nearest proxy added.
fn last_value<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let line = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    line.rsplit(',').next().map(str::trim).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        fields
            .iter()
            .map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")))
            .collect::<Vec<(axum::http::HeaderName, axum::http::HeaderValue)>>()
            .into_iter()
            .fold(HeaderMap::new(), |mut headers, (name, value)| {
                headers.append(name, value);
                headers
            })
    }

    #[test]
    fn the_setting_wins_over_every_header() {
        let sent = headers(&[("host", "internal:8080"), ("x-forwarded-host", "evil.example.com")]);
        let url = PublicUrl::new(Some("https://ledger.example.com/base/"));
        let target = "/ingest/x/?a=1&b=%20".parse().expect("a target");
        assert_eq!(
            url.of(&target, &sent, true),
            "https://ledger.example.com/base/ingest/x/?a=1&b=%20"
        );
    }

    #[test]
    fn forwarded_headers_count_on_connections_of_proxies_only() {
        let sent = headers(&[
            ("host", "internal:8080"),
            ("x-forwarded-proto", "http, https"),
            ("x-forwarded-host", "evil.example.com"),
            ("x-forwarded-host", "ledger.example.com"),
        ]);
        let target = "/ingest/x".parse().expect("a target");
        let url = PublicUrl::default();
        assert_eq!(url.of(&target, &sent, true), "https://ledger.example.com/ingest/x");
        assert_eq!(url.of(&target, &sent, false), "http://internal:8080/ingest/x");
    }
}
