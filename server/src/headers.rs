//! Security headers of every answer, for browsers and caches (OWASP ASVS 5.0, 3.4 and 14.3): no caching, no
//! content sniffing, no framing.

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");

/// Content security policy of HTML pages: own scripts and styles, requests to this server only.
/// `unsafe-inline` is needed because the documentation page sets styles of elements.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                         img-src 'self' data:; font-src 'self'; connect-src 'self'; \
                         base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
/// Content security policy of every other answer, which is data.
const DATA_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// Sets the headers. A `Cache-Control` set by the handler is kept.
pub(crate) fn secure(response: &mut Response, route: &str) {
    let headers = response.headers_mut();
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_page = content_type.is_some_and(|value| value.starts_with("text/html"));
    let policy = if is_page { PAGE_POLICY } else { DATA_POLICY };
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    // The files of the documentation page may be cached: they hold no tenant data.
    if !route.starts_with("/docs") {
        headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    }
}
