//! The declarative decoder: `[[routes.readings]]` says by paths where a JSON payload has what. Compiled once, when the
//! routes are read.

mod path;
mod value;

use anyhow::ensure;
use serde::Deserialize;
use wattline_reading::Reason;
use wattline_reading::limits::refuse;

use crate::draft::{Draft, Drafts, Outcome, Quantity, Stop};
use crate::ignored::Ignored;
use crate::json::Json;
use crate::message::{Message, is_status_word};
use crate::number::is_no_value;
use crate::time::DeviceTime;
use crate::unit::Unit;
use path::Path;
use value::Value;

/// In a channel: the place of the item.
const INDEX: &str = "{index}";

/// One `[[routes.readings]]` table: one meter, or one for each item of an array.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct ReadingSettings {
    /// Path of an array: each item is a meter (or an instant) of its own, and the other paths begin there. Several paths: arrays
    /// within the items of the one before.
    pub each: Option<Each>,
    /// Path of the meter's id.
    pub id: Option<String>,
    /// What tells this reading's meter from the device's others; `{index}` is the item's place in its array, from 1.
    pub channel: String,
    /// Path of the time, and its unit.
    pub time: Option<TimeSettings>,
    /// Active power in W: + import.
    pub power_w: Option<ValueSettings>,
    /// Import register in Wh.
    pub energy_import_wh: Option<ValueSettings>,
    /// Export register in Wh.
    pub energy_export_wh: Option<ValueSettings>,
    /// Voltage in V.
    pub voltage_v: Option<ValueSettings>,
    /// Current in A.
    pub current_a: Option<ValueSettings>,
    /// Power factor.
    pub power_factor: Option<ValueSettings>,
    /// Mains frequency in Hz.
    pub frequency_hz: Option<ValueSettings>,
    /// State of charge of a battery in %.
    pub soc_pct: Option<ValueSettings>,
    /// L1 to L3.
    pub phases: Vec<PhaseSettings>,
}

/// Where the items are.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(
    untagged,
    expecting = "each is the path of an array, or a list of such paths from the outermost inward"
)]
pub enum Each {
    /// One array.
    One(String),
    /// Arrays within arrays.
    Nested(Vec<String>),
}

/// The paths of one phase.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct PhaseSettings {
    /// Active power in W.
    pub power_w: Option<ValueSettings>,
    /// Voltage in V.
    pub voltage_v: Option<ValueSettings>,
    /// Current in A.
    pub current_a: Option<ValueSettings>,
}

/// Where a value is, and how it becomes W, Wh, V or A.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct ValueSettings {
    /// `a.b[0].c`; empty: the payload itself (or the array's item). With `^` before it: from the item (or payload) around.
    pub path: Option<String>,
    /// Paths of which the sum counts: where one has no value, the sum has none.
    pub sum: Vec<String>,
    /// A path whose value is taken off: import − export.
    pub minus: Option<String>,
    /// The payload's unit: `one`, `kilo`, `milli`, `watt-minute`, `joule`, …
    pub unit: Unit,
    /// A factor besides the unit.
    pub scale: Option<f64>,
    /// The sign is the other way round.
    pub negate: bool,
    /// A fixed value in place of a path.
    pub constant: Option<f64>,
    /// The value's own time, in place of the reading's.
    pub time: Option<TimeSettings>,
}

/// Where the time is.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct TimeSettings {
    /// As in [`ValueSettings`].
    pub path: String,
    /// The unit of an epoch number.
    #[serde(default)]
    pub unit: TimeUnit,
}

/// The unit of an epoch number.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum TimeUnit {
    /// By its size; a text may also be ISO 8601.
    #[default]
    Auto,
    /// Seconds.
    S,
    /// Milliseconds.
    Ms,
    /// Microseconds.
    Us,
    /// Nanoseconds.
    Ns,
}

/// One `[[routes.readings]]`, ready for use.
#[derive(Clone, Debug)]
pub struct Compiled {
    each: Vec<Path>,
    id: Option<Path>,
    channel: String,
    time: Option<Time>,
    values: Vec<Value>,
}

#[derive(Clone, Debug)]
struct Time {
    path: Path,
    unit: TimeUnit,
}

/// Decodes one message by its route's declaration.
///
/// # Errors
/// As every decoder.
pub(super) fn decode(readings: &[Compiled], message: &Message<'_>) -> Outcome {
    if is_status_word(message.text()?) {
        return Err(Ignored::Status.into());
    }
    let list = message.text()?;
    let json = path::list(list).map_or_else(|| message.json(), Ok)?;
    let mut drafts = Drafts::default();
    for reading in readings {
        reading.take(&mut vec![&json], 0, &mut drafts)?;
    }
    drafts.or_ignore(Ignored::OtherQuantity)
}

// === impl Compiled ===

impl Compiled {
    /// Compiles one table.
    ///
    /// # Errors
    /// Names the path or the value and what is wrong with it.
    pub(super) fn new(settings: &ReadingSettings) -> anyhow::Result<Self> {
        let each: &[String] = match &settings.each {
            None => &[],
            Some(Each::One(path)) => std::slice::from_ref(path),
            Some(Each::Nested(paths)) => paths,
        };
        ensure!(
            settings.each.is_none() || !each.is_empty(),
            "each is an empty list: name an array, or leave it out"
        );
        ensure!(
            !each.is_empty() || !settings.channel.contains(INDEX),
            "channel {:?} has {INDEX}, the place of an item, and there is no each",
            settings.channel
        );
        let path = |text: &String, arrays: usize| Path::parse(text, arrays);
        let mut values = Vec::new();
        for (name, quantity, value) in [
            ("power_w", Quantity::Power, &settings.power_w),
            ("energy_import_wh", Quantity::Import, &settings.energy_import_wh),
            ("energy_export_wh", Quantity::Export, &settings.energy_export_wh),
            ("voltage_v", Quantity::Voltage, &settings.voltage_v),
            ("current_a", Quantity::Current, &settings.current_a),
            ("power_factor", Quantity::PowerFactor, &settings.power_factor),
            ("frequency_hz", Quantity::Frequency, &settings.frequency_hz),
            ("soc_pct", Quantity::StateOfCharge, &settings.soc_pct),
        ] {
            values.extend(
                value.as_ref().map(|value| Value::new(name, quantity, value, each.len())).transpose()?,
            );
        }
        ensure!(settings.phases.len() <= 3, "there are {} phases, at most 3", settings.phases.len());
        for (phase, settings) in (0_u8..).zip(&settings.phases) {
            for (name, quantity, value) in [
                ("power_w", Quantity::PhasePower(phase), &settings.power_w),
                ("voltage_v", Quantity::PhaseVoltage(phase), &settings.voltage_v),
                ("current_a", Quantity::PhaseCurrent(phase), &settings.current_a),
            ] {
                let name = format!("phases[{phase}].{name}");
                values.extend(
                    value.as_ref().map(|value| Value::new(&name, quantity, value, each.len())).transpose()?,
                );
            }
        }
        ensure!(!values.is_empty(), "no value is read: write power_w, energy_import_wh or another");
        Ok(Self {
            id: settings.id.as_ref().map(|id| path(id, each.len())).transpose()?,
            channel: settings.channel.clone(),
            time: settings.time.as_ref().map(|time| Time::new(time, each.len())).transpose()?,
            values,
            each: (0..).zip(each).map(|(outer, each)| path(each, outer)).collect::<Result<_, _>>()?,
        })
    }

    /// All readings below the innermost item of `around`, which is inside the others; the payload is the first of them.
    fn take<'j>(
        &self,
        around: &mut Vec<&'j Json<'j>>,
        index: usize,
        drafts: &mut Drafts,
    ) -> Result<(), Stop> {
        let Some(each) = self.each.get(around.len() - 1) else {
            return self.push(around, index, drafts);
        };
        for (number, item) in (1..).zip(each.find(around).map(Json::items).unwrap_or_default()) {
            around.push(item);
            self.take(around, number, drafts)?;
            around.pop();
        }
        Ok(())
    }

    fn push(&self, around: &[&Json<'_>], index: usize, drafts: &mut Drafts) -> Result<(), Stop> {
        if drafts.is_full() {
            drafts.beyond += 1;
            return Ok(());
        }
        let channel = self.channel.replace(INDEX, &index.to_string());
        let mut draft =
            Draft::of(channel, self.time.as_ref().map_or(DeviceTime::Absent, |time| time.find(around)));
        if let Some(path) = &self.id {
            let id = path.find(around).and_then(Json::scalar).filter(|id| !is_no_value(id));
            let missing =
                || refuse(Reason::MeterIdInvalid, "the payload has no id at the declared path".to_owned());
            draft.id = Some(id.ok_or_else(missing)?.to_owned());
        }
        // The first has the reading's time, the others that of a value.
        let mut own = vec![draft];
        for value in &self.values {
            let time =
                value.time.as_ref().map(|time| time.find(around)).filter(|time| *time != DeviceTime::Absent);
            let at = time.as_ref().map_or(Some(0), |time| own.iter().position(|draft| draft.time == *time));
            let at = at.unwrap_or_else(|| {
                let (channel, id) = (own[0].channel.clone(), own[0].id.clone());
                let mut draft = Draft::of(channel, time.unwrap_or_default());
                draft.id = id;
                own.push(draft);
                own.len() - 1
            });
            value.take(around, &mut own[at], &mut drafts.omitted)?;
        }
        drafts.drafts.append(&mut own);
        Ok(())
    }
}

// === impl Time ===

impl Time {
    fn new(settings: &TimeSettings, arrays: usize) -> anyhow::Result<Self> {
        Ok(Self { path: Path::parse(&settings.path, arrays)?, unit: settings.unit })
    }

    fn find(&self, around: &[&Json<'_>]) -> DeviceTime {
        self.unit.time(self.path.find(around))
    }
}

// === impl TimeUnit ===

impl TimeUnit {
    fn time(self, json: Option<&Json<'_>>) -> DeviceTime {
        let exponent = match self {
            Self::Auto => return DeviceTime::from_json(json),
            Self::S => 0,
            Self::Ms => -3,
            Self::Us => -6,
            Self::Ns => -9,
        };
        match json {
            None => DeviceTime::Absent,
            Some(json) => DeviceTime::from_epoch(json.scalar().unwrap_or("no number"), exponent),
        }
    }
}
