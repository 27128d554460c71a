//! The live page and GraphiQL, from inside of the binary.

use std::hash::Hasher as _;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use fnv::FnvHasher;

use super::App;
use super::guard::{GRAPHIQL_POLICY, PAGE_POLICY};

/// One file of the binary.
#[derive(Clone, Copy, Debug)]
struct Asset {
    path: &'static str,
    content_type: &'static str,
    body: &'static [u8],
    gzipped: bool,
    policy: &'static str,
}

macro_rules! page {
    ($path:literal, $file:literal, $content_type:literal) => {
        Asset {
            path: $path,
            content_type: $content_type,
            body: include_bytes!(concat!("../../page/", $file)),
            gzipped: false,
            policy: PAGE_POLICY,
        }
    };
}

macro_rules! graphiql {
    ($path:literal, $file:literal, $content_type:literal, $gzipped:literal) => {
        Asset {
            path: $path,
            content_type: $content_type,
            body: include_bytes!(concat!("../../assets/graphiql/", $file)),
            gzipped: $gzipped,
            policy: GRAPHIQL_POLICY,
        }
    };
}

const PAGE: [Asset; 11] = [
    page!("/", "index.html", "text/html; charset=utf-8"),
    page!("/page/style.css", "style.css", "text/css; charset=utf-8"),
    page!("/page/app.js", "app.js", "text/javascript; charset=utf-8"),
    page!("/page/api.js", "api.js", "text/javascript; charset=utf-8"),
    page!("/page/live.js", "live.js", "text/javascript; charset=utf-8"),
    page!("/page/picker.js", "picker.js", "text/javascript; charset=utf-8"),
    page!("/page/power-chart.js", "power-chart.js", "text/javascript; charset=utf-8"),
    page!("/page/energy-chart.js", "energy-chart.js", "text/javascript; charset=utf-8"),
    page!("/page/format.js", "format.js", "text/javascript; charset=utf-8"),
    page!("/page/theme.js", "theme.js", "text/javascript; charset=utf-8"),
    page!("/favicon.svg", "favicon.svg", "image/svg+xml"),
];

const GRAPHIQL: [Asset; 3] = [
    graphiql!("/graphiql", "index.html", "text/html; charset=utf-8", false),
    graphiql!("/graphiql/graphiql.js", "graphiql.js.gz", "text/javascript; charset=utf-8", true),
    graphiql!("/graphiql/graphiql.css", "graphiql.css.gz", "text/css; charset=utf-8", true),
];

/// The routes of all files.
pub(super) fn router(app: &App) -> Router<App> {
    let development = app.0.config.http.development;
    let graphiql = GRAPHIQL.into_iter().filter(|_| development);
    PAGE.into_iter()
        .chain(graphiql)
        .fold(
            Router::new().route("/about.json", get(about)).route("/schema.graphql", get(schema)),
            |router, asset| {
                let tag = format!("\"{:x}\"", asset.hash());
                router.route(asset.path, get(async move |headers: HeaderMap| asset.answer(&tag, &headers)))
            },
        )
        .fallback(async |State(app): State<App>| {
            app.refuse(
                StatusCode::NOT_FOUND,
                "path",
                "there is nothing here: the API is at /graphql, the live page at /",
            )
        })
}

/// What the page must know before it can ask anything.
async fn about(State(app): State<App>) -> Response {
    axum::Json(serde_json::json!({
        "version": env!("CARGO_PKG_VERSION"),
        "graphiql": app.0.config.http.development,
        "token": app.0.access.needs_token(),
    }))
    .into_response()
}

/// The contract: what is in it is no secret, so that tools need no token for it.
async fn schema() -> Response {
    ([(header::CONTENT_TYPE, "application/graphql; charset=utf-8")], crate::graphql::sdl()).into_response()
}

// === impl Asset ===

impl Asset {
    /// Tells one version of the file from another.
    fn hash(&self) -> u64 {
        let mut hasher = FnvHasher::default();
        hasher.write(self.body);
        hasher.finish()
    }

    fn answer(&self, tag: &str, headers: &HeaderMap) -> Response {
        let fixed = [
            (header::CONTENT_TYPE, self.content_type),
            (header::CACHE_CONTROL, "no-cache"),
            (header::CONTENT_SECURITY_POLICY, self.policy),
            (header::ETAG, tag),
        ];
        let known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known == tag);
        if known {
            return (StatusCode::NOT_MODIFIED, fixed).into_response();
        }
        let mut response = (fixed, self.body).into_response();
        if self.gzipped {
            let gzip = header::HeaderValue::from_static("gzip");
            response.headers_mut().insert(header::CONTENT_ENCODING, gzip);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_file_has_a_tag_of_its_own() {
        let tags: BTreeSet<u64> = PAGE.iter().chain(&GRAPHIQL).map(Asset::hash).collect();
        assert_eq!(tags.len(), PAGE.len() + GRAPHIQL.len());
        assert_eq!(PAGE[0].hash(), PAGE[0].hash());
    }

    #[test]
    fn the_page_names_only_files_that_are_there() {
        let page = str::from_utf8(PAGE[0].body).unwrap();
        let served: BTreeSet<&str> = PAGE.iter().map(|asset| asset.path).collect();
        let named = page.split(['"', '\'']).filter(|text| text.starts_with("/page/"));
        let missing: Vec<&str> = named.filter(|path| !served.contains(path)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn what_the_browser_has_is_not_sent_again() {
        let mut headers = HeaderMap::new();
        assert_eq!(GRAPHIQL[1].answer("\"1\"", &headers).headers()[header::CONTENT_ENCODING], "gzip");
        headers.insert(header::IF_NONE_MATCH, header::HeaderValue::from_static("\"1\""));
        assert_eq!(PAGE[0].answer("\"1\"", &headers).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(PAGE[0].answer("\"2\"", &headers).status(), StatusCode::OK);
    }
}
