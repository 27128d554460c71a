//! Power, held: each reading until the next one, for a few minutes at most.
//!
//! Exact for devices that send when something changes. The newest reading holds for no time yet: a kettle of 3 kW must
//! not book what the next reading takes back.

use super::Reading;
use super::interval::Span;
use super::round::share_of;
use super::settings::{Settings, mw_us};
use crate::Register;

/// A power reading, and until when it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The reading's instant, in µs.
    pub from_us: i64,
    /// Until when it holds, in µs.
    pub to_us: i64,
    /// Its power in mW, import positive.
    pub mw: i64,
}

/// The power readings of a meter, with the energy up to each.
#[derive(Clone, Debug, Default)]
pub struct Flow {
    holds: Vec<Hold>,
    before: Vec<Passed>,
    beyond: Vec<Hold>,
}

/// What came before a hold.
#[derive(Clone, Copy, Debug, Default)]
struct Passed {
    us: i64,
    import_mw_us: i128,
    export_mw_us: i128,
}

// === impl Hold ===

impl Hold {
    /// The part of its power that goes in this direction, in mW.
    #[must_use]
    pub const fn mw(&self, register: Register) -> i64 {
        let mw = match register {
            Register::Import => self.mw,
            Register::Export => -self.mw,
        };
        if mw > 0 { mw } else { 0 }
    }

    const fn us(&self) -> i64 {
        self.to_us - self.from_us
    }
}

// === impl Passed ===

impl Passed {
    fn and(self, hold: &Hold, us: i64) -> Self {
        let mw_us = |register| i128::from(hold.mw(register)) * i128::from(us);
        Self {
            us: self.us + us,
            import_mw_us: self.import_mw_us + mw_us(Register::Import),
            export_mw_us: self.export_mw_us + mw_us(Register::Export),
        }
    }

    const fn mw_us(&self, register: Register) -> i128 {
        match register {
            Register::Import => self.import_mw_us,
            Register::Export => self.export_mw_us,
        }
    }
}

// === impl Flow ===

impl Flow {
    /// Of readings in order of time. A power beyond what the meter can take is no power: what the sound reading before
    /// it says holds on.
    #[must_use]
    pub fn new(readings: &[Reading], settings: &Settings) -> Self {
        let ends_us = last_before_silence_us(readings, settings.reach_us);
        let mut flow = Self::default();
        // The next power reading of any size, and the next sound one.
        let (mut next_us, mut next_sound_us) = (i64::MAX, i64::MAX);
        for (reading, &end_us) in readings.iter().zip(&ends_us).rev() {
            let Some(mw) = reading.power_mw else { continue };
            let from_us = reading.ts_us;
            let until_us = |next_us: i64| next_us.min(from_us + settings.hold_us).min(end_us);
            let is_sound = mw.saturating_abs() <= settings.max_power_mw;
            let (held, to_us) = if is_sound {
                (&mut flow.holds, until_us(next_sound_us))
            } else {
                (&mut flow.beyond, until_us(next_us))
            };
            held.push(Hold { from_us, to_us, mw });
            next_us = from_us;
            if is_sound {
                next_sound_us = from_us;
            }
        }
        flow.holds.reverse();
        flow.beyond.reverse();
        let sum = |passed: &mut Passed, hold: &Hold| {
            let before = *passed;
            *passed = before.and(hold, hold.us());
            Some(before)
        };
        flow.before = flow.holds.iter().scan(Passed::default(), sum).collect();
        flow
    }

    /// Sound power readings in order of time. The last one may hold for no time.
    #[must_use]
    pub fn holds(&self) -> &[Hold] {
        &self.holds
    }

    /// Power readings that are none, each until the next power reading of any size.
    #[must_use]
    pub fn beyond(&self) -> &[Hold] {
        &self.beyond
    }

    /// Energy of this direction between two instants, in mW·µs.
    #[must_use]
    pub fn mw_us(&self, register: Register, from_us: i64, to_us: i64) -> i128 {
        self.until(to_us).mw_us(register) - self.until(from_us).mw_us(register)
    }

    /// How much of the time between two instants power tells of, in µs.
    #[must_use]
    pub fn covered_us(&self, from_us: i64, to_us: i64) -> i64 {
        self.until(to_us).us - self.until(from_us).us
    }

    fn until(&self, us: i64) -> Passed {
        let Some(place) = self.holds.partition_point(|hold| hold.from_us < us).checked_sub(1) else {
            return Passed::default();
        };
        let hold = &self.holds[place];
        self.before[place].and(hold, us.min(hold.to_us) - hold.from_us)
    }

    /// Whether a span is shared in proportion to power: it is long, power tells of nine tenths of it, and tells about
    /// as much. A wrong scale or another measuring point shapes nothing.
    #[must_use]
    pub fn shapes(&self, span: &Span, register: Register, settings: &Settings) -> bool {
        let Some(mwh) = span.mwh.filter(|mwh| *mwh > 0) else { return false };
        let us = span.to_us - span.begin_us;
        if us <= settings.shape_min_us {
            return false;
        }
        let covered_us = self.covered_us(span.begin_us, span.to_us);
        let told = self.mw_us(register, span.begin_us, span.to_us);
        let is_covered = 10 * i128::from(covered_us) >= 9 * i128::from(us);
        is_covered && told > 0 && 2 * mw_us(mwh) >= told && mw_us(mwh) <= 2 * told
    }

    /// The part of a shaped span's energy that lies before an instant, rounded once.
    #[must_use]
    pub fn shaped_share(&self, span: &Span, register: Register, us: i64, mwh: i64) -> i64 {
        let us = us.clamp(span.begin_us, span.to_us);
        let part = self.mw_us(register, span.begin_us, us);
        share_of(mwh, part, self.mw_us(register, span.begin_us, span.to_us))
    }
}

/// For each reading the last one before a silence of the whole meter, or before the end.
fn last_before_silence_us(readings: &[Reading], reach_us: i64) -> Vec<i64> {
    let mut ends_us = vec![0; readings.len()];
    let mut end_us = 0;
    let mut next_us = None;
    for (reading, place) in readings.iter().zip(&mut ends_us).rev() {
        if next_us.is_none_or(|next_us: i64| next_us - reading.ts_us > reach_us) {
            end_us = reading.ts_us;
        }
        next_us = Some(reading.ts_us);
        *place = end_us;
    }
    ends_us
}
