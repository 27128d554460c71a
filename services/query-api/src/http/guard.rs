//! Before every request: is it meant for us, and does a page that may ask it? After it: security headers.
//!
//! Without a token, loopback is the only door, and a browser would open it to any site: by a form or script of
//! that site (its `Origin` tells), or by a name of that site which points to 127.0.0.1 (the `Host` tells).

use std::net::IpAddr;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::App;
use crate::config::HttpSettings;

/// Everything comes from here; nothing is framed, and no form goes anywhere.
pub(super) const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// GraphiQL's editor writes styles into its elements.
pub(super) const GRAPHIQL_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// How long a browser may remember a preflight's answer: more than an hour none does.
const PREFLIGHT_KEPT: Duration = Duration::from_secs(3600);

/// A table, because a layer of tower-http for each of them is longer.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];

/// Refuses what is not meant for this server, and pages of other sites.
pub(super) async fn check(State(app): State<App>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let host = host(&request);
    if !app.0.access.needs_token() && !is_own_name(&host, &app.0.config.http.allowed_origins) {
        let text =
            "without a token this server answers only to localhost and to the hosts of http.allowed_origins";
        return app.refuse(StatusCode::FORBIDDEN, "host", text);
    }
    let admitted = |origin: &str| is_same_origin(origin, &host) || may_share(&app.0.config.http, origin);
    if !origin(headers).is_none_or(admitted) {
        let text = "pages of this origin may not use the API: add it to http.allowed_origins";
        return app.refuse(StatusCode::FORBIDDEN, "origin", text);
    }
    next.run(request).await
}

/// Adds what every answer has.
pub(super) async fn add_headers(State(app): State<App>, mut response: Response) -> Response {
    let http = &app.0.config.http;
    let shared = http.development || !http.allowed_origins.is_empty();
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if shared {
        headers.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    }
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Lets pages of the allowed origins read the answers, and answers their preflights; [`check`] has refused all others.
pub(super) fn cors(http: &HttpSettings) -> CorsLayer {
    let http = http.clone();
    let shared = move |origin: &HeaderValue| origin.to_str().is_ok_and(|origin| may_share(&http, origin));
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(move |origin, _| shared(origin)))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
        .max_age(PREFLIGHT_KEPT)
}

/// Whether pages of another origin may ask: those that are named, and in development those of this machine, where a web
/// developer's own server has a port of its own.
fn may_share(http: &HttpSettings, origin: &str) -> bool {
    let authority = origin.split_once("://").map_or("", |(_, authority)| authority);
    http.allowed_origins.iter().any(|own| own == origin)
        || (http.development && is_own_name(&authority.to_ascii_lowercase(), &[]))
}

fn host(request: &Request) -> String {
    let header = request.headers().get(header::HOST).and_then(|value| value.to_str().ok());
    let host = header.or_else(|| request.uri().authority().map(axum::http::uri::Authority::as_str));
    host.unwrap_or_default().to_ascii_lowercase()
}

fn origin(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::ORIGIN).map(|value| value.to_str().unwrap_or("null"))
}

/// The scheme is not compared: behind a proxy that ends TLS this server sees plain HTTP.
fn is_same_origin(origin: &str, host: &str) -> bool {
    origin.split_once("://").is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host))
}

fn is_own_name(host: &str, allowed_origins: &[String]) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name == "localhost"
        || address.is_ok_and(|address| address.is_loopback())
        || allowed_origins.iter().any(|origin| is_same_origin(origin, host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_our_own() {
        let allowed = ["https://energy.example.org".to_owned()];
        for (host, own) in [
            ("localhost:9400", true),
            ("127.0.0.1:9400", true),
            ("[::1]:9400", true),
            ("localhost", true),
            ("energy.example.org", true),
            ("evil.example", false),
            ("127.0.0.1.evil.example:9400", false),
            ("localhost.evil.example", false),
            ("192.168.1.5:9400", false),
            ("", false),
        ] {
            assert_eq!(is_own_name(host, &allowed), own, "{host}");
        }
    }

    #[test]
    fn an_origin_is_compared_whole() {
        assert!(is_same_origin("http://127.0.0.1:9400", "127.0.0.1:9400"));
        assert!(!is_same_origin("http://127.0.0.1:9401", "127.0.0.1:9400"));
        assert!(!is_same_origin("null", "127.0.0.1:9400"));
        assert!(!is_same_origin("http://127.0.0.1:9400.evil.example", "127.0.0.1:9400"));
    }

    #[test]
    fn the_host_is_that_of_the_header_else_of_the_address() {
        let request = |uri: &str, host: Option<&str>| {
            let builder = axum::http::Request::builder().uri(uri);
            let builder = host.into_iter().fold(builder, |builder, host| builder.header(header::HOST, host));
            builder.body(axum::body::Body::empty()).unwrap()
        };
        assert_eq!(host(&request("/graphql", Some("LocalHost:9400"))), "localhost:9400");
        assert_eq!(host(&request("http://127.0.0.1:9400/graphql", None)), "127.0.0.1:9400");
        assert_eq!(host(&request("/graphql", None)), "");
    }

    #[test]
    fn an_origin_that_is_no_text_is_nobody_s() {
        let mut headers = HeaderMap::new();
        assert_eq!(origin(&headers), None);
        headers.insert(header::ORIGIN, HeaderValue::from_bytes(b"http://\xff").unwrap());
        assert_eq!(origin(&headers), Some("null"));
    }
}
