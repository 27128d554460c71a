//! What a meter's readings say of it: how often they come, and how fine its register is. Pure.

use wattline_reading::{Reading, Timestamp};

/// So many of the last distances count; the one in the middle is the usual one.
const DISTANCES: usize = 5;
/// Closer together are the parts of one telegram that is split over topics.
const PART_US: i64 = 900_000;
/// Further apart is a pause, not a habit.
const PAUSE_US: i64 = 7 * 24 * 3600 * 1_000_000;
/// So often the register must have moved before its step is told.
const STEPS_MIN: u8 = 8;
/// Distances that devices have, in s. What lies between is told as the nearest.
const USUAL_S: [i32; 26] = [
    1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30, 40, 45, 60, 90, 120, 180, 300, 600, 900, 1800, 3600, 7200,
    21_600, 86_400,
];

/// What is known of one meter.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Habits {
    last: Option<Timestamp>,
    /// The last distances in ms, in a ring.
    distances_ms: [u32; DISTANCES],
    /// How many there were, up to [`DISTANCES`], and the place of the next.
    distances: u8,
    next: u8,
    import_mwh: Option<i64>,
    /// What divides all steps of the import register.
    step_mwh: i64,
    steps: u8,
    told: Told,
}

/// What the registry has of a meter.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Told {
    /// Usual distance of its readings, in s.
    pub(crate) expected_s: Option<i32>,
    /// Step of its registers, in mWh.
    pub(crate) resolution_mwh: Option<i64>,
}

// === impl Habits ===

impl Habits {
    /// Of a meter of which the registry has this.
    #[must_use]
    pub(crate) fn new(told: Told) -> Self {
        Self { told, ..Self::default() }
    }

    /// One reading. What is not newer than the newest before it says nothing, so a batch that is written again
    /// counts once.
    pub(crate) fn observe(&mut self, reading: &Reading) {
        let Some(last) = self.last else {
            self.last = Some(reading.ts);
            self.observe_register(reading);
            return;
        };
        let distance_us = reading.ts.micros().saturating_sub(last.micros());
        if distance_us <= 0 {
            return;
        }
        self.observe_register(reading);
        if distance_us < PART_US {
            return;
        }
        self.last = Some(reading.ts);
        if distance_us <= PAUSE_US {
            self.distances_ms[usize::from(self.next)] = u32::try_from(distance_us / 1000).unwrap_or(u32::MAX);
            self.next = (self.next + 1) % 5;
            self.distances = (self.distances + 1).min(5);
        }
    }

    fn observe_register(&mut self, reading: &Reading) {
        let Some(import_mwh) = reading.measures.energy_import_mwh else { return };
        let step_mwh = self.import_mwh.map_or(0, |before| import_mwh.saturating_sub(before));
        self.import_mwh = Some(import_mwh);
        if step_mwh > 0 {
            self.step_mwh = common_divisor(self.step_mwh, step_mwh);
            self.steps = self.steps.saturating_add(1);
        }
    }

    /// What the registry shall have, where that is something else than it has: a distance that is another by half, a
    /// finer step.
    #[must_use]
    pub(crate) fn news(&self) -> Told {
        let other = |expected_s: &i32| {
            self.told.expected_s.is_none_or(|told| 2 * expected_s >= 3 * told || 3 * expected_s <= 2 * told)
        };
        let finer = |step: &i64| self.told.resolution_mwh.is_none_or(|told| *step < told);
        Told {
            expected_s: self.expected_s().filter(other),
            resolution_mwh: self.resolution_mwh().filter(finer),
        }
    }

    /// The registry has it now.
    pub(crate) fn told(&mut self, news: Told) {
        self.told.expected_s = news.expected_s.or(self.told.expected_s);
        self.told.resolution_mwh = news.resolution_mwh.or(self.told.resolution_mwh);
    }

    /// The usual distance of readings in s, of the last five; `None` before there were so many.
    fn expected_s(&self) -> Option<i32> {
        if usize::from(self.distances) < DISTANCES {
            return None;
        }
        let mut distances_ms = self.distances_ms;
        distances_ms.sort_unstable();
        let usual_s = f64::from(distances_ms[DISTANCES / 2]) / 1000.0;
        let off = |candidate: i32| (f64::from(candidate) / usual_s).ln().abs();
        USUAL_S.into_iter().min_by(|a, b| off(*a).total_cmp(&off(*b)))
    }

    /// The largest power of ten that divides all steps, in mWh: a register whose step is none, such as 1.25 Wh, is told
    /// finer than it is.
    fn resolution_mwh(&self) -> Option<i64> {
        if self.steps < STEPS_MIN {
            return None;
        }
        let mut resolution_mwh = 1;
        while self.step_mwh % (resolution_mwh * 10) == 0 {
            resolution_mwh *= 10;
        }
        Some(resolution_mwh)
    }
}

const fn common_divisor(a: i64, b: i64) -> i64 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use wattline_reading::Measures;

    use super::*;

    fn reading(ts_ms: i64, import_mwh: Option<i64>) -> Reading {
        let measures = Measures { energy_import_mwh: import_mwh, ..Measures::default() };
        Reading::new("m", Timestamp::from_micros(1_795_168_800_000_000 + ts_ms * 1000), measures)
    }

    fn after(readings: impl IntoIterator<Item = (i64, Option<i64>)>) -> Habits {
        let mut habits = Habits::default();
        for (ts_ms, import_mwh) in readings {
            habits.observe(&reading(ts_ms, import_mwh));
        }
        habits
    }

    fn expected_s(times_ms: &[i64]) -> Option<i32> {
        after(times_ms.iter().map(|ts_ms| (*ts_ms, None))).news().expected_s
    }

    #[test]
    fn the_usual_distance_is_that_of_most() {
        assert_eq!(expected_s(&[0, 10_000, 20_000, 30_000, 40_000]), None, "five distances are needed");
        assert_eq!(expected_s(&[0, 10_020, 19_990, 30_100, 40_000, 50_000]), Some(10));
        assert_eq!(
            expected_s(&[0, 10_000, 900_000, 910_000, 920_000, 1_900_000, 1_910_000]),
            Some(10),
            "pauses"
        );
        assert_eq!(
            expected_s(&[0, 40, 90, 5000, 5040, 10_000, 10_050, 15_000, 20_000, 25_000]),
            Some(5),
            "parts"
        );
        assert_eq!(expected_s(&[50_000, 0, 40_000, 30_000, 20_000, 10_000]), None, "backward says nothing");
    }

    #[test]
    fn a_batch_that_is_written_again_counts_once() {
        let mut habits = after((0..5).map(|n| (n * 10_000, Some(n * 1000))));
        for n in 0..5 {
            habits.observe(&reading(n * 10_000, Some(n * 1000)));
        }
        assert_eq!(habits.news(), Told::default());
    }

    #[test]
    fn a_habit_that_hardly_changes_is_no_news() {
        let mut habits = after((0..6).map(|n| (n * 10_000, None)));
        habits.told(habits.news());
        assert_eq!(habits.news(), Told::default());
        let mut at = 50_000;
        for (distance_ms, expected) in [(12_000, None), (15_000, Some(15)), (6000, Some(6))] {
            for _ in 0..5 {
                at += distance_ms;
                habits.observe(&reading(at, None));
            }
            assert_eq!(habits.news().expected_s, expected, "{distance_ms}");
        }
    }

    #[test]
    fn the_step_of_a_register_is_what_divides_all_its_steps() {
        let mwh = |steps: [i64; 9]| {
            let mut register = 5_000_000;
            let readings = steps.into_iter().enumerate().map(|(n, step)| {
                register += step;
                (i64::try_from(n).unwrap() * 1000, Some(register))
            });
            after(readings.collect::<Vec<_>>()).news().resolution_mwh
        };
        assert_eq!(mwh([0, 3000, 3000, 3000, 3000, 3000, 3000, 3000, 3000]), Some(1000), "a steady load");
        assert_eq!(mwh([0, 1000, 3000, 7000, 2000, 1000, 3000, 9000, 100]), Some(100));
        assert_eq!(mwh([0, 0, 0, 0, 1000, 0, 0, 0, 0]), None, "it hardly moves");
    }
}
