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
