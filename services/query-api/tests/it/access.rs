//! Promise: with a token nobody asks without it; without one only this machine's own pages do; and every answer
//! carries the security headers.

use serde_json::json;

use crate::fixture::{Api, minutes_ago, reading, run};
use crate::socket::Socket;

#[test]
fn with_a_token_nothing_is_told_without_it() {
    run(async |env| {
        let file = env.stack.dir().join("api.token");
        std::fs::write(&file, "correct horse\n").unwrap();
        let api = env.api(|config| config.http.token_file = Some(file)).await;
        env.store(&[reading("guarded", minutes_ago(1), 1.0)], None).await;

        let bare = api.post("{ serverTime }", &json!({})).send().await.unwrap();
        assert_eq!(bare.status(), 401);
        assert_eq!(bare.headers()["www-authenticate"], "Bearer");
        let wrong = api.post("{ serverTime }", &json!({})).bearer_auth("wrong horse");
        assert_eq!(wrong.send().await.unwrap().status(), 401);
        let right = api.post("{ serverTime }", &json!({})).bearer_auth("correct horse");
        assert_eq!(right.send().await.unwrap().status(), 200);
        assert_eq!(api.get("/").send().await.unwrap().status(), 200, "the page itself tells nothing");

        for payload in [json!({}), json!({"authorization": "Bearer wrong"})] {
            let mut socket = Socket::connect(&api).await;
            socket.send(json!({"type": "connection_init", "payload": payload})).await;
            assert_eq!(socket.closed().await, 4403);
        }
        let mut socket = Socket::connect(&api).await;
        socket.send(json!({"id": "1", "type": "subscribe", "payload": {"query": "{ serverTime }"}})).await;
        assert_eq!(socket.closed().await, 4401);
        let mut socket = Socket::connect(&api).await;
        let payload = json!({"authorization": "Bearer correct horse"});
        socket.send(json!({"type": "connection_init", "payload": payload})).await;
        assert_eq!(socket.receive().await["type"], "connection_ack");
        socket.follow("1", "guarded", 1, None).await;
        socket.expect("LiveSnapshot").await;
    });
}

#[test]
fn pages_of_other_sites_are_refused() {
    run(async |env| {
        let api = env
            .api(|config| config.http.allowed_origins = vec!["https://energy.example.org".to_owned()])
            .await;
        let post = |name: &'static str, value: &'static str| {
            api.post("{ serverTime }", &json!({})).header(name, value)
        };
        assert_eq!(post("origin", "https://evil.example").send().await.unwrap().status(), 403);
        assert_eq!(post("origin", "null").send().await.unwrap().status(), 403);
        assert_eq!(
            post("host", "evil.example").send().await.unwrap().status(),
            403,
            "a name that points here"
        );
        let own = api.url("");
        let own = api.post("{ serverTime }", &json!({})).header("origin", own).send().await.unwrap();
        assert_eq!(own.status(), 200);
        let allowed = post("origin", "https://energy.example.org").send().await.unwrap();
        assert_eq!(allowed.status(), 200);
        assert_eq!(allowed.headers()["access-control-allow-origin"], "https://energy.example.org");
        let preflight = |origin: &'static str| {
            let asked = reqwest::Client::new().request(reqwest::Method::OPTIONS, api.url("/graphql"));
            asked.header("origin", origin).header("access-control-request-method", "POST").send()
        };
        let allowed = preflight("https://energy.example.org").await.unwrap();
        assert!(allowed.status().is_success());
        assert_eq!(allowed.headers()["access-control-allow-headers"], "authorization,content-type");
        assert_eq!(allowed.headers()["access-control-allow-methods"], "GET,POST");
        assert_eq!(preflight("https://evil.example").await.unwrap().status(), 403);
        let socket = api.get("/graphql").header("origin", "https://evil.example").send().await.unwrap();
        assert_eq!(socket.status(), 403);
    });
}

#[test]
fn a_web_developer_s_own_server_may_ask_in_development_only() {
    run(async |env| {
        let own = "http://localhost:5173";
        let production = env.api(|config| config.http.development = false).await;
        let ask = |api: &Api, origin: &'static str| {
            api.post("{ serverTime }", &json!({})).header("origin", origin).send()
        };
        let answer = ask(&env.api, own).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["access-control-allow-origin"], own);
        let preflight = reqwest::Client::new()
            .request(reqwest::Method::OPTIONS, env.api.url("/graphql"))
            .header("origin", own)
            .header("access-control-request-method", "POST");
        assert_eq!(preflight.send().await.unwrap().headers()["access-control-max-age"], "3600");
        for foreign in ["http://localhost.evil.example:5173", "https://evil.example", "null"] {
            assert_eq!(ask(&env.api, foreign).await.unwrap().status(), 403, "{foreign}");
        }
        assert_eq!(ask(&production, own).await.unwrap().status(), 403);
    });
}

#[test]
fn every_answer_has_the_security_headers() {
    run(async |env| {
        for path in ["/", "/page/app.js", "/graphiql", "/graphql", "/nothing", "/about.json"] {
            let answer = env.api.get(path).send().await.unwrap();
            let headers = answer.headers();
            let policy = headers["content-security-policy"].to_str().unwrap();
            assert!(
                policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
                "{path}"
            );
            assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
            assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
        }
        let page = env.api.get("/").send().await.unwrap();
        let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(!policy.contains("unsafe"), "{policy}");
        let tag = page.headers()["etag"].clone();
        let again = env.api.get("/").header("if-none-match", tag).send().await.unwrap();
        assert_eq!(again.status(), 304);
    });
}

#[test]
fn in_production_the_schema_is_a_file_and_no_answer() {
    run(async |env| {
        let api = env.api(|config| config.http.development = false).await;
        for query in [
            "{ __schema { queryType { name } } }",
            "{ __type(name: \"Meter\") { name } }",
            "{ ...deep } fragment deep on Query { ... { __schema { queryType { name } } } }",
        ] {
            let (code, message) = api.error(query, json!({})).await;
            assert_eq!(code, "INTROSPECTION_OFF", "{query}");
            assert!(message.contains("GET /schema.graphql"), "{message}");
        }
        let schema = api.get("/schema.graphql").send().await.unwrap().text().await.unwrap();
        assert_eq!(schema, wattline_query_api::graphql::sdl());
        api.data("{ __typename serverTime }", json!({})).await;
        assert_eq!(api.get("/graphiql").send().await.unwrap().status(), 404);
        let (_, message) = api.error("{ meterz { id } }", json!({})).await;
        assert!(!message.contains("meters"), "no suggestions: {message}");
    });
}

#[test]
fn internals_stay_inside() {
    run(async |env| {
        // A role without the right to read energy: never ready, but it answers what it can.
        let api = Api::begin(&env.stack, |config| {
            config.database.url = config.database.url.replace("wattline_api", "wattline_sink");
        });
        while api.get("/about.json").send().await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        env.store(&[reading("masked", minutes_ago(1), 1.0)], None).await;
        let text =
            "{ meter(id: \"masked\") { energy(from: \"2026-01-01T00:00:00Z\", to: \"2026-01-02T00:00:00Z\",
            interval: HOUR) { buckets { start } } } }";
        let (code, message) = api.error(text, json!({})).await;
        assert_eq!(code, "INTERNAL");
        assert!(!message.contains("energy_15m") && !message.contains("permission"), "{message}");
    });
}
