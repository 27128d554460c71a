//! Units in which devices give power, energy, voltage and current, as a power of ten and a divisor: registers stay
//! in decimal arithmetic.

use std::io::Write;

use serde::Deserialize;
use wattline_reading::register::{REGISTER_MWH_MAX, parse_scaled};

/// How a device's number becomes W, Wh, V, A or Hz.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// The base unit itself: W, Wh, V, A, Hz.
    #[default]
    One,
    /// kW, kWh, kV.
    Kilo,
    /// MW, MWh.
    Mega,
    /// A hundredth of a kWh: 10 Wh.
    Deca,
    /// 100 Wh.
    Hecto,
    /// A tenth.
    Deci,
    /// A hundredth; per cent of a power factor.
    Centi,
    /// mA, mV, mW, mWh.
    Milli,
    /// Watt-minutes.
    WattMinute,
    /// Joules: watt-seconds.
    Joule,
    /// Kilojoules.
    Kilojoule,
}

/// What a unit is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// Wh and its like.
    Energy,
    /// W.
    Power,
    /// V.
    Voltage,
    /// A.
    Current,
    /// Hz.
    Frequency,
}

/// What a message's word for a unit says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Told {
    /// There is none.
    #[default]
    Nothing,
    /// A unit, and what it is of.
    Unit(Unit, Dimension),
    /// A word that is none of those known: VA, var.
    Unknown,
}

/// The words that devices write. `mwh` and `mw` are none: the case would say which.
const WORDS: &[(Unit, Dimension, &[&str])] = &[
    (Unit::One, Dimension::Energy, &["Wh", "wh", "WH", "Watthour", "watthour", "watthours"]),
    (
        Unit::Kilo,
        Dimension::Energy,
        &["kWh", "KWh", "KWH", "kwh", "Kwh", "kWH", "kilowatthour", "kilowatthours"],
    ),
    (Unit::Mega, Dimension::Energy, &["MWh", "mwH"]),
    (Unit::Milli, Dimension::Energy, &["mWh"]),
    (Unit::WattMinute, Dimension::Energy, &["Wmin", "watt-minute"]),
    (Unit::Joule, Dimension::Energy, &["J", "Ws"]),
    (Unit::Kilojoule, Dimension::Energy, &["kJ"]),
    (Unit::One, Dimension::Power, &["W", "w", "Watt", "watt", "Watts", "watts"]),
    (Unit::Kilo, Dimension::Power, &["kW", "KW", "kw", "Kw", "kilowatt", "kilowatts"]),
    (Unit::Mega, Dimension::Power, &["MW"]),
    (Unit::Milli, Dimension::Power, &["mW"]),
    (Unit::One, Dimension::Voltage, &["V", "v", "Volt", "volt", "Volts", "volts"]),
    (Unit::Kilo, Dimension::Voltage, &["kV", "kv"]),
    (Unit::Milli, Dimension::Voltage, &["mV", "mv"]),
    (Unit::One, Dimension::Current, &["A", "a", "Amp", "amp", "Amps", "amps", "Ampere", "ampere"]),
    (Unit::Milli, Dimension::Current, &["mA", "ma"]),
    (Unit::One, Dimension::Frequency, &["Hz", "hz", "HZ"]),
];

// === impl Told ===

impl Told {
    /// What a word says; an empty one is none.
    #[must_use]
    pub fn of(word: Option<&str>) -> Self {
        match word.map(str::trim) {
            None | Some("") => Self::Nothing,
            Some(word) => Unit::named(word).map_or(Self::Unknown, |(unit, of)| Self::Unit(unit, of)),
        }
    }

    /// What `other` says, where this says nothing.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        if self == Self::Nothing { other } else { self }
    }
}

// === impl Unit ===

impl Unit {
    /// The power of ten and the divisor that lead to the base unit.
    const fn factor(self) -> (i32, i64) {
        match self {
            Self::One => (0, 1),
            Self::Kilo => (3, 1),
            Self::Mega => (6, 1),
            Self::Deca => (1, 1),
            Self::Hecto => (2, 1),
            Self::Deci => (-1, 1),
            Self::Centi => (-2, 1),
            Self::Milli => (-3, 1),
            Self::WattMinute => (0, 60),
            Self::Joule => (0, 3600),
            Self::Kilojoule => (3, 3600),
        }
    }

    /// The unit by the word that devices write beside an energy, a power, a voltage or a current.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::named(word).map(|(unit, _)| unit)
    }

    /// The same, and what it is of.
    #[must_use]
    pub fn named(word: &str) -> Option<(Self, Dimension)> {
        let word = word.trim();
        let (unit, dimension, _) = WORDS.iter().find(|(_, _, words)| words.contains(&word))?;
        Some((*unit, *dimension))
    }

    /// The unit of that word, where it is one of that dimension: VA and kWh are none of a power.
    #[must_use]
    pub fn of_word_of(word: &str, dimension: Dimension) -> Option<Self> {
        Self::named(word).filter(|(_, of)| *of == dimension).map(|(unit, _)| unit)
    }

    /// Power, voltage, current: decimal text in the base unit. `None` where it is no number.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "the divisors are small")]
    pub fn value(self, text: &str) -> Option<f64> {
        let (exponent, divisor) = self.factor();
        let value = if exponent == 0 {
            text.parse::<f64>().ok()?
        } else if text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+')) {
            shifted(text, exponent)?
        } else {
            text.parse::<f64>().ok()? * 10_f64.powi(exponent)
        };
        Some(if divisor == 1 { value } else { value / divisor as f64 })
    }

    /// A register in whole mWh, half up. `None` where it is no number or beyond any register.
    #[must_use]
    pub fn register_mwh(self, text: &str) -> Option<i64> {
        let (exponent, divisor) = self.factor();
        let scaled = parse_scaled(text, exponent + 3)?;
        if divisor == 1 {
            return Some(scaled);
        }
        Some((scaled + divisor / 2).div_euclid(divisor)).filter(|mwh| mwh.abs() <= REGISTER_MWH_MAX)
    }
}

/// `text` × 10^`exponent`, in decimal: 0.123 kW is 123 W and not its neighbour.
fn shifted(text: &str, exponent: i32) -> Option<f64> {
    let mut bytes = [0_u8; 40];
    let mut rest = &mut bytes[..];
    let length = match write!(rest, "{text}e{exponent}") {
        Ok(()) => 40 - rest.len(),
        Err(_) => return format!("{text}e{exponent}").parse().ok(),
    };
    std::str::from_utf8(&bytes[..length]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_are_exact() {
        for (unit, text, expected) in [
            (Unit::Kilo, "1234.567", Some(1_234_567_000)),
            (Unit::Kilo, "0.0000005", Some(1)),
            (Unit::One, "6.532", Some(6532)),
            (Unit::Mega, "1.5", Some(1_500_000_000)),
            (Unit::Deci, "15", Some(1500)),
            (Unit::Deca, "3", Some(30_000)),
            (Unit::Hecto, "3", Some(300_000)),
            (Unit::WattMinute, "60", Some(1000)),
            (Unit::WattMinute, "1", Some(17)),
            (Unit::Joule, "3600", Some(1000)),
            (Unit::Kilojoule, "3.6", Some(1000)),
            (Unit::Kilo, "x", None),
            (Unit::Kilo, "1e12", None),
        ] {
            assert_eq!(unit.register_mwh(text), expected, "{unit:?} {text}");
        }
    }

    #[test]
    fn a_word_is_a_unit_of_one_quantity() {
        assert_eq!(Unit::of_word_of("kW", Dimension::Power), Some(Unit::Kilo));
        assert_eq!(Unit::of_word_of(" kWh ", Dimension::Energy), Some(Unit::Kilo));
        for (word, dimension) in
            [("kWh", Dimension::Power), ("VA", Dimension::Power), ("mwh", Dimension::Energy)]
        {
            assert_eq!(Unit::of_word_of(word, dimension), None, "{word}");
        }
    }

    #[test]
    fn power_is_the_number_that_was_written() {
        assert_eq!(Unit::Kilo.value("0.123"), Some(123.0));
        assert_eq!(Unit::Kilo.value("-1.101"), Some(-1101.0));
        assert_eq!(Unit::Milli.value("78"), Some(0.078));
        assert_eq!(Unit::Kilo.value("1e-3"), Some(1.0));
        assert_eq!(Unit::Kilo.value("1e400"), Some(f64::INFINITY));
        assert_eq!(Unit::One.value("12 W"), None);
    }
}
