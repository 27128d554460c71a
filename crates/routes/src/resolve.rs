//! From drafts to readings, the same for every family: the meter's id, whose time counts, sign and multiplier.

use wattline_formats::Ignored;
use wattline_formats::draft::{Drafts, Stop};
use wattline_reading::limits::{Limits, Refusal, refuse};
use wattline_reading::{Measures, READINGS_PER_MESSAGE_MAX, Reading, Reason, TsSource};

use crate::judge::Input;
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
    let mut readings = Vec::with_capacity(count);
    for (index, draft) in drafts.drafts.iter_mut().enumerate() {
        let (ts, ts_source) = route
            .event_time(&draft.time, input.received_at, limits)
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
        });
    }
    Ok(readings)
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
    if let Some(multiplier) = route.multiplier {
        let scale = |value: &mut Option<f64>| *value = value.map(|value| multiplier.value(value));
        scale(&mut measures.power_w);
        scale(&mut measures.current_a);
        for phase in &mut measures.phases {
            scale(&mut phase.power_w);
            scale(&mut phase.current_a);
        }
        for register in [&mut measures.energy_import_mwh, &mut measures.energy_export_mwh] {
            *register = register.map(|mwh| multiplier.register_mwh(mwh));
        }
    }
    if route.reversed {
        std::mem::swap(&mut measures.energy_import_mwh, &mut measures.energy_export_mwh);
        let phases = measures.phases.iter_mut().map(|phase| &mut phase.power_w);
        for power in std::iter::once(&mut measures.power_w).chain(phases) {
            *power = power.map(|power| 0.0 - power);
        }
    }
}
