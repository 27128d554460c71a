//! What is remembered from one message to the next: aliases of devices, and of which meters the registry was told.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, BuildHasherDefault, Hasher, RandomState};

use wattline_reading::{MeterInfo, Reading, Timestamp};

/// Told again after this time: what a crash behind us lost comes back, and a new route is seen.
const AGAIN_AFTER_S: f64 = 3600.0;
/// So many are remembered, at 8 bytes each; beyond it all are told again.
const METERS_MAX: usize = 200_000;

/// The memory of one judge's caller. Bounded.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// What families know of their devices.
    pub(crate) families: wattline_formats::Memory,
    /// So that few readings carry what the configuration says of their meters.
    pub(crate) told: Told,
}

/// The meters that were told, each by a number made of its id. Two of one number are told as one for an hour: then
/// the numbers are others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    meters: HashSet<u64, BuildHasherDefault<AsItIs>>,
    numbers: RandomState,
    since: Timestamp,
}

/// A number that is a hash already.
#[derive(Clone, Copy, Debug, Default)]
struct AsItIs(u64);

// === impl AsItIs ===

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

// === impl Told ===

impl Told {
    /// Puts `info` with the first reading of each meter that was not told lately.
    pub(crate) fn tell(&mut self, readings: &mut [Reading], now: Timestamp, info: impl Fn() -> MeterInfo) {
        if now.seconds_since(self.since) >= AGAIN_AFTER_S || self.meters.len() >= METERS_MAX {
            *self = Self { since: now, ..Self::default() };
        }
        for reading in readings {
            if self.meters.insert(self.numbers.hash_one(&reading.meter_id)) {
                reading.meter_info = Some(Box::new(info()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use wattline_reading::Measures;

    use super::*;

    /// Which of the readings at this second carry something.
    fn told(told: &mut Told, second: i64, meters: &[&str]) -> Vec<bool> {
        let now = Timestamp::from_micros(second * 1_000_000);
        let reading = |meter: &&str| Reading::new(*meter, now, Measures::default());
        let mut readings: Vec<Reading> = meters.iter().map(reading).collect();
        let info = MeterInfo { route: "a/+".to_owned(), family: "a".to_owned(), max_power_w: None };
        told.tell(&mut readings, now, || info.clone());
        readings.iter().map(|reading| reading.meter_info.as_deref() == Some(&info)).collect()
    }

    #[test]
    fn a_meter_is_told_once_an_hour() {
        let mut state = Told::default();
        assert_eq!(told(&mut state, 10_000, &["a", "b", "a"]), [true, true, false]);
        assert_eq!(told(&mut state, 13_599, &["a", "b", "c"]), [false, false, true]);
        assert_eq!(told(&mut state, 13_600, &["a", "c"]), [true, true]);
        assert_eq!(told(&mut state, 13_601, &["a", "c"]), [false, false]);
    }
}
