//! Promise: what a client sends wrongly is its own error, and said; never one of the server.

use serde_json::json;

use crate::fixture::{minutes_ago, reading, run};

#[test]
fn a_nul_is_the_client_s_mistake_wherever_it_stands() {
    run(async |env| {
        env.store(&[reading("nul", minutes_ago(1), 1.0)], None).await;
        let readings = "query($text: String!) { meter(id: \"nul\") { readings(first: 1, after: $text) { nodes { ts } } } }";
        for (query, variables) in [
            ("{ meter(id: \"a\\u0000b\") { id } }", json!({})),
            ("query($id: ID!) { meter(id: $id) { id } }", json!({"id": "a\0b"})),
            ("query($id: ID! = \"a\\u0000b\") { meter(id: $id) { id } }", json!({})),
            ("{ meters(search: \"\\u0000\") { nodes { id } } }", json!({})),
            ("query($text: String!) { meters(after: $text) { nodes { id } } }", json!({"text": "\0"})),
            (readings, json!({"text": "\0"})),
        ] {
            let (code, message) = env.api.error(query, variables).await;
            assert_eq!(code, "BAD_INPUT", "{query}: {message}");
            assert!(message.contains("U+0000"), "{message}");
        }
    });
}

#[test]
fn a_variable_must_fit_where_it_stands() {
    run(async |env| {
        env.store(&[reading("typed", minutes_ago(1), 1.0)], None).await;
        let wrong = [
            ("query($id: Int!) { meter(id: $id) { id } }", json!({"id": 5}), "$id is of type Int!"),
            ("query($id: ID) { meter(id: $id) { id } }", json!({"id": "typed"}), "takes ID!"),
            (
                "query($n: String) { meters(first: $n) { nodes { id } } }",
                json!({"n": "5"}),
                "`first` of the field `meters`",
            ),
            ("query($b: Boolean) { serverTime @skip(if: $b) }", json!({"b": true}), "directive `@skip`"),
            (
                "query($id: Int!) { ...f } fragment f on Query { ... { meter(id: $id) { id } } }",
                json!({"id": 5}),
                "takes ID!",
            ),
        ];
        for (query, variables, words) in wrong {
            let (code, message) = env.api.error(query, variables).await;
            assert_eq!(code, "GRAPHQL_VALIDATION_FAILED", "{query}: {message}");
            assert!(message.contains(words), "{message}");
        }
        for (query, variables) in [
            ("query($id: ID!) { meter(id: $id) { id } }", json!({"id": "typed"})),
            ("query($n: Int) { meters(first: $n) { nodes { id } } }", json!({"n": 5})),
            ("query($b: Boolean = false) { serverTime @skip(if: $b) }", json!({})),
            ("query($b: Boolean!) { serverTime @include(if: $b) }", json!({"b": true})),
        ] {
            env.api.data(query, variables).await;
        }
    });
}
