//! Wattline's own JSON: one object or an array of them (buffered readings). `ts` is RFC 3339 or an epoch number;
//! all but one measure are optional; unknown fields are ignored; a number may be written as text. Read in one pass,
//! without a tree: most messages of most installations are of this kind.

use std::borrow::Cow;

use wattline_reading::limits::{Refusal, refuse};
use wattline_reading::{Decimal, Phase, Reason, register};

use super::prelude::*;
use crate::json::{Number, Reader, Scalar};
use crate::number::{decimal, shown};

pub(super) const FAMILY: Family = Family {
    name: "wattline-json",
    title: "Wattline's own JSON",
    routes: &[("wattline/+/reading", "{2}")],
    reads: "everything a reading has; one object or an array of up to 1,000",
    units: "as the fields' names say: W, Wh, V, A, Hz",
    sign: "+ import",
    time: "`ts`",
    documents: &["README.md"],
    decode: Decode::Strict(decode),
    ..NO_FAMILY
};

/// A draft without any measure stays: whoever writes this format is told that it says nothing.
fn decode(message: &Message<'_>) -> Outcome {
    let mut reader = Reader::new(message.text()?);
    let mut drafts = Drafts::default();
    if reader.first() == Some(b'[') {
        reader.array(|reader| {
            if drafts.is_full() {
                drafts.beyond += 1;
                return reader.scalar().map(drop);
            }
            let number = drafts.drafts.len();
            read(reader, message, next(&mut drafts.drafts)).map_err(|mut refusal| {
                refusal.detail = format!("reading {number}: {}", refusal.detail);
                refusal
            })
        })?;
    } else {
        drafts.drafts.reserve_exact(1);
        read(&mut reader, message, next(&mut drafts.drafts))?;
    }
    reader.end()?;
    if drafts.drafts.is_empty() {
        return Err(refuse(Reason::NoMeasure, "the array is empty".to_owned()).into());
    }
    Ok(drafts)
}

/// A draft at its place: to fill it there costs less than to move it about.
fn next(drafts: &mut Vec<Draft>) -> &mut Draft {
    let at = drafts.len();
    drafts.push(Draft::default());
    &mut drafts[at]
}

fn read(reader: &mut Reader<'_>, message: &Message<'_>, draft: &mut Draft) -> Result<(), Refusal> {
    let measures = &mut draft.measures;
    reader.object(|name, reader| {
        match &*name {
            "ts" => draft.time = device_time(reader, message.options.has_zone)?,
            "power_w" => measures.power_w = number(reader, &name)?,
            "energy_import_wh" => measures.energy_import_mwh = register_wh(reader, &name)?,
            "energy_export_wh" => measures.energy_export_mwh = register_wh(reader, &name)?,
            "voltage_v" => measures.voltage_v = number(reader, &name)?,
            "current_a" => measures.current_a = number(reader, &name)?,
            "power_factor" => measures.power_factor = number(reader, &name)?,
            "frequency_hz" => measures.frequency_hz = number(reader, &name)?,
            "soc_pct" => measures.soc_pct = number(reader, &name)?,
            "phases" => measures.phases = phases(reader)?,
            _ => drop(reader.scalar()?),
        }
        Ok(())
    })
}

fn phases(reader: &mut Reader<'_>) -> Result<Vec<Phase>, Refusal> {
    const PHASES: usize = 3;
    if reader.first() != Some(b'[') {
        return match reader.scalar()? {
            Scalar::Null => Ok(Vec::new()),
            _ => Err(reader.error("phases is no array")),
        };
    }
    let mut phases = Vec::with_capacity(PHASES);
    reader.array(|reader| {
        let mut phase = Phase::default();
        reader.object(|name, reader| {
            match &*name {
                "power_w" => phase.power_w = number(reader, &name)?,
                "voltage_v" => phase.voltage_v = number(reader, &name)?,
                "current_a" => phase.current_a = number(reader, &name)?,
                _ => drop(reader.scalar()?),
            }
            Ok(())
        })?;
        if phases.len() == PHASES {
            return Err(reader.error("more than 3 phases"));
        }
        phases.push(phase);
        Ok(())
    })?;
    Ok(phases)
}

/// Nearly always the short value of a number says all; else its decimal text. `None` for a word that says that there is
/// no value.
#[inline]
fn value<'a, T>(
    reader: &mut Reader<'a>,
    name: &str,
    of_short: impl FnOnce(Decimal) -> Option<T>,
    of_text: impl FnOnce(&str) -> Result<T, Refusal>,
) -> Result<Option<T>, Refusal> {
    match reader.scalar()? {
        Scalar::Null => Ok(None),
        Scalar::Number(Number { text, short }) => match short.and_then(of_short) {
            Some(value) => Ok(Some(value)),
            None => of_text(text).map(Some),
        },
        Scalar::Text(text) => decimal(&text).map(|text| of_text(&text)).transpose(),
        Scalar::Other => Err(refuse(Reason::Malformed, format!("{name} is no number"))),
    }
}

#[inline]
fn number(reader: &mut Reader<'_>, name: &str) -> Result<Option<f64>, Refusal> {
    value(reader, name, Decimal::to_f64, |text| match text.parse() {
        Ok(value) => Ok(value),
        Err(_) => Err(refuse(Reason::Malformed, format!("{name}: {} is no number", shown(text)))),
    })
}

/// A register, read from its decimal text so that no digit is lost, in mWh.
fn register_wh(reader: &mut Reader<'_>, name: &str) -> Result<Option<i64>, Refusal> {
    value(reader, name, register::of_wh, |text| {
        if let Some(mwh) = register::parse_wh(text) {
            return Ok(mwh);
        }
        let reason =
            if text.parse::<f64>().is_ok() { Reason::RegisterImplausible } else { Reason::Malformed };
        Err(refuse(reason, format!("{name}: {} is no register in Wh", shown(text))))
    })
}

/// A local time is none of this format, unless the route says of which zone.
fn device_time(reader: &mut Reader<'_>, has_zone: bool) -> Result<DeviceTime, Refusal> {
    let unreadable = |text: &str| {
        let text = shown(text);
        DeviceTime::Unreadable(format!("{text}: write RFC 3339 with its zone, or an epoch number"))
    };
    let text = match reader.scalar()? {
        Scalar::Null => return Ok(DeviceTime::Absent),
        Scalar::Number(Number { short: Some(number), .. }) => return Ok(DeviceTime::from_number(number)),
        Scalar::Number(Number { text, .. }) => Cow::Borrowed(text),
        Scalar::Text(text) => text,
        Scalar::Other => return Ok(unreadable("ts")),
    };
    Ok(match DeviceTime::from_text(&text) {
        DeviceTime::Local(_) if !has_zone => unreadable(&text),
        DeviceTime::Unreadable(_) => unreadable(&text),
        time => time,
    })
}
