//! What is read: readings, the operator's events, settings, a home.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use wattline_energy::Register;
use wattline_energy::home::{Member, Members, Role};
use wattline_energy::meter::{self, Settings, Swap};
use wattline_energy::power::from_w;
use wattline_reading::{Meeting, Reading, Timestamp};

use super::reading::{Instant, Parsed, Wh};
use super::settings::Given;

const READINGS_MAX: usize = 2_000_000;
const METERS_MAX: usize = 1_000;
const EVENTS_MAX: usize = 10_000;
const MEMBERS_MAX: usize = 1_000;
/// From 2000 up to 2200, in µs.
const TIMES_US: std::ops::Range<i64> = 946_684_800_000_000..7_258_118_400_000_000;

/// Everything that energy follows from.
#[derive(Debug, Default)]
pub struct Document {
    /// By meter.
    pub(super) meters: BTreeMap<String, Input>,
    pub(super) home: Option<Members>,
    /// Keys of readings that are not known.
    pub(super) unknown: BTreeSet<String>,
}

/// What is known of one meter.
#[derive(Debug, Default)]
pub(super) struct Input {
    pub(super) readings: Vec<meter::Reading>,
    pub(super) events: Vec<Swap>,
    pub(super) settings: Settings,
    /// Readings that contradict an earlier one of their instant.
    pub(super) conflicts: Vec<Timestamp>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    readings: Vec<Parsed>,
    #[serde(default)]
    events: Vec<Event>,
    #[serde(default)]
    settings: Given,
    /// Over `settings`, for one meter each.
    #[serde(default)]
    meter_settings: BTreeMap<String, Given>,
    home: Option<Home>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Event {
    kind: Kind,
    #[serde(alias = "device_id")]
    meter_id: Option<String>,
    register: Name,
    at: Instant,
    old_wh: Wh,
    new_wh: Wh,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Swap,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Name {
    EnergyImportWh,
    EnergyExportWh,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Home {
    meters: Vec<Place>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    #[serde(alias = "device_id")]
    meter_id: String,
    role: String,
    parent: Option<String>,
    from: Option<Instant>,
    to: Option<Instant>,
}

// === impl Document ===

impl Document {
    /// From JSON: a list of readings, or an object.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let whole: Whole = if text.trim_start().starts_with('[') {
            let readings = serde_json::from_str(text)?;
            Whole {
                readings,
                events: Vec::new(),
                settings: Given::default(),
                meter_settings: BTreeMap::new(),
                home: None,
            }
        } else {
            serde_json::from_str(text).context(
                "neither a list of readings nor an object with `readings` and, if wanted, `events`, `settings`, \
                 `meter_settings` and `home`",
            )?
        };
        ensure!(
            whole.readings.len() <= READINGS_MAX,
            "more than {READINGS_MAX} readings: split them by meter"
        );
        ensure!(whole.events.len() <= EVENTS_MAX, "more than {EVENTS_MAX} events");
        let mut document = Self::default();
        document.take_readings(whole.readings)?;
        document.take_settings(&whole.settings, &whole.meter_settings)?;
        for (number, event) in (1..).zip(whole.events) {
            document.take_event(event).with_context(|| format!("event {number}"))?;
        }
        document.home = whole.home.map(Home::members).transpose().context("home")?;
        Ok(document)
    }

    /// In the order of their arrival: the first of an instant stays, and takes what it lacks from one that agrees.
    fn take_readings(&mut self, readings: Vec<Parsed>) -> anyhow::Result<()> {
        let mut stored: BTreeMap<String, BTreeMap<i64, Reading>> = BTreeMap::new();
        for (number, Parsed { reading, unknown }) in (1..).zip(readings) {
            check(&reading).with_context(|| format!("reading {number} of meter {:?}", reading.meter_id))?;
            self.unknown.extend(unknown);
            let rows = stored.entry(reading.meter_id.clone()).or_default();
            match rows.entry(reading.ts.micros()) {
                std::collections::btree_map::Entry::Vacant(place) => {
                    place.insert(reading);
                }
                std::collections::btree_map::Entry::Occupied(mut place) => {
                    if place.get_mut().absorb(&reading) == Meeting::Conflict {
                        self.meters.entry(reading.meter_id).or_default().conflicts.push(reading.ts);
                    }
                }
            }
        }
        ensure!(stored.len() <= METERS_MAX, "more than {METERS_MAX} meters: split them");
        for (meter_id, rows) in stored {
            self.meters.entry(meter_id).or_default().readings = rows.values().map(row).collect();
        }
        Ok(())
    }

    fn take_settings(&mut self, all: &Given, own: &BTreeMap<String, Given>) -> anyhow::Result<()> {
        let settings = all.over(&Settings::default())?;
        for input in self.meters.values_mut() {
            input.settings = settings.clone();
        }
        for (meter_id, given) in own {
            let Some(input) = self.meters.get_mut(meter_id) else {
                bail!("meter_settings: there is no reading of meter {meter_id:?}");
            };
            input.settings = given.over(&settings).with_context(|| format!("meter {meter_id:?}"))?;
        }
        Ok(())
    }

    fn take_event(&mut self, event: Event) -> anyhow::Result<()> {
        let Kind::Swap = event.kind;
        let meter_id = match event.meter_id {
            Some(meter_id) => meter_id,
            None if self.meters.len() <= 1 => self.meters.keys().next().cloned().unwrap_or_default(),
            None => bail!("there are several meters: say with `meter_id` which one was replaced"),
        };
        let Some(input) = self.meters.get_mut(&meter_id) else {
            bail!("there is no reading of meter {meter_id:?}");
        };
        input.events.push(Swap {
            register: event.register.into(),
            at_us: event.at.0.micros(),
            old_mwh: event.old_wh.0,
            new_mwh: event.new_wh.0,
        });
        Ok(())
    }
}

fn check(reading: &Reading) -> anyhow::Result<()> {
    ensure!(!reading.meter_id.is_empty(), "meter_id is empty");
    ensure!(TIMES_US.contains(&reading.ts.micros()), "ts must lie between the years 2000 and 2200");
    let power_w = reading.measures.power_w.unwrap_or(0.0);
    ensure!(power_w.is_finite() && power_w.abs() <= 1e12, "power_w is beyond any meter");
    Ok(())
}

fn row(reading: &Reading) -> meter::Reading {
    let measures = &reading.measures;
    meter::Reading {
        ts_us: reading.ts.micros(),
        import_mwh: measures.energy_import_mwh,
        export_mwh: measures.energy_export_mwh,
        power_mw: measures.power_w.map(from_w),
        epoch_us: reading.register_epoch.map(Timestamp::micros),
    }
}

// === impl Home ===

impl Home {
    fn members(self) -> anyhow::Result<Members> {
        ensure!(self.meters.len() <= MEMBERS_MAX, "more than {MEMBERS_MAX} meters");
        let member = |place: Place| {
            let role = Role::from_word(&place.role).with_context(|| {
                format!(
                    "meter {:?}: role {:?} is not grid, production, storage or load",
                    place.meter_id, place.role
                )
            })?;
            let us = |instant: Option<Instant>| instant.map(|Instant(at)| at.micros());
            let (from_us, to_us) = (us(place.from), us(place.to));
            Ok(Member { meter_id: place.meter_id, role, parent: place.parent, from_us, to_us })
        };
        Ok(Members::new(self.meters.into_iter().map(member).collect::<anyhow::Result<_>>()?)?)
    }
}

impl From<Name> for Register {
    fn from(name: Name) -> Self {
        match name {
            Name::EnergyImportWh => Self::Import,
            Name::EnergyExportWh => Self::Export,
        }
    }
}
