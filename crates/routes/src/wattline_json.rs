//! Wattline's own JSON: one object or an array of them (buffered readings). `ts` is RFC 3339 or an epoch number;
//! all but one measure are optional; unknown fields are ignored; a number may be written as text. Read in one pass,
//! without a tree: most messages of most installations are of this kind.

use std::borrow::Cow;

use wattline_formats::Ignored;
use wattline_formats::draft::Stop;
use wattline_formats::json::{Reader, Scalar, text};
use wattline_formats::number::{decimal, shown};
use wattline_formats::time::DeviceTime;
use wattline_reading::limits::{Limits, Refusal, refuse};
use wattline_reading::{Measures, Phase, READINGS_PER_MESSAGE_MAX, Reading, Reason, TsSource, register};

use crate::judge::Input;
use crate::resolve::adjust;
use crate::route::Route;

/// Decodes one message of a route.
///
/// # Errors
/// Why there is no reading.
pub(super) fn decode(input: &Input<'_>, route: &Route, limits: &Limits) -> Result<Vec<Reading>, Stop> {
    let text = text(input.payload)?;
    if text.is_empty() {
        return Err(Ignored::Empty.into());
    }
    let mut reader = Reader::new(text);
    let mut readings = Vec::with_capacity(1);
    if reader.first() == Some(b'[') {
        let mut count = 0;
        reader.array(|reader| {
            count += 1;
            if count > READINGS_PER_MESSAGE_MAX {
                return reader.scalar().map(drop);
            }
            let reading = reading(reader, input, route, limits).map_err(|mut refusal| {
                refusal.detail = format!("reading {}: {}", count - 1, refusal.detail);
                refusal
            })?;
            readings.push(reading);
            Ok(())
        })?;
        if count > READINGS_PER_MESSAGE_MAX {
            let detail = format!("{count} readings in one message, at most {READINGS_PER_MESSAGE_MAX}");
            return Err(refuse(Reason::TooManyReadings, detail).into());
        }
    } else {
        readings.push(reading(&mut reader, input, route, limits)?);
    }
    reader.end()?;
    if readings.is_empty() {
        return Err(refuse(Reason::NoMeasure, "the array is empty".to_owned()).into());
    }
    if input.retained && readings.iter().any(|reading| reading.ts_source == TsSource::Arrival) {
        return Err(Ignored::RetainedWithoutTime.into());
    }
    Ok(readings)
}

fn reading(
    reader: &mut Reader<'_>,
    input: &Input<'_>,
    route: &Route,
    limits: &Limits,
) -> Result<Reading, Refusal> {
    let mut measures = Measures::default();
    let mut time = DeviceTime::Absent;
    reader.object(|name, reader| {
        match &*name {
            "ts" => time = device_time(reader, route)?,
            "power_w" => measures.power_w = number(reader, &name)?,
            "energy_import_wh" => measures.energy_import_mwh = register_wh(reader, &name)?,
            "energy_export_wh" => measures.energy_export_mwh = register_wh(reader, &name)?,
            "voltage_v" => measures.voltage_v = number(reader, &name)?,
            "current_a" => measures.current_a = number(reader, &name)?,
            "power_factor" => measures.power_factor = number(reader, &name)?,
            "frequency_hz" => measures.frequency_hz = number(reader, &name)?,
            "phases" => measures.phases = phases(reader)?,
            _ => drop(reader.scalar()?),
        }
        Ok(())
    })?;
    let (ts, ts_source) = route.event_time(&time, input.received_at, limits)?;
    adjust(&mut measures, route);
    Ok(Reading {
        meter_id: route.meter_id(input.topic, None, ""),
        ts,
        received_at: input.received_at,
        ts_source,
        measures,
        register_epoch: None,
        redelivered: input.redelivered,
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

/// The decimal text of a number; none for a word that says that there is no value.
#[inline]
fn decimal_text<'a>(reader: &mut Reader<'a>, name: &str) -> Result<Option<Cow<'a, str>>, Refusal> {
    match reader.scalar()? {
        Scalar::Null => Ok(None),
        Scalar::Number(text) => Ok(Some(Cow::Borrowed(text))),
        Scalar::Text(text) => Ok(decimal(&text).map(|text| Cow::Owned(text.into_owned()))),
        Scalar::Other => Err(refuse(Reason::Malformed, format!("{name} is no number"))),
    }
}

#[inline]
fn number(reader: &mut Reader<'_>, name: &str) -> Result<Option<f64>, Refusal> {
    let Some(text) = decimal_text(reader, name)? else { return Ok(None) };
    match text.parse() {
        Ok(value) => Ok(Some(value)),
        Err(_) => Err(refuse(Reason::Malformed, format!("{name}: {} is no number", shown(&text)))),
    }
}

/// A register, read from its decimal text so that no digit is lost, in mWh.
fn register_wh(reader: &mut Reader<'_>, name: &str) -> Result<Option<i64>, Refusal> {
    let Some(text) = decimal_text(reader, name)? else { return Ok(None) };
    if let Some(mwh) = register::parse_wh(&text) {
        return Ok(Some(mwh));
    }
    let reason = if text.parse::<f64>().is_ok() { Reason::RegisterImplausible } else { Reason::Malformed };
    Err(refuse(reason, format!("{name}: {} is no register in Wh", shown(&text))))
}

/// A local time is none of this format, unless the route says of which zone.
fn device_time(reader: &mut Reader<'_>, route: &Route) -> Result<DeviceTime, Refusal> {
    let unreadable = |text: &str| {
        let text = shown(text);
        DeviceTime::Unreadable(format!("{text}: write RFC 3339 with its zone, or an epoch number"))
    };
    let text = match reader.scalar()? {
        Scalar::Null => return Ok(DeviceTime::Absent),
        Scalar::Number(text) => Cow::Borrowed(text),
        Scalar::Text(text) => text,
        Scalar::Other => return Ok(unreadable("ts")),
    };
    Ok(match DeviceTime::from_text(&text) {
        DeviceTime::Local(_) if !route.timing.has_zone() => unreadable(&text),
        DeviceTime::Unreadable(_) => unreadable(&text),
        time => time,
    })
}

#[cfg(test)]
#[path = "wattline_json_tests.rs"]
mod tests;
