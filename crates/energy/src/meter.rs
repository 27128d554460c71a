//! What one meter's readings mean: its energy by direction, whole.
//!
//! A [`Meter`] is made of all stored readings of it, the operator's events and its settings, and of nothing else: no
//! clock, no order of arrival, no former result. In the order of the work:
//!
//! 1. [`glitch`]: which register readings count: excursions that come back are ignored;
//! 2. [`interval`]: what two consecutive readings say: so much energy, or nothing known, and by which rule;
//! 3. [`track`]: a register from its first reading to its last;
//! 4. [`flow`]: power, each reading held until the next;
//! 5. [`share`]: both shared out over buckets, to the milliwatt-hour;
//! 6. [`show`]: what is shown of now: how far time has elapsed, whether the meter is silent, what power its registers
//!    tell.
//!
//! [`decision`] has a value for everything that was decided on the way, so that an answer can say why. [`state`] is
//! what a bucket's start must know of the rows before it, so that a part can be computed again.

pub mod decision;
pub mod flow;
pub mod glitch;
pub mod interval;
pub mod point;
mod round;
pub mod settings;
pub mod share;
pub mod show;
pub mod state;
pub mod track;

use decision::{Decision, Note};
use flow::Flow;
pub use interval::Span;
pub use point::{Point, Swap};
pub use settings::Settings;
use share::Limits;
use track::Track;

use crate::{Energy, Register};

/// One stored reading, as far as energy needs it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Event time, µs since 1970.
    pub ts_us: i64,
    /// Import register in mWh.
    pub import_mwh: Option<i64>,
    /// Export register in mWh.
    pub export_mwh: Option<i64>,
    /// Active power in mW, import positive.
    pub power_mw: Option<i64>,
    /// When the device's counters began at zero, where it says so, in µs since 1970.
    pub epoch_us: Option<i64>,
}

/// What a meter's readings say, ready to be shared out over any buckets.
#[derive(Clone, Debug)]
pub struct Meter {
    settings: Settings,
    flow: Flow,
    import: Track,
    export: Track,
    instants_us: Vec<i64>,
}

/// Import and export of one bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// What came in.
    pub import: Energy,
    /// What went out.
    pub export: Energy,
}

// === impl Reading ===

impl Reading {
    /// A register's value in it.
    #[must_use]
    pub const fn register(&self, register: Register) -> Option<i64> {
        match register {
            Register::Import => self.import_mwh,
            Register::Export => self.export_mwh,
        }
    }
}

// === impl Meter ===

impl Meter {
    /// `readings` come in order of time, no two of one instant: what several of one instant make is the store's to
    /// decide. `events` may come in any order.
    #[must_use]
    pub fn new(readings: &[Reading], events: &[Swap], settings: &Settings) -> Self {
        debug_assert!(
            readings.is_sorted_by(|a, b| a.ts_us < b.ts_us),
            "readings in order of time, no two alike"
        );
        let flow = Flow::new(readings, settings);
        let [import, export] = Track::both(readings, events, settings, &flow);
        let instants_us = readings.iter().map(|reading| reading.ts_us).collect();
        Self { settings: settings.clone(), flow, import, export, instants_us }
    }

    /// Energy of each bucket between two consecutive `edges_us`, which ascend. Buckets of 15 minutes or more.
    #[must_use]
    pub fn cells(&self, edges_us: &[i64]) -> Vec<Cell> {
        self.shared(edges_us, &Limits::stored(&self.settings))
    }

    /// The same for buckets of less than 15 minutes, for which a shorter interval is a gap.
    #[must_use]
    pub fn fine_cells(&self, edges_us: &[i64]) -> Vec<Cell> {
        self.shared(edges_us, &Limits::fine(&self.settings))
    }

    fn shared(&self, edges_us: &[i64], limits: &Limits) -> Vec<Cell> {
        let of = |track, register| share::share(track, &self.flow, register, edges_us, limits);
        let import = of(&self.import, Register::Import);
        let export = of(&self.export, Register::Export);
        import.into_iter().zip(export).map(|(import, export)| Cell { import, export }).collect()
    }

    /// One direction: its spans, what was ignored, and where it stands.
    #[must_use]
    pub const fn track(&self, register: Register) -> &Track {
        match register {
            Register::Import => &self.import,
            Register::Export => &self.export,
        }
    }

    /// Power as it was held.
    #[must_use]
    pub const fn flow(&self) -> &Flow {
        &self.flow
    }

    /// What it was computed with.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The instants of all its readings, in order.
    #[must_use]
    pub fn instants_us(&self) -> &[i64] {
        &self.instants_us
    }

    /// Everything that was decided, in order of time; gaps are those of quarter-hours.
    #[must_use]
    pub fn notes(&self) -> Vec<Note> {
        let limit_us = Limits::stored(&self.settings).gap_us();
        let mut notes: Vec<Note> = Vec::new();
        for register in Register::BOTH {
            let track = self.track(register);
            notes.extend(track.notes().iter().cloned());
            notes.extend(track.sharing_notes(register, &self.flow, limit_us));
        }
        let beyond = self.flow.beyond().iter().map(|beyond| Note {
            register: None,
            from_us: beyond.from_us,
            to_us: beyond.to_us,
            decision: Decision::PowerBeyond { mw: beyond.mw, max_mw: self.settings.max_power_mw },
        });
        notes.extend(beyond);
        notes.sort_by_key(|note| (note.to_us, note.from_us));
        notes
    }
}
