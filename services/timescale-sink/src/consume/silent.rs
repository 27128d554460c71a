//! Partitions that hold records and don't deliver them: a batch that is damaged is fetched again and again.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;
use tracing::{error, info};
use wattline_stream::silence;

use super::Consuming;
use super::place::{Place, Wanted};
use crate::metrics::{ErrorClass, Stage};

/// The client's statistics are seldom younger.
const LISTEN_EVERY: Duration = Duration::from_secs(1);

// === impl Consuming ===

impl Consuming {
    /// A partition that has been silent for a minute makes the process not ready, and is claimed anew: what is damaged may
    /// have been cured, or given up, since.
    pub(super) fn listen(&mut self, now: Instant) {
        if self.state.listened.is_some_and(|at| now.duration_since(at) < LISTEN_EVERY) {
            return;
        }
        self.state.listened = Some(now);
        let (mut silent, mut over) = (Vec::new(), Vec::new());
        for (partition, held) in &mut self.state.held {
            let Place::Reading(Wanted { next, .. }) = held.place else { continue };
            if held.missing.is_some_and(|from| from < next) {
                held.missing = None;
                over.push(*partition);
            }
            // Nothing is wanted of a paused one.
            let fetching =
                (!self.state.paused).then(|| self.consumer.context().fetching(*partition)).flatten();
            if let Some(from) = held.silence.look(fetching, now) {
                held.missing = Some(from);
                silent.push((*partition, from));
            }
        }
        for partition in over {
            info!(?partition, "{:?} {} delivers again", partition.stream, partition.number);
            self.health.silent(partition, None);
            self.metrics.partitions_stopped.set(self.health.stopped_count());
        }
        for (partition, from) in silent {
            let why = silence::silent(self.topics.of(partition.stream), partition.number, from);
            error!(?partition, "{why}");
            self.metrics.error(Stage::Consuming, ErrorClass::Stop);
            self.health.silent(partition, Some(why));
            self.metrics.partitions_stopped.set(self.health.stopped_count());
            self.claim(partition, false);
        }
    }
}
