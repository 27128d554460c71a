//! From drafts to readings, the same for every family: the meter's id, whose time counts, sign and multiplier.

use std::collections::HashMap;

use wattline_formats::Ignored;
use wattline_formats::draft::{Draft, Drafts, Stop};
use wattline_reading::limits::{Limits, Refusal, refuse};
use wattline_reading::{
    MEASURES, Measure, Measures, Meeting, Phase, READINGS_PER_MESSAGE_MAX, Reading, Reason, TsSource,
};

use crate::input::Input;
use crate::route::Route;

/// The readings of a message, before their limits are checked.
///
/// # Errors
/// Too many of them, a time that can't be read, or a retained message without the device's time.
pub(super) fn readings(
    mut drafts: Drafts,
    route: &Route,
    input: &Input<'_>,
    limits: &Limits,
) -> Result<Vec<Reading>, Stop> {
    let count = drafts.count();
    if count > READINGS_PER_MESSAGE_MAX {
        let detail = format!("{count} readings in one message, at most {READINGS_PER_MESSAGE_MAX}");
        return Err(refuse(Reason::TooManyReadings, detail).into());
    }
    let alone = !input.retained && !has_instants(&drafts.drafts);
    let mut readings: Vec<Reading> = Vec::with_capacity(count);
    for (index, draft) in drafts.drafts.iter_mut().enumerate() {
        let (ts, ts_source) = route
            .event_time(&draft.time, alone, input.received_at, limits)
            .map_err(|refusal| if count > 1 { of_reading(index, refusal) } else { refusal })?;
        if input.retained && ts_source == TsSource::Arrival {
            return Err(Ignored::RetainedWithoutTime.into());
        }
        let mut measures = std::mem::take(&mut draft.measures);
        adjust(&mut measures, route);
        readings.push(Reading {
            meter_id: route.meter_id(input.topic, draft.id.as_deref(), &draft.channel),
            ts,
            received_at: input.received_at,
            ts_source,
            measures,
            register_epoch: route.timing.epoch(&draft.register_epoch, input.received_at),
            redelivered: input.redelivered,
            meter_info: None,
        });
    }
    Ok(readings)
}

/// True for a buffer, an array of readings: some meter's measure is there more than once.
fn has_instants(drafts: &[Draft]) -> bool {
    if drafts.len() < 2 {
        return false;
    }
    let mut seen: HashMap<(&str, Option<&str>), u32> = HashMap::with_capacity(drafts.len());
    drafts.iter().any(|draft| {
        let has = |(bit, measure): (u32, &Measure<Measures>)| {
            u32::from((measure.get)(&draft.measures).is_some()) << bit
        };
        let own =
            (0..).zip(&MEASURES).map(has).sum::<u32>() | u32::from(!draft.measures.phases.is_empty()) << 31;
        let before = seen.entry((&draft.channel, draft.id.as_deref())).or_default();
        let again = *before & own != 0;
        *before |= own;
        again
    })
}

/// Two readings of one meter and instant that contradict each other are no two readings of a meter: the message is.
pub(super) fn agree(readings: &[Reading]) -> Result<(), Refusal> {
    if readings.len() < 2 {
        return Ok(());
    }
    let mut seen = HashMap::with_capacity(readings.len());
    for (index, reading) in readings.iter().enumerate() {
        let first = *seen.entry((reading.meter_id.as_str(), reading.ts)).or_insert(reading);
        if first.meet(reading) == Meeting::Conflict {
            let detail = format!(
                "a second reading of {:?} at {} with other values: what tells the two meters apart is not in the id",
                reading.meter_id, reading.ts
            );
            return Err(of_reading(index, refuse(Reason::Malformed, detail)));
        }
    }
    Ok(())
}

/// A refusal of one of several readings says of which.
pub(super) fn of_reading(index: usize, mut refusal: Refusal) -> Refusal {
    refusal.detail = format!("reading {index}: {}", refusal.detail);
    refusal
}

/// The route's sign and multiplier.
fn adjust(measures: &mut Measures, route: &Route) {
    if route.is_plain() {
        return;
    }
    let Measures {
        power_w,
        energy_import_mwh,
        energy_export_mwh,
        voltage_v: _,
        current_a,
        power_factor: _,
        frequency_hz: _,
        soc_pct: _,
        phases,
    } = measures;
    if let Some(multiplier) = route.multiplier {
        let scale = |value: &mut Option<f64>| *value = value.map(|value| multiplier.value(value));
        scale(power_w);
        scale(current_a);
        for Phase { power_w, voltage_v: _, current_a } in phases.iter_mut() {
            scale(power_w);
            scale(current_a);
        }
        for register in [&mut *energy_import_mwh, &mut *energy_export_mwh] {
            *register = register.map(|mwh| multiplier.register_mwh(mwh));
        }
    }
    if route.reversed {
        std::mem::swap(energy_import_mwh, energy_export_mwh);
        for power in std::iter::once(power_w).chain(phases.iter_mut().map(|phase| &mut phase.power_w)) {
            *power = power.map(|power| 0.0 - power);
        }
    }
}
