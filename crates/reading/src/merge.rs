//! What two readings of one instant make: the rules of the store, and of whoever must show what it will hold. Pure.

use crate::{Measures, Phase, Reading};

/// What becomes of a reading whose instant is known already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meeting {
    /// It says nothing new.
    Duplicate,
    /// It agrees, and fills what was missing.
    Merged,
    /// It contradicts; nothing of it is taken.
    Conflict,
}

/// What was seen so far of two readings, value by value.
#[derive(Clone, Copy, Default)]
struct Comparison {
    adds: bool,
    differs: bool,
}

// === impl Reading ===

impl Reading {
    /// The first stays; what it lacks is taken. Compared are measures, phases and the register epoch: never the
    /// arrival, where the time comes from, or whether the broker delivered it twice. A value that is missing in
    /// `other` equals anything; one that differs makes the whole of it a conflict, and `self` stays as it is.
    ///
    /// Whether both are of one meter and one instant is the caller's to know.
    pub fn absorb(&mut self, other: &Self) -> Meeting {
        let meeting = self.meet(other);
        if meeting == Meeting::Merged {
            self.fill(other);
        }
        meeting
    }

    /// Takes what is missing, of one that [`Reading::meet`] has found to agree.
    pub fn fill(&mut self, other: &Self) {
        take(&mut self.register_epoch, other.register_epoch);
        self.measures.fill(&other.measures);
    }

    /// What [`Reading::absorb`] would say; changes nothing.
    #[must_use]
    pub fn meet(&self, other: &Self) -> Meeting {
        let mut seen = self.measures.compare(&other.measures);
        seen.see(self.register_epoch, other.register_epoch);
        seen.meeting()
    }
}

// === impl Measures ===

impl Measures {
    /// [`Reading::absorb`] for what has no instant yet, such as the parts of one message.
    pub fn absorb(&mut self, other: &Self) -> Meeting {
        let meeting = self.compare(other).meeting();
        if meeting == Meeting::Merged {
            self.fill(other);
        }
        meeting
    }

    /// Taken apart whole, so that a new measure does not compile before it is compared here.
    fn compare(&self, other: &Self) -> Comparison {
        let Self {
            power_w,
            energy_import_mwh,
            energy_export_mwh,
            voltage_v,
            current_a,
            power_factor,
            frequency_hz,
            soc_pct,
            phases,
        } = self;
        let mut seen = Comparison::default();
        seen.see(*power_w, other.power_w);
        seen.see(*energy_import_mwh, other.energy_import_mwh);
        seen.see(*energy_export_mwh, other.energy_export_mwh);
        seen.see(*voltage_v, other.voltage_v);
        seen.see(*current_a, other.current_a);
        seen.see(*power_factor, other.power_factor);
        seen.see(*frequency_hz, other.frequency_hz);
        seen.see(*soc_pct, other.soc_pct);
        // A phase beyond the end is one that says nothing.
        for (number, theirs) in other.phases.iter().enumerate() {
            let Phase { power_w, voltage_v, current_a } = phases.get(number).copied().unwrap_or_default();
            seen.see(power_w, theirs.power_w);
            seen.see(voltage_v, theirs.voltage_v);
            seen.see(current_a, theirs.current_a);
        }
        seen
    }

    fn fill(&mut self, other: &Self) {
        let Self {
            power_w,
            energy_import_mwh,
            energy_export_mwh,
            voltage_v,
            current_a,
            power_factor,
            frequency_hz,
            soc_pct,
            phases,
        } = self;
        take(power_w, other.power_w);
        take(energy_import_mwh, other.energy_import_mwh);
        take(energy_export_mwh, other.energy_export_mwh);
        take(voltage_v, other.voltage_v);
        take(current_a, other.current_a);
        take(power_factor, other.power_factor);
        take(frequency_hz, other.frequency_hz);
        take(soc_pct, other.soc_pct);
        // Phases at the end that say nothing add nothing.
        let said = other.phases.iter().rposition(|phase| !phase.is_empty()).map_or(0, |last| last + 1);
        if phases.len() < said {
            phases.resize(said, Phase::default());
        }
        for (ours, theirs) in phases.iter_mut().zip(&other.phases) {
            let Phase { power_w, voltage_v, current_a } = ours;
            take(power_w, theirs.power_w);
            take(voltage_v, theirs.voltage_v);
            take(current_a, theirs.current_a);
        }
    }
}

// === impl Comparison ===

impl Comparison {
    fn see<T: PartialEq>(&mut self, ours: Option<T>, theirs: Option<T>) {
        match (ours, theirs) {
            (Some(ours), Some(theirs)) => self.differs |= ours != theirs,
            (None, Some(_)) => self.adds = true,
            (_, None) => {}
        }
    }

    const fn meeting(self) -> Meeting {
        match self {
            Self { differs: true, .. } => Meeting::Conflict,
            Self { adds: true, .. } => Meeting::Merged,
            Self { .. } => Meeting::Duplicate,
        }
    }
}

fn take<T>(ours: &mut Option<T>, theirs: Option<T>) {
    if ours.is_none() {
        *ours = theirs;
    }
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
