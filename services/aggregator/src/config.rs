//! The configuration; `config/aggregator.toml` is a sample with every setting.

use anyhow::ensure;
use documented::{Documented, DocumentedFields};
use serde::{Deserialize, Serialize};
use wattline_reading::topics;
use wattline_service::config::{Sample, Section};
use wattline_service::{DatabaseSettings, KafkaSettings, ServiceConfig, ServiceSettings, TraceSettings};

use crate::marks::Pace;

/// aggregator: energy of each quarter-hour, recomputed from the readings that changed.
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
    /// What changed, and how long that is kept in memory.
    pub marks: MarkSettings,
    /// How buckets are recomputed.
    pub recompute: RecomputeSettings,
    /// The continuous comparison with a recomputation.
    pub audit: AuditSettings,
}

/// Section `[input]`.
#[derive(Clone, Debug, Deserialize, DocumentedFields, PartialEq, Eq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct InputSettings {
    /// The consumer group. Its offsets are only a hint: the truth is table `stream_offset`.
    pub group: String,
    /// The topic of readings.
    pub readings_topic: String,
    /// A member that was silent for so long loses its partitions, in ms. Longer than a group is without a coordinator when
    /// its broker is lost (9 s until it is taken for dead, and some more): a member whose own session ends meanwhile is
    /// fenced by its second joining, and needs a new client.
    pub session_timeout_ms: u32,
    /// Records that the Kafka client holds ahead, in KiB.
    pub queue_kib_max: u32,
    /// How often it is checked that the topic is still the same one, in ms.
    pub identity_check_ms: u64,
    /// Records, over all partitions of this process, that are read ahead of the sink. Then reading pauses.
    pub ahead_records_max: i64,
}

/// Section `[marks]`.
#[derive(Clone, Debug, Deserialize, DocumentedFields, PartialEq, Eq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct MarkSettings {
    /// How long what changed is gathered before it is recomputed, in ms.
    pub linger_ms: u64,
    /// A meter's open bucket is refreshed at most so often, in ms. One that catches up waits ever longer, at most so long.
    pub open_refresh_ms: u64,
    /// What has been due for longer is written to the table `recompute`, in ms. It bounds how much is read again after a
    /// restart.
    pub spill_after_ms: u64,
    /// With more marks in memory than this (about 150 bytes each), they are written to the table `recompute`.
    pub count_max: usize,
    /// A change over a longer time is a back-fill: it goes to the table `recompute` at once, in s.
    pub live_span_s_max: u32,
}

/// Section `[recompute]`.
#[derive(Clone, Debug, Deserialize, DocumentedFields, PartialEq, Eq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecomputeSettings {
    /// Ranges in one transaction.
    pub group_ranges_max: usize,
    /// How often the sink's offsets are looked at when there is nothing else to do, in ms.
    pub poll_ms: u64,
    /// How often the own offset is advanced, in ms.
    pub advance_ms: u64,
    /// The longest piece of a back-fill in one transaction, in s of its rows' time.
    pub slice_s: u32,
    /// How long to wait for a lock of an offset row before the connection that holds it is ended, in ms.
    pub lock_timeout_ms: u64,
    /// When to try again what needs a person, in ms.
    pub retry_stopped_ms: u64,
}

/// Section `[audit]`.
#[derive(Clone, Debug, Deserialize, DocumentedFields, PartialEq, Eq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditSettings {
    /// How often one day of one meter is compared with a recomputation, in ms. 0: never.
    pub interval_ms: u64,
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
        let Self { input, marks, recompute, .. } = self;
        for (name, value) in [("input.group", &input.group), ("input.readings_topic", &input.readings_topic)]
        {
            ensure!(!value.is_empty(), "{name} is empty: leave it out to have its default");
        }
        for (name, value, low, high) in [
            ("marks.count_max", marks.count_max, 1_000, 10_000_000),
            ("recompute.group_ranges_max", recompute.group_ranges_max, 1, 10_000),
        ] {
            ensure!((low..=high).contains(&value), "{name} is {value}, must be {low} to {high}");
        }
        let ahead = input.ahead_records_max;
        ensure!(
            (1_000..=10_000_000).contains(&ahead),
            "input.ahead_records_max is {ahead}, must be 1000 to 10000000"
        );
        for (name, value, low, high) in [
            ("input.session_timeout_ms", u64::from(input.session_timeout_ms), 1000, 300_000),
            ("input.queue_kib_max", u64::from(input.queue_kib_max), 1024, 1_048_576),
            ("input.identity_check_ms", input.identity_check_ms, 100, 3_600_000),
            ("marks.linger_ms", marks.linger_ms, 0, 60_000),
            ("marks.open_refresh_ms", marks.open_refresh_ms, 0, 900_000),
            ("marks.spill_after_ms", marks.spill_after_ms, 0, 3_600_000),
            ("marks.live_span_s_max", u64::from(marks.live_span_s_max), 900, 30 * 86_400),
            ("recompute.poll_ms", recompute.poll_ms, 10, 60_000),
            ("recompute.advance_ms", recompute.advance_ms, 10, 60_000),
            ("recompute.slice_s", u64::from(recompute.slice_s), 900, 30 * 86_400),
            ("recompute.lock_timeout_ms", recompute.lock_timeout_ms, 100, 60_000),
            ("recompute.retry_stopped_ms", recompute.retry_stopped_ms, 100, 3_600_000),
            ("audit.interval_ms", self.audit.interval_ms, 0, 86_400_000),
        ] {
            ensure!((low..=high).contains(&value), "{name} is {value}, must be {low} to {high}");
        }
        Ok(())
    }
}

impl MarkSettings {
    /// When marks are due.
    #[must_use]
    pub(crate) fn pace(&self) -> Pace {
        Pace {
            linger_ms: self.linger_ms,
            open_refresh_ms: self.open_refresh_ms,
            spill_after_ms: self.spill_after_ms,
            live_span_us: i64::from(self.live_span_s_max) * 1_000_000,
        }
    }
}

impl Sample for Config {
    const SECTIONS: &'static [Section] = &[
        Section::of::<ServiceSettings>("service"),
        Section::of::<TraceSettings>("traces"),
        Section::of::<KafkaSettings>("kafka"),
        Section::of::<DatabaseSettings>("database"),
        Section::of::<InputSettings>("input"),
        Section::of::<MarkSettings>("marks"),
        Section::of::<RecomputeSettings>("recompute"),
        Section::of::<AuditSettings>("audit"),
    ];
}

impl Default for Config {
    fn default() -> Self {
        Self {
            service: ServiceSettings::with_admin_port(9403),
            traces: TraceSettings::default(),
            kafka: KafkaSettings::default(),
            database: DatabaseSettings::with_role("wattline_aggregator"),
            input: InputSettings::default(),
            marks: MarkSettings::default(),
            recompute: RecomputeSettings::default(),
            audit: AuditSettings::default(),
        }
    }
}

impl Default for InputSettings {
    fn default() -> Self {
        Self {
            group: "wattline-aggregator".to_owned(),
            readings_topic: topics::READINGS.name.to_owned(),
            session_timeout_ms: 15_000,
            queue_kib_max: 16_384,
            identity_check_ms: 10_000,
            ahead_records_max: 100_000,
        }
    }
}

impl Default for MarkSettings {
    fn default() -> Self {
        Self {
            linger_ms: 1_000,
            open_refresh_ms: 60_000,
            spill_after_ms: 60_000,
            count_max: 200_000,
            live_span_s_max: 86_400,
        }
    }
}

impl Default for RecomputeSettings {
    fn default() -> Self {
        Self {
            group_ranges_max: 200,
            poll_ms: 200,
            advance_ms: 1_000,
            slice_s: 86_400,
            lock_timeout_ms: 5_000,
            retry_stopped_ms: 30_000,
        }
    }
}

impl Default for AuditSettings {
    fn default() -> Self {
        Self { interval_ms: 10_000 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_out_of_range_is_named() {
        let environment = [("WATTLINE__MARKS__COUNT_MAX".to_owned(), "5".to_owned())].into();
        let error = wattline_service::config::load_from::<Config>(None, environment).unwrap_err();
        assert!(format!("{error:#}").contains("marks.count_max is 5, must be 1000 to"), "{error:#}");
    }
}
