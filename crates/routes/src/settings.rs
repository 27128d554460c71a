//! One `[[routes]]` table of the configuration.

use std::collections::BTreeMap;

use anyhow::Context;
use chrono_tz::Tz;
use serde::Deserialize;
use wattline_formats::Family;
use wattline_formats::declarative::ReadingSettings;
use wattline_formats::unit::Unit;

use crate::timing::TimePolicy;

/// What a route may say. Only `filter` and `decoder` must be there.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct RouteSettings {
    /// MQTT topic filter. Of several that match a topic the one that is inside the others counts.
    pub filter: String,
    /// The device family.
    pub decoder: &'static Family,
    /// The meter's id: text with `{N}` for the N-th level of the topic, counted from 1, `{N+}` for it and all behind
    /// it, and `{id}` for the payload's own id where the route is trusted. Without it: the family's default.
    #[serde(default)]
    pub meter_id: Option<String>,
    /// An id that the payload gives counts alone (a gateway); else below the id that the topic gives.
    #[serde(default)]
    pub trusted: bool,
    /// Whose time counts.
    #[serde(default)]
    pub time: TimePolicy,
    /// IANA zone of times without zone, as in "Europe/Berlin". Without it such times are not used.
    #[serde(default)]
    pub time_zone: String,
    /// `reversed`: the meter was installed the other way round; import and export are exchanged.
    #[serde(default)]
    pub sign: Sign,
    /// What power, current and registers are multiplied with: the ratio of current transformers.
    #[serde(default)]
    pub multiplier: Option<f64>,
    /// The most that the device can take or give, in W; a reading with more is a dead letter.
    #[serde(default)]
    pub max_power_w: Option<f64>,
    /// The unit of energies, for families whose messages don't say it.
    #[serde(default)]
    pub energy_unit: Option<Unit>,
    /// The unit of powers, for families whose messages don't say it.
    #[serde(default)]
    pub power_unit: Option<Unit>,
    /// The unit of currents, for families whose messages don't say it.
    #[serde(default)]
    pub current_unit: Option<Unit>,
    /// What the channels of a device are, by their names in the topic: an OBIS code or a measure of Wattline.
    #[serde(default)]
    pub channels: BTreeMap<String, String>,
    /// What the declarative decoder reads.
    #[serde(default)]
    pub readings: Vec<ReadingSettings>,
}

/// Which direction the device counts as import.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Sign {
    /// The usual one of the family.
    #[default]
    Usual,
    /// The other one.
    Reversed,
}

// === impl RouteSettings ===

impl RouteSettings {
    /// A route with the defaults of its family.
    #[must_use]
    pub fn new(filter: &str, decoder: &'static Family) -> Self {
        Self {
            filter: filter.to_owned(),
            decoder,
            meter_id: None,
            trusted: false,
            time: TimePolicy::default(),
            time_zone: String::new(),
            sign: Sign::default(),
            multiplier: None,
            max_power_w: None,
            energy_unit: None,
            power_unit: None,
            current_unit: None,
            channels: BTreeMap::new(),
            readings: Vec::new(),
        }
    }

    pub(super) fn zone(&self) -> anyhow::Result<Option<Tz>> {
        if self.time_zone.is_empty() {
            return Ok(None);
        }
        let zone = self.time_zone.parse();
        zone.map(Some).ok().with_context(|| {
            format!("time_zone {:?} is no IANA zone: write one as \"Europe/Berlin\"", self.time_zone)
        })
    }
}
