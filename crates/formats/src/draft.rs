//! What a decoder makes of a payload: drafts of readings. The meter's id, the time policy, signs and limits are
//! applied to them by common code (`resolve.rs`), the same for every family.

mod parts;

use std::borrow::Cow;

use wattline_reading::limits::{Refusal, refuse};
use wattline_reading::{MEASURES, Measures, Phase, READINGS_PER_MESSAGE_MAX, Reason};

use crate::ignored::Ignored;
use crate::number::{decimal, shown};
use crate::omission::{Omission, Omitted};
use crate::time::DeviceTime;
use crate::unit::{Dimension, Unit};
use parts::{Directions, Parts};

/// One meter at one instant, as the device says it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Draft {
    /// What tells several meters of one device apart; empty where it has one.
    pub channel: Cow<'static, str>,
    /// The meter's id that the payload gives; counts below the topic's own, unless the route is trusted.
    pub id: Option<String>,
    /// The device's time.
    pub time: DeviceTime,
    /// When its counters began at zero.
    pub register_epoch: DeviceTime,
    /// What it measured.
    pub measures: Measures,
    /// Few devices have any; a draft is moved about, so they are not in it.
    parts: Option<Box<Parts>>,
    /// A field was there, with a firmware's word for "no value".
    no_value: bool,
    /// A power or a register was there that is none. It is left out where the message holds another measure.
    refused: Option<Box<Refusal>>,
}

/// All drafts of a message, and what was seen and not taken.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drafts {
    /// In the order of the payload.
    pub drafts: Vec<Draft>,
    /// Fields that look like measures of a meter and are not, or can't be used.
    pub omitted: Vec<Omission>,
    /// How many more the message has than it may have: they are counted and not kept.
    pub beyond: usize,
}

/// Why a message gives no drafts.
#[derive(Clone, Debug, PartialEq)]
pub enum Stop {
    /// Nothing to store, and no error; and the fields that were left out.
    Ignore(Ignored, Vec<Omission>),
    /// It has not one word of the family: a stranger on its topics, for the dead letters.
    NotThisFamily,
    /// It goes to the dead letters.
    Reject(Refusal),
}

/// What every decoder returns.
pub type Outcome = Result<Drafts, Stop>;

/// What a device's field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// Active power, + import, − export.
    Power,
    /// Active power of import alone, never negative.
    PowerImport,
    /// Active power of export alone, never negative.
    PowerExport,
    /// Active power of a generator, + feeding in.
    PowerGenerated,
    /// The import register.
    Import,
    /// The export register.
    Export,
    /// The import register of one tariff, counted from 0; the sum of all counts where they are in one message.
    ImportTariff(u8),
    /// The same for export.
    ExportTariff(u8),
    /// Voltage.
    Voltage,
    /// Current.
    Current,
    /// Power factor.
    PowerFactor,
    /// Mains frequency.
    Frequency,
    /// A battery's state of charge, in %.
    StateOfCharge,
    /// Active power of a phase, counted from 0.
    PhasePower(u8),
    /// Active power of a phase, import alone.
    PhaseImport(u8),
    /// Active power of a phase, export alone.
    PhaseExport(u8),
    /// Active power that a generator feeds into a phase.
    PhaseGenerated(u8),
    /// Voltage of a phase.
    PhaseVoltage(u8),
    /// Current of a phase.
    PhaseCurrent(u8),
    /// Not a measure of the meter, and named as such.
    Not(Omitted),
}

// === impl Quantity ===

impl Quantity {
    /// What its units are of; none where it has none, or is not taken.
    #[must_use]
    pub const fn dimension(self) -> Option<Dimension> {
        Some(match self {
            Self::Power
            | Self::PowerImport
            | Self::PowerExport
            | Self::PowerGenerated
            | Self::PhasePower(_)
            | Self::PhaseImport(_)
            | Self::PhaseExport(_)
            | Self::PhaseGenerated(_) => Dimension::Power,
            Self::Import | Self::Export | Self::ImportTariff(_) | Self::ExportTariff(_) => Dimension::Energy,
            Self::Voltage | Self::PhaseVoltage(_) => Dimension::Voltage,
            Self::Current | Self::PhaseCurrent(_) => Dimension::Current,
            Self::Frequency => Dimension::Frequency,
            Self::PowerFactor | Self::StateOfCharge | Self::Not(_) => return None,
        })
    }

    /// `12.5 kW` as `12.5` and its unit, a power factor of `98 %` as hundredths; none where no unit of this quantity stands behind a text.
    pub(crate) fn with_unit(self, text: &str) -> Option<(&str, Unit)> {
        let text = text.trim_end();
        if let (Self::PowerFactor, Some(percent)) = (self, text.strip_suffix('%')) {
            return Some((percent.trim_end(), Unit::Centi));
        }
        let is_letter = |byte: u8| byte.is_ascii_alphabetic();
        if !text.bytes().next_back().is_some_and(is_letter) || !text.starts_with(|c: char| !c.is_alphabetic())
        {
            return None;
        }
        let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        Some((number.trim_end(), Unit::of_word_of(&text[number.len()..], self.dimension()?)?))
    }
}

// === impl Draft ===

impl Draft {
    /// A draft of the device itself at `time`.
    #[must_use]
    pub fn at(time: DeviceTime) -> Self {
        Self { time, ..Self::default() }
    }

    /// A draft of one channel.
    #[must_use]
    pub fn of(channel: impl Into<Cow<'static, str>>, time: DeviceTime) -> Self {
        Self { channel: channel.into(), time, ..Self::default() }
    }

    /// Takes one value from its text, in the unit that stands behind it there (`1.2 kW`), or in `unit`. `name` is the
    /// device's own word for it. A power or a register that is no number, or beyond what one can be, is left out; where
    /// nothing is left the message is refused for it.
    pub fn set(
        &mut self,
        quantity: Quantity,
        text: &str,
        unit: Unit,
        name: &str,
        omitted: &mut Vec<Omission>,
    ) {
        let (text, unit) = quantity.with_unit(text).unwrap_or((text, unit));
        let Some(text) = decimal(text) else { return self.say_no_value() };
        if let Err(refusal) = self.try_set(quantity, text.as_ref(), unit, name, omitted) {
            omitted.push(Omission::new(name, Omitted::Unreadable));
            self.refuse(refusal);
        }
    }

    /// Why the message is refused where nothing else is in it.
    pub(crate) fn refuse(&mut self, refusal: Refusal) {
        self.refused.get_or_insert_with(|| Box::new(refusal));
    }

    /// What another draft of the same meter says beside its measures: that a field has no value, or is none.
    pub(crate) fn absorb_state(&mut self, other: Self) {
        self.no_value |= other.no_value;
        if self.refused.is_none() {
            self.refused = other.refused;
        }
    }

    fn try_set(
        &mut self,
        quantity: Quantity,
        text: &str,
        unit: Unit,
        name: &str,
        omitted: &mut Vec<Omission>,
    ) -> Result<(), Refusal> {
        match quantity {
            Quantity::Power => self.measures.power_w = Some(power(text, unit, name)?),
            Quantity::PowerGenerated => self.measures.power_w = Some(negated(power(text, unit, name)?)),
            Quantity::PowerImport => self.parts().power.import_w = Some(power(text, unit, name)?),
            Quantity::PowerExport => self.parts().power.export_w = Some(power(text, unit, name)?),
            Quantity::Import => self.measures.energy_import_mwh = Some(register(text, unit, name)?),
            Quantity::Export => self.measures.energy_export_mwh = Some(register(text, unit, name)?),
            Quantity::ImportTariff(tariff) => self.parts().import.set(tariff, register(text, unit, name)?),
            Quantity::ExportTariff(tariff) => self.parts().export.set(tariff, register(text, unit, name)?),
            Quantity::PhasePower(phase) => {
                self.phase(phase).power_w = Some(power(text, unit, name)?);
            }
            Quantity::PhaseGenerated(phase) => {
                self.phase(phase).power_w = Some(negated(power(text, unit, name)?));
            }
            Quantity::PhaseImport(phase) => {
                let value = power(text, unit, name)?;
                self.directions(phase).import_w = Some(value);
            }
            Quantity::PhaseExport(phase) => {
                let value = power(text, unit, name)?;
                self.directions(phase).export_w = Some(value);
            }
            Quantity::Not(reason) => omitted.push(Omission::new(name, reason)),
            Quantity::PowerFactor => match power_factor(text, unit) {
                Some(value) => self.measures.power_factor = Some(value),
                None => omitted.push(Omission::new(name, Omitted::Unreadable)),
            },
            _ => match unit.value(text) {
                Some(value) => self.set_secondary(quantity, value),
                None => omitted.push(Omission::new(name, Omitted::Unreadable)),
            },
        }
        Ok(())
    }

    /// A field was there and said that it has no value.
    pub const fn say_no_value(&mut self) {
        self.no_value = true;
    }

    /// One of the three phases, counted from 0.
    pub fn phase(&mut self, phase: u8) -> &mut Phase {
        let phases = &mut self.measures.phases;
        let index = usize::from(phase.min(2));
        while phases.len() <= index {
            phases.push(Phase::default());
        }
        &mut phases[index]
    }

    fn parts(&mut self) -> &mut Parts {
        self.parts.get_or_insert_default()
    }

    fn directions(&mut self, phase: u8) -> &mut Directions {
        &mut self.parts().phases[usize::from(phase.min(2))]
    }

    fn set_secondary(&mut self, quantity: Quantity, value: f64) {
        match quantity {
            Quantity::Voltage => self.measures.voltage_v = Some(value),
            Quantity::Current => self.measures.current_a = Some(value),
            Quantity::Frequency => self.measures.frequency_hz = Some(value),
            Quantity::StateOfCharge => self.measures.soc_pct = Some(value),
            Quantity::PhaseVoltage(phase) => self.phase(phase).voltage_v = Some(value),
            Quantity::PhaseCurrent(phase) => self.phase(phase).current_a = Some(value),
            _ => {}
        }
    }

    /// Joins the halves: power is import less export, a register the sum of its tariffs.
    pub(super) fn join(&mut self, omitted: &mut Vec<Omission>) {
        if let Some(parts) = self.parts.take() {
            self.join_parts(&parts, omitted);
        }
        if self.measures.power_w.is_none() && self.measures.phases.len() == 3 {
            self.measures.power_w = self.measures.phases.iter().map(|phase| phase.power_w).sum();
        }
    }

    fn join_parts(&mut self, parts: &Parts, omitted: &mut Vec<Omission>) {
        self.measures.power_w = match self.measures.power_w {
            None => parts.power.join("power", omitted),
            Some(power_w) => Some(parts.power.less_fed_in(power_w)),
        };
        for ((phase, name), directions) in
            (0_u8..).zip(["power_l1", "power_l2", "power_l3"]).zip(parts.phases)
        {
            if let Some(power) = directions.join(name, omitted) {
                self.phase(phase).power_w = Some(power);
            }
        }
        parts.import.join(&mut self.measures.energy_import_mwh, "import", omitted);
        parts.export.join(&mut self.measures.energy_export_mwh, "export", omitted);
    }
}

// === impl Drafts ===

impl Drafts {
    /// True where no further one is kept.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.drafts.len() >= READINGS_PER_MESSAGE_MAX
    }

    /// How many readings the message would become.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.drafts.len() + self.beyond
    }

    /// Lets a draft go that is no meter's; what it measured is left out. Where no other is there, the message is refused for what was refused of it, or
    /// has no value.
    pub(crate) fn let_go(&mut self, draft: Draft) {
        let seen = MEASURES.iter().filter(|measure| (measure.get)(&draft.measures).is_some());
        self.omitted.extend(seen.map(|measure| Omission::new(measure.name, Omitted::NoMeter)));
        if draft.refused.is_some() || draft.no_value {
            self.drafts.push(Draft { refused: draft.refused, no_value: draft.no_value, ..Draft::default() });
        }
    }

    /// The end of nearly every decoder: the drafts that hold a measure, or why there is nothing. Where there are too many
    /// all remain, because the message is refused.
    ///
    /// # Errors
    /// `otherwise`, or a finer word, where nothing was measured.
    pub fn or_ignore(mut self, otherwise: impl Into<Stop>) -> Outcome {
        if self.beyond > 0 {
            return Ok(self);
        }
        for draft in &mut self.drafts {
            draft.join(&mut self.omitted);
        }
        let refused = self.drafts.iter_mut().find_map(|draft| draft.refused.take());
        let no_value = self.drafts.iter().any(|draft| draft.no_value);
        self.drafts.retain(|draft| !draft.measures.is_empty());
        if !self.drafts.is_empty() {
            return Ok(self);
        }
        if let Some(refusal) = refused {
            return Err(Stop::Reject(*refusal));
        }
        let has = |reason| self.omitted.iter().any(|omission| omission.reason == reason);
        let why = if has(Omitted::PartialRegister) {
            Ignored::PartialRegister
        } else if has(Omitted::UnitUnknown) {
            Ignored::UnitUnknown
        } else if has(Omitted::OneDirection) {
            Ignored::OneDirection
        } else if has(Omitted::PartMissing) {
            Ignored::NoValue
        } else if !self.omitted.is_empty() {
            Ignored::NotTheMeter
        } else if no_value {
            Ignored::NoValue
        } else {
            return Err(otherwise.into());
        };
        Err(Stop::Ignore(why, self.omitted))
    }

    /// The outcome of one draft.
    ///
    /// # Errors
    /// As [`Drafts::or_ignore`].
    pub fn one(draft: Draft, omitted: Vec<Omission>, otherwise: impl Into<Stop>) -> Outcome {
        Self { drafts: vec![draft], omitted, beyond: 0 }.or_ignore(otherwise)
    }
}

// === impl Stop ===

impl Stop {
    /// A message of one field that is none of the meter's.
    #[must_use]
    pub fn left_out(field: &str, why: Omitted) -> Self {
        Self::Ignore(Ignored::NotTheMeter, vec![Omission::new(field, why)])
    }

    /// A payload that is not what the decoder reads.
    #[must_use]
    pub const fn malformed(detail: String) -> Self {
        Self::Reject(refuse(Reason::Malformed, detail))
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Reject(refusal)
    }
}

impl From<Ignored> for Stop {
    fn from(why: Ignored) -> Self {
        Self::Ignore(why, Vec::new())
    }
}

/// A generator's power as a consumer's; no −0.
fn negated(power_w: f64) -> f64 {
    0.0 - power_w
}

fn power(text: &str, unit: Unit, name: &str) -> Result<f64, Refusal> {
    let detail = || format!("{name}: {} is no power", shown(text));
    unit.value(text).ok_or_else(|| refuse(Reason::Malformed, detail()))
}

/// From 2 on it can only be per cent; a little above 1 it is a device's inaccuracy, which the limits leave out.
fn power_factor(text: &str, unit: Unit) -> Option<f64> {
    let value = unit.value(text)?;
    if value.abs() < 2.0 {
        Some(value)
    } else if unit == Unit::One {
        Unit::Centi.value(text)
    } else {
        Some(value / 100.0)
    }
}

fn register(text: &str, unit: Unit, name: &str) -> Result<i64, Refusal> {
    unit.register_mwh(text).ok_or_else(|| {
        let is_number = text.parse::<f64>().is_ok();
        let reason = if is_number { Reason::RegisterImplausible } else { Reason::Malformed };
        refuse(reason, format!("{name}: {} is no register", shown(text)))
    })
}

#[cfg(test)]
#[path = "draft_tests.rs"]
mod tests;
