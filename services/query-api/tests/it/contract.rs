//! Promise: what is written down is what runs: the schema, the sample configuration, the examples of the docs.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use wattline_query_api::{Config, graphql};

use crate::fixture::{minutes_ago, reading, run};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn the_schema_is_the_one_in_the_repository() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema.graphql");
    let printed =
        Command::new(env!("CARGO_BIN_EXE_wattline-query-api")).arg("--print-schema").output().unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    if std::env::var_os("WATTLINE_UPDATE").is_some() {
        std::fs::write(&file, &printed).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(kept == printed, "schema.graphql is not what the code says: run the test with WATTLINE_UPDATE=1");
    assert_eq!(printed, graphql::sdl());
}

#[test]
fn the_sample_configuration_shows_every_setting_with_its_default() {
    let file = root().join("config/query-api.toml");
    let parsed: Config = wattline_service::config::load_from(Some(&file), [].into()).unwrap();
    assert_eq!(parsed, Config::default());
    let text = std::fs::read_to_string(&file).unwrap();
    let defaults = format!("{:#?}", Config::default());
    for field in defaults.lines().filter_map(|line| line.trim().split_once(": ")) {
        let (key, section) = (field.0, field.1.ends_with('{'));
        let start = if section { format!("[{key}]") } else { format!("{key} = ") };
        assert!(
            text.lines().any(|line| line.starts_with(&start)),
            "config/query-api.toml does not show {key}"
        );
    }
}

#[test]
fn a_bad_configuration_is_refused_with_the_cure() {
    let binary = env!("CARGO_BIN_EXE_wattline-query-api");
    for (variable, value, word) in [
        ("WATTLINE__HTTP__LISTEN", "0.0.0.0:9400", "http.token_file"),
        ("WATTLINE__HTTP__LISTN", "127.0.0.1:9400", "listn"),
        ("WATTLINE__LIMITS__PAGE_ROWS_MAX", "0", "limits.page_rows_max"),
    ] {
        let output = Command::new(binary).arg("--check").env(variable, value).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(64), "{text}");
        assert!(text.contains(word), "{text}");
    }
}

#[test]
fn check_tries_the_connections_and_reads_the_token() {
    run(async |env| {
        let check = |more: &[(&str, &str)]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_wattline-query-api"));
            command.arg("--check").env("WATTLINE__KAFKA__BROKERS", env.stack.kafka_brokers());
            command.env("WATTLINE__DATABASE__URL", env.stack.database_url_as("wattline_api"));
            command.envs(more.iter().copied());
            let output = command.output().unwrap();
            let text = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
            (output.status.code(), text.concat())
        };
        let (code, text) = check(&[]);
        assert_eq!(code, Some(0), "{text}");
        for (name, value, words) in [
            ("WATTLINE__HTTP__TOKEN_FILE", "/nowhere/token", "http.token_file"),
            ("WATTLINE__KAFKA__BROKERS", "127.0.0.1:1", "Kafka did not answer"),
            ("WATTLINE__DATABASE__URL", "mysql://127.0.0.1/wattline", "database"),
        ] {
            let (code, text) = check(&[(name, value)]);
            assert!(code != Some(0) && text.contains(words), "{name}: {code:?} {text}");
        }
    });
}

#[test]
fn the_examples_of_the_docs_work() {
    run(async |env| {
        let rows: Vec<_> = (0..5).map(|minute| reading("home-01", minutes_ago(9 - minute), 250.0)).collect();
        env.store(&rows, None).await;
        let text = std::fs::read_to_string(root().join("docs/graphql.md")).unwrap();
        let examples: Vec<&str> =
            text.split("```graphql\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
        assert!(examples.len() >= 5, "docs/graphql.md has {} examples", examples.len());
        for example in examples {
            if example.starts_with("subscription") {
                let mut socket = crate::socket::Socket::open(&env.api).await;
                let payload = json!({"query": example});
                socket.send(json!({"id": "1", "type": "subscribe", "payload": payload})).await;
                let answer = socket.receive().await;
                assert_eq!(answer["type"], "next", "{example}\n{answer}");
                assert!(answer["payload"].get("errors").is_none(), "{example}\n{answer}");
            } else {
                env.api.data(example, json!({})).await;
            }
        }
    });
}

#[test]
fn graphiql_s_own_question_passes_the_limits() {
    run(async |env| {
        let question = include_str!("introspection.graphql");
        let data = env.api.data(question, json!({})).await;
        assert_eq!(data["__schema"]["queryType"]["name"], "Query");
        assert!(data["__schema"]["types"].as_array().unwrap().len() > 20);
    });
}
