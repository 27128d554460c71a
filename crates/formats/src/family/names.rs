//! The common names of measures, as people and devices write them: `power`, `activePowerL1`, `energy_import_kWh`,
//! `Total Active Energy`. For families whose fields are named by their users.

use std::cell::RefCell;
use std::collections::HashMap;

use super::prelude::*;

/// What a name means. The unit is none where neither the name nor the usual practice says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Meaning {
    pub(super) quantity: Quantity,
    pub(super) unit: Option<Unit>,
}

/// Words of values that are no measurement of now, or not of the mains.
const OTHERS: [&str; 24] = [
    "battery",
    "batt",
    "setpoint",
    "limit",
    "max",
    "min",
    "peak",
    "demand",
    "target",
    "nominal",
    "rated",
    "price",
    "cost",
    "thd",
    "angle",
    "temperature",
    "percent",
    "forecast",
    "alarm",
    "status",
    "state",
    "interval",
    "avg",
    "average",
];
const PERIODS: [&str; 10] =
    ["today", "daily", "day", "yesterday", "month", "year", "week", "session", "hour", "since"];
const IMPORTS: [&str; 9] =
    ["import", "consum", "deliver", "forward", "positive", "bought", "usage", "used", "drawn"];
const EXPORTS: [&str; 11] = [
    "export", "produc", "return", "reverse", "negative", "feedin", "feed_in", "inject", "generat", "yield",
    "sold",
];

struct Name {
    /// All of it in lower case.
    text: String,
    words: Vec<String>,
}

/// Names whose meaning is kept: looking at one word by word costs more than reading the rest of the message.
const KEPT_MAX: usize = 400;

thread_local! {
    static KEPT: RefCell<HashMap<Box<str>, Option<Meaning>>> = RefCell::default();
}

/// What a field's name means; none where it is no measure of a meter.
pub(super) fn meaning(name: &str) -> Option<Meaning> {
    // No device has such names.
    if name.is_empty() || name.len() > 64 {
        return None;
    }
    KEPT.with_borrow_mut(|kept| {
        if let Some(meaning) = kept.get(name) {
            return *meaning;
        }
        let meaning = find_meaning(name);
        if kept.len() < KEPT_MAX {
            kept.insert(name.into(), meaning);
        }
        meaning
    })
}

fn find_meaning(name: &str) -> Option<Meaning> {
    let name = Name::new(name);
    if let Some(meaning) = name.short() {
        return Some(meaning);
    }
    if OTHERS.iter().any(|word| name.has(word)) {
        return None;
    }
    name.energy().or_else(|| name.power()).or_else(|| name.secondary())
}

// === impl Name ===

impl Name {
    fn new(name: &str) -> Self {
        let mut words = Vec::new();
        for part in name.split(|c: char| !c.is_ascii_alphanumeric()) {
            split_camel(part, &mut words);
        }
        Self { text: name.to_ascii_lowercase(), words }
    }

    fn has(&self, word: &str) -> bool {
        self.words.iter().any(|own| own == word)
    }

    fn contains(&self, parts: &[&str]) -> bool {
        parts.iter().any(|part| self.text.contains(part))
    }

    /// Names of one letter and the like, only as a whole.
    fn short(&self) -> Option<Meaning> {
        let (quantity, unit) = match self.text.as_str() {
            "p" | "w" | "watt" | "watts" | "wattage" => (Power, One),
            "kw" => (Power, Kilo),
            "u" | "v" | "volt" | "volts" | "vrms" => (Voltage, One),
            "i" | "a" | "amp" | "amps" | "irms" => (Current, One),
            "ma" => (Current, Milli),
            "f" | "hz" => (Frequency, One),
            "pf" | "cosphi" => (PowerFactor, One),
            "wh" => (Import, One),
            "kwh" => (Import, Kilo),
            "l1" | "l2" | "l3" => return None,
            _ => return None,
        };
        Some(Meaning { quantity, unit: Some(unit) })
    }

    fn energy(&self) -> Option<Meaning> {
        let unit = if self.has("kwh") {
            Some(Kilo)
        } else if self.has("mwh") {
            Some(Unit::Mega)
        } else if self.has("wh") {
            Some(One)
        } else {
            None
        };
        let apparent = self.has("kvah") || self.has("vah");
        let reactive = self.has("kvarh") || self.has("varh");
        if unit.is_none() && !self.contains(&["energy"]) && !apparent && !reactive {
            return None;
        }
        let export = self.is_export();
        let quantity = if PERIODS.iter().any(|word| self.has(word)) {
            Not(Omitted::DayCounter)
        } else if reactive || self.contains(&["reactive"]) {
            Not(Omitted::ReactivePower)
        } else if apparent || self.contains(&["apparent"]) {
            Not(Omitted::ApparentPower)
        } else if self.has("dc") {
            Not(Omitted::DcSide)
        } else if let Some(tariff) = self.tariff() {
            if export { ExportTariff(tariff) } else { ImportTariff(tariff) }
        } else if self.phase().is_some() {
            Not(Omitted::PartialRegister)
        } else if export {
            Export
        } else {
            Import
        };
        Some(Meaning { quantity, unit })
    }

    fn power(&self) -> Option<Meaning> {
        let unit = if self.has("kw") { Kilo } else { One };
        let named =
            self.contains(&["power", "watts"]) || self.has("kw") || (self.has("w") && self.words.len() > 1);
        if !named || self.contains(&["factor"]) {
            return None;
        }
        let phase = self.phase();
        let quantity = if self.contains(&["apparent"]) || self.has("va") || self.has("kva") {
            Not(Omitted::ApparentPower)
        } else if self.contains(&["reactive"]) || self.has("var") || self.has("kvar") {
            Not(Omitted::ReactivePower)
        } else if self.has("dc") {
            Not(Omitted::DcSide)
        } else {
            match (phase, self.is_export(), self.is_import()) {
                (None, true, false) => PowerExport,
                (None, false, true) => PowerImport,
                (None, ..) => Power,
                (Some(phase), true, false) => PhaseExport(phase),
                (Some(phase), false, true) => PhaseImport(phase),
                (Some(phase), ..) => PhasePower(phase),
            }
        };
        Some(Meaning { quantity, unit: Some(unit) })
    }

    fn secondary(&self) -> Option<Meaning> {
        let phase = self.phase();
        let (quantity, unit) = if self.contains(&["powerfactor", "power_factor", "power factor", "cos_phi"])
            || (self.contains(&["power"]) && self.contains(&["factor"]))
        {
            (phase.is_none().then_some(PowerFactor)?, One)
        } else if self.contains(&["frequency"]) || self.has("freq") || self.has("hz") {
            (Frequency, One)
        } else if self.contains(&["voltage"]) || self.has("v") || self.has("volts") {
            // Between two phases it is √3 times higher.
            if self.contains(&["l1_l2", "l2_l3", "l3_l1", "l1l2", "l2l3", "l3l1"]) {
                return None;
            }
            (phase.map_or(Voltage, PhaseVoltage), if self.has("mv") { Milli } else { One })
        } else if self.contains(&["current", "amps", "ampere"]) || (self.has("a") && phase != Some(0)) {
            if self.contains(&["neutral"]) {
                return None;
            }
            (phase.map_or(Current, PhaseCurrent), if self.has("ma") { Milli } else { One })
        } else {
            return None;
        };
        let quantity = if self.has("dc") { Not(Omitted::DcSide) } else { quantity };
        Some(Meaning { quantity, unit: Some(unit) })
    }

    fn is_export(&self) -> bool {
        self.contains(&EXPORTS) || self.has("out")
    }

    fn is_import(&self) -> bool {
        self.contains(&IMPORTS) || self.has("in")
    }

    fn phase(&self) -> Option<u8> {
        let words = [["l1", "phase1", "phasea"], ["l2", "phase2", "phaseb"], ["l3", "phase3", "phasec"]];
        let found = (0_u8..).zip(words).find(|(_, words)| words.iter().any(|word| self.has(word)));
        let behind_phase = || {
            let at = self.words.iter().position(|word| word == "phase")?;
            match self.words.get(at + 1)?.as_str() {
                "1" | "a" => Some(0),
                "2" | "b" => Some(1),
                "3" | "c" => Some(2),
                _ => None,
            }
        };
        found.map(|(phase, _)| phase).or_else(behind_phase)
    }

    fn tariff(&self) -> Option<u8> {
        let number = |word: &str| -> Option<u8> {
            let digits = word.strip_prefix("tariff").or_else(|| word.strip_prefix('t'))?;
            digits.parse::<u8>().ok().filter(|tariff| (1..=8).contains(tariff)).map(|tariff| tariff - 1)
        };
        let behind = || {
            let at = self.words.iter().position(|word| word == "tariff")?;
            let tariff = self.words.get(at + 1)?.parse::<u8>().ok()?;
            (1..=8).contains(&tariff).then(|| tariff - 1)
        };
        self.words.iter().find_map(|word| number(word)).or_else(behind)
    }
}

/// Words by changes from lower to upper case; a unit at the end stays whole.
fn split_camel(part: &str, words: &mut Vec<String>) {
    const UNITS: [&str; 10] = ["kWh", "MWh", "kWH", "kVAh", "kVA", "kW", "Wh", "Hz", "mA", "mV"];
    let (part, unit) = match UNITS.iter().find(|unit| part.ends_with(**unit)) {
        Some(unit) => (&part[..part.len() - unit.len()], Some(unit.to_ascii_lowercase())),
        None => (part, None),
    };
    let mut word = String::new();
    let mut lower = false;
    for c in part.chars() {
        if c.is_ascii_uppercase() && lower {
            words.push(std::mem::take(&mut word));
        }
        lower = c.is_ascii_lowercase();
        word.push(c.to_ascii_lowercase());
    }
    if !word.is_empty() {
        words.push(word);
    }
    words.extend(unit);
}

/// Takes one field by its name. Energies without unit are in `energy_unit`; none: they are left out.
pub(super) fn take(
    name: &str,
    value: &Json<'_>,
    energy_unit: Option<Unit>,
    draft: &mut Draft,
    omitted: &mut Vec<Omission>,
) -> Result<(), Stop> {
    let Some(Meaning { quantity, unit }) = meaning(name) else { return Ok(()) };
    // {"value": 1.5, "unit": "kWh"}
    let told = value.get("unit").and_then(Json::text).and_then(Unit::of_word);
    let value = value.get("value").unwrap_or(value);
    if value.scalar().is_none() && *value != Json::Null {
        return Ok(());
    }
    let register = matches!(quantity, Import | Export | ImportTariff(_) | ExportTariff(_));
    match told.or(unit).or(energy_unit.filter(|_| register)) {
        Some(unit) => set_json(draft, quantity, value, unit, name, omitted),
        None if register => {
            omitted.push(Omission::new(name, Omitted::UnitUnknown));
            Ok(())
        }
        None => set_json(draft, quantity, value, One, name, omitted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_mean_what_people_mean() {
        for (name, quantity, unit) in [
            ("power", Power, Some(One)),
            ("power_w", Power, Some(One)),
            ("activePower", Power, Some(One)),
            ("active_power_kw", Power, Some(Kilo)),
            ("Total Active Power", Power, Some(One)),
            ("current_power", Power, Some(One)),
            ("power_l2", PhasePower(1), Some(One)),
            ("activePowerL3", PhasePower(2), Some(One)),
            ("power_phase_a", PhasePower(0), Some(One)),
            ("power_import", PowerImport, Some(One)),
            ("power_returned", PowerExport, Some(One)),
            ("energy", Import, None),
            ("energy_kwh", Import, Some(Kilo)),
            ("energy_import_wh", Import, Some(One)),
            ("energyImportkWh", Import, Some(Kilo)),
            ("total_energy", Import, None),
            ("Import Active Energy", Import, None),
            ("export_kWh", Export, Some(Kilo)),
            ("energy_returned", Export, None),
            ("energy_import_t1_kwh", ImportTariff(0), Some(Kilo)),
            ("energy_l1", Not(Omitted::PartialRegister), None),
            ("energy_today", Not(Omitted::DayCounter), None),
            ("dailyEnergy_kWh", Not(Omitted::DayCounter), Some(Kilo)),
            ("apparent_power", Not(Omitted::ApparentPower), Some(One)),
            ("reactive_energy", Not(Omitted::ReactivePower), None),
            ("voltage", Voltage, Some(One)),
            ("voltage_l3", PhaseVoltage(2), Some(One)),
            ("current", Current, Some(One)),
            ("current_ma", Current, Some(Milli)),
            ("currentL1", PhaseCurrent(0), Some(One)),
            ("power_factor", PowerFactor, Some(One)),
            ("powerFactor", PowerFactor, Some(One)),
            ("DC_Current", Not(Omitted::DcSide), Some(One)),
            ("dcVoltage", Not(Omitted::DcSide), Some(One)),
            ("frequency", Frequency, Some(One)),
            ("Frequency of supply voltages", Frequency, Some(One)),
            ("V", Voltage, Some(One)),
            ("kWh", Import, Some(Kilo)),
        ] {
            assert_eq!(meaning(name), Some(Meaning { quantity, unit }), "{name}");
        }
        for name in [
            "",
            "temperature",
            "max_power",
            "battery_voltage",
            "voltage_l1_l2",
            "rssi",
            "power_limit",
            "state",
            "x",
        ] {
            assert_eq!(meaning(name), None, "{name}");
        }
    }
}
