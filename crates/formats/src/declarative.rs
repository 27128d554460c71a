//! The declarative decoder: `[[routes.readings]]` says by paths where a JSON payload has what. Compiled once, when the
//! routes are read.

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use wattline_reading::Reason;
use wattline_reading::limits::refuse;

use crate::draft::{Draft, Drafts, Outcome, Quantity, Stop};
use crate::ignored::Ignored;
use crate::json::Json;
use crate::message::{Message, is_status_word};
use crate::multiplier::Multiplier;
use crate::number::{decimal, shown};
use crate::omission::Omission;
use crate::time::DeviceTime;
use crate::unit::Unit;

/// One `[[routes.readings]]` table: one meter, or one for each item of an array.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct ReadingSettings {
    /// Path of an array: each item is a meter (or an instant) of its own, and the other paths begin there.
    pub each: Option<String>,
    /// Path of the meter's id.
    pub id: Option<String>,
    /// What tells this reading's meter from the device's others.
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
    /// `a.b[0].c`; empty: the payload itself (or the array's item).
    pub path: Option<String>,
    /// The payload's unit: `one`, `kilo`, `milli`, `watt-minute`, `joule`, …
    pub unit: Unit,
    /// A factor besides the unit.
    pub scale: Option<f64>,
    /// The sign is the other way round.
    pub negate: bool,
    /// A fixed value in place of a path.
    pub constant: Option<f64>,
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
    each: Option<Path>,
    id: Option<Path>,
    channel: String,
    time: Option<(Path, TimeUnit)>,
    values: Vec<Value>,
}

#[derive(Clone, Debug)]
struct Value {
    name: String,
    quantity: Quantity,
    source: Source,
    unit: Unit,
    scale: Option<Multiplier>,
    negate: bool,
}

#[derive(Clone, Debug)]
enum Source {
    Path(Path),
    Constant(String),
}

#[derive(Clone, Debug)]
struct Path(Vec<Step>);

#[derive(Clone, Debug)]
enum Step {
    Key(String),
    Index(usize),
}

/// Decodes one message by its route's declaration.
///
/// # Errors
/// As every decoder.
pub(super) fn decode(readings: &[Compiled], message: &Message<'_>) -> Outcome {
    if is_status_word(message.text()?) {
        return Err(Ignored::Status.into());
    }
    let json = message.json()?;
    let mut drafts = Drafts::default();
    for reading in readings {
        let Some(each) = &reading.each else {
            drafts.drafts.push(reading.draft(&json, &mut drafts.omitted)?);
            continue;
        };
        let items = each.find(&json).map(Json::items).unwrap_or_default();
        for item in items {
            if drafts.is_full() {
                drafts.beyond += 1;
            } else {
                drafts.drafts.push(reading.draft(item, &mut drafts.omitted)?);
            }
        }
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
        let path = |text: &Option<String>| text.as_deref().map(Path::parse).transpose();
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
            values.extend(value.as_ref().map(|value| Value::new(name, quantity, value)).transpose()?);
        }
        ensure!(settings.phases.len() <= 3, "there are {} phases, at most 3", settings.phases.len());
        for (phase, settings) in (0_u8..).zip(&settings.phases) {
            for (name, quantity, value) in [
                ("power_w", Quantity::PhasePower(phase), &settings.power_w),
                ("voltage_v", Quantity::PhaseVoltage(phase), &settings.voltage_v),
                ("current_a", Quantity::PhaseCurrent(phase), &settings.current_a),
            ] {
                let name = format!("phases[{phase}].{name}");
                values.extend(value.as_ref().map(|value| Value::new(&name, quantity, value)).transpose()?);
            }
        }
        ensure!(!values.is_empty(), "no value is read: write power_w, energy_import_wh or another");
        let time = match &settings.time {
            Some(time) => Some((Path::parse(&time.path)?, time.unit)),
            None => None,
        };
        Ok(Self {
            each: path(&settings.each)?,
            id: path(&settings.id)?,
            channel: settings.channel.clone(),
            time,
            values,
        })
    }

    fn draft(&self, json: &Json<'_>, omitted: &mut Vec<Omission>) -> Result<Draft, Stop> {
        let time = self.time.as_ref().map_or(DeviceTime::Absent, |(path, unit)| unit.time(path.find(json)));
        let mut draft = Draft::of(self.channel.clone(), time);
        if let Some(path) = &self.id {
            let id = path.find(json).and_then(Json::scalar);
            let missing =
                || refuse(Reason::MeterIdInvalid, "the payload has no id at the declared path".to_owned());
            draft.id = Some(id.ok_or_else(missing)?.to_owned());
        }
        for value in &self.values {
            value.take(json, &mut draft, omitted)?;
        }
        Ok(draft)
    }
}

// === impl Value ===

impl Value {
    fn new(name: &str, quantity: Quantity, settings: &ValueSettings) -> anyhow::Result<Self> {
        let source = match (&settings.path, settings.constant) {
            (Some(path), None) => Source::Path(Path::parse(path)?),
            (None, Some(constant)) if constant.is_finite() => Source::Constant(constant.to_string()),
            _ => bail!("{name} needs a path or a constant, and not both"),
        };
        let scale = match settings.scale {
            Some(factor) => Some(
                Multiplier::new(factor)
                    .with_context(|| format!("{name}: scale {factor} must be above 0 (see negate)"))?,
            ),
            None => None,
        };
        Ok(Self {
            name: name.to_owned(),
            quantity,
            source,
            unit: settings.unit,
            scale,
            negate: settings.negate,
        })
    }

    fn take(&self, json: &Json<'_>, draft: &mut Draft, omitted: &mut Vec<Omission>) -> Result<(), Stop> {
        let text = match &self.source {
            Source::Constant(text) => text.as_str(),
            Source::Path(path) => match path.find(json) {
                None => return Ok(()),
                Some(found) => found.scalar().ok_or_else(|| {
                    Stop::malformed(format!("{}: there is no number at the declared path", self.name))
                })?,
            },
        };
        if self.scale.is_none() && !self.negate {
            draft.set(self.quantity, text, self.unit, &self.name, omitted);
            return Ok(());
        }
        let Some(text) = decimal(text) else { return Ok(()) };
        let wrong = || Stop::malformed(format!("{}: {} is no number", self.name, shown(&text)));
        let scaled = if matches!(self.quantity, Quantity::Import | Quantity::Export) {
            let mwh = self.unit.register_mwh(&text).ok_or_else(wrong)?;
            let mwh = self.scale.map_or(mwh, |scale| scale.register_mwh(mwh));
            format!("{}e-3", if self.negate { -mwh } else { mwh })
        } else {
            let value = self.unit.value(&text).ok_or_else(wrong)?;
            let value = self.scale.map_or(value, |scale| scale.value(value));
            (if self.negate { 0.0 - value } else { value }).to_string()
        };
        draft.set(self.quantity, &scaled, Unit::One, &self.name, omitted);
        Ok(())
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

// === impl Path ===

impl Path {
    /// `a.b[0].c`; a key with a dot in it is written `["a.b"]`.
    fn parse(text: &str) -> anyhow::Result<Self> {
        let mut steps = Vec::new();
        let mut rest = text.trim_start_matches('$').trim_start_matches('.');
        while !rest.is_empty() {
            if let Some(inner) = rest.strip_prefix("[\"") {
                let (key, behind) =
                    inner.split_once("\"]").with_context(|| format!("the path {text:?} has no \"]"))?;
                steps.push(Step::Key(key.to_owned()));
                rest = behind;
            } else if let Some(inner) = rest.strip_prefix('[') {
                let (index, behind) =
                    inner.split_once(']').with_context(|| format!("the path {text:?} has no ]"))?;
                let index =
                    index.parse().with_context(|| format!("the path {text:?}: {index:?} is no index"))?;
                steps.push(Step::Index(index));
                rest = behind;
            } else {
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                ensure!(end > 0, "the path {text:?} has an empty step");
                steps.push(Step::Key(rest[..end].to_owned()));
                rest = &rest[end..];
            }
            if let Some(behind) = rest.strip_prefix('.') {
                ensure!(!behind.is_empty(), "the path {text:?} ends with a dot");
                rest = behind;
            }
        }
        Ok(Self(steps))
    }

    fn find<'j, 'a>(&self, json: &'j Json<'a>) -> Option<&'j Json<'a>> {
        let mut at = json;
        for step in &self.0 {
            at = match step {
                Step::Key(key) => at.get(key)?,
                Step::Index(index) => at.items().get(*index)?,
            };
        }
        (*at != Json::Null).then_some(at)
    }
}
