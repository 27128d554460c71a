//! Who uses the API while meters send: its panels have something to show.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::Client;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

/// How often it asks.
const EVERY: Duration = Duration::from_secs(1);
const METERS: &str = "{ meters(first: 5) { nodes { id latest { powerW } } } }";
/// One of each kind, and one that is refused.
const QUERIES: [&str; 4] = [
    "{ serverTime }",
    "{ meter(id: \"odd\") { readings(first: 5) { nodes { ts } } } }",
    "{ meter(id: \"odd\") { energy(from: \"2026-01-01T00:00:00Z\", to: \"2026-01-02T00:00:00Z\", interval: HOUR) { __typename } } }",
    "{ nothing }",
];

/// Asks everything again and again, and follows a meter, for as long as it is polled.
pub(crate) async fn attend(api: SocketAddr) -> anyhow::Result<Infallible> {
    let client = Client::new();
    let meter = loop {
        let meters = ask(&client, api, METERS).await?;
        if let Some(meter) = meters["data"]["meters"]["nodes"][0]["id"].as_str() {
            break meter.to_owned();
        }
        tokio::time::sleep(EVERY).await;
    };
    let (never, _) = tokio::try_join!(ask_on(&client, api), follow(api, &meter))?;
    Ok(never)
}

async fn ask_on(client: &Client, api: SocketAddr) -> anyhow::Result<Infallible> {
    let mut every = tokio::time::interval(EVERY);
    loop {
        every.tick().await;
        for query in QUERIES.into_iter().chain([METERS]) {
            ask(client, api, query).await?;
        }
    }
}

async fn ask(client: &Client, api: SocketAddr, query: &str) -> anyhow::Result<Value> {
    let body = json!({"query": query}).to_string();
    let request = client.post(format!("http://{api}/graphql")).header("content-type", "application/json");
    let response = request.body(body).send().await?;
    ensure!(response.status().is_success(), "{query}: {}", response.status());
    Ok(response.json().await?)
}

/// A live stream, read as it comes.
async fn follow(api: SocketAddr, meter: &str) -> anyhow::Result<Infallible> {
    let mut request = format!("ws://{api}/graphql").into_client_request()?;
    request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse()?);
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await?;
    socket.send(Message::text(json!({"type": "connection_init"}).to_string())).await?;
    socket.next().await.context("the API closes a new socket")??;
    let query =
        format!("subscription {{ meterReadings(meterId: \"{meter}\", recent: 10) {{ __typename }} }}");
    let subscribe = json!({"id": "1", "type": "subscribe", "payload": {"query": query}});
    socket.send(Message::text(subscribe.to_string())).await?;
    while let Some(message) = socket.next().await {
        if let Message::Close(reason) = message? {
            bail!("the API closes the live stream: {reason:?}");
        }
    }
    bail!("the live stream ends")
}
