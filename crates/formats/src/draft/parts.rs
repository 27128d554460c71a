//! Halves of values that only count together: import and export of a power, the tariffs of a register.

use crate::omission::{Omission, Omitted};

/// Halves of values that only count together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Parts {
    pub(super) power: Directions,
    pub(super) phases: [Directions; 3],
    pub(super) import: Tariffs,
    pub(super) export: Tariffs,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Directions {
    pub(super) import_w: Option<f64>,
    pub(super) export_w: Option<f64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Tariffs {
    each_mwh: [i64; 8],
    /// One bit for each tariff seen.
    seen: u8,
}

// === impl Directions ===

impl Directions {
    /// Import less export. One of them alone says nothing when it is 0: the other may be more.
    pub(super) fn join(self, name: &'static str, omitted: &mut Vec<Omission>) -> Option<f64> {
        match (self.import_w, self.export_w) {
            (Some(import), Some(export)) => Some(import - export),
            // Negative: a meter that has this register of power alone, and signs it.
            (Some(import), None) if import != 0.0 => Some(import),
            (None, Some(export)) if export > 0.0 => Some(-export),
            (None, None) => None,
            _ => {
                omitted.push(Omission::new(name, Omitted::OneDirection));
                None
            }
        }
    }

    /// A power beside what is fed in: where it isn't negative although something is, it is import alone.
    pub(super) fn less_fed_in(self, power_w: f64) -> f64 {
        match (self.import_w, self.export_w) {
            (None, Some(export_w)) if export_w > 0.0 && power_w >= 0.0 => power_w - export_w,
            _ => power_w,
        }
    }
}

// === impl Tariffs ===

impl Tariffs {
    /// Of a tariff that is named twice the last value counts.
    pub(super) fn set(&mut self, tariff: u8, mwh: i64) {
        if let Some(own) = self.each_mwh.get_mut(usize::from(tariff)) {
            *own = mwh;
            self.seen |= 1 << tariff;
        }
    }

    /// At least two tariffs without a hole make the register; one alone never does.
    pub(super) fn join(self, total: &mut Option<i64>, name: &'static str, omitted: &mut Vec<Omission>) {
        let sum = self.each_mwh.into_iter().fold(0, i64::saturating_add);
        // A total that stands at 0 beside tariffs that don't is not there.
        if self.seen == 0 || total.is_some_and(|total| total != 0 || sum == 0) {
            return;
        }
        if self.seen.count_ones() >= 2 && (self.seen & self.seen.wrapping_add(1)) == 0 {
            *total = Some(sum);
        } else {
            *total = None;
            omitted.push(Omission::new(name, Omitted::PartialRegister));
        }
    }
}
