//! What query-api counts. Names begin with `wattline_query_api_`.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use wattline_service::metrics::SECONDS;

/// All metrics of the service.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Queries by how they ended.
    pub queries: Family<QueryLabels, Counter>,
    /// How long queries took, by the dearest thing that they ask.
    pub query_duration: Family<KindLabels, Histogram, fn() -> Histogram>,
    /// HTTP requests that were refused before they reached GraphQL.
    pub refused: Family<RefusedLabels, Counter>,
    /// Open WebSockets.
    pub sockets: Gauge,
    /// Running live subscriptions.
    pub subscriptions: Gauge,
    /// Events sent to subscribers.
    pub events: Family<EventLabels, Counter>,
    /// Readings that slow subscribers lost.
    pub lost_readings: Counter,
    /// Records read from Kafka.
    pub tail_records: Counter,
    /// Records that are no reading.
    pub tail_undecodable: Counter,
    /// Records whose partition is not the one that their key decides.
    pub tail_misplaced: Counter,
    /// Times that the tail had to begin anew.
    pub tail_restarts: Counter,
    /// Records in Kafka that the tail has not read yet; -1 when Kafka does not say.
    pub tail_lag: Gauge,
    /// Readings in the ring.
    pub ring_readings: Gauge,
    /// Memory of the ring.
    pub ring_bytes: Gauge,
    /// Age of the newest reading when the tail got it: arrival at mqtt-ingest to here, in seconds.
    pub tail_delay: Gauge<f64, AtomicU64>,
}

/// Labels of [`Metrics::queries`].
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub struct QueryLabels {
    /// How it ended.
    pub outcome: &'static str,
}

/// Labels of [`Metrics::query_duration`].
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub struct KindLabels {
    /// `energy`, `readings`, `meters` or `other`.
    pub kind: &'static str,
}

/// Labels of [`Metrics::refused`].
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub struct RefusedLabels {
    /// Why.
    pub reason: &'static str,
}

/// Labels of [`Metrics::events`].
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub struct EventLabels {
    /// Kind of the event.
    pub kind: &'static str,
}

// === impl Metrics ===

impl Metrics {
    /// Registers them all.
    #[must_use]
    pub fn new(registry: &wattline_service::Metrics) -> Self {
        let metrics = Self::default();
        metrics.begin_at_zero();
        registry.register(|registry| metrics.register(registry));
        metrics
    }

    /// A counter that appears with its first event hides that event from `rate()`: all are there from the start.
    fn begin_at_zero(&self) {
        for outcome in ["ok", "client_error", "server_error"] {
            let _ = self.queries.get_or_create(&QueryLabels { outcome });
        }
        for kind in ["energy", "readings", "meters", "other"] {
            let _ = self.query_duration.get_or_create(&KindLabels { kind });
        }
        for reason in ["token", "origin", "host", "body", "content_type", "busy", "sockets", "encoding"] {
            let _ = self.refused.get_or_create(&RefusedLabels { reason });
        }
        for kind in ["snapshot", "reading", "lagged", "history_changed", "heartbeat", "reset"] {
            let _ = self.events.get_or_create(&EventLabels { kind });
        }
    }

    fn register(&self, registry: &mut Registry) {
        let this = self.clone();
        registry.register("queries", "Queries by how they ended", this.queries);
        let unit = SECONDS;
        registry.register_with_unit(
            "query_duration",
            "How long queries took, by the dearest thing they ask",
            unit,
            this.query_duration,
        );
        registry.register("refused", "HTTP requests refused before GraphQL", this.refused);
        registry.register("sockets", "Open WebSockets", this.sockets);
        registry.register("subscriptions", "Running live subscriptions", this.subscriptions);
        registry.register("live_events", "Events sent to subscribers", this.events);
        registry.register("live_lost_readings", "Readings that slow subscribers lost", this.lost_readings);
        registry.register("tail_records", "Records read from Kafka", this.tail_records);
        registry.register("tail_undecodable", "Records that are no reading", this.tail_undecodable);
        registry.register(
            "tail_misplaced",
            "Records in another partition than their key's",
            this.tail_misplaced,
        );
        registry.register("tail_restarts", "Times that the tail had to begin anew", this.tail_restarts);
        registry.register("tail_lag_records", "Records not read yet; -1: unknown", this.tail_lag);
        registry.register("ring_readings", "Readings in the ring", this.ring_readings);
        registry.register("ring_used_bytes", "Memory of the ring", this.ring_bytes);
        let help = "From arrival at mqtt-ingest to here, of the newest reading";
        registry.register_with_unit("tail_delay", help, SECONDS, this.tail_delay);
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            queries: Family::default(),
            query_duration: Family::new_with_constructor(query_duration),
            refused: Family::default(),
            sockets: Gauge::default(),
            subscriptions: Gauge::default(),
            events: Family::default(),
            lost_readings: Counter::default(),
            tail_records: Counter::default(),
            tail_undecodable: Counter::default(),
            tail_misplaced: Counter::default(),
            tail_restarts: Counter::default(),
            tail_lag: Gauge::default(),
            ring_readings: Gauge::default(),
            ring_bytes: Gauge::default(),
            tail_delay: Gauge::default(),
        }
    }
}

fn query_duration() -> Histogram {
    Histogram::new([0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0])
}
