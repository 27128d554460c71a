//! The words of names.

use crate::unit::Unit::{self, Kilo, Mega, Milli, One};

/// What a word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Power,
    Energy,
    Voltage,
    /// The quantity; beside another one the adjective.
    Current,
    Frequency,
    Factor,
    /// The power factor by one word.
    CosPhi,
    Reactive,
    Apparent,
    Dc,
    Import,
    Export,
    /// Drawn, by something that never feeds in.
    Used,
    Total,
    /// Active, real.
    Active,
    /// `phase`, followed by its name.
    Phase,
    /// Counted from 0.
    PhaseIs(u8),
    /// `tariff`, followed by its number.
    Tariff,
    /// Counted from 0.
    TariffIs(u8),
    /// A counter of a period.
    Period,
    /// Says nothing of the meaning.
    Filler,
    /// Says nothing of the meaning, but where there are channels it is one.
    Place,
    /// Import less export: of a power the usual, of a register none that only grows.
    Net,
    /// Never a measure of now at the mains.
    Other,
    /// W, kW.
    Watts(Unit),
    /// Wh, kWh.
    WattHours(Unit),
    /// mW or MW, mWh or MWh: the case would say it.
    Ambiguous(Of),
    /// V, mV.
    Volts(Unit),
    /// A, mA.
    Amperes(Unit),
    Hertz,
    /// VA and var, and their hours.
    Complex(Of, bool),
    Percent,
}

/// What an ambiguous or complex unit is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    Power,
    Energy,
}

use Word::{
    Active, Ambiguous, Amperes, Apparent, Complex, CosPhi, Current, Dc, Energy, Export, Factor, Filler,
    Frequency, Hertz, Import, Net, Other, Percent, Period, Phase, PhaseIs, Place, Power, Reactive, Tariff,
    Total, Used, Voltage, Volts, WattHours, Watts,
};

/// Words of at least two letters: a name may be several of them without anything between.
const WORDS: &[(Word, &[&str])] = &[
    (Power, &["power", "wattage"]),
    (Watts(One), &["watt", "watts"]),
    (Watts(Kilo), &["kw", "kilowatt", "kilowatts"]),
    (Energy, &["energy"]),
    (WattHours(One), &["wh", "watthour", "watthours"]),
    (WattHours(Kilo), &["kwh", "kilowatthour", "kilowatthours"]),
    (WattHours(Mega), &["megawatthour", "megawatthours"]),
    (Voltage, &["voltage", "voltages", "vrms"]),
    (Volts(One), &["volt", "volts"]),
    (Volts(Milli), &["mv", "millivolt", "millivolts"]),
    (Volts(Kilo), &["kv"]),
    (Current, &["current", "currents", "irms"]),
    (Amperes(One), &["amp", "amps", "ampere", "amperes"]),
    (Amperes(Milli), &["ma", "milliamp", "milliamps", "milliampere"]),
    (Frequency, &["frequency", "freq"]),
    (Hertz, &["hz", "hertz"]),
    (Factor, &["factor"]),
    (CosPhi, &["pf", "cosphi", "cos", "phi"]),
    (Percent, &["percent", "pct"]),
    (Reactive, &["reactive"]),
    (Apparent, &["apparent"]),
    (Complex(Of::Power, false), &["va", "kva"]),
    (Complex(Of::Power, true), &["var", "kvar"]),
    (Complex(Of::Energy, false), &["vah", "kvah"]),
    (Complex(Of::Energy, true), &["varh", "kvarh"]),
    (Dc, &["dc"]),
    (
        Import,
        &["import", "imported", "imports", "delivered", "delivery", "forward", "fwd", "positive", "bought"],
    ),
    (Import, &["purchased", "drawn", "in", "from", "buy"]),
    (Used, &["consumption", "consumed", "consume", "consuming", "consumer", "usage", "used", "use"]),
    (Export, &["export", "exported", "exports", "production", "produced", "produce", "return", "returned"]),
    (
        Export,
        &["reverse", "rev", "negative", "feedin", "fedin", "injection", "injected", "inject", "generation"],
    ),
    (Export, &["generated", "generate", "yield", "sold", "out", "to", "sell", "feed", "fed"]),
    (
        Total,
        &["total", "totals", "sum", "overall", "all", "cumulative", "cumulated", "accumulated", "lifetime"],
    ),
    (Active, &["active", "real", "true", "effective"]),
    (Phase, &["phase", "line"]),
    (PhaseIs(0), &["l1", "phase1", "phasea", "ph1", "line1"]),
    (PhaseIs(1), &["l2", "phase2", "phaseb", "ph2", "line2"]),
    (PhaseIs(2), &["l3", "phase3", "phasec", "ph3", "line3"]),
    (Tariff, &["tariff", "tarif", "rate", "tier"]),
    (Period, &["daily", "day", "today", "yesterday", "weekly", "week", "monthly", "month", "yearly", "year"]),
    (
        Period,
        &["annual", "hourly", "hour", "session", "since", "delta", "last", "interval", "period", "trip"],
    ),
    (
        Period,
        &[
            "charge",
            "charged",
            "charging",
            "discharged",
            "remaining",
            "minute",
            "quarter",
            "previous",
            "this",
        ],
    ),
    (Filler, &["meter", "reading", "register", "value", "measured", "measurement", "actual", "instant"]),
    (Filler, &["instantaneous", "inst", "momentary", "live", "now", "present", "ac", "rms", "electric"]),
    (Filler, &["electrical", "electricity", "sensor", "counter", "of", "at", "the", "supply", "elec", "ln"]),
    (Net, &["net", "netto"]),
    (Place, &["grid", "mains", "system"]),
    (Other, &["battery", "batt", "setpoint", "limit", "max", "min", "maximum", "minimum", "peak", "demand"]),
    (
        Other,
        &["target", "nominal", "rated", "price", "cost", "thd", "angle", "temperature", "forecast", "alarm"],
    ),
    (
        Other,
        &["status", "state", "avg", "average", "mean", "factory", "outage", "count", "cycles", "on", "off"],
    ),
    (Other, &["time", "mode", "source", "heat", "gas", "water", "neutral", "unit", "behavior", "supplied"]),
];

/// Words of one letter, which count only where they stand alone.
const LETTERS: &[(Word, &str)] = &[(Watts(One), "w"), (Volts(One), "v"), (Amperes(One), "a"), (Filler, "n")];

/// One word of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// In lower case.
    pub(super) text: String,
    /// None: unknown.
    pub(super) word: Option<Word>,
}

/// The words of a name: at white space and punctuation, at changes from lower to upper case, and where known words stand
/// together without anything between.
pub(super) fn split(name: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    for text in name.split(|c: char| !c.is_alphanumeric()).filter(|text| !text.is_empty()) {
        split_camel(text, &mut parts);
    }
    parts
}

/// A unit at the end stays whole, and its case counts.
fn split_camel(text: &str, parts: &mut Vec<Part>) {
    const UNITS: [&str; 13] =
        ["kWh", "KWh", "MWh", "mWh", "kWH", "kVAh", "kVA", "kW", "MW", "mW", "Wh", "Hz", "mA"];
    let (text, unit) = match UNITS.iter().find(|unit| text.ends_with(**unit)) {
        Some(unit) => text.split_at(text.len() - unit.len()),
        None => (text, ""),
    };
    let mut from = 0;
    let mut lower = false;
    for (at, c) in text.char_indices() {
        if c.is_uppercase() && lower {
            take(&text[from..at], parts);
            from = at;
        }
        lower = c.is_lowercase();
    }
    take(&text[from..], parts);
    take(unit, parts);
}

fn take(text: &str, parts: &mut Vec<Part>) {
    if text.is_empty() {
        return;
    }
    let lower = text.to_lowercase();
    if let Some(word) = by_case(text, &lower).or_else(|| find(&lower)) {
        parts.push(Part { text: lower, word: Some(word) });
    } else if let Some(words) = glued(&lower, false) {
        parts.extend(words);
    } else {
        parts.push(Part { text: lower, word: None });
    }
}

fn by_case(text: &str, lower: &str) -> Option<Word> {
    Some(match (text, lower) {
        ("MWh", _) => WattHours(Mega),
        ("mWh", _) => WattHours(Milli),
        (_, "mwh") => Ambiguous(Of::Energy),
        ("MW", _) => Watts(Mega),
        ("mW", _) => Watts(Milli),
        (_, "mw") => Ambiguous(Of::Power),
        _ => return None,
    })
}

fn find(lower: &str) -> Option<Word> {
    let word = WORDS.iter().find(|(_, texts)| texts.contains(&lower)).map(|(word, _)| *word);
    word.or_else(|| LETTERS.iter().find(|(_, letter)| *letter == lower).map(|(word, _)| *word))
        .or_else(|| tariff(lower))
}

/// `t1`, `tariff2`.
fn tariff(lower: &str) -> Option<Word> {
    let digits =
        ["tariff", "tarif", "rate", "tier", "t"].iter().find_map(|begin| lower.strip_prefix(begin))?;
    let number: u8 = digits.parse().ok()?;
    (1..=8).contains(&number).then(|| Word::TariffIs(number - 1))
}

/// `activepower`, `energywh`, `powerl1`: known words alone, the longest first; behind a quantity a unit of one letter too.
/// Without a quantity before it a unit of two letters is none: `main` is no `mA in`, and `what` no `Wh at`.
fn glued(lower: &str, has_quantity: bool) -> Option<Vec<Part>> {
    let ends = (2..lower.len()).rev().filter(|end| lower.is_char_boundary(*end));
    for end in ends {
        let (begin, rest) = lower.split_at(end);
        let Some((word, _)) = WORDS.iter().find(|(_, texts)| texts.contains(&begin)) else { continue };
        if begin.len() == 2 && is_unit(*word) && !has_quantity {
            continue;
        }
        let one = Part { text: begin.to_owned(), word: Some(*word) };
        let is_quantity = matches!(word, Power | Energy | Voltage | Current | Frequency);
        let rest = match find(rest).or_else(|| by_case(rest, rest)) {
            Some(word) if rest.len() > 1 || is_quantity => {
                Some(vec![Part { text: rest.to_owned(), word: Some(word) }])
            }
            _ => glued(rest, has_quantity || is_quantity),
        };
        if let Some(rest) = rest {
            return Some(std::iter::once(one).chain(rest).collect());
        }
    }
    None
}

const fn is_unit(word: Word) -> bool {
    matches!(word, Watts(_) | WattHours(_) | Volts(_) | Amperes(_) | Hertz | Complex(..) | CosPhi)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(name: &str) -> Vec<String> {
        split(name).into_iter().map(|part| part.text).collect()
    }

    #[test]
    fn words_are_found_in_every_spelling() {
        for (name, words) in [
            ("active_power", &["active", "power"][..]),
            ("activePowerL1", &["active", "power", "l1"]),
            ("Total Active Energy", &["total", "active", "energy"]),
            ("energyImportkWh", &["energy", "import", "kwh"]),
            ("powerkw", &["power", "kw"]),
            ("energywh", &["energy", "wh"]),
            ("energytoday", &["energy", "today"]),
            ("totalactivepower", &["total", "active", "power"]),
            ("powerwall", &["powerwall"]),
            ("energywhtotal", &["energy", "wh", "total"]),
            ("main", &["main"]),
            ("what", &["what"]),
            ("vain", &["vain"]),
            ("AC_Voltage_L1_N", &["ac", "voltage", "l1", "n"]),
            ("Größe", &["größe"]),
            ("", &[]),
        ] {
            assert_eq!(texts(name), words, "{name}");
        }
    }

    #[test]
    fn a_word_stands_once_in_the_table() {
        let mut all: Vec<_> = WORDS.iter().flat_map(|(_, texts)| texts.iter()).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
        assert!(all.iter().all(|text| text.len() > 1));
    }
}
