//! The admin server: `/livez`, `/readyz`, `/metrics`. Live never depends on other systems; ready means that
//! work can be accepted and finished.

use std::net::SocketAddr;

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tracing::error;

use crate::Context;

/// The bound, not yet serving admin server.
#[derive(Debug)]
pub struct Admin {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
}

/// Binds the admin server.
///
/// # Errors
/// Where the address can't be bound.
pub async fn bind(listen: SocketAddr, context: &Context) -> anyhow::Result<Admin> {
    let listener = TcpListener::bind(listen).await.with_context(|| {
        format!("cannot listen on {listen} (service.admin_listen): is the port taken by another process?")
    })?;
    let address = listener.local_addr().context("the listener has no address")?;
    let router = Router::new()
        .route("/livez", get(|| async { "live\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(context.clone());
    Ok(Admin { listener, address, router })
}

// === impl Admin ===

impl Admin {
    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until it is dropped.
    pub async fn serve(self) {
        if let Err(error) = axum::serve(self.listener, self.router).await {
            error!(%error, "the admin server on {} has ended: {error}", self.address);
        }
    }
}

async fn readyz(State(context): State<Context>) -> Response {
    let missing = context.ready.missing();
    if missing.is_empty() {
        let reduced: String =
            context.ready.reduced().iter().map(|what| format!("without {what}\n")).collect();
        return format!("ready\n{reduced}").into_response();
    }
    let body = format!("not ready\n{}\n", missing.join("\n"));
    (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
}

async fn metrics(State(context): State<Context>) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match context.metrics.encode() {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;

    /// Status, headers and body of one GET.
    async fn get(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn served(context: &Context) -> SocketAddr {
        let admin = bind(SocketAddr::from(([127, 0, 0, 1], 0)), context).await.unwrap();
        let address = admin.address();
        tokio::spawn(admin.serve());
        address
    }

    #[tokio::test]
    async fn live_says_nothing_of_other_systems() {
        let context = Context::new("test");
        let address = served(&context).await;
        let kafka = context.ready.condition("kafka", "not connected yet");
        let answer = get(address, "/livez").await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("live\n"), "{answer}");
        drop(kafka);
    }

    #[tokio::test]
    async fn ready_lists_what_is_missing_and_what_is_reduced() {
        let context = Context::new("test");
        let address = served(&context).await;
        let answer = get(address, "/readyz").await;
        assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("start: not begun"), "{answer}");
        let kafka = context.ready.condition("kafka", "not connected yet");
        let database = context.ready.condition("database", "refused");
        let answer = get(address, "/readyz").await;
        let said = "not ready\ndatabase: refused\nkafka: not connected yet\n";
        assert!(answer.starts_with("HTTP/1.1 503") && answer.ends_with(said), "{answer}");
        kafka.holds();
        database.holds_without("the replica");
        let answer = get(address, "/readyz").await;
        let said = "ready\nwithout database: the replica\n";
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with(said), "{answer}");
    }

    #[tokio::test]
    async fn metrics_are_open_metrics() {
        let answer = get(served(&Context::new("test")).await, "/metrics").await;
        assert!(answer.contains("content-type: application/openmetrics-text"), "{answer}");
        assert!(
            answer.contains("wattline_build{program=\"test\"") && answer.ends_with("# EOF\n"),
            "{answer}"
        );
    }

    #[tokio::test]
    async fn what_is_not_there_is_not_found() {
        let answer = get(served(&Context::new("test")).await, "/").await;
        assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_named_with_its_setting() {
        let context = Context::new("test");
        let taken = served(&context).await;
        let error = format!("{:#}", bind(taken, &context).await.unwrap_err());
        for part in ["service.admin_listen", &taken.to_string(), "another process"] {
            assert!(error.contains(part), "{error}");
        }
    }
}
