//! The fields of one object that are taken by their names.

use super::super::prelude::*;
use super::{Meaning, Units, meaning};
use crate::unit::Told;
use wattline_reading::Measures;

/// The fields of one object: of two with one meaning the one counts that says more, and of two that say as much none,
/// unless they are equal.
#[derive(Debug)]
pub(in crate::family) struct Named<'j> {
    units: Units,
    fields: Vec<Field<'j>>,
}

/// Where the unit of one value stands beside it.
const UNIT_KEYS: [&str; 3] = ["unit", "unit_of_measurement", "units"];

#[derive(Debug)]
struct Field<'j> {
    quantity: Quantity,
    rank: u8,
    name: &'j str,
    value: &'j Json<'j>,
    unit: Option<Unit>,
    /// Another one says something else, and is as good.
    is_disputed: bool,
    /// Nothing says that it is in A.
    current_is_assumed: bool,
}

// === impl Named ===

impl<'j> Named<'j> {
    pub(in crate::family) const fn new(units: Units) -> Self {
        Self { units, fields: Vec::new() }
    }

    /// For the fields of `object`, which may say the unit of all: `{"power": 1.2, "unit": "kW"}`, or of one quantity:
    /// `{"energy": 12, "energy_unit": "kWh"}`.
    pub(in crate::family) fn beside(units: Units, object: &Json<'_>) -> Self {
        let mut units = units;
        let text = |name: &str| object.get(name).and_then(Json::text).map(str::trim);
        for (name, of) in [
            ("unit", None),
            ("unit_of_measurement", None),
            ("energy_unit", Some('h')),
            ("power_unit", Some('w')),
            ("current_unit", Some('a')),
        ] {
            let Some(word) = text(name) else { continue };
            // Apparent power beside a name of power.
            if of.is_none_or(|of| of == 'w')
                && ["va", "kva", "var", "kvar"].contains(&&*word.to_ascii_lowercase())
            {
                (units.power, units.used_power) = (None, None);
                continue;
            }
            let kind = word.chars().next_back().map(|last| last.to_ascii_lowercase());
            let Some(unit) = Unit::of_word(word).filter(|_| of.is_none() || of == kind) else { continue };
            match kind {
                Some('h') => units.energy = Some(unit),
                Some('w') => (units.power, units.used_power) = (Some(unit), Some(unit)),
                Some('a') => units.current = Some(unit),
                _ => {}
            }
        }
        Self::new(units)
    }

    /// Takes one field by its name.
    pub(in crate::family) fn take(&mut self, name: &'j str, value: &'j Json<'j>) {
        if let Some(meaning) = meaning(name) {
            self.take_as(&meaning, name, value);
        }
    }

    /// Takes one field of a phase, counted from 0.
    pub(in crate::family) fn take_of_phase(&mut self, phase: u8, name: &'j str, value: &'j Json<'j>) {
        let Some(mut meaning) = meaning(name) else { return };
        meaning.quantity = match meaning.quantity {
            Power => PhasePower(phase),
            PowerImport => PhaseImport(phase),
            PowerExport => PhaseExport(phase),
            Voltage => PhaseVoltage(phase),
            Current => PhaseCurrent(phase),
            Import | Export => Not(Omitted::PartialRegister),
            Not(reason) => Not(reason),
            _ => return,
        };
        self.take_as(&meaning, name, value);
    }

    /// Takes one field of a known meaning.
    pub(in crate::family) fn take_as(&mut self, meaning: &Meaning, name: &'j str, value: &'j Json<'j>) {
        // {"value": 1.5, "unit": "kWh"}
        let word = UNIT_KEYS.iter().find_map(|key| value.get(key)).and_then(Json::text);
        let value = value.field("value").unwrap_or(value);
        let Meaning { mut quantity, rank, .. } = *meaning;
        let told = match quantity.told(Told::of(word)) {
            Ok(unit) => unit,
            Err(why) => {
                quantity = Not(why);
                None
            }
        };
        let told = told.or_else(|| Some(quantity.with_unit(value.text()?)?.1));
        if value.scalar().is_none() && *value != Json::Null && !matches!(quantity, Not(_)) {
            quantity = Not(Omitted::Unreadable);
        }
        let unit = told.or(meaning.unit).or_else(|| self.units.of(meaning));
        let current_is_assumed = told.or(meaning.unit).or(self.units.current).is_none();
        let field = Field { quantity, rank, name, value, unit, is_disputed: false, current_is_assumed };
        let same = |other: &&mut Field<'_>| other.quantity == quantity && other.has_value();
        let has_rival = !matches!(quantity, Not(_)) && field.has_value();
        match self.fields.iter_mut().find(same).filter(|_| has_rival) {
            Some(other) if other.rank > rank => {}
            // Of equal keys in one object the last counts.
            Some(other) if other.rank < rank || other.name == name => *other = field,
            Some(other) => other.is_disputed |= !other.says_the_same(&field),
            None => self.fields.push(field),
        }
    }

    /// Puts what was taken into a draft.
    pub(in crate::family) fn put(self, draft: &mut Draft, omitted: &mut Vec<Omission>) {
        let assumed = |field: &&Field<'_>| field.quantity == Current && field.current_is_assumed;
        let assumed = self.fields.iter().find(assumed).map(|field| field.name);
        self.set_all(draft, omitted);
        if let Some(name) = assumed
            && contradicts_power(&draft.measures)
        {
            draft.measures.current_a = None;
            omitted.push(Omission::new(name, Omitted::UnitUnknown));
        }
    }

    fn set_all(self, draft: &mut Draft, omitted: &mut Vec<Omission>) {
        for Field { quantity, name, value, unit, is_disputed, .. } in self.fields {
            match (quantity, unit) {
                (Not(_), _) | (_, None) if value.is_nothing() => draft.say_no_value(),
                (Not(reason), _) => omitted.push(Omission::new(name, reason)),
                _ if is_disputed => omitted.push(Omission::new(name, Omitted::Ambiguous)),
                (_, Some(unit)) => set_json(draft, quantity, value, unit, name, omitted),
                (_, None) => omitted.push(Omission::new(name, Omitted::UnitUnknown)),
            }
        }
    }
}

// === impl Field ===

impl Field<'_> {
    fn has_value(&self) -> bool {
        self.value.scalar().is_some_and(|text| crate::number::decimal(text).is_some())
    }

    fn says_the_same(&self, other: &Self) -> bool {
        self.unit == other.unit && self.value.scalar() == other.value.scalar()
    }
}

/// A current that makes far more than the power of the same message is in mA, or in something else. No appliance has so
/// much reactive power.
fn contradicts_power(measures: &Measures) -> bool {
    const VA_PER_W_MAX: f64 = 20.0;
    const IDLE_VA: f64 = 500.0;
    let (Some(power_w), Some(voltage_v), Some(current_a)) =
        (measures.power_w, measures.voltage_v, measures.current_a)
    else {
        return false;
    };
    (voltage_v * current_a).abs() > power_w.abs() * VA_PER_W_MAX + IDLE_VA
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(json: &str) -> (Measures, Vec<Omission>) {
        let json = Json::parse(json.as_bytes()).unwrap();
        let (mut draft, mut omitted) = (Draft::default(), Vec::new());
        let mut named = Named::beside(Units::usual(&FamilyOptions::default()), &json);
        json.fields().iter().for_each(|(name, value)| named.take(name, value));
        named.put(&mut draft, &mut omitted);
        (draft.measures, omitted)
    }

    fn reasons(json: &str) -> Vec<(String, Omitted)> {
        taken(json).1.into_iter().map(|omission| (omission.field.into_owned(), omission.reason)).collect()
    }

    #[test]
    fn of_two_fields_the_one_that_says_more_counts_in_any_order() {
        for json in [r#"{"power":3,"total_power":12}"#, r#"{"total_power":12,"power":3}"#] {
            assert_eq!(taken(json).0.power_w, Some(12.0), "{json}");
        }
        let disputed = r#"{"house_energy":1,"energy":1,"energy_counter":2}"#;
        assert_eq!(taken(disputed).0.energy_import_mwh, None);
        let expected =
            [("house_energy".to_owned(), Omitted::UnknownName), ("energy".to_owned(), Omitted::Ambiguous)];
        assert_eq!(reasons(disputed), expected);
        let same = r#"{"power":5,"power_value":5,"power":null}"#;
        assert_eq!(taken(same).0.power_w, Some(5.0), "a word for no value takes nothing away");
    }

    #[test]
    fn the_unit_may_stand_beside() {
        for (json, power_w, import_mwh) in [
            (r#"{"power":1.2,"unit":"kW"}"#, Some(1200.0), None),
            (r#"{"power":{"value":1.2,"unit":"kW"}}"#, Some(1200.0), None),
            (r#"{"power":{"value":1.2,"unit":"kVA"}}"#, None, None),
            (r#"{"power":{"value":1.2,"unit":"kWh"}}"#, None, None),
            (r#"{"power":1.2,"unit":"kVA","energy":3}"#, None, Some(3_000_000)),
            (r#"{"power":"1.2 kW","energy":"3000Wh"}"#, Some(1200.0), Some(3_000_000)),
            (r#"{"power":5,"energy":1200,"energy_unit":"Wh"}"#, Some(5.0), Some(1_200_000)),
            (r#"{"power":5,"unit":"°C"}"#, Some(5.0), None),
            (r#"{"power":5,"energy":1,"unit":"W"}"#, Some(5.0), Some(1_000_000)),
        ] {
            let measures = taken(json).0;
            assert_eq!((measures.power_w, measures.energy_import_mwh), (power_w, import_mwh), "{json}");
        }
    }

    #[test]
    fn a_current_that_contradicts_power_and_voltage_has_another_unit() {
        let milliamperes = r#"{"active_power":31,"voltage":228.5,"current":164}"#;
        assert_eq!(taken(milliamperes).0.current_a, None);
        assert_eq!(reasons(milliamperes), [("current".to_owned(), Omitted::UnitUnknown)]);
        for fine in [
            r#"{"active_power":1200,"voltage":228.5,"current":5.41}"#,
            r#"{"active_power":1,"voltage":230,"current":0.2}"#,
            r#"{"power":1,"current":16}"#,
        ] {
            assert!(taken(fine).0.current_a.is_some(), "{fine}");
        }
        let said = r#"{"active_power":31,"voltage":228.5,"current_a":164}"#;
        assert_eq!(taken(said).0.current_a, Some(164.0), "the limits' to judge");
    }
}
