//! The messages of graphql-transport-ws, and what it closes a socket for.

use std::collections::HashMap;

use async_graphql::{Response, ServerError};
use serde::{Deserialize, Serialize};

/// The subprotocol's name.
pub(super) const NAME: &str = "graphql-transport-ws";

/// What clients send.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ClientMessage {
    ConnectionInit {
        #[serde(default)]
        payload: Option<HashMap<String, serde_json::Value>>,
    },
    Ping {},
    Pong {},
    Subscribe {
        id: String,
        payload: Box<async_graphql::Request>,
    },
    Complete {
        id: String,
    },
}

/// What the server sends.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ServerMessage<'a> {
    ConnectionAck,
    Pong,
    Next { id: &'a str, payload: &'a Response },
    Error { id: &'a str, payload: &'a [ServerError] },
    Complete { id: &'a str },
}

/// Why a socket is closed: code and text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Close(pub(super) u16, pub(super) &'static str);

impl Close {
    pub(super) const GOING_AWAY: Self = Self(1001, "The server stops");
    pub(super) const INTERNAL: Self = Self(1011, "Internal error");
    pub(super) const BAD_MESSAGE: Self = Self(4400, "Not a message of graphql-transport-ws");
    pub(super) const UNAUTHORIZED: Self = Self(4401, "Send connection_init first");
    pub(super) const FORBIDDEN: Self =
        Self(4403, "Forbidden: connection_init needs the payload {\"authorization\": \"Bearer <token>\"}");
    pub(super) const NOT_INITIALISED: Self = Self(4408, "Connection initialisation timeout");
    pub(super) const SILENT: Self = Self(4408, "No answer to pings");
    pub(super) const DUPLICATE: Self = Self(4409, "Subscriber for this id already exists");
    pub(super) const TOO_MANY_INITS: Self = Self(4429, "Too many initialisation requests");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_those_of_the_protocol() {
        let text = r#"{"id":"1","type":"subscribe","payload":{"query":"{ serverTime }"}}"#;
        assert!(matches!(serde_json::from_str(text), Ok(ClientMessage::Subscribe { id, .. }) if id == "1"));
        for text in [
            r#"{"type":"connection_init"}"#,
            r#"{"type":"connection_init","payload":null}"#,
            r#"{"type":"connection_init","payload":{"authorization":"Bearer x"}}"#,
            r#"{"type":"ping","payload":{"a":1}}"#,
        ] {
            assert!(serde_json::from_str::<ClientMessage>(text).is_ok(), "{text}");
        }
        assert!(serde_json::from_str::<ClientMessage>(r#"{"type":"start","id":"1"}"#).is_err());
        let pong = serde_json::to_string(&ServerMessage::Pong).unwrap();
        assert_eq!(pong, r#"{"type":"pong"}"#);
        let complete = serde_json::to_string(&ServerMessage::Complete { id: "7" }).unwrap();
        assert_eq!(complete, r#"{"type":"complete","id":"7"}"#);
    }
}
