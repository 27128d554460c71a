//! What can be measured: the struct, and the same as a table for code that treats all measures alike.
//!
//! A new measure is a field, an entry of the table and a column. Whoever must decide about each measure takes the
//! struct apart whole (`let Measures { power_w, … } = …`, never with `..`), and so does not compile until it did.

use crate::register;

/// The measures of a reading; what is unknown is absent, never zero.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measures {
    /// Active power in W: + import (consumption), - export.
    pub power_w: Option<f64>,
    /// Cumulative import register in mWh.
    pub energy_import_mwh: Option<i64>,
    /// Cumulative export register in mWh.
    pub energy_export_mwh: Option<i64>,
    /// Voltage in V, total or single phase.
    pub voltage_v: Option<f64>,
    /// Current in A, total or single phase.
    pub current_a: Option<f64>,
    /// Power factor, -1 to 1.
    pub power_factor: Option<f64>,
    /// Mains frequency in Hz.
    pub frequency_hz: Option<f64>,
    /// State of charge of a battery in %, 0 to 100; no energy follows from it.
    pub soc_pct: Option<f64>,
    /// L1 to L3, in this order; empty where the meter says nothing of phases.
    pub phases: Vec<Phase>,
}

/// The measures of one phase.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Phase {
    /// Active power in W: + import, - export.
    pub power_w: Option<f64>,
    /// Voltage in V against neutral.
    pub voltage_v: Option<f64>,
    /// Current in A.
    pub current_a: Option<f64>,
}

/// One measure of `T`, [`Measures`] or [`Phase`], as tables and documents have it.
#[derive(Clone, Copy, Debug)]
pub struct Measure<T> {
    /// Its name in Wattline's JSON, with the unit: a register is in Wh.
    pub name: &'static str,
    /// Its column in table `reading`; of a phase's measure a column of arrays, L1 first.
    pub column: &'static str,
    /// The unit of [`Measure::get`] and [`Measure::set`]; empty for a ratio.
    pub unit: &'static str,
    /// Its value, where there is one.
    pub get: fn(&T) -> Option<f64>,
    /// Puts a value in place, or takes it away.
    pub set: fn(&mut T, Option<f64>),
}

macro_rules! measure {
    ($field:ident, $column:literal, $unit:literal) => {
        Measure {
            name: stringify!($field),
            column: $column,
            unit: $unit,
            get: |of| of.$field,
            set: |of, value| of.$field = value,
        }
    };
}

macro_rules! register {
    ($field:ident, $name:literal) => {
        Measure {
            name: $name,
            column: $name,
            unit: "Wh",
            get: |of| of.$field.map(register::to_wh),
            set: |of, wh| of.$field = wh.map(register::from_wh),
        }
    };
}

/// All measures but those of phases, in the order of the columns.
pub const MEASURES: [Measure<Measures>; 8] = [
    measure!(power_w, "power_w", "W"),
    register!(energy_import_mwh, "energy_import_wh"),
    register!(energy_export_mwh, "energy_export_wh"),
    measure!(voltage_v, "voltage_v", "V"),
    measure!(current_a, "current_a", "A"),
    measure!(power_factor, "power_factor", ""),
    measure!(frequency_hz, "frequency_hz", "Hz"),
    measure!(soc_pct, "soc_pct", "%"),
];

/// The measures of each phase, in the order of the columns.
pub const PHASE_MEASURES: [Measure<Phase>; 3] = [
    measure!(power_w, "phase_power_w", "W"),
    measure!(voltage_v, "phase_voltage_v", "V"),
    measure!(current_a, "phase_current_a", "A"),
];

/// The columns of all measures, of phases too, in the order of the tables above.
pub fn columns() -> impl Iterator<Item = &'static str> {
    MEASURES.iter().map(|measure| measure.column).chain(PHASE_MEASURES.iter().map(|measure| measure.column))
}

/// The same for an SQL statement, with commas between.
#[must_use]
pub fn column_list() -> String {
    columns().collect::<Vec<_>>().join(", ")
}

// === impl Measures ===

impl Measures {
    /// True where nothing at all was measured.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self {
            power_w,
            energy_import_mwh,
            energy_export_mwh,
            voltage_v,
            current_a,
            power_factor,
            frequency_hz,
            soc_pct,
            phases,
        } = self;
        power_w.is_none()
            && energy_import_mwh.is_none()
            && energy_export_mwh.is_none()
            && voltage_v.is_none()
            && current_a.is_none()
            && power_factor.is_none()
            && frequency_hz.is_none()
            && soc_pct.is_none()
            && phases.iter().all(Phase::is_empty)
    }

    /// Measures from their columns, each read by its name: `number` reads a column of [`MEASURES`], `array` one of
    /// [`PHASE_MEASURES`].
    ///
    /// # Errors
    /// The first one that a column gives.
    pub fn from_columns<E>(
        mut number: impl FnMut(&'static str) -> Result<Option<f64>, E>,
        mut array: impl FnMut(&'static str) -> Result<Option<Vec<Option<f64>>>, E>,
    ) -> Result<Self, E> {
        let mut measures = Self::default();
        for measure in &MEASURES {
            (measure.set)(&mut measures, number(measure.column)?);
        }
        let mut arrays = PHASE_MEASURES.map(|_| None);
        for (measure, values) in PHASE_MEASURES.iter().zip(&mut arrays) {
            *values = array(measure.column)?;
        }
        measures.phases = Self::phases_of(arrays);
        Ok(measures)
    }

    /// The phases from their columns, in the order of [`PHASE_MEASURES`]: one array each, which may be missing, or
    /// shorter than the others.
    #[must_use]
    pub fn phases_of(arrays: [Option<Vec<Option<f64>>>; PHASE_MEASURES.len()]) -> Vec<Phase> {
        let arrays = arrays.map(Option::unwrap_or_default);
        let mut phases = vec![Phase::default(); arrays.iter().map(Vec::len).max().unwrap_or(0)];
        for (measure, values) in PHASE_MEASURES.iter().zip(arrays) {
            for (phase, value) in phases.iter_mut().zip(values) {
                (measure.set)(phase, value);
            }
        }
        phases
    }
}

// === impl Phase ===

impl Phase {
    /// True where nothing was measured on this phase.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        let Self { power_w, voltage_v, current_a } = self;
        power_w.is_none() && voltage_v.is_none() && current_a.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A measure that the struct has and the table has not.
    #[test]
    fn the_tables_have_all_measures() {
        let all = Measures {
            power_w: Some(1.0),
            energy_import_mwh: Some(2000),
            energy_export_mwh: Some(3000),
            voltage_v: Some(4.0),
            current_a: Some(5.0),
            power_factor: Some(6.0),
            frequency_hz: Some(7.0),
            soc_pct: Some(8.0),
            phases: Vec::new(),
        };
        let mut rest = all.clone();
        let mut copy = Measures::default();
        for measure in &MEASURES {
            let value = (measure.get)(&rest);
            assert!(value.is_some(), "{}", measure.name);
            (measure.set)(&mut copy, value);
            (measure.set)(&mut rest, None);
        }
        assert_eq!(copy, all);
        assert!(rest.is_empty(), "not in the table: {rest:?}");

        let all = Phase { power_w: Some(1.0), voltage_v: Some(2.0), current_a: Some(3.0) };
        let arrays = PHASE_MEASURES.map(|measure| Some(vec![(measure.get)(&all)]));
        assert_eq!(Measures::phases_of(arrays), [all]);
    }

    #[test]
    fn arrays_may_be_missing_or_short() {
        let phases =
            Measures::phases_of([Some(vec![Some(1.0), None]), None, Some(vec![None, None, Some(3.0)])]);
        let expected = [
            Phase { power_w: Some(1.0), ..Phase::default() },
            Phase::default(),
            Phase { current_a: Some(3.0), ..Phase::default() },
        ];
        assert_eq!(phases, expected);
    }

    #[test]
    fn columns_are_read_by_their_names() {
        let number = |column: &str| if column == "voltage_v" { Ok(Some(230.0)) } else { Ok(None) };
        let array = |column: &str| match column {
            "phase_current_a" => Ok(Some(vec![None, Some(2.0)])),
            _ => Ok(None),
        };
        let expected = Measures {
            voltage_v: Some(230.0),
            phases: vec![Phase::default(), Phase { current_a: Some(2.0), ..Phase::default() }],
            ..Measures::default()
        };
        assert_eq!(Measures::from_columns::<&str>(number, array), Ok(expected));
        assert_eq!(Measures::from_columns(Err, array), Err("power_w"));
        assert_eq!(Measures::from_columns(number, Err), Err("phase_power_w"));
    }

    #[test]
    fn names_and_columns_are_told_apart() {
        let mut seen: Vec<_> = columns().collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), MEASURES.len() + PHASE_MEASURES.len());
    }
}
