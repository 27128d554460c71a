//! Promise: no error is without a code that the docs list, whoever made it: the HTTP layer, the parser, the rules of
//! GraphQL, a resolver.

use std::path::Path;

use serde_json::{Value, json};

use crate::fixture::{minutes_ago, reading, run};
use crate::socket::Socket;

/// Codes of the tables of docs/graphql.md.
fn documented() -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/graphql.md");
    let text = std::fs::read_to_string(file).unwrap();
    let section = text.split("\n## Errors").nth(1).unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    rows.map(str::to_owned).collect()
}

#[test]
fn what_a_query_does_wrong_has_a_code() {
    run(async |env| {
        env.store(&[reading("coded", minutes_ago(1), 1.0)], None).await;
        let documented = documented();
        let deep =
            format!("{{ __schema {{ types {{ {} name {} }} }} }}", "ofType {".repeat(20), "}".repeat(20));
        let deeper = format!("{}{}", "{ meter(id: 1) ".repeat(40), "}".repeat(40));
        let costly: String = (0..10)
            .map(|at| format!("a{at}: meters(first: 1000) {{ nodes {{ id lastSeen latest {{ ts }} }} }} "))
            .collect();
        let energy = |from: &str| {
            format!(
                "{{ meter(id: \"coded\") {{ energy(from: \"{from}\", to: \"2026-01-02T00:00:00Z\", interval: HOUR) \
                 {{ from }} }} }}"
            )
        };
        for (query, variables, code, words) in [
            ("{ serverTime", json!({}), "GRAPHQL_PARSE_FAILED", "line 1, column 13"),
            ("", json!({}), "GRAPHQL_PARSE_FAILED", "no GraphQL"),
            ("{ meterz { id } }", json!({}), "GRAPHQL_VALIDATION_FAILED", "meterz"),
            (&energy("2026-01-01T00:00:00Z").replace("HOUR", "DECADE"), json!({}), "BAD_INPUT", "DECADE"),
            (&energy("yesterday"), json!({}), "BAD_INPUT", "2026-11-20T10:00:00Z"),
            (&deep, json!({}), "LIMIT_EXCEEDED", "at most 15"),
            (&deeper, json!({}), "LIMIT_EXCEEDED", "32"),
            (&format!("{{ {costly} }}"), json!({}), "LIMIT_EXCEEDED", "at most 50000"),
            ("query A { serverTime } query B { serverTime }", json!({}), "BAD_INPUT", "Operation name"),
            (
                "subscription { meterReadings(meterId: \"coded\") { cursor } }",
                json!({}),
                "BAD_INPUT",
                "transport",
            ),
        ] {
            let answer = env.api.ask(query, variables).await;
            assert_coded(&answer["errors"], code, &documented);
            let message = answer["errors"][0]["message"].as_str().unwrap();
            assert!(message.contains(words) && !message.contains('\n'), "{query}: {message}");
            assert_ne!(answer["errors"][0]["locations"][0]["line"], 0, "{answer}");
        }
    });
}

#[test]
fn a_stream_that_can_t_begin_says_its_code() {
    run(async |env| {
        let mut socket = Socket::open(&env.api).await;
        let documented = documented();
        for (query, code) in [
            ("subscription {", "GRAPHQL_PARSE_FAILED"),
            ("subscription { meterReading }", "GRAPHQL_VALIDATION_FAILED"),
            ("subscription { meterReadings(meterId: \"nobody's\") { cursor } }", "NOT_FOUND"),
            ("subscription { meterReadings(meterId: \"a\\u0000b\") { cursor } }", "BAD_INPUT"),
        ] {
            socket.send(json!({"id": "1", "type": "subscribe", "payload": {"query": query}})).await;
            let answer = socket.receive().await;
            assert_eq!(answer["type"], "error", "{query}: {answer}");
            assert_coded(&answer["payload"], code, &documented);
        }
    });
}

#[test]
fn what_http_refuses_has_a_code() {
    run(async |env| {
        let documented = documented();
        let client = reqwest::Client::new();
        let url = env.api.url("/graphql");
        let json = |body: String| client.post(&url).header("content-type", "application/json").body(body);
        for (request, status, code) in [
            (json("{".to_owned()), 400, "BODY"),
            (json("x".repeat(70_000)), 413, "BODY"),
            (client.post(&url).body("{}"), 415, "CONTENT_TYPE"),
            (client.get(&url), 400, "QUERY"),
            (client.get(format!("{url}?query={{serverTime}}&variables=1")), 400, "QUERY"),
            (client.delete(&url), 405, "METHOD"),
            (client.post(env.api.url("/")), 405, "METHOD"),
            (client.get(env.api.url("/nothing")), 404, "PATH"),
            (client.get(&url).header("origin", "https://evil.example"), 403, "ORIGIN"),
            (client.get(&url).header("host", "evil.example"), 403, "HOST"),
        ] {
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), status, "{code}");
            if status == 405 {
                assert!(
                    answer.headers()["allow"].to_str().unwrap().contains("GET"),
                    "{:?}",
                    answer.headers()
                );
            }
            assert_coded(&answer.json::<Value>().await.unwrap()["errors"], code, &documented);
        }
    });
}

fn assert_coded(errors: &Value, code: &str, documented: &[String]) {
    let errors = errors.as_array().unwrap_or_else(|| panic!("no errors: {errors}"));
    for error in errors {
        assert_eq!(error["extensions"]["code"], code, "{error}");
    }
    assert!(!errors.is_empty() && documented.iter().any(|known| known == code), "{code} is not in the docs");
}

#[test]
fn every_code_of_http_is_documented() {
    let sources = [
        include_str!("../../src/http.rs"),
        include_str!("../../src/http/guard.rs"),
        include_str!("../../src/http/assets.rs"),
    ];
    let documented = documented();
    for source in sources {
        for call in source.split("refuse(").skip(1) {
            let Some(reason) = call.split('"').nth(1).filter(|_| call.trim_start().starts_with("StatusCode"))
            else {
                continue;
            };
            assert!(documented.contains(&reason.to_uppercase()), "{reason} is not in the docs");
        }
    }
}
