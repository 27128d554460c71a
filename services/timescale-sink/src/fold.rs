//! One reading per (meter, instant): what becomes of a record that meets one which is already there. Pure.

use wattline_reading::{Phase, Reading};

/// What becomes of a record whose instant is known already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meeting {
    /// It says nothing new.
    Duplicate,
    /// It agrees, and fills what was missing.
    Merged,
    /// It contradicts; nothing of it is taken.
    Conflict,
}

/// Brings `incoming` into `kept`. Compared are measures, phases and the register epoch: never the arrival, where
/// the time comes from, or whether the broker delivered it twice. A value that is missing in `incoming` equals
/// anything; one that differs makes the whole record a conflict, and `kept` stays as it is.
pub fn fold(kept: &mut Reading, incoming: &Reading) -> Meeting {
    if contradicts(kept, incoming) {
        return Meeting::Conflict;
    }
    if fill(kept, incoming) { Meeting::Merged } else { Meeting::Duplicate }
}

/// True where a value that both have differs.
#[must_use]
pub fn contradicts(kept: &Reading, incoming: &Reading) -> bool {
    let (k, i) = (&kept.measures, &incoming.measures);
    differ(k.power_w, i.power_w)
        || differ(k.energy_import_mwh, i.energy_import_mwh)
        || differ(k.energy_export_mwh, i.energy_export_mwh)
        || differ(k.voltage_v, i.voltage_v)
        || differ(k.current_a, i.current_a)
        || differ(k.power_factor, i.power_factor)
        || differ(k.frequency_hz, i.frequency_hz)
        || differ(kept.register_epoch, incoming.register_epoch)
        || k.phases.iter().zip(&i.phases).any(|(k, i)| {
            differ(k.power_w, i.power_w)
                || differ(k.voltage_v, i.voltage_v)
                || differ(k.current_a, i.current_a)
        })
}

/// Takes over what `kept` lacks; true where there was something.
fn fill(kept: &mut Reading, incoming: &Reading) -> bool {
    let mut filled = take(&mut kept.register_epoch, incoming.register_epoch);
    let (k, i) = (&mut kept.measures, &incoming.measures);
    filled |= take(&mut k.power_w, i.power_w);
    filled |= take(&mut k.energy_import_mwh, i.energy_import_mwh);
    filled |= take(&mut k.energy_export_mwh, i.energy_export_mwh);
    filled |= take(&mut k.voltage_v, i.voltage_v);
    filled |= take(&mut k.current_a, i.current_a);
    filled |= take(&mut k.power_factor, i.power_factor);
    filled |= take(&mut k.frequency_hz, i.frequency_hz);
    // Phases at the end that say nothing add nothing.
    let said = i.phases.iter().rposition(|phase| !phase.is_empty()).map_or(0, |last| last + 1);
    if k.phases.len() < said {
        k.phases.resize(said, Phase::default());
    }
    for (k, i) in k.phases.iter_mut().zip(&i.phases) {
        filled |= take(&mut k.power_w, i.power_w);
        filled |= take(&mut k.voltage_v, i.voltage_v);
        filled |= take(&mut k.current_a, i.current_a);
    }
    filled
}

fn differ<T: PartialEq>(kept: Option<T>, incoming: Option<T>) -> bool {
    matches!((kept, incoming), (Some(kept), Some(incoming)) if kept != incoming)
}

fn take<T>(kept: &mut Option<T>, incoming: Option<T>) -> bool {
    let missing = kept.is_none() && incoming.is_some();
    if missing {
        *kept = incoming;
    }
    missing
}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
