//! The physics of one home behind one meter: base load, fridge, kitchen, evenings, and for some a PV system
//! under the weather of the street.
//!
//! Everything is scaled integers and a pure function of (seed, home, time), so the same readings can be made
//! again for checking, and the registers integrate the reported power exactly.

pub mod noise;
pub mod weather;

use std::f32::consts::TAU;

use wattline_reading::Timestamp;

use self::noise::Draw;
use self::weather::Weather;
use crate::sample::{PhaseSample, Sample};

/// One mWh in mW·ms.
const MW_MS_PER_MWH: i64 = 3_600_000;
const DAY_S: i64 = 86_400;
/// One kettle, oven or laundry event may begin in each slot of a day.
const SLOT_S: i64 = 900;
/// What tells one use of the noise from another.
const APPLIANCES: u64 = 0xa991;
const VOLTAGE: u64 = 0x7017;
const FREQUENCY: u64 = 0xf4e9;

/// A home's fixed traits and its two counters: about 100 bytes.
#[derive(Clone, Debug)]
pub struct Home {
    traits: Traits,
    /// Energy in mW·ms since the counters began.
    import_mw_ms: Counter,
    export_mw_ms: Counter,
}

#[derive(Clone, Debug)]
struct Traits {
    seed: u64,
    base_w: f32,
    fridge_w: f32,
    fridge_period_s: f32,
    fridge_duty: f32,
    evening_w: f32,
    evening_peak_h: f32,
    appliance_w: f32,
    /// 0 where there is none.
    pv_peak_w: f32,
    three_phase: bool,
}

/// Whole mWh, and what is left of the next one.
#[derive(Clone, Copy, Debug, Default)]
struct Counter {
    mwh: i64,
    rest_mw_ms: i64,
}

// === impl Home ===

impl Home {
    /// The home of this number in the world of this seed.
    #[must_use]
    pub fn new(seed: u64, number: u32, three_phase_share: f32) -> Self {
        let mut draw = Draw::new(seed, u64::from(number));
        let traits = Traits {
            seed: draw.word(),
            base_w: draw.between(45.0, 190.0),
            fridge_w: draw.between(60.0, 130.0),
            fridge_period_s: draw.between(2400.0, 4500.0),
            fridge_duty: draw.between(0.3, 0.45),
            evening_w: draw.between(200.0, 900.0),
            evening_peak_h: draw.between(18.2, 21.0),
            appliance_w: draw.between(900.0, 2400.0),
            pv_peak_w: if draw.unit() < 0.45 { draw.between(3000.0, 9500.0) } else { 0.0 },
            three_phase: draw.unit() < three_phase_share,
        };
        let import_mwh = draw.whole(2_000_000_000, 40_000_000_000);
        let export_mwh = if traits.pv_peak_w > 0.0 { draw.whole(500_000_000, 20_000_000_000) } else { 0 };
        Self { traits, import_mw_ms: Counter::at(import_mwh), export_mw_ms: Counter::at(export_mwh) }
    }

    /// True where the home has a PV system.
    #[must_use]
    pub fn has_pv(&self) -> bool {
        self.traits.pv_peak_w > 0.0
    }

    /// Moves both counters forward, as time before the simulation would have.
    pub fn add_past(&mut self, import_mwh: i64, export_mwh: i64) {
        self.import_mw_ms.mwh += import_mwh;
        if self.has_pv() {
            self.export_mw_ms.mwh += export_mwh;
        }
    }

    /// What the meter says at `ts`, after `elapsed_ms` at the power that it says.
    pub fn step(&mut self, ts: Timestamp, elapsed_ms: i64, weather: &Weather) -> Sample {
        let power_dw = self.power_dw(ts, weather);
        let energy_mw_ms = i64::from(power_dw) * 100 * elapsed_ms;
        self.import_mw_ms.add(energy_mw_ms.max(0));
        self.export_mw_ms.add((-energy_mw_ms).max(0));
        self.sample(ts, power_dw)
    }

    /// Net power in tenths of a watt, + import.
    fn power_dw(&self, ts: Timestamp, weather: &Weather) -> i32 {
        let traits = &self.traits;
        let seconds = ts.micros().div_euclid(1_000_000);
        let second_of_day = seconds.rem_euclid(DAY_S);
        let hour = weather.hour;

        let flicker = 1.0 + 0.04 * (noise::at(traits.seed, seconds) - 0.5);
        let load = traits.base_w * flicker
            + self.fridge_w(seconds)
            + traits.evening_w * bump(hour, traits.evening_peak_h, 1.7)
            + 0.45 * traits.evening_w * bump(hour, 7.2, 0.8)
            + self.appliance_w(seconds.div_euclid(DAY_S), second_of_day);
        let production = traits.pv_peak_w * weather.irradiance;
        round_i32((load - production) * 10.0)
    }

    /// On and off, at a phase of its own.
    fn fridge_w(&self, seconds: i64) -> f32 {
        let traits = &self.traits;
        let offset_s = (traits.seed >> 52).cast_signed();
        #[expect(clippy::cast_precision_loss, reason = "seconds of four weeks fit a float's mantissa")]
        let seconds = (seconds + offset_s).rem_euclid(28 * DAY_S) as f32;
        let phase = (seconds / traits.fridge_period_s).fract();
        if phase < traits.fridge_duty { traits.fridge_w } else { 0.0 }
    }

    /// A kettle or an oven: in some slots of the day, most often at meal times, for 2 to 12 minutes.
    fn appliance_w(&self, day: i64, second_of_day: i64) -> f32 {
        let slot = second_of_day / SLOT_S;
        let draw = noise::word(self.traits.seed ^ APPLIANCES, day * 96 + slot);
        let per_mille = match slot / 4 {
            6..=8 | 11..=12 => 160,
            17..=20 => 260,
            22..=23 | 0..=5 => 12,
            _ => 60,
        };
        let begins = draw % 1000 < per_mille;
        let lasts_s = 120 + ((draw >> 20) % 600).cast_signed();
        if begins && second_of_day % SLOT_S < lasts_s { self.traits.appliance_w } else { 0.0 }
    }

    fn sample(&self, ts: Timestamp, power_dw: i32) -> Sample {
        let seconds = ts.micros().div_euclid(1_000_000);
        let wobble = noise::at(self.traits.seed ^ VOLTAGE, seconds);
        let voltage_dv = 2303 + round_i32((wobble - 0.5) * 50.0) - power_dw / 4000;
        let power_factor_pct = if power_dw.abs() < 500 { 87 } else { 97 };
        // I = |P| / (U · cos φ), in mA: dW × 100 mW, over dV / 10 and % / 100.
        let apparent = |dw: i32| {
            i64::from(dw.abs()) * 100 * 1000 / (i64::from(voltage_dv) * i64::from(power_factor_pct))
        };
        let current_ma = apparent(power_dw);
        let phases = self.traits.three_phase.then(|| {
            let first = power_dw / 2;
            let second = power_dw / 3;
            [first, second, power_dw - first - second].map(|power_dw| PhaseSample {
                power_dw,
                voltage_dv: voltage_dv + power_dw % 7,
                current_ma: apparent(power_dw),
            })
        });
        Sample {
            ts,
            power_dw,
            energy_import_mwh: self.import_mw_ms.mwh,
            energy_export_mwh: self.export_mw_ms.mwh,
            voltage_dv,
            current_ma,
            power_factor_pct,
            frequency_mhz: 50_000 + round_i32((noise::at(FREQUENCY, seconds) - 0.5) * 60.0),
            phases,
        }
    }
}

// === impl Counter ===

impl Counter {
    const fn at(mwh: i64) -> Self {
        Self { mwh, rest_mw_ms: 0 }
    }

    fn add(&mut self, energy_mw_ms: i64) {
        self.rest_mw_ms += energy_mw_ms;
        self.mwh += self.rest_mw_ms / MW_MS_PER_MWH;
        self.rest_mw_ms %= MW_MS_PER_MWH;
    }
}

/// A bell of height 1 around `peak`, on the clock's circle of 24 hours.
fn bump(hour: f32, peak: f32, width_h: f32) -> f32 {
    let distance = (TAU * (hour - peak) / 24.0).cos();
    // exp(k (cos - 1)): the circle's own bell, and without a seam at midnight.
    let sharpness = (24.0 / (TAU * width_h)).powi(2);
    (sharpness * (distance - 1.0)).exp()
}

#[expect(clippy::cast_possible_truncation, reason = "float to integer casts saturate")]
fn round_i32(value: f32) -> i32 {
    value.round() as i32
}

#[cfg(test)]
#[path = "physics_tests.rs"]
mod tests;
