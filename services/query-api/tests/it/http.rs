//! Promise: usual clients work with their defaults: short queries by GET, a close that is answered, compressed answers.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::fixture::{Api, minutes_ago, reading, run};
use crate::socket::Socket;

/// An answer as it comes over the wire: head and length of the body.
fn raw(api: &Api, head: &str) -> (String, usize) {
    let mut stream = TcpStream::connect(api.address).unwrap();
    write!(
        stream,
        "{head} HTTP/1.1\r\nHost: {}\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n",
        api.address
    )
    .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    (String::from_utf8_lossy(&answer[..end]).to_lowercase(), answer.len() - end - 4)
}

#[test]
fn a_query_comes_by_get_too() {
    run(async |env| {
        env.store(&[reading("by-get", minutes_ago(1), 42.0)], None).await;
        let query = "query A($id: ID!) { meter(id: $id) { latest { powerW } } } query B { serverTime }";
        let mut url = reqwest::Url::parse(&env.api.url("/graphql")).unwrap();
        url.query_pairs_mut()
            .append_pair("query", query)
            .append_pair("operationName", "A")
            .append_pair("variables", &json!({"id": "by-get"}).to_string());
        let answer: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
        assert_eq!(answer, json!({"data": {"meter": {"latest": {"powerW": 42.0}}}}));
    });
}

#[test]
fn keys_come_in_the_order_asked() {
    run(async |env| {
        env.store(&[reading("in-order", minutes_ago(1), 1.0)], None).await;
        let meter = "meter(id: \"in-order\") { lastSeen id latest { ts powerW } firstSeen }";
        let query = format!("{{ c: {meter} a: serverTime b: {meter} }}");
        for _ in 0..20 {
            let text = env.api.post(&query, &json!({})).send().await.unwrap().text().await.unwrap();
            let keys =
                ["\"c\"", "lastSeen", "\"id\"", "latest", "ts\"", "powerW", "firstSeen", "\"a\"", "\"b\""];
            let places: Vec<_> = keys.iter().map(|key| text.find(key).unwrap()).collect();
            assert!(places.is_sorted(), "{text}");
        }
    });
}

#[test]
fn a_token_guards_get_as_it_guards_post() {
    run(async |env| {
        let file = env.stack.dir().join("get.token");
        std::fs::write(&file, "by get").unwrap();
        let api = env.api(|config| config.http.token_file = Some(file)).await;
        let path = "/graphql?query=%7BserverTime%7D";
        let bare = api.get(path).send().await.unwrap();
        assert_eq!(bare.status(), 401);
        assert_eq!(bare.json::<Value>().await.unwrap()["errors"][0]["extensions"]["code"], "TOKEN");
        assert_eq!(api.get(path).bearer_auth("by get").send().await.unwrap().status(), 200);
    });
}

#[test]
fn a_client_that_closes_properly_is_answered() {
    run(async |env| {
        env.store(&[reading("closing", minutes_ago(1), 1.0)], None).await;
        let mut socket = Socket::open(&env.api).await;
        socket.follow("1", "closing", 1, None).await;
        socket.expect("LiveSnapshot").await;
        assert_eq!(socket.close().await, 1000);
    });
}

#[test]
fn long_answers_are_compressed_and_short_ones_are_not() {
    run(async |env| {
        env.store(&[reading("packed", minutes_ago(1), 1.0)], None).await;
        let query = "%7Bmeter(id:%22packed%22)%7Benergy(from:%222026-01-01T00:00:00Z%22,to:%222026-02-01T00:00:00Z%22,\
            interval:HOUR)%7Bbuckets%7Bstart,import%7BenergyWh,coverage,quality%7D%7D%7D%7D%7D";
        let (head, packed) = raw(&env.api, &format!("GET /graphql?query={query}"));
        assert!(head.contains("content-encoding: gzip"), "{head}");
        let whole =
            env.api.get(&format!("/graphql?query={query}")).send().await.unwrap().bytes().await.unwrap();
        assert!(packed * 10 < whole.len(), "{packed} of {} bytes", whole.len());
        let (head, _) = raw(&env.api, "GET /graphql?query=%7BserverTime%7D");
        assert!(!head.contains("content-encoding"), "{head}");
    });
}
