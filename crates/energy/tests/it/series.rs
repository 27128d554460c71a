//! Random meters, in a scaled world: a month is some hours, a reading comes every few seconds, and the constants are as
//! much smaller.

use wattline_energy::Register;
use wattline_energy::meter::{Reading, Settings, Swap};

pub(crate) const S: i64 = 1_000_000;

/// SplitMix64: a seed is a meter.
pub(crate) struct Dice(u64);

/// One meter-month.
#[derive(Clone, Debug)]
pub(crate) struct Month {
    pub(crate) readings: Vec<Reading>,
    pub(crate) events: Vec<Swap>,
    pub(crate) settings: Settings,
}

/// What a register does from one reading to the next.
struct Counter {
    mwh: i64,
    shown: i64,
    epoch_s: i64,
    has: bool,
    away: u64,
}

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `low` to `high`, both included.
    pub(crate) fn within(&mut self, low: i64, high: i64) -> i64 {
        low + i64::try_from(self.next() % u64::try_from(high - low + 1).unwrap()).unwrap()
    }

    /// Once in so many.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.next().is_multiple_of(times)
    }

    pub(crate) fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.next() % choices.len() as u64).unwrap()]
    }
}

/// Constants of the scaled world: reach a bit over an hour, 10 kW at most.
pub(crate) fn settings(dice: &mut Dice) -> Settings {
    let wh = 1_000;
    Settings {
        max_power_mw: dice.of(&[10_000_000, 10_000_000, 2_000_000]),
        resolution_mwh: dice.of(&[0, 0, 1, 10 * wh, 200 * wh]),
        jump_allowance_mwh: 20 * wh,
        dip_mwh: 2 * wh,
        coarse_mwh: 100 * wh,
        moduli_mwh: vec![400_000 * wh, 5_000_000 * wh],
        latch_us: dice.of(&[0, 60]) * S,
        reach_us: 4_000 * S,
        still_max_us: 1_500 * S,
        excursion_us: 300 * S,
        glitch_window_us: 1_200 * S,
        epoch_tolerance_us: 10 * S,
        reset_room_us: 600 * S,
        gap_us: 150 * S,
        shape_min_us: 20 * S,
        hold_us: 40 * S,
        is_net: dice.once_in(12),
        ..Settings::default()
    }
}

/// A month of `length_s` in whole seconds, from 2000 on.
pub(crate) fn month(seed: u64, length_s: i64) -> Month {
    let mut dice = Dice::new(seed);
    let settings = settings(&mut dice);
    let distance_s = dice.of(&[5, 30, 30, 120, 900]);
    let start_s = 946_684_800 + 900 * 50;
    let kinds = dice.next();
    let mut counters = [0, 1].map(|bit| Counter {
        mwh: dice.of(&[0, 30_000, 399_990_000, 4_999_000_000]),
        shown: 0,
        epoch_s: start_s - 7,
        has: kinds >> bit & 1 == 1,
        away: 0,
    });
    let has_power = kinds >> 2 & 1 == 1;
    let has_epoch = kinds >> 3 & 1 == 1;
    let mut at_s = start_s + dice.within(0, 300);
    let mut watt = 400;
    let (mut readings, mut events) = (Vec::new(), Vec::new());
    while at_s < start_s + length_s {
        let step_s = step_s(&mut dice, distance_s);
        if dice.once_in(6) {
            watt = dice.of(&[0, 0, 300, -700, 2_500, 9_000]);
        }
        for (counter, register) in counters.iter_mut().zip(Register::BOTH) {
            let watt = if register == Register::Import { watt } else { -watt };
            counter.count(&mut dice, watt.max(0), step_s, at_s, &settings);
            if dice.once_in(150) {
                events.extend(counter.swap(&mut dice, register, at_s, step_s));
            }
        }
        at_s += step_s;
        let jitter =
            |dice: &mut Dice, counter: &Counter| (counter.has && !dice.once_in(8)).then_some(counter.shown);
        readings.push(Reading {
            ts_us: at_s * S,
            import_mwh: jitter(&mut dice, &counters[0]),
            export_mwh: jitter(&mut dice, &counters[1]),
            power_mw: (has_power && !dice.once_in(10)).then(|| power_mw(&mut dice, watt)),
            epoch_us: (has_epoch && !dice.once_in(5)).then(|| (counters[0].epoch_s + dice.within(-4, 4)) * S),
        });
    }
    Month { readings, events, settings }
}

fn step_s(dice: &mut Dice, distance_s: i64) -> i64 {
    match dice.next() % 60 {
        0 => dice.within(1, 4_600),
        1 => dice.within(3_995, 4_005),
        2..=5 => dice.within(1, 8 * distance_s),
        _ => (distance_s + dice.within(-2, 2)).max(1),
    }
}

fn power_mw(dice: &mut Dice, watt: i64) -> i64 {
    if dice.once_in(40) { 65_497_000 } else { watt * 1_000 + dice.within(-400, 400) }
}

impl Counter {
    fn count(&mut self, dice: &mut Dice, watt: i64, step_s: i64, at_s: i64, settings: &Settings) {
        let exact = watt * step_s * 1_000 / 3_600;
        self.mwh += exact * dice.of(&[10, 10, 10, 10, 10, 0, 7]) / 10;
        let step = settings.resolution_mwh.max(1);
        self.shown = self.mwh / step * step;
        match dice.next() % 220 {
            0 => (self.mwh, self.epoch_s) = (0, at_s + step_s / 2),
            1 => self.mwh = dice.within(0, self.mwh.max(1)),
            2 => self.mwh += dice.within(0, 200_000),
            3 => self.mwh -= dice.within(0, 3_000).min(self.mwh),
            4 | 5 => self.mwh = settings.moduli_mwh[0] - dice.within(0, 20_000),
            6..=9 => self.away = dice.next() % 9,
            _ => {}
        }
        if settings.moduli_mwh[..1].iter().any(|modulus| self.mwh >= *modulus && dice.once_in(2)) {
            self.mwh -= settings.moduli_mwh[0];
        }
        if self.away > 0 {
            self.away -= 1;
            self.shown = dice.of(&[0, 0, 0, self.shown / 3, self.shown / 3 + 7, self.shown + 4_000_000]);
        }
    }

    fn swap(&mut self, dice: &mut Dice, register: Register, at_s: i64, step_s: i64) -> Option<Swap> {
        let old_mwh = self.mwh + dice.of(&[0, 0, -300, 5_000, 500_000]);
        let new_mwh = dice.of(&[0, 12_000_000]);
        let at_us = (at_s + dice.within(0, step_s)) * S;
        (self.mwh, self.shown) = (new_mwh, new_mwh);
        (!dice.once_in(3)).then_some(Swap { register, at_us, old_mwh, new_mwh })
    }
}
