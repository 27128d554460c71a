//! kWh from readings: pure, exact, no I/O, no clock. The aggregator, query-api and wattlinectl share it.
//!
//! [`meter`] computes by all rules of `docs/energy.md`, [`calendar`] and [`total`] make buckets of any width of it,
//! [`home`] what the meters of a home say together. `wattlinectl energy` uses these.
//!
//! What the aggregator stores so far is simpler. One window of stored rows goes in, buckets come out, in three steps
//! that each live in a module:
//!
//! 1. [`chain`]: which register readings count, in order of time, import and export apart;
//! 2. [`span`]: what each pair of consecutive readings says: so much energy in this time, or nothing known;
//! 3. [`bucket`]: spans shared out over buckets, to the milliwatt-hour.
//!
//! [`reach`] turns the question round: which buckets can a changed row change. [`series`] goes on from stored buckets:
//! sums of them in a time zone, for people. [`derived`] makes a power of registers for them, where none is sent.
//!
//! Everything is integer arithmetic: registers in mWh, power in mW, time in µs, products in 128 bits. A register's
//! value at a bucket's edge is rounded once, so the energies of consecutive buckets telescope to the register's own
//! difference exactly, and a recomputation of any part gives the same bytes as one of the whole.
//!
//! # What these leave out
//! Every register reading is in the chain: a single zero is not recognised as a glitch yet, so both its fall and its
//! rise are judged as they are. A fall of more than a dip is `swap`: unknown, whatever follows. Power fills no gaps
//! and shapes nothing. [`meter`] does all of it.

pub mod bucket;
pub mod calendar;
pub mod chain;
pub mod derived;
pub mod grid;
pub mod home;
pub mod meter;
pub mod power;
pub mod quality;
pub mod reach;
pub mod series;
pub mod span;
pub mod total;

pub use bucket::{Bucket, Energy, buckets, register_energy};
pub use grid::{BucketRange, QUARTER_HOUR_US};
pub use power::PowerStatistics;
pub use quality::{Flag, Quality};

/// One stored reading, as far as energy needs it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Event time, µs since 1970. Rows come in order of it, no two alike.
    pub ts_us: i64,
    /// Import register in mWh.
    pub import_mwh: Option<i64>,
    /// Export register in mWh.
    pub export_mwh: Option<i64>,
    /// Active power in mW, import positive.
    pub power_mw: Option<i64>,
}

/// A register: import and export are computed apart by the same rules, nothing is ever netted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Register {
    /// What the home took from the grid.
    Import,
    /// What it gave.
    Export,
}

/// The constants of the rules. The defaults fit a home's three-phase connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The most power that can flow, in W.
    pub power_w_max: i64,
    /// A rise of so much is taken however short the time, in mWh.
    pub jump_allowance_mwh: i64,
    /// How long a device or its bridge may repeat an old register before it shows the new one, in µs.
    pub latch_us: i64,
    /// A fall of at most so much is a dip, in mWh.
    pub dip_mwh: i64,
    /// No single look back or ahead is longer, in µs; a longer interval is a silence.
    pub reach_us: i64,
}

// === impl Register ===

impl Register {
    /// Both of them.
    pub const BOTH: [Self; 2] = [Self::Import, Self::Export];

    /// This register's value in a row.
    #[must_use]
    pub const fn of(self, row: &Row) -> Option<i64> {
        match self {
            Self::Import => row.import_mwh,
            Self::Export => row.export_mwh,
        }
    }
}

// === impl Rules ===

impl Default for Rules {
    fn default() -> Self {
        Self {
            power_w_max: 60_000,
            jump_allowance_mwh: 1_000_000,
            latch_us: 3_600_000_000,
            dip_mwh: 100_000,
            reach_us: reach::REACH_US,
        }
    }
}

impl Rules {
    /// The most energy that can have flowed in so many µs, in mWh.
    #[must_use]
    pub const fn room_mwh(&self, us: i64) -> i128 {
        // W × µs ÷ 3.6e9 µs/h = Wh, × 1000 = mWh.
        self.power_w_max as i128 * us as i128 / 3_600_000
    }
}
