//! The configuration; `config/timescale-sink.toml` is a sample with every setting.

use std::path::PathBuf;

use anyhow::ensure;
use documented::{Documented, DocumentedFields};
use serde::{Deserialize, Serialize};
use wattline_reading::topics;
use wattline_service::config::{Sample, Section, absent_if_empty};
use wattline_service::{DatabaseSettings, KafkaSettings, ServiceConfig, ServiceSettings, TraceSettings};

/// timescale-sink: Kafka to TimescaleDB, each reading once.
#[derive(Clone, Debug, Deserialize, Documented, DocumentedFields, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What all services have.
    pub service: ServiceSettings,
    /// Where its traces go.
    pub traces: TraceSettings,
    /// The Kafka cluster.
    pub kafka: KafkaSettings,
    /// The database.
    pub database: DatabaseSettings,
    /// What is consumed, and how.
    pub input: InputSettings,
    /// When a batch is written.
    pub batch: BatchSettings,
    /// Who may be registered, and how fast.
    pub meters: MeterSettings,
    /// How the database is written to.
    pub store: StoreSettings,
}

/// Section `[input]`.
#[derive(Clone, Debug, Deserialize, DocumentedFields, PartialEq, Eq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct InputSettings {
    /// The consumer group. Its offsets are only a hint: the truth is table `stream_offset`.
    pub group: String,
    /// The topic of readings.
    pub readings_topic: String,
    /// The topic of dead letters.
    pub dead_letters_topic: String,
    /// A member that was silent for so long loses its partitions, in ms. Longer than a group is without a coordinator when
    /// its broker is lost (9 s until it is taken for dead, and some more): a member whose own session ends meanwhile is
    /// fenced by its second joining, and needs a new client.
    pub session_timeout_ms: u32,
    /// Records that the Kafka client holds ahead of a writer, in KiB.
    pub queue_kib_max: u32,
    /// How often it is checked that the topics are still the same ones, in ms.
    pub identity_check_ms: u64,
}

/// Section `[batch]`.
#[derive(Clone, Debug, Deserialize, DocumentedFields, PartialEq, Eq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct BatchSettings {
    /// Writers in this process: each is a member of the group, with a database connection of its own.
    pub writers: usize,
    /// A batch is written when it has so many records,
    pub rows_max: usize,
    /// or so many bytes of payload,
    pub bytes_max: usize,
    /// or when its first record is so old, in ms.
    pub linger_ms: u64,
}

/// Section `[meters]`.
#[derive(Clone, Debug, Deserialize, DocumentedFields, PartialEq, Eq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct MeterSettings {
    /// New meters in a minute, per process; of one prefix of ids (all before the last slash) at most a quarter of it.
    /// Readings of more become dead letters (`meter_budget`), which can be replayed: raise it before a large installation.
    pub new_per_minute_max: u32,
    /// File with the meter ids that may be registered, one a line. Empty: all may. Readings of others become dead letters
    /// (`meter_refused`).
    #[serde(deserialize_with = "absent_if_empty")]
    pub allow_file: Option<PathBuf>,
}

/// Section `[store]`.
#[derive(Clone, Debug, Deserialize, DocumentedFields, PartialEq, Eq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreSettings {
    /// How long a writer waits for a row lock before it ends the connection that holds it, in ms.
    pub lock_timeout_ms: u64,
    /// How long one batch may take before its connection is given up, in ms.
    pub flush_timeout_ms: u64,
    /// When a stopped partition is tried again, in ms.
    pub retry_stopped_ms: u64,
    /// More refused rows than this in one batch stop the partition: then it isn't the rows that are wrong.
    pub refused_rows_max: usize,
}

// === impl Config ===

impl ServiceConfig for Config {
    fn service(&self) -> &ServiceSettings {
        &self.service
    }

    fn traces(&self) -> &TraceSettings {
        &self.traces
    }

    fn validate(&self) -> anyhow::Result<()> {
        let Self { input, batch, .. } = self;
        for (name, value) in [
            ("input.group", &input.group),
            ("input.readings_topic", &input.readings_topic),
            ("input.dead_letters_topic", &input.dead_letters_topic),
        ] {
            ensure!(!value.is_empty(), "{name} is empty: leave it out to have its default");
        }
        ensure!(
            input.readings_topic != input.dead_letters_topic,
            "input.readings_topic and input.dead_letters_topic are both {}: they must differ",
            input.readings_topic
        );
        for (name, value, low, high) in [
            ("batch.writers", batch.writers, 1, 16),
            ("batch.rows_max", batch.rows_max, 1, 100_000),
            ("batch.bytes_max", batch.bytes_max, 1024, 64 * 1024 * 1024),
            ("store.refused_rows_max", self.store.refused_rows_max, 0, 100_000),
        ] {
            ensure!((low..=high).contains(&value), "{name} is {value}, must be {low} to {high}");
        }
        for (name, value, low, high) in [
            ("input.session_timeout_ms", u64::from(input.session_timeout_ms), 1000, 300_000),
            ("input.queue_kib_max", u64::from(input.queue_kib_max), 1024, 1_048_576),
            ("input.identity_check_ms", input.identity_check_ms, 100, 3_600_000),
            ("batch.linger_ms", batch.linger_ms, 1, 60_000),
            ("meters.new_per_minute_max", u64::from(self.meters.new_per_minute_max), 1, 100_000_000),
            ("store.lock_timeout_ms", self.store.lock_timeout_ms, 100, 60_000),
            ("store.flush_timeout_ms", self.store.flush_timeout_ms, 1000, 3_600_000),
            ("store.retry_stopped_ms", self.store.retry_stopped_ms, 100, 3_600_000),
        ] {
            ensure!((low..=high).contains(&value), "{name} is {value}, must be {low} to {high}");
        }
        Ok(())
    }
}

impl Sample for Config {
    const SECTIONS: &'static [Section] = &[
        Section::of::<ServiceSettings>("service"),
        Section::of::<TraceSettings>("traces"),
        Section::of::<KafkaSettings>("kafka"),
        Section::of::<DatabaseSettings>("database"),
        Section::of::<InputSettings>("input"),
        Section::of::<BatchSettings>("batch"),
        Section::of::<MeterSettings>("meters"),
        Section::of::<StoreSettings>("store"),
    ];
}

impl Default for Config {
    fn default() -> Self {
        Self {
            service: ServiceSettings::with_admin_port(9402),
            traces: TraceSettings::default(),
            kafka: KafkaSettings::default(),
            database: DatabaseSettings::with_role("wattline_sink"),
            input: InputSettings::default(),
            batch: BatchSettings::default(),
            meters: MeterSettings::default(),
            store: StoreSettings::default(),
        }
    }
}

impl Default for InputSettings {
    fn default() -> Self {
        Self {
            group: "wattline-timescale-sink".to_owned(),
            readings_topic: topics::READINGS.name.to_owned(),
            dead_letters_topic: topics::DEAD_LETTERS.name.to_owned(),
            session_timeout_ms: 15_000,
            queue_kib_max: 16_384,
            identity_check_ms: 10_000,
        }
    }
}

impl Default for BatchSettings {
    fn default() -> Self {
        Self { writers: 2, rows_max: 10_000, bytes_max: 4 * 1024 * 1024, linger_ms: 200 }
    }
}

impl Default for MeterSettings {
    fn default() -> Self {
        Self { new_per_minute_max: 1000, allow_file: None }
    }
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            lock_timeout_ms: 5000,
            flush_timeout_ms: 120_000,
            retry_stopped_ms: 30_000,
            refused_rows_max: 100,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_out_of_range_is_named() {
        let environment = [("WATTLINE__BATCH__WRITERS".to_owned(), "0".to_owned())].into();
        let error = wattline_service::config::load_from::<Config>(None, environment).unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains("batch.writers is 0, must be 1 to 16"), "{error}");
    }
}
