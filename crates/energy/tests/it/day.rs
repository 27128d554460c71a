//! A day that reads like the story: readings by the clock, buckets as a line of text each.

use wattline_energy::meter::{Meter, Reading, Settings, Swap};
use wattline_energy::{Register, meter};

const DAY_US: i64 = 1_781_049_600_000_000;
const SECOND_US: i64 = 1_000_000;
/// 1 Wh in mWh.
pub(crate) const WH: i64 = 1_000;

/// A meter of 10 June 2026, in UTC.
#[derive(Clone, Default)]
pub(crate) struct Day {
    pub(crate) readings: Vec<Reading>,
    events: Vec<Swap>,
    settings: Settings,
}

/// `10:05` or `10:05:30` of that day; `1d10:05` of the day after, and so on.
pub(crate) fn at(clock: &str) -> i64 {
    let (days, clock) =
        clock.split_once('d').map_or((0, clock), |(days, clock)| (days.parse().unwrap(), clock));
    let seconds = clock.split(':').map(|part| part.parse::<i64>().unwrap()).chain([0]).take(3);
    DAY_US + (days * 86_400 + seconds.fold(0, |sum, part| sum * 60 + part)) * SECOND_US
}

impl Day {
    pub(crate) fn with(mut self, set: impl FnOnce(&mut Settings)) -> Self {
        set(&mut self.settings);
        self
    }

    /// Import register in Wh.
    pub(crate) fn import(self, rows: &[(&str, i64)]) -> Self {
        self.rows(rows, |row, wh| row.import_mwh = Some(wh * WH))
    }

    /// Import register in mWh.
    pub(crate) fn import_mwh(mut self, clock: &str, mwh: i64) -> Self {
        self.row(at(clock)).import_mwh = Some(mwh);
        self
    }

    /// Export register in Wh.
    pub(crate) fn export(self, rows: &[(&str, i64)]) -> Self {
        self.rows(rows, |row, wh| row.export_mwh = Some(wh * WH))
    }

    /// Power in W.
    pub(crate) fn power(self, rows: &[(&str, i64)]) -> Self {
        self.rows(rows, |row, w| row.power_mw = Some(w * 1_000))
    }

    /// Power in W, every so many seconds from a clock to a clock.
    pub(crate) fn steady_power(mut self, from: &str, to: &str, every_s: usize, w: i64) -> Self {
        for ts_us in (at(from)..=at(to)).step_by(every_s * 1_000_000) {
            self.row(ts_us).power_mw = Some(w * 1_000);
        }
        self
    }

    /// The counter of the row at `clock` began at `epoch`.
    pub(crate) fn epoch(mut self, clock: &str, epoch: &str) -> Self {
        self.row(at(clock)).epoch_us = Some(at(epoch));
        self
    }

    /// The import meter was replaced.
    pub(crate) fn swap(mut self, clock: &str, old_wh: i64, new_wh: i64) -> Self {
        let (at_us, old_mwh, new_mwh) = (at(clock), old_wh * WH, new_wh * WH);
        self.events.push(Swap { register: Register::Import, at_us, old_mwh, new_mwh });
        self
    }

    fn rows(mut self, rows: &[(&str, i64)], set: impl Fn(&mut Reading, i64)) -> Self {
        for (clock, value) in rows {
            set(self.row(at(clock)), *value);
        }
        self
    }

    fn row(&mut self, ts_us: i64) -> &mut Reading {
        let place = match self.readings.binary_search_by_key(&ts_us, |row| row.ts_us) {
            Ok(place) => place,
            Err(place) => {
                self.readings.insert(place, Reading { ts_us, ..Reading::default() });
                place
            }
        };
        &mut self.readings[place]
    }

    pub(crate) fn meter(&self) -> Meter {
        Meter::new(&self.readings, &self.events, &self.settings)
    }

    /// Import of each bucket between two consecutive clocks, as in `12.5 Wh 900 s gap`.
    pub(crate) fn imports(&self, clocks: &[&str]) -> Vec<String> {
        self.buckets(clocks, Register::Import)
    }

    /// The same of export.
    pub(crate) fn exports(&self, clocks: &[&str]) -> Vec<String> {
        self.buckets(clocks, Register::Export)
    }

    fn buckets(&self, clocks: &[&str], register: Register) -> Vec<String> {
        let edges: Vec<i64> = clocks.iter().map(|clock| at(clock)).collect();
        let cells: Vec<meter::Cell> = self.meter().cells(&edges);
        cells.iter().map(|cell| text(cell.energy(register))).collect()
    }

    /// What was decided, by rule and word.
    pub(crate) fn decisions(&self) -> Vec<String> {
        let notes = self.meter().notes();
        notes.iter().map(|note| format!("{} {}", note.decision.rule(), note.decision.word())).collect()
    }
}

/// Known and no gap are the seconds of the first class.
#[expect(clippy::cast_precision_loss, reason = "a day is small")]
fn text(energy: &wattline_energy::Energy) -> String {
    let known = f64::from(energy.coverage_ms[0]) / 1e3;
    let wh = energy.mwh.map_or("? Wh".to_owned(), |mwh| format!("{} Wh", mwh as f64 / 1e3));
    let flags = energy.quality.flags().map(|flag| format!(" {}", flag.as_str()));
    format!("{wh} {known} s{}", flags.collect::<String>())
}
