//! OBIS codes (IEC 62056-61): what a register of an electricity meter is.

use crate::draft::Quantity;
use crate::omission::Omitted;

/// What is measured now; any other F is a value of a day, a month or a billing period that is over.
const NOW: u8 = 255;

/// The C.D.E of a code in any usual spelling: `1-0:1.8.0*255`, `1.8.0`, `1-0:1.8.0.255`, `1_0_1_8_0`,
/// `0100010800FF`. None where it is no code of electricity, or of a period (`1-0:1.8.0*96`, the last day's).
#[must_use]
pub fn parse(text: &str) -> Option<(u8, u8, u8)> {
    groups(text.trim()).map(|(c, d, e)| match (d, e) {
        // EasyMeter's `1-0:21.7.255*255`.
        (7, NOW) => (c, d, 0),
        _ => (c, d, e),
    })
}

fn groups(text: &str) -> Option<(u8, u8, u8)> {
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let group = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
        return (group(0)? == 1 && group(10)? == NOW).then_some((group(4)?, group(6)?, group(8)?));
    }
    let mut groups = [0_u8; 6];
    let mut count = 0;
    for group in text.split(['-', ':', '.', '*', '_']) {
        *groups.get_mut(count)? = group.parse().ok()?;
        count += 1;
    }
    match count {
        3 => Some((groups[0], groups[1], groups[2])),
        4 if text.contains('*') && groups[3] == NOW => Some((groups[0], groups[1], groups[2])),
        // A-B:C.D.E, with or without F; A = 1 is electricity.
        5 if groups[0] == 1 => Some((groups[2], groups[3], groups[4])),
        6 if groups[0] == 1 && groups[5] == NOW => Some((groups[2], groups[3], groups[4])),
        _ => None,
    }
}

/// What a code measures; none for one that Wattline doesn't know.
#[must_use]
pub fn quantity((c, d, e): (u8, u8, u8)) -> Option<Quantity> {
    let phase = |first: u8| (c - first) / 20;
    Some(match (c, d, e) {
        (1, 8, 0) => Quantity::Import,
        (2, 8, 0) => Quantity::Export,
        (1, 8, 1..=8) => Quantity::ImportTariff(e - 1),
        (2, 8, 1..=8) => Quantity::ExportTariff(e - 1),
        (1, 7, 0) => Quantity::PowerImport,
        (2, 7, 0) => Quantity::PowerExport,
        (16, 7, 0) => Quantity::Power,
        (11, 7, 0) => Quantity::Current,
        (12, 7, 0) => Quantity::Voltage,
        (13, 7, 0) => Quantity::PowerFactor,
        (14, 7, 0) => Quantity::Frequency,
        (21 | 41 | 61, 7, 0) => Quantity::PhaseImport(phase(21)),
        (22 | 42 | 62, 7, 0) => Quantity::PhaseExport(phase(22)),
        (36 | 56 | 76, 7, 0) => Quantity::PhasePower(phase(36)),
        (31 | 51 | 71, 7, 0) => Quantity::PhaseCurrent(phase(31)),
        (32 | 52 | 72, 7, 0) => Quantity::PhaseVoltage(phase(32)),
        (21 | 22 | 41 | 42 | 61 | 62, 8, _) => Quantity::Not(Omitted::PartialRegister),
        (3..=8, 7 | 8, _) => Quantity::Not(Omitted::ReactivePower),
        (9 | 10, 7 | 8, _) => Quantity::Not(Omitted::ApparentPower),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_in_every_spelling() {
        for text in
            ["1-0:1.8.0", "1-0:1.8.0*255", "1.8.0", "1.8.0*255", "1-0:1.8.0.255", "1_0_1_8_0", "0100010800FF"]
        {
            assert_eq!(parse(text), Some((1, 8, 0)), "{text}");
        }
        assert_eq!(parse("1-0:21.7.255*255"), Some((21, 7, 0)));
        for text in ["1-0:1.8.0*96", "1.8.0*01", "1-0:1.8.0.97", "010001080060"] {
            assert_eq!(parse(text), None, "{text}: of a period that is over");
        }
        for text in
            ["", "1.8", "0-0:96.1.1", "7-0:3.0.0", "a.b.c", "1.8.0.0.0.0.0.0", "256.8.0", "0200010800FF"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(quantity((61, 7, 0)), Some(Quantity::PhaseImport(2)));
        assert_eq!(quantity((56, 7, 0)), Some(Quantity::PhasePower(1)));
        assert_eq!(quantity((96, 1, 0)), None);
    }
}
