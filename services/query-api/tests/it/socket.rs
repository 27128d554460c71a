//! A client of graphql-transport-ws.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::fixture::{Api, PATIENCE};

/// One WebSocket.
pub(crate) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

pub(crate) const LIVE: &str = "subscription($meter: ID!, $recent: Int!, $after: String) {
    meterReadings(meterId: $meter, recent: $recent, after: $after) {
        __typename
        cursor
        ... on LiveSnapshot { readings { ts powerW voltageV } }
        ... on LiveReading { late merged reading { ts powerW voltageV } }
        ... on LiveLagged { lost lagReason }
        ... on LiveHistoryChanged { from to }
        ... on LiveHeartbeat { at upToDate }
        ... on LiveReset { resetReason }
    }
}";

// === impl Socket ===

impl Socket {
    /// Connects, without a word yet.
    pub(crate) async fn connect(api: &Api) -> Self {
        let mut request = format!("ws://{}/graphql", api.address).into_client_request().unwrap();
        let protocol = "graphql-transport-ws".parse().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        Self(connect_async(request).await.unwrap().0)
    }

    /// Connects and is let in.
    pub(crate) async fn open(api: &Api) -> Self {
        let mut socket = Self::connect(api).await;
        socket.send(json!({"type": "connection_init"})).await;
        assert_eq!(socket.receive().await, json!({"type": "connection_ack"}));
        socket
    }

    pub(crate) async fn send(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    /// Follows a meter under an id.
    pub(crate) async fn follow(&mut self, id: &str, meter: &str, recent: i32, after: Option<&str>) {
        let variables = json!({"meter": meter, "recent": recent, "after": after});
        let payload = json!({"query": LIVE, "variables": variables});
        self.send(json!({"id": id, "type": "subscribe", "payload": payload})).await;
    }

    /// The next message.
    pub(crate) async fn receive(&mut self) -> Value {
        loop {
            match timeout(PATIENCE, self.0.next()).await.expect("the server is silent").unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) => {}
                Message::Close(frame) => panic!("closed: {frame:?}"),
                message => panic!("unexpected: {message:?}"),
            }
        }
    }

    /// The close code that must come.
    pub(crate) async fn closed(&mut self) -> u16 {
        loop {
            match timeout(PATIENCE, self.0.next()).await.expect("the server is silent").unwrap().unwrap() {
                Message::Close(frame) => return frame.unwrap().code.into(),
                Message::Ping(_) => {}
                message => panic!("not closed: {message:?}"),
            }
        }
    }

    /// Closes as a browser does; the code that the server answers with.
    pub(crate) async fn close(mut self) -> u16 {
        let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        self.0.send(Message::Close(Some(frame))).await.unwrap();
        loop {
            if let Message::Close(frame) = timeout(PATIENCE, self.0.next()).await.unwrap().unwrap().unwrap() {
                return frame.unwrap().code.into();
            }
        }
    }

    /// The next live event, heartbeats included.
    pub(crate) async fn any_event(&mut self) -> Value {
        let mut message = self.receive().await;
        assert_eq!(message["type"], "next", "{message}");
        message["payload"]["data"]["meterReadings"].take()
    }

    /// The next live event that is no heartbeat.
    pub(crate) async fn event(&mut self) -> Value {
        loop {
            let event = self.any_event().await;
            if event["__typename"] != "LiveHeartbeat" {
                return event;
            }
        }
    }

    /// The next live event, of this kind.
    pub(crate) async fn expect(&mut self, kind: &str) -> Value {
        let event = self.event().await;
        assert_eq!(event["__typename"], kind, "{event}");
        event
    }
}
