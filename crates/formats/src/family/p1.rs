//! Raw P1 telegrams (DSMR 2 to 5, eMUCS, the Swedish and Luxembourgish kinds): lines of OBIS codes with values in
//! brackets, `/` at the beginning and `!` with a checksum at the end.

use super::prelude::*;
use crate::obis;

pub(super) const FAMILY: Family = Family {
    name: "p1",
    title: "Raw P1 telegrams",
    routes: &[("p1/+", "p1/{2}"), ("p1/+/telegram", "p1/{2}")],
    reads: "1.8.x, 2.8.x (the sum of the tariffs), 1.7.0 − 2.7.0, phases, voltages and currents",
    units: "as the telegram says: kWh, Wh, kW, W, V, A",
    sign: "1.x import, 2.x export",
    time: "0-0:1.0.0 with its season (S or W)",
    documents: &[
        "https://www.netbeheernederland.nl/sites/default/files/2024-02/dsmr_5.0.2_p1_companion_standard.pdf",
        "https://github.com/matthijskooijman/arduino-dsmr",
    ],
    decode: Decode::Drafts(decode),
    ..NO_FAMILY
};

fn decode(message: &Message<'_>) -> Outcome {
    let text = message.text()?;
    let Some(start) = text.find('/') else {
        if !text.contains('(') {
            return Err(Stop::NotThisFamily);
        }
        return Err(Stop::malformed("no telegram: it begins with /".to_owned()));
    };
    let telegram = &text[start..];
    let Some(end) = telegram.find('!') else {
        return Err(Stop::malformed("the telegram is cut: it ends with !".to_owned()));
    };
    check_crc(&telegram[..=end], &telegram[end + 1..])?;
    let mut draft = Draft::default();
    let mut omitted = Vec::new();
    for line in telegram[..end].lines() {
        take_line(line.trim(), &mut draft, &mut omitted);
    }
    Drafts::one(draft, omitted, Ignored::NoValue)
}

fn take_line(line: &str, draft: &mut Draft, omitted: &mut Vec<Omission>) {
    let Some((code, rest)) = line.split_once('(') else { return };
    let Some((value, _)) = rest.split_once(')') else { return };
    if code == "0-0:1.0.0" {
        draft.time = DeviceTime::from_meter(value);
        return;
    }
    let Some(quantity) = obis::parse(code).and_then(obis::quantity) else { return };
    if let Not(reason) = quantity {
        return omitted.push(Omission::new(code, reason));
    }
    let (number, word) = value.split_once('*').unwrap_or((value, ""));
    // 13.7.0 has none.
    let unit = if quantity == PowerFactor && word.is_empty() { Some(One) } else { Unit::of_word(word) };
    let Some(unit) = unit else {
        return omitted.push(Omission::new(code, Omitted::UnitUnknown));
    };
    draft.set(quantity, number, unit, code, omitted);
}

/// The checksums of the single bytes.
const CRCS: [u16; 256] = {
    let mut crcs = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xA001 } else { crc >> 1 };
            bit += 1;
        }
        crcs[byte as usize] = crc;
        byte += 1;
    }
    crcs
};

/// CRC-16 (polynomial 0xA001, reflected) over all from `/` to `!`; DSMR 2 and 3 have none.
fn check_crc(telegram: &str, behind: &str) -> Result<(), Stop> {
    let given: String = behind.trim().chars().take(4).collect();
    let Ok(given_crc) = u16::from_str_radix(&given, 16) else { return Ok(()) };
    let crc = telegram.bytes().fold(0_u16, |crc, byte| {
        let [low, high] = crc.to_le_bytes();
        u16::from(high) ^ CRCS[usize::from(low ^ byte)]
    });
    if given.len() < 4 || crc == given_crc {
        return Ok(());
    }
    Err(Stop::malformed(format!("the telegram's checksum is {given}, its bytes give {crc:04X}")))
}
