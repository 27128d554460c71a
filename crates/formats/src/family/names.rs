//! The common names of measures, as people and devices write them: `power`, `activePowerL1`, `energy_import_kWh`,
//! `Total Active Energy`. For families whose fields are named by their users.
//!
//! A name is a measure only if all its words are known: `power_outage_count` is no power. One that looks like a measure
//! and has another word is left out, and named.

mod meaning;
mod taken;
mod words;

pub(super) use meaning::{Meaning, meaning, with_channel, with_folders};
pub(super) use taken::Named;

use super::prelude::*;

/// In which unit values are whose name doesn't say it; none: they are left out as `unit_unknown`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Units {
    pub(super) energy: Option<Unit>,
    pub(super) power: Option<Unit>,
    /// None: A, where power and voltage don't contradict.
    pub(super) current: Option<Unit>,
    /// `power_consumption` and the like: there are codecs that call energy so.
    pub(super) used_power: Option<Unit>,
}

// === impl Units ===

impl Units {
    /// What people mean who name their fields themselves: W, kWh and A, where the route doesn't say another.
    pub(super) fn usual(options: &FamilyOptions) -> Self {
        Self { energy: Some(options.energy_unit.unwrap_or(Kilo)), ..Self::of_people(options) }
    }

    /// The same without a usual unit of energies.
    pub(super) fn of_people(options: &FamilyOptions) -> Self {
        let power = Some(options.power_unit.unwrap_or(One));
        let current = options.current_unit;
        Self { energy: options.energy_unit, power, current, used_power: power }
    }

    /// Codecs of vendors: their "power consumption" is energy or power.
    pub(super) fn of_codecs(options: &FamilyOptions) -> Self {
        Self { used_power: options.power_unit, ..Self::of_people(options) }
    }

    /// The unit of a quantity that says none.
    fn of(self, meaning: &Meaning) -> Option<Unit> {
        match meaning.quantity {
            Import | Export | ImportTariff(_) | ExportTariff(_) => self.energy,
            Power | PowerImport | PowerExport | PhasePower(_) | PhaseImport(_) | PhaseExport(_) => {
                if meaning.used { self.used_power } else { self.power }
            }
            Current | PhaseCurrent(_) => Some(self.current.unwrap_or(One)),
            _ => Some(One),
        }
    }
}
