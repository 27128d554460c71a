//! Promise: no query can cost more than its share, and the refusal says what fits.

use serde_json::json;

use crate::fixture::{minutes_ago, reading, run};
use crate::socket::Socket;

#[test]
fn too_deep_and_too_costly_queries_never_run() {
    run(async |env| {
        let deep = format!(
            "{{ {} {} }}",
            "__schema { types { fields { type {".to_owned() + &"ofType {".repeat(20),
            "name".to_owned() + &"}".repeat(24)
        );
        let (_, message) = env.api.error(&deep, json!({})).await;
        assert!(message.contains("deep"), "{message}");

        let one = "meters(first: 1000) { nodes { id latest { powerW voltageV currentA frequencyHz } } }";
        let aliases: String = (0..10).map(|index| format!("a{index}: {one} ")).collect();
        let (_, message) = env.api.error(&format!("{{ {aliases} }}"), json!({})).await;
        assert!(message.contains("complex"), "aliases multiply nothing: {message}");
        env.api.data(&format!("{{ {one} }}"), json!({})).await;
    });
}

#[test]
fn too_great_a_page_says_how_great_one_may_be() {
    run(async |env| {
        let (code, message) = env.api.error("{ meters(first: 1001) { nodes { id } } }", json!({})).await;
        assert_eq!(code, "LIMIT_EXCEEDED");
        assert!(message.contains("at most 1000"), "{message}");
        let (code, _) = env.api.error("{ meters(first: 0) { nodes { id } } }", json!({})).await;
        assert_eq!(code, "BAD_INPUT");
    });
}

#[test]
fn too_many_points_name_the_coarser_interval() {
    run(async |env| {
        env.store(&[reading("points", minutes_ago(1), 1.0)], None).await;
        let text =
            "{ meter(id: \"points\") { energy(from: \"2026-01-01T00:00:00Z\", to: \"2026-03-01T00:00:00Z\",
            interval: QUARTER_HOUR) { buckets { start } } } }";
        let (code, message) = env.api.error(text, json!({})).await;
        assert_eq!(code, "LIMIT_EXCEEDED");
        assert!(message.contains("5664 points") && message.contains("HOUR fits (1416 points)"), "{message}");
    });
}

#[test]
fn one_socket_has_only_so_many_operations() {
    run(async |env| {
        env.store(&[reading("crowded", minutes_ago(1), 1.0)], None).await;
        let api = env.api(|config| config.limits.operations_per_socket_max = 2).await;
        let mut socket = Socket::open(&api).await;
        for id in ["a", "b"] {
            socket.follow(id, "crowded", 1, None).await;
            socket.expect("LiveSnapshot").await;
        }
        socket.follow("c", "crowded", 1, None).await;
        let refused = loop {
            let message = socket.receive().await;
            if message["type"] != "next" {
                break message;
            }
        };
        assert_eq!((&refused["type"], &refused["id"]), (&json!("error"), &json!("c")));
        assert_eq!(refused["payload"][0]["extensions"]["code"], "LIMIT_EXCEEDED");
        socket.send(json!({"id": "a", "type": "complete"})).await;
        socket.follow("c", "crowded", 1, None).await;
        while socket.receive().await["id"] != "c" {}
    });
}

#[test]
fn too_long_a_body_and_other_content_are_refused() {
    run(async |env| {
        let long = format!("{{ serverTime }} #{}", "x".repeat(70_000));
        let response = env.api.post(&long, &json!({})).send().await.unwrap();
        assert_eq!(response.status(), 413);
        let body = json!({"query": "{ serverTime }"}).to_string();
        let form = reqwest::Client::new()
            .post(env.api.url("/graphql"))
            .header("content-type", "text/plain")
            .body(body);
        assert_eq!(form.send().await.unwrap().status(), 415);
    });
}

#[test]
fn a_slow_query_ends_with_a_word() {
    run(async |env| {
        env.store(&[reading("slow-query", minutes_ago(1), 1.0)], None).await;
        let api = env.api(|config| config.limits.query_timeout_ms = 300).await;
        let database = env.database().await;
        database.batch_execute("BEGIN; LOCK TABLE energy_15m IN ACCESS EXCLUSIVE MODE").await.unwrap();
        let text = "{ meter(id: \"slow-query\") { energy(from: \"2026-01-01T00:00:00Z\", to: \"2026-01-02T00:00:00Z\",
            interval: HOUR) { buckets { start } } } }";
        let (code, message) = api.error(text, json!({})).await;
        assert_eq!(code, "TIMEOUT");
        assert!(message.contains("0.3 s"), "{message}");
    });
}
