//! Live readings: one tail of Kafka per process fills one ring; subscriptions read from it.

mod cursor;
mod memory;
mod ring;
mod subscription;
mod tail;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::config::LiveSettings;
use crate::metrics::Metrics;

pub use cursor::{BadCursor, Cursor};
pub use ring::{Follower, Ring, Taken};
pub use subscription::{Event, LagReason, ResetReason, Subscription};
pub use tail::Tail;

/// What subscriptions share.
#[derive(Debug)]
pub struct Live {
    ring: Arc<Ring>,
    settings: LiveSettings,
    metrics: Metrics,
    /// Which topic of which cluster the ring holds, as a hash; 0: the tail has not begun.
    identity: AtomicU64,
    /// Kafka answers and the tail keeps up.
    up_to_date: AtomicBool,
}

// === impl Live ===

impl Live {
    /// An empty one; a [`Tail`] fills it.
    #[must_use]
    pub fn new(settings: LiveSettings, metrics: Metrics) -> Arc<Self> {
        Arc::new(Self {
            ring: Ring::new(settings.ring_bytes_max, settings.backlog_readings_max),
            settings,
            metrics,
            identity: AtomicU64::new(0),
            up_to_date: AtomicBool::new(false),
        })
    }

    /// Kafka answers and the tail keeps up: what subscribers get is all there is.
    #[must_use]
    pub fn is_up_to_date(&self) -> bool {
        self.up_to_date.load(Ordering::Relaxed)
    }

    fn identity(&self) -> u64 {
        self.identity.load(Ordering::Acquire)
    }
}
