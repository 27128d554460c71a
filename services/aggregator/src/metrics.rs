//! The service's metrics.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

/// All of them, registered once.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    /// Records read.
    pub(crate) consumed: Counter,
    /// Records whose key or value says no meter and time.
    pub(crate) undecodable: Counter,
    /// Transactions, by work and outcome.
    pub(crate) transactions: Family<WorkLabels, Counter>,
    /// How long they took.
    pub(crate) transaction_seconds: Histogram,
    /// Buckets written or deleted, because they were other than stored.
    pub(crate) buckets_changed: Counter,
    /// Buckets recomputed, changed or not.
    pub(crate) buckets_computed: Counter,
    /// Marks written to the table `recompute`.
    pub(crate) spilled: Counter,
    /// Ranges of the table `recompute` that are done.
    pub(crate) back_filled: Counter,
    /// Changed rows below the line, where buckets are final.
    pub(crate) late_final: Counter,
    /// Records that Kafka deleted before they were read.
    pub(crate) lost: Counter,
    /// Kafka clients that ended for good and were replaced.
    pub(crate) clients_ended: Counter,
    /// Marks in memory.
    pub(crate) marks: Gauge,
    /// Partitions owned.
    pub(crate) partitions_owned: Gauge,
    /// Partitions that a person must look at.
    pub(crate) partitions_stopped: Gauge,
    /// Records read ahead of the sink.
    pub(crate) ahead_records: Gauge,
    /// Records between the own offset and what was read.
    pub(crate) behind_records: Gauge,
    /// How long ago the sink had stored a record that the rollups don't have yet, in s.
    pub(crate) behind_seconds: Gauge<f64, AtomicU64>,
    /// Rows in the table `recompute`.
    pub(crate) recompute_rows: Gauge,
    /// Buckets compared with a recomputation.
    pub(crate) audited: Counter,
    /// Buckets that were not equal to their recomputation: must stay 0.
    pub(crate) mismatches: Counter,
}

/// What a transaction was for, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct WorkLabels {
    /// `live`, `back_fill`, `advance`.
    pub(crate) work: &'static str,
    /// `committed`, `again`, `failed`.
    pub(crate) outcome: &'static str,
}

// === impl Metrics ===

impl Metrics {
    /// Registers them.
    #[must_use]
    pub(crate) fn register(service: &wattline_service::Metrics) -> Self {
        let metrics = Self {
            consumed: Counter::default(),
            undecodable: Counter::default(),
            transactions: Family::default(),
            transaction_seconds: Histogram::new([0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 20.0]),
            buckets_changed: Counter::default(),
            buckets_computed: Counter::default(),
            spilled: Counter::default(),
            back_filled: Counter::default(),
            late_final: Counter::default(),
            lost: Counter::default(),
            clients_ended: Counter::default(),
            marks: Gauge::default(),
            partitions_owned: Gauge::default(),
            partitions_stopped: Gauge::default(),
            ahead_records: Gauge::default(),
            behind_records: Gauge::default(),
            behind_seconds: Gauge::default(),
            recompute_rows: Gauge::default(),
            audited: Counter::default(),
            mismatches: Counter::default(),
        };
        // A counter that appears with its first event hides that event from `rate()`: all are there from the start.
        for work in ["live", "back_fill", "advance"] {
            for outcome in ["committed", "again", "failed"] {
                let _ = metrics.transactions.get_or_create(&WorkLabels { work, outcome });
            }
        }
        metrics.register_counters(service);
        metrics.register_gauges(service);
        metrics
    }

    fn register_counters(&self, service: &wattline_service::Metrics) {
        service.register(|registry| {
            for (name, help, counter) in [
                ("records_consumed", "Records read", &self.consumed),
                ("records_undecodable", "Records without meter or time", &self.undecodable),
                ("buckets_computed", "Buckets recomputed", &self.buckets_computed),
                ("buckets_changed", "Buckets written or deleted", &self.buckets_changed),
                ("marks_spilled", "Marks written to the table recompute", &self.spilled),
                ("back_filled", "Ranges of the table recompute that are done", &self.back_filled),
                ("late_final", "Changes below the line, where buckets are final", &self.late_final),
                ("records_lost", "Records that Kafka deleted before they were read", &self.lost),
                ("clients_ended", "Kafka clients that ended for good and were replaced", &self.clients_ended),
                ("buckets_audited", "Buckets compared with a recomputation", &self.audited),
            ] {
                registry.register(name, help, counter.clone());
            }
            registry.register("transactions", "Transactions, by work and outcome", self.transactions.clone());
            registry.register_with_unit(
                "transaction",
                "Duration of transactions",
                wattline_service::metrics::SECONDS,
                self.transaction_seconds.clone(),
            );
        });
        service.register_shared(|registry| {
            registry.register(
                "rollup_mismatch",
                "Buckets that were not equal to their recomputation: must stay 0",
                self.mismatches.clone(),
            );
        });
    }

    fn register_gauges(&self, service: &wattline_service::Metrics) {
        service.register(|registry| {
            for (name, help, gauge) in [
                ("marks", "Marks in memory", &self.marks),
                ("partitions_owned", "Partitions owned", &self.partitions_owned),
                ("partitions_stopped", "Partitions that a person must look at", &self.partitions_stopped),
                ("ahead_records", "Records read ahead of the sink", &self.ahead_records),
                ("behind_records", "Records read whose marks are not done", &self.behind_records),
                ("recompute_rows", "Rows in the table recompute", &self.recompute_rows),
            ] {
                registry.register(name, help, gauge.clone());
            }
            registry.register_with_unit(
                "behind",
                "How long ago a record was stored that the rollups don't have yet; of the worst partition",
                wattline_service::metrics::SECONDS,
                self.behind_seconds.clone(),
            );
        });
    }

    /// Counts a transaction.
    pub(crate) fn count(&self, work: &'static str, outcome: &'static str) {
        self.transactions.get_or_create(&WorkLabels { work, outcome }).inc();
    }
}
