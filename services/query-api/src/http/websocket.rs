//! One WebSocket: a loop that takes messages, runs its operations, and writes what they bring. While the client
//! doesn't read, nothing is polled; what piles up meanwhile does so in the ring, which is bounded.
//!
//! The protocol is spoken here and not by async-graphql's own handler, which bounds neither the operations of a socket
//! nor the time that a client may take nothing, and polls streams whether or not the client reads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_graphql::{Response, Value};
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures_util::stream::{self, BoxStream, SplitSink};
use futures_util::{SinkExt, StreamExt};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_stream::StreamMap;

use super::App;
use super::protocol::{ClientMessage, Close, ServerMessage};
use crate::error::ApiError;
use crate::graphql::Subscriber;

/// How long a client may take to say who it is.
const INIT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the client is asked whether it is there; browsers answer by themselves.
const PING_EVERY: Duration = Duration::from_secs(15);
/// A client that is silent for longer is gone.
const SILENCE_MAX: Duration = Duration::from_secs(50);
/// A client that takes nothing for longer is gone.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);

/// Numbers the WebSockets.
static SOCKETS: AtomicU64 = AtomicU64::new(1);

type Operations = StreamMap<String, BoxStream<'static, Step>>;

/// What an operation brings.
enum Step {
    Response(Box<Response>),
    End,
}

struct Session<'a> {
    app: &'a App,
    /// Of this process; by it one sees which streams are one client's.
    number: u64,
    sink: SplitSink<WebSocket, Message>,
    operations: Operations,
    admitted: bool,
    opened: Instant,
    heard: Instant,
}

/// Serves one socket to its end.
pub(super) async fn serve(socket: WebSocket, app: &App) {
    let (sink, mut messages) = socket.split();
    let now = Instant::now();
    let number = SOCKETS.fetch_add(1, Ordering::Relaxed);
    let operations = StreamMap::new();
    let mut session = Session { app, number, sink, operations, admitted: false, opened: now, heard: now };
    let mut ping = interval(PING_EVERY.min(INIT_TIMEOUT));
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ping.reset();
    let close = loop {
        let step = tokio::select! {
            () = app.0.shutdown.cancelled() => Err(Some(Close::GOING_AWAY)),
            message = messages.next() => match message {
                Some(Ok(message)) => session.take(message).await,
                Some(Err(_)) | None => Err(None),
            },
            Some((id, step)) = session.operations.next() => session.bring(&id, step).await,
            _ = ping.tick() => session.check().await,
        };
        if let Err(close) = step {
            break close;
        }
    };
    // The client may be gone already.
    let _ = match close {
        Some(Close(code, reason)) => {
            let frame = CloseFrame { code, reason: reason.into() };
            timeout(SEND_TIMEOUT, session.sink.send(Message::Close(Some(frame)))).await
        }
        // The answer to the client's own close is written already, and waits to be sent.
        None => timeout(SEND_TIMEOUT, session.sink.close()).await,
    };
}

/// Goes on, or ends: with a close frame of ours, or without one where the client has closed or is gone.
type Flow = Result<(), Option<Close>>;

// === impl Session ===

impl Session<'_> {
    async fn take(&mut self, message: Message) -> Flow {
        self.heard = Instant::now();
        let text = match message {
            Message::Text(text) => text,
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
            Message::Binary(_) => return Err(Some(Close::BAD_MESSAGE)),
            Message::Close(_) => return Err(None),
        };
        match serde_json::from_str(&text).map_err(|_| Some(Close::BAD_MESSAGE))? {
            ClientMessage::ConnectionInit { payload } => {
                let payload = payload.unwrap_or_default();
                let authorization =
                    ["authorization", "Authorization"].iter().find_map(|key| payload.get(*key)?.as_str());
                self.admit(authorization).await
            }
            ClientMessage::Ping {} => self.send(&ServerMessage::Pong).await,
            ClientMessage::Pong {} => Ok(()),
            ClientMessage::Subscribe { id, payload } => self.start(id, *payload).await,
            ClientMessage::Complete { id } => {
                self.operations.remove(&id);
                Ok(())
            }
        }
    }

    async fn admit(&mut self, authorization: Option<&str>) -> Flow {
        if self.admitted {
            return Err(Some(Close::TOO_MANY_INITS));
        }
        if !self.app.0.access.admits(authorization) {
            return Err(Some(Close::FORBIDDEN));
        }
        self.admitted = true;
        self.send(&ServerMessage::ConnectionAck).await
    }

    async fn start(&mut self, id: String, request: async_graphql::Request) -> Flow {
        if !self.admitted {
            return Err(Some(Close::UNAUTHORIZED));
        }
        if self.operations.contains_key(&id) {
            return Err(Some(Close::DUPLICATE));
        }
        let operations_max = self.app.0.config.limits.operations_per_socket_max;
        if self.operations.len() >= operations_max {
            let text = format!(
                "too many operations on this WebSocket: at most {operations_max} at a time; complete one, or open another"
            );
            let payload = [ApiError::TooMuch(text).into_server_error()];
            return self.send(&ServerMessage::Error { id: &id, payload: &payload }).await;
        }
        let request = request.data(Subscriber(self.number));
        let responses = self.app.0.schema.0.execute_stream(request);
        let steps = responses
            .map(|response| Step::Response(Box::new(response)))
            .chain(stream::once(async { Step::End }));
        self.operations.insert(id, steps.boxed());
        Ok(())
    }

    /// Writes what an operation brought. A response without data ends it: that is the protocol's `error`.
    async fn bring(&mut self, id: &str, step: Step) -> Flow {
        match step {
            Step::End => {
                self.operations.remove(id);
                self.send(&ServerMessage::Complete { id }).await
            }
            Step::Response(response) if response.is_err() && response.data == Value::Null => {
                self.operations.remove(id);
                let payload = &response.errors;
                self.send(&ServerMessage::Error { id, payload }).await
            }
            Step::Response(response) => {
                let payload = &response;
                self.send(&ServerMessage::Next { id, payload }).await
            }
        }
    }

    async fn check(&mut self) -> Flow {
        if !self.admitted && self.opened.elapsed() >= INIT_TIMEOUT {
            return Err(Some(Close::NOT_INITIALISED));
        }
        if self.heard.elapsed() >= SILENCE_MAX {
            return Err(Some(Close::SILENT));
        }
        self.write(Message::Ping(axum::body::Bytes::new())).await
    }

    async fn send(&mut self, message: &ServerMessage<'_>) -> Flow {
        let text = serde_json::to_string(message).map_err(|_| Some(Close::INTERNAL))?;
        self.write(Message::Text(text.into())).await
    }

    async fn write(&mut self, message: Message) -> Flow {
        match timeout(SEND_TIMEOUT, self.sink.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(None),
        }
    }
}
