//! A collector that takes spans by OTLP over HTTP and throws them away: what traces cost a service is measured against it, not
//! against what a real one does with them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::info;

/// What came.
#[derive(Debug, Default)]
pub struct Received {
    /// Requests.
    pub requests: AtomicU64,
    /// Bytes of their bodies.
    pub bytes: AtomicU64,
}

/// Takes spans at `listen` until `stop`, and says how many bytes there were.
///
/// # Errors
/// Where the address can't be listened at.
pub async fn run(listen: SocketAddr, stop: CancellationToken) -> anyhow::Result<()> {
    let listener =
        TcpListener::bind(listen).await.with_context(|| format!("listening at {listen} (--listen)"))?;
    let received = Arc::new(Received::default());
    serve(listener, Arc::clone(&received), stop).await?;
    let (requests, bytes) = (&received.requests, &received.bytes);
    info!("{} exports, {} bytes", requests.load(Ordering::Relaxed), bytes.load(Ordering::Relaxed));
    Ok(())
}

/// The same on a listener, counted in `received`.
///
/// # Errors
/// Where the server ends by itself.
pub async fn serve(
    listener: TcpListener,
    received: Arc<Received>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let take = async |State(received): State<Arc<Received>>, body: Bytes| {
        received.requests.fetch_add(1, Ordering::Relaxed);
        received.bytes.fetch_add(u64::try_from(body.len()).unwrap_or(u64::MAX), Ordering::Relaxed);
        // An empty message of protobuf: all were taken.
        Vec::<u8>::new()
    };
    let router = Router::new().route("/v1/traces", post(take)).with_state(received);
    axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await.context("serving OTLP")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn exports_are_counted_and_answered() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1/traces", listener.local_addr().unwrap());
        let (received, stop) = (Arc::new(Received::default()), CancellationToken::new());
        let server = tokio::spawn(serve(listener, Arc::clone(&received), stop.clone()));
        let client = reqwest::Client::new();
        for _ in 0..3 {
            let answer = client.post(&url).body(vec![7_u8; 100]).send().await.unwrap();
            assert!(answer.status().is_success());
            assert!(answer.bytes().await.unwrap().is_empty());
        }
        let wrong = client.post(url.replace("traces", "metrics")).send().await.unwrap();
        assert_eq!(wrong.status(), 404);
        drop(client);
        stop.cancel();
        server.await.unwrap().unwrap();
        assert_eq!(
            (received.requests.load(Ordering::Relaxed), received.bytes.load(Ordering::Relaxed)),
            (3, 300)
        );
    }
}
