//! A case as a file: how many meters, how fast, and what is done to the stream.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use wattline_reading::Timestamp;

use crate::plan::{Disturbances, Plan};

/// A case of the load test; `scenarios/*.toml` are some.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// What it shows, in one line.
    pub title: String,
    /// How many meters.
    pub meters: u32,
    /// How many readings of each.
    pub readings: u32,
    /// From one reading of a meter to its next, in s of the meters' own time.
    pub interval_s: f64,
    /// Messages per second; absent is as fast as possible.
    pub rate: Option<f64>,
    /// MQTT connections that the meters are dealt to.
    pub connections: u32,
    /// The world: homes, weather, disturbances.
    pub seed: u64,
    /// Homes with three phases, whose telegrams are twice as long.
    pub three_phase_percent: f32,
    /// A message is filled up to so many bytes with a field that nobody reads; 0: it is as long as it is.
    pub payload_bytes: u16,
    /// The meters speak as the devices of all families do.
    pub mixed: bool,
    /// What is done to the stream.
    pub disturbances: Disturbances,
}

// === impl Scenario ===

impl Default for Scenario {
    fn default() -> Self {
        Self {
            title: "As fast as possible".to_owned(),
            meters: 2000,
            readings: 100,
            interval_s: 10.0,
            rate: None,
            connections: 4,
            seed: 1,
            three_phase_percent: 0.0,
            payload_bytes: 0,
            mixed: false,
            disturbances: Disturbances::default(),
        }
    }
}

impl Scenario {
    /// With every disturbance, and homes with three phases among the others: what is published while faults happen.
    #[must_use]
    pub fn disturbed(meters: u32, readings: u32, seed: u64) -> Self {
        Self {
            title: "Every disturbance".to_owned(),
            meters,
            readings,
            interval_s: 20.0,
            seed,
            three_phase_percent: 25.0,
            disturbances: Disturbances::USUAL,
            ..Self::default()
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// Where it can't be read, has an unknown key or a value that makes no sense.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text =
            fs::read_to_string(path).with_context(|| format!("reading the scenario {}", path.display()))?;
        let scenario: Self =
            toml::from_str(&text).with_context(|| format!("in the scenario {}", path.display()))?;
        scenario.check().with_context(|| format!("in the scenario {}", path.display()))?;
        Ok(scenario)
    }

    /// # Errors
    /// Names the first value that makes no sense.
    pub fn check(&self) -> anyhow::Result<()> {
        ensure!((1..=100_000).contains(&self.meters), "meters = {}: 1 to 100,000", self.meters);
        ensure!(self.readings > 0, "readings = 0: at least one");
        ensure!((1..=64).contains(&self.connections), "connections = {}: 1 to 64", self.connections);
        ensure!(
            (0.001..=3600.0).contains(&self.interval_s),
            "interval_s = {}: 0.001 to 3600",
            self.interval_s
        );
        ensure!(self.rate.is_none_or(|rate| rate > 0.0), "rate: above 0, or absent");
        ensure!(self.payload_bytes <= 8192, "payload_bytes = {}: at most 8192", self.payload_bytes);
        let span_days = f64::from(self.readings) * self.interval_s / 86_400.0;
        ensure!(
            span_days < 80.0,
            "{} readings every {} s are {span_days:.0} days; the services refuse what is older than 90",
            self.readings,
            self.interval_s
        );
        let shares = &self.disturbances;
        let sum = shares.duplicate_percent
            + shares.out_of_order_percent
            + shares.garbage_percent
            + shares.conflict_percent
            + shares.split_percent;
        ensure!(!self.mixed || sum == 0.0, "mixed: what devices say is not disturbed");
        ensure!((0.0..=100.0).contains(&sum), "the disturbances add up to {sum} %");
        Ok(())
    }

    /// The plan whose last reading is taken `now`.
    #[must_use]
    pub fn plan(&self, prefix: String, now: Timestamp) -> Plan {
        #[expect(clippy::cast_possible_truncation, reason = "checked to be below an hour")]
        let interval_ms = (self.interval_s * 1000.0).round() as i64;
        let span_ms = i64::from(self.readings + 1) * interval_ms;
        Plan {
            seed: self.seed,
            prefix,
            meters: self.meters,
            readings: self.readings,
            interval_ms,
            start: Timestamp::from_micros((now.micros() / 1000 - span_ms) * 1000),
            three_phase_share: self.three_phase_percent / 100.0,
            disturbances: self.disturbances,
            payload_bytes: self.payload_bytes,
            mixed: self.mixed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_file_is_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        let mut count = 0;
        for entry in fs::read_dir(folder).unwrap() {
            Scenario::read(&entry.unwrap().path()).unwrap();
            count += 1;
        }
        assert!(count >= 3, "{count} scenarios");
    }

    #[test]
    fn a_misspelt_key_is_named() {
        let error = toml::from_str::<Scenario>("metres = 5").unwrap_err().to_string();
        assert!(error.contains("metres"), "{error}");
        let error = toml::from_str::<Scenario>("[disturbances]\nduplicates = 1").unwrap_err().to_string();
        assert!(error.contains("duplicates"), "{error}");
    }

    #[test]
    fn no_reading_of_a_plan_is_in_the_future() {
        let now = Timestamp::from_micros(1_795_168_800_123_456);
        let plan = Scenario::default().plan("m".to_owned(), now);
        let last = (0..plan.meters).map(|meter| plan.ts(meter, plan.readings - 1)).max().unwrap();
        assert!(last <= now && now.micros() - last.micros() < 20_000_000, "{last}");
        assert_eq!(last.micros() % 1000, 0);
    }
}
