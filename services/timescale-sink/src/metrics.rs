//! Metrics. What became of records is read from the outcome rows, which the batch's own transaction wrote: nothing is
//! counted a second time here, so a crash can't make the two differ.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use wattline_service::LagClock;
use wattline_service::metrics::SECONDS;

use wattline_stream::{Partition, Stream};

use crate::outcome::Outcome;

/// All metrics of timescale-sink, prefixed `wattline_timescale_sink_`.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    records: Family<OutcomeLabels, Counter>,
    first_offset: Family<PartitionLabels, Gauge<i64, AtomicI64>>,
    next_offset: Family<PartitionLabels, Gauge<i64, AtomicI64>>,
    lag: Family<PartitionLabels, Gauge<i64, AtomicI64>>,
    lag_seconds: Family<PartitionLabels, Gauge<f64, AtomicU64>>,
    lag_clocks: Arc<Mutex<HashMap<Partition, LagClock>>>,
    /// Behind the last record that a writer got.
    handed_over: Arc<Mutex<HashMap<Partition, i64>>>,
    /// Batches, by how the rows got into the table.
    pub(crate) batches: Family<WayLabels, Counter>,
    /// Tries that failed, by what was being done and the class of the error.
    pub(crate) errors: Family<ErrorLabels, Counter>,
    /// Time of one committed transaction.
    pub(crate) write_seconds: Histogram,
    /// Records in a batch.
    pub(crate) batch_records: Histogram,
    /// From a batch's oldest arrival to its commit.
    pub(crate) delay_seconds: Histogram,
    /// Records that were read again and are stored already.
    pub(crate) skipped: Counter,
    /// Times that a partition's offsets were read again and its consumer moved there.
    pub(crate) seeks: Counter,
    /// Connections ended because they held an offset row that this writer owns.
    pub(crate) blockers_ended: Counter,
    clock_measured: Family<ClockLabels, Counter>,
    /// Meters registered by this process.
    pub(crate) meters_registered: Counter,
    /// New meters that were not registered because too many came at once.
    pub(crate) meters_over_budget: Counter,
    /// Meters that the last writer to look knows.
    pub(crate) meters_known: Gauge,
    /// Partitions that this process holds.
    pub(crate) partitions_assigned: Gauge,
    /// Partitions that wait for a person.
    pub(crate) partitions_stopped: Gauge,
}

/// How rows get into the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Way {
    /// COPY straight into the hypertable, for rows that it can't have yet.
    Copy,
    /// A temporary table and `INSERT … ON CONFLICT`, after a look at all instants of the batch.
    Upsert,
    /// The same for ever smaller ranges, to find the records that the database refuses.
    Bisect,
}

/// What the sink was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum Stage {
    Consuming,
    Claiming,
    Writing,
}

/// The class of an error, see `failure`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum ErrorClass {
    Transient,
    Data,
    Stop,
    Fenced,
}

/// Labels of an error.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ErrorLabels {
    pub(crate) stage: Stage,
    pub(crate) class: ErrorClass,
}

/// Labels of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct WayLabels {
    pub(crate) way: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClockLabels {
    clock: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PartitionLabels {
    stream: &'static str,
    partition: i32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    stream: &'static str,
    partition: i32,
    outcome: &'static str,
}

const OUTCOMES: [&str; 8] =
    ["stored", "merged", "duplicate", "conflict", "dead_lettered", "absent", "lost", "possible_duplicate"];

// === impl Metrics ===

impl Metrics {
    /// Registers them.
    #[must_use]
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::new();
        metrics.begin_at_zero();
        let m = metrics.clone();
        registry.register("records", "Records by outcome, since the partition's first offset", m.records);
        registry.register("first_offset", "Where the account of records begins", m.first_offset);
        registry.register("next_offset", "The next record to be stored", m.next_offset);
        registry.register("lag_records", "Records in Kafka that are not stored yet", m.lag);
        registry.register_with_unit(
            "lag",
            "How long ago Kafka had a record that is not stored yet; 0 while the sink keeps up",
            SECONDS,
            m.lag_seconds,
        );
        registry.register("batches", "Batches committed, by how rows got into the table", m.batches);
        registry.register("errors", "Failed tries, by stage and class", m.errors);
        registry.register_with_unit("write", "Time of a committed transaction", SECONDS, m.write_seconds);
        registry.register("batch_records", "Records in a committed batch", m.batch_records);
        registry.register_with_unit(
            "delay",
            "From the oldest arrival in a batch to its commit",
            SECONDS,
            m.delay_seconds,
        );
        registry.register("skipped", "Records read again that are stored already", m.skipped);
        registry.register("seeks", "Partitions moved to the database's offset", m.seeks);
        registry.register(
            "blockers_ended",
            "Connections ended because they held an offset row of a partition that this process owns",
            m.blockers_ended,
        );
        registry.register(
            "clock_measured",
            "Measurements of meters' clocks, by how far they are off; one a minute and meter",
            m.clock_measured,
        );
        registry.register("meters_registered", "Meters registered", m.meters_registered);
        registry.register(
            "meters_over_budget",
            "New meters that were not registered because too many came at once",
            m.meters_over_budget,
        );
        registry.register("meters_known", "Meters that the last writer to look knows", m.meters_known);
        registry.register("partitions_assigned", "Partitions held", m.partitions_assigned);
        registry.register("partitions_stopped", "Partitions that wait for a person", m.partitions_stopped);
        metrics
    }

    fn new() -> Self {
        Self {
            records: Family::default(),
            first_offset: Family::default(),
            next_offset: Family::default(),
            lag: Family::default(),
            lag_seconds: Family::default(),
            lag_clocks: Arc::default(),
            handed_over: Arc::default(),
            batches: Family::default(),
            errors: Family::default(),
            write_seconds: Histogram::new(exponential_buckets(0.002, 2.0, 14)),
            batch_records: Histogram::new(exponential_buckets(1.0, 4.0, 9)),
            delay_seconds: Histogram::new(exponential_buckets(0.05, 2.0, 16)),
            skipped: Counter::default(),
            seeks: Counter::default(),
            blockers_ended: Counter::default(),
            clock_measured: Family::default(),
            meters_registered: Counter::default(),
            meters_over_budget: Counter::default(),
            meters_known: Gauge::default(),
            partitions_assigned: Gauge::default(),
            partitions_stopped: Gauge::default(),
        }
    }

    /// A counter that appears with its first event hides that event from `rate()`: all are there from the start.
    fn begin_at_zero(&self) {
        for way in [Way::Copy, Way::Upsert] {
            let _ = self.batches.get_or_create(&WayLabels { way: way.as_str() });
        }
        for clock in ["far_ahead", "ahead", "right", "behind", "far_behind"] {
            let _ = self.clock_measured.get_or_create(&ClockLabels { clock });
        }
        for stage in [Stage::Consuming, Stage::Claiming, Stage::Writing] {
            for class in [ErrorClass::Transient, ErrorClass::Data, ErrorClass::Stop, ErrorClass::Fenced] {
                let _ = self.errors.get_or_create(&ErrorLabels { stage, class });
            }
        }
    }

    /// What a partition's outcomes are after a commit.
    pub(crate) fn outcome(&self, row: &Outcome) {
        let (stream, partition) = (name(row.partition.stream), row.partition.number);
        let counts = &row.counts;
        let values = [
            counts.stored,
            counts.merged,
            counts.duplicate,
            counts.conflict,
            counts.dead_lettered,
            counts.absent,
            row.lost,
            counts.possible_duplicate,
        ];
        for (outcome, value) in OUTCOMES.into_iter().zip(values) {
            let labels = OutcomeLabels { stream, partition, outcome };
            let value = u64::try_from(value).unwrap_or(0);
            self.records.get_or_create(&labels).inner().store(value, Ordering::Relaxed);
        }
        // Records that were retracted had an outcome: the account is as much longer.
        let first_offset = row.first_offset - row.retracted;
        self.first_offset.get_or_create(&PartitionLabels { stream, partition }).set(first_offset);
        self.next_offset.get_or_create(&PartitionLabels { stream, partition }).set(row.next_offset);
    }

    /// A batch with records of a partition up to this offset goes to the writer.
    pub(crate) fn handed_over(&self, partition: Partition, next: i64) {
        self.handed_over.lock().insert(partition, next);
    }

    /// Where a partition ends in Kafka; none where there is nothing behind what was handed over.
    pub(crate) fn ends_at(&self, partition: Partition, high_offset: Option<i64>) {
        let labels = labels(partition);
        let next = self.next_offset.get_or_create(&labels).get();
        let end = high_offset.or_else(|| self.handed_over.lock().get(&partition).copied()).unwrap_or(next);
        self.lag.get_or_create(&labels).set((end - next).max(0));
        let lag_s = self.lag_clocks.lock().entry(partition).or_default().look(next, end, Instant::now());
        self.lag_seconds.get_or_create(&labels).set(lag_s);
    }

    /// Another process reports this partition from now on.
    pub(crate) fn forget(&self, partition: Partition) {
        for outcome in OUTCOMES {
            self.records.remove(&OutcomeLabels {
                stream: name(partition.stream),
                partition: partition.number,
                outcome,
            });
        }
        self.first_offset.remove(&labels(partition));
        self.next_offset.remove(&labels(partition));
        self.lag.remove(&labels(partition));
        self.lag_seconds.remove(&labels(partition));
        self.lag_clocks.lock().remove(&partition);
        self.handed_over.lock().remove(&partition);
    }

    /// One measurement of a meter's clock.
    pub(crate) fn clock(&self, clock: &'static str) {
        self.clock_measured.get_or_create(&ClockLabels { clock }).inc();
    }

    /// One failed try.
    pub(crate) fn error(&self, stage: Stage, class: ErrorClass) {
        let _ = self.errors.get_or_create(&ErrorLabels { stage, class }).inc();
    }
}

// === impl Way ===

impl Way {
    /// The label's word.
    #[must_use]
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::Upsert | Self::Bisect => "upsert",
        }
    }
}

fn labels(partition: Partition) -> PartitionLabels {
    PartitionLabels { stream: name(partition.stream), partition: partition.number }
}

const fn name(stream: Stream) -> &'static str {
    match stream {
        Stream::Readings => "readings",
        Stream::DeadLetters => "dead_letters",
    }
}
