//! Where a story asks and tells: `GET /progress`, `POST /mark`, `POST /end`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::Context as _;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::figures::{Marks, SoFar};
use crate::gap::Gaps;
use crate::publish::Progress;

/// What the answers are made of.
pub(super) struct Shared {
    progress: Arc<Progress>,
    gaps: Arc<Gaps>,
    stored_before: u64,
    /// Nothing new is published.
    pub(super) settling: AtomicBool,
    /// It is to end.
    pub(super) end: CancellationToken,
}

// === impl Shared ===

impl Shared {
    pub(super) fn new(
        progress: &Arc<Progress>,
        gaps: &Arc<Gaps>,
        stored_before: u64,
        end: CancellationToken,
    ) -> Self {
        let (progress, gaps) = (Arc::clone(progress), Arc::clone(gaps));
        Self { progress, gaps, stored_before, settling: AtomicBool::new(false), end }
    }

    fn so_far(&self) -> SoFar {
        let stored = self.gaps.stored_records().unwrap_or(self.stored_before);
        SoFar {
            settling: self.settling.load(Ordering::Relaxed),
            published: self.progress.published.load(Ordering::Relaxed),
            acknowledged: self.progress.acknowledged.load(Ordering::Relaxed),
            stored: stored.saturating_sub(self.stored_before),
            gaps: self.gaps.so_far(Instant::now()).into(),
        }
    }
}

/// Answers until `closed` is cancelled.
pub(super) async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    closed: CancellationToken,
) -> anyhow::Result<()> {
    let router = Router::new()
        .route("/progress", get(progress))
        .route("/mark", post(mark))
        .route("/end", post(end))
        .with_state(shared);
    axum::serve(listener, router)
        .with_graceful_shutdown(closed.cancelled_owned())
        .await
        .context("serving /progress, /mark and /end")
}

async fn progress(State(shared): State<Arc<Shared>>) -> Json<SoFar> {
    Json(shared.so_far())
}

async fn mark(State(shared): State<Arc<Shared>>) -> Json<Marks> {
    Json(shared.gaps.mark(Instant::now()).into())
}

/// Answers at once: waiting until everything is stored takes as long as it takes.
async fn end(State(shared): State<Arc<Shared>>) -> (StatusCode, Json<SoFar>) {
    shared.end.cancel();
    (StatusCode::ACCEPTED, Json(shared.so_far()))
}
