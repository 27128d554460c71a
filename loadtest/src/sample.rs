//! What a simulated meter says at one instant, and the two forms it is compared in: the JSON that is sent, and
//! the measures that must be stored.

use wattline_reading::{Measures, Phase, Timestamp, register};

/// One reading in scaled integers, so that the text sent and the number stored are the same number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The meter's own time; whole ms.
    pub ts: Timestamp,
    /// Tenths of a watt, + import.
    pub power_dw: i32,
    /// Import register.
    pub energy_import_mwh: i64,
    /// Export register.
    pub energy_export_mwh: i64,
    /// Tenths of a volt.
    pub voltage_dv: i32,
    /// Milliamperes.
    pub current_ma: i64,
    /// Hundredths.
    pub power_factor_pct: i32,
    /// Thousandths of a hertz.
    pub frequency_mhz: i32,
    /// L1 to L3 of a three-phase home.
    pub phases: Option<[PhaseSample; 3]>,
}

/// One phase in scaled integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhaseSample {
    /// Tenths of a watt.
    pub power_dw: i32,
    /// Tenths of a volt.
    pub voltage_dv: i32,
    /// Milliamperes.
    pub current_ma: i64,
}

/// Which part of a telegram a message carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All measures.
    Whole,
    /// Power and what goes with it.
    Momentary,
    /// The registers.
    Registers,
}

// === impl Sample ===

impl Sample {
    /// Appends the JSON object.
    pub fn write_json(&self, part: Part, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"ts\":");
        write_scaled(self.ts.micros().div_euclid(1000), 0, out);
        if part != Part::Registers {
            write_field("power_w", i64::from(self.power_dw), 1, out);
        }
        if part != Part::Momentary {
            write_field("energy_import_wh", self.energy_import_mwh, 3, out);
            write_field("energy_export_wh", self.energy_export_mwh, 3, out);
        }
        if part != Part::Registers {
            write_field("voltage_v", i64::from(self.voltage_dv), 1, out);
            write_field("current_a", self.current_ma, 3, out);
            write_field("power_factor", i64::from(self.power_factor_pct), 2, out);
            write_field("frequency_hz", i64::from(self.frequency_mhz), 3, out);
            if let Some(phases) = &self.phases {
                write_phases(phases, out);
            }
        }
        out.push(b'}');
    }

    /// The measures that must be in the table.
    #[must_use]
    pub fn measures(&self) -> Measures {
        Measures {
            power_w: Some(scaled(self.power_dw, 10.0)),
            energy_import_mwh: Some(self.energy_import_mwh),
            energy_export_mwh: Some(self.energy_export_mwh),
            voltage_v: Some(scaled(self.voltage_dv, 10.0)),
            current_a: Some(register::to_wh(self.current_ma)),
            power_factor: Some(scaled(self.power_factor_pct, 100.0)),
            frequency_hz: Some(scaled(self.frequency_mhz, 1000.0)),
            soc_pct: None,
            phases: self.phases.iter().flatten().map(PhaseSample::phase).collect(),
        }
    }

    /// The same instant with other values: what a meter must never say twice.
    #[must_use]
    pub fn contradicted(&self) -> Self {
        Self { power_dw: self.power_dw + 1000, energy_import_mwh: self.energy_import_mwh + 1, ..self.clone() }
    }
}

// === impl PhaseSample ===

impl PhaseSample {
    fn phase(&self) -> Phase {
        Phase {
            power_w: Some(scaled(self.power_dw, 10.0)),
            voltage_v: Some(scaled(self.voltage_dv, 10.0)),
            current_a: Some(register::to_wh(self.current_ma)),
        }
    }
}

/// Division of two exact numbers is rounded once, as the parsing of the same decimal text is: equal results.
fn scaled(value: i32, divisor: f64) -> f64 {
    f64::from(value) / divisor
}

fn write_phases(phases: &[PhaseSample; 3], out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"phases\":[");
    for (index, phase) in phases.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"{\"power_w\":" } else { b",{\"power_w\":" });
        write_scaled(i64::from(phase.power_dw), 1, out);
        write_field("voltage_v", i64::from(phase.voltage_dv), 1, out);
        write_field("current_a", phase.current_ma, 3, out);
        out.push(b'}');
    }
    out.push(b']');
}

fn write_field(name: &str, value: i64, decimals: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    write_scaled(value, decimals, out);
}

/// `value` / 10^`decimals` as decimal text: -5 with one decimal is `-0.5`.
fn write_scaled(value: i64, decimals: usize, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 24];
    let mut start = digits.len();
    let mut rest = value.unsigned_abs();
    let mut written = 0;
    while rest > 0 || written <= decimals {
        if written == decimals && decimals > 0 {
            start -= 1;
            digits[start] = b'.';
        }
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        written += 1;
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[start..]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(value: i64, decimals: usize) -> String {
        let mut out = Vec::new();
        write_scaled(value, decimals, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn decimal_text() {
        for (value, decimals, expected) in [
            (0, 0, "0"),
            (0, 1, "0.0"),
            (-5, 1, "-0.5"),
            (12, 3, "0.012"),
            (1_234_567, 3, "1234.567"),
            (i64::MAX, 0, "9223372036854775807"),
        ] {
            assert_eq!(text(value, decimals), expected);
        }
    }

    proptest! {
        #[test]
        fn what_is_sent_is_what_must_be_stored(value in -10_000_000_i32..10_000_000) {
            for (decimals, divisor) in [(1, 10.0), (2, 100.0), (3, 1000.0)] {
                let parsed: f64 = text(i64::from(value), decimals).parse().unwrap();
                prop_assert!(parsed.to_bits() == scaled(value, divisor).to_bits() || value == 0);
            }
        }
    }

    #[test]
    fn the_parts_of_a_telegram_make_the_whole() {
        let sample = Sample {
            ts: Timestamp::from_micros(1_795_168_800_000_000),
            power_dw: -4321,
            energy_import_mwh: 1_234_567_000,
            energy_export_mwh: 5,
            voltage_dv: 2304,
            current_ma: 1900,
            power_factor_pct: 98,
            frequency_mhz: 50_010,
            phases: Some([PhaseSample { power_dw: -1440, voltage_dv: 2300, current_ma: 630 }; 3]),
        };
        let object = |part| {
            let mut out = Vec::new();
            sample.write_json(part, &mut out);
            serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&out).unwrap()
        };
        let whole = object(Part::Whole);
        let mut joined = object(Part::Momentary);
        joined.extend(object(Part::Registers));
        assert_eq!(whole, joined);
        assert_eq!(whole["power_w"], -432.1);
        assert_eq!(whole["energy_import_wh"], 1_234_567.0);
        assert_eq!(whole["phases"].as_array().unwrap().len(), 3);
    }
}
