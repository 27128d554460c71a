//! What a name means.

use std::cell::RefCell;
use std::collections::HashMap;

use super::super::prelude::*;
use super::words::{Of, Part, Word, split};
use crate::unit::Told;

/// What a name means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::family) struct Meaning {
    pub(in crate::family) quantity: Quantity,
    /// None where the name doesn't say it.
    pub(in crate::family) unit: Option<Unit>,
    /// Of two names of one quantity the higher counts: one that says its direction, one that says total or active.
    pub(in crate::family) rank: u8,
    /// A power that is called consumption.
    pub(in crate::family) used: bool,
}

/// Names whose meaning is kept: looking at one word by word costs more than reading the rest of the message.
const KEPT_MAX: usize = 400;
/// No device has longer names.
const BYTES_MAX: usize = 64;

thread_local! {
    static KEPT: RefCell<HashMap<Box<str>, Option<Meaning>>> = RefCell::default();
}

/// What a field's name means; none where it is no measure of a meter and doesn't look like one.
pub(in crate::family) fn meaning(name: &str) -> Option<Meaning> {
    if name.is_empty() || name.len() > BYTES_MAX {
        return None;
    }
    KEPT.with_borrow_mut(|kept| {
        if let Some(meaning) = kept.get(name) {
            return *meaning;
        }
        let meaning = short(name).or_else(|| of_parts(&split(name)));
        if kept.len() < KEPT_MAX {
            kept.insert(name.into(), meaning);
        }
        meaning
    })
}

/// The meaning of a name that may hold a channel, and that channel: the words that say nothing of the measure.
/// `fridge_power` is the power of `fridge`.
pub(in crate::family) fn with_channel(name: &str) -> (String, Option<Meaning>) {
    if name.is_empty() || name.len() > BYTES_MAX {
        return (String::new(), None);
    }
    if let Some(meaning) = short(name) {
        return (String::new(), Some(meaning));
    }
    let parts = split(name);
    let (said, others) = Said::of(&parts);
    let channel: Vec<_> = others.iter().map(|part| part.text.as_str()).collect();
    (channel.join("_"), said.meaning(&parts))
}

/// The meaning of a name below folders, and the folders that are a channel: those that say more than the measure.
/// `Meter1/Energy/Import kWh` is the import of `Meter1`.
pub(in crate::family) fn with_folders(name: &str) -> (String, Option<Meaning>) {
    let Some((folders, last)) = name.rsplit_once('/') else { return (String::new(), meaning(name)) };
    if name.len() > BYTES_MAX * 4 {
        return (String::new(), None);
    }
    let mut channel = Vec::new();
    let mut parts = Vec::new();
    for folder in folders.split('/') {
        let words = split(folder);
        if words.iter().any(|part| matches!(part.word, None | Some(Word::Place | Word::Filler | Word::Other)))
        {
            channel.push(folder);
        } else {
            parts.extend(words);
        }
    }
    let meaning = if parts.is_empty() { meaning(last) } else { None };
    parts.extend(split(last));
    (channel.join("/"), meaning.or_else(|| of_parts(&parts)))
}

/// Names of one letter and the like, only as a whole.
fn short(name: &str) -> Option<Meaning> {
    let (quantity, unit) = match name.to_ascii_lowercase().as_str() {
        "p" | "w" | "watt" | "watts" => (Power, One),
        "kw" => (Power, Kilo),
        "u" | "v" | "volt" | "volts" => (Voltage, One),
        "i" | "a" | "amp" | "amps" => (Current, One),
        "ma" => (Current, Milli),
        "f" | "hz" => (Frequency, One),
        "wh" => (Import, One),
        "kwh" => (Import, Kilo),
        _ => return None,
    };
    Some(Meaning { quantity, unit: Some(unit), rank: 0, used: false })
}

/// The meaning of words; where one is unknown, it is known that they look like a measure.
fn of_parts(parts: &[Part]) -> Option<Meaning> {
    let (said, others) = Said::of(parts);
    let unknown = others.iter().any(|part| part.word.is_none());
    Said { other: said.other || unknown, ..said }.meaning(parts)
}

/// What the words of a name say together.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "one for each kind of word")]
struct Said {
    power: bool,
    energy: bool,
    voltage: bool,
    current: bool,
    frequency: bool,
    factor: bool,
    percent: bool,
    net: bool,
    reactive: bool,
    apparent: bool,
    dc: bool,
    import: bool,
    export: bool,
    used: bool,
    total: bool,
    active: bool,
    period: bool,
    other: bool,
    ambiguous: bool,
    /// More than one: between two phases, or nonsense.
    phases: u8,
    phase: u8,
    tariff: Option<u8>,
    watts: Option<Unit>,
    watt_hours: Option<Unit>,
    volts: Option<Unit>,
    amperes: Option<Unit>,
}

// === impl Said ===

impl Said {
    /// What is said, and the words that say nothing of the measure: unknown ones, and places.
    fn of(parts: &[Part]) -> (Self, Vec<&Part>) {
        let (mut said, mut others) = (Self::default(), Vec::new());
        let mut rest = parts;
        while let [part, behind @ ..] = rest {
            let next = behind.first().map(|part| part.text.as_str());
            if matches!(part.word, None | Some(Word::Place)) {
                others.push(part);
            }
            let taken = part.word.map_or(1, |word| said.take(word, next));
            rest = rest.get(taken..).unwrap_or_default();
        }
        (said, others)
    }

    /// None where the words don't look like a measure.
    fn meaning(self, parts: &[Part]) -> Option<Meaning> {
        if !self.looks_like_a_measure() && !parts.iter().any(Part::hides_a_quantity) {
            return None;
        }
        let quantity = if self.other { None } else { self.quantity() };
        let quantity = quantity.unwrap_or(Not(Omitted::UnknownName));
        let unit = self.unit(quantity);
        let quantity = if unit.is_none() && self.ambiguous { Not(Omitted::UnitUnknown) } else { quantity };
        let directed =
            self.import || self.export || (self.used && (self.energy || self.watt_hours.is_some()));
        let rank = u8::from(directed) * 4 + u8::from(self.total) * 2 + u8::from(self.active);
        Some(Meaning { quantity, unit, rank, used: self.used })
    }

    /// Takes one word, and the next where both are one. How many it took.
    fn take(&mut self, word: Word, next: Option<&str>) -> usize {
        match word {
            Word::Power => {
                self.power = true;
                return if self.is_signed(next) { 2 } else { self.phase_letter(next, &["a", "b", "c"]) };
            }
            Word::Energy => {
                self.energy = true;
                return if self.is_signed(next) { 2 } else { 1 };
            }
            Word::Voltage => {
                self.voltage = true;
                return self.phase_letter(next, &["a", "b", "c"]);
            }
            // `current_a` is in amperes.
            Word::Current => {
                self.current = true;
                return self.phase_letter(next, &["", "b", "c"]);
            }
            Word::Frequency | Word::Hertz => self.frequency = true,
            Word::Factor => self.factor = true,
            Word::CosPhi => {
                self.factor = true;
                self.power = true;
            }
            Word::Percent => self.percent = true,
            Word::Net => self.net = true,
            // `feed_in`
            Word::Export if next == Some("in") => {
                self.export = true;
                return 2;
            }
            Word::Reactive => self.reactive = true,
            Word::Apparent => self.apparent = true,
            Word::Dc => self.dc = true,
            Word::Import => self.import = true,
            Word::Export => self.export = true,
            Word::Used => self.used = true,
            Word::Total => self.total = true,
            Word::Active => self.active = true,
            Word::Period => self.period = true,
            Word::Other => self.other = true,
            Word::Filler | Word::Place => {}
            Word::PhaseIs(phase) => self.phase_is(phase),
            Word::TariffIs(tariff) => self.tariff = Some(tariff),
            Word::Watts(unit) => self.watts = Some(unit),
            Word::WattHours(unit) => self.watt_hours = Some(unit),
            Word::Volts(unit) => self.volts = Some(unit),
            Word::Amperes(unit) => self.amperes = Some(unit),
            Word::Complex(of, reactive) => self.complex(of, reactive),
            Word::Ambiguous(of) => {
                self.ambiguous = true;
                *(if of == Of::Energy { &mut self.energy } else { &mut self.power }) = true;
            }
            Word::Phase => return self.named_phase(next),
            Word::Tariff => return self.numbered_tariff(next),
        }
        1
    }

    /// `power_plus`, `power_minus`; anywhere else it is part of a name: Shelly Plus.
    fn is_signed(&mut self, next: Option<&str>) -> bool {
        self.import |= next == Some("plus");
        self.export |= next == Some("minus");
        matches!(next, Some("plus" | "minus"))
    }

    fn phase_is(&mut self, phase: u8) {
        self.phases += 1;
        self.phase = phase;
    }

    fn complex(&mut self, of: Of, reactive: bool) {
        *(if reactive { &mut self.reactive } else { &mut self.apparent }) = true;
        *(if of == Of::Energy { &mut self.energy } else { &mut self.power }) = true;
    }

    fn phase_letter(&mut self, next: Option<&str>, letters: &[&str; 3]) -> usize {
        match (0_u8..).zip(letters).find(|(_, letter)| next == Some(letter)) {
            Some((phase, _)) => {
                self.phase_is(phase);
                2
            }
            None => 1,
        }
    }

    fn named_phase(&mut self, next: Option<&str>) -> usize {
        let phase = match next {
            Some("1" | "a" | "l1") => 0,
            Some("2" | "b" | "l2") => 1,
            Some("3" | "c" | "l3") => 2,
            _ => return 1,
        };
        self.phase_is(phase);
        2
    }

    fn numbered_tariff(&mut self, next: Option<&str>) -> usize {
        match next.and_then(|next| next.parse::<u8>().ok()).filter(|number| (1..=8).contains(number)) {
            Some(number) => {
                self.tariff = Some(number - 1);
                2
            }
            None => {
                self.other = true;
                1
            }
        }
    }

    fn looks_like_a_measure(&self) -> bool {
        self.power
            || self.energy
            || self.voltage
            || self.current
            || self.frequency
            || self.watts.is_some()
            || self.watt_hours.is_some()
            || self.volts.is_some()
            || self.amperes.is_some()
    }

    fn quantity(&self) -> Option<Quantity> {
        if self.phases > 1 || (self.percent && !self.factor) || (self.factor && !self.power) {
            return None;
        }
        let phase = (self.phases == 1).then_some(self.phase);
        let has_watts = self.power || self.watts.is_some();
        Some(if self.frequency {
            Frequency
        } else if self.factor {
            if phase.is_some() || self.energy { return None } else { PowerFactor }
        } else if self.watt_hours.is_some() || self.energy {
            if self.watts.is_some() || self.net {
                return None;
            }
            self.energy(phase)
        } else if has_watts {
            if self.period || self.tariff.is_some() {
                return None;
            }
            self.power(phase)
        } else if self.tariff.is_some() || self.period || self.used {
            return None;
        } else if self.dc {
            Not(Omitted::DcSide)
        } else if self.voltage || self.volts.is_some() {
            phase.map_or(Voltage, PhaseVoltage)
        } else {
            phase.map_or(Current, PhaseCurrent)
        })
    }

    fn energy(&self, phase: Option<u8>) -> Quantity {
        if self.period {
            Not(Omitted::DayCounter)
        } else if self.reactive {
            Not(Omitted::ReactivePower)
        } else if self.apparent {
            Not(Omitted::ApparentPower)
        } else if self.dc {
            Not(Omitted::DcSide)
        } else if let Some(tariff) = self.tariff {
            if self.export { ExportTariff(tariff) } else { ImportTariff(tariff) }
        } else if phase.is_some() {
            Not(Omitted::PartialRegister)
        } else if self.export {
            Export
        } else {
            Import
        }
    }

    fn power(&self, phase: Option<u8>) -> Quantity {
        if self.apparent {
            return Not(Omitted::ApparentPower);
        } else if self.reactive {
            return Not(Omitted::ReactivePower);
        } else if self.dc {
            return Not(Omitted::DcSide);
        }
        match (phase, self.export, self.import) {
            (None, true, false) => PowerExport,
            (None, false, true) => PowerImport,
            (None, ..) => Power,
            (Some(phase), true, false) => PhaseExport(phase),
            (Some(phase), false, true) => PhaseImport(phase),
            (Some(phase), ..) => PhasePower(phase),
        }
    }

    const fn unit(&self, quantity: Quantity) -> Option<Unit> {
        match quantity {
            Voltage | PhaseVoltage(_) => Some(match self.volts {
                Some(unit) => unit,
                None => One,
            }),
            Current | PhaseCurrent(_) => self.amperes,
            Frequency | PowerFactor => Some(One),
            Power | PowerImport | PowerExport | PhasePower(_) | PhaseImport(_) | PhaseExport(_) => self.watts,
            Import | Export | ImportTariff(_) | ExportTariff(_) => self.watt_hours,
            _ => None,
        }
    }
}

// === impl Quantity ===

impl Quantity {
    /// The unit that a message says beside a value; none where it says nothing.
    ///
    /// # Errors
    /// `unit_unknown` for what is none of the quantity's units: a power in VA is no power in W.
    pub(in crate::family) fn told(self, told: Told) -> Result<Option<Unit>, Omitted> {
        match (told, self.dimension()) {
            (Told::Nothing, _) | (_, None) => Ok(None),
            (Told::Unit(unit, of), Some(dimension)) if of == dimension => Ok(Some(unit)),
            _ => Err(Omitted::UnitUnknown),
        }
    }
}

// === impl Part ===

impl Part {
    /// An unknown word with a quantity in it, as `powerwall`.
    fn hides_a_quantity(&self) -> bool {
        let quantities = ["power", "energy", "voltage", "current", "watt", "kwh"];
        self.word.is_none() && quantities.iter().any(|quantity| self.text.contains(quantity))
    }
}

#[cfg(test)]
#[path = "meaning_tests.rs"]
mod tests;
