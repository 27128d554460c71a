//! Register readings that do not count: excursions that come back.
//!
//! A bridge shows 0 while it starts, another meter's register, a corrupt byte; then the register goes on where it was.
//! What follows tells such an excursion from a reset, so the readings are looked at as a whole: first all dips, then,
//! on what is left, all spikes. A register that stands at 465 between zeros keeps the 465 so.

use super::point::Point;
use super::settings::Settings;

/// Where an excursion goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Below the reading before it.
    Dip,
    /// Above the reading after it.
    Spike,
}

/// Readings that are ignored, between two that count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excursion {
    /// Where it goes.
    pub side: Side,
    /// The last reading before it.
    pub before: Point,
    /// The first one after it.
    pub after: Point,
    /// Those that are ignored, in order of time; of a dip that lies inside a spike or beside it the others only.
    pub ignored: Vec<Point>,
    /// How many different values in a row they have.
    pub runs: usize,
}

/// What is left of a register's readings, and what was taken out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// The chain: readings that count, in order of time.
    pub chain: Vec<Point>,
    /// Dips first, then spikes, each in order of time.
    pub excursions: Vec<Excursion>,
}

/// Takes the excursions out of a register's readings, which come in order of time.
#[must_use]
pub fn clean(points: &[Point], settings: &Settings) -> Cleaned {
    let mut excursions = Vec::new();
    let left = scan(points, Side::Dip, settings, None, &mut excursions).kept;
    let chain = scan(&left, Side::Spike, settings, None, &mut excursions).kept;
    Cleaned { chain, excursions }
}

/// The chain of the readings before an instant as far as no reading at or after it can change it: up to the reading
/// from which an excursion is still open. It ends there though readings follow.
#[must_use]
pub fn settled(points_before: &[Point], edge_us: i64, settings: &Settings) -> Vec<Point> {
    let mut excursions = Vec::new();
    let dips = scan(points_before, Side::Dip, settings, Some(edge_us), &mut excursions);
    // A spike may end at the first reading of which it is open whether it counts.
    let edge_us = dips.open_us.unwrap_or(edge_us);
    scan(&dips.kept, Side::Spike, settings, Some(edge_us), &mut excursions).kept
}

/// What a scan leaves.
struct Scanned {
    kept: Vec<Point>,
    /// The first reading of which it is open whether it counts.
    open_us: Option<i64>,
}

/// Consecutive readings of one value, by their place.
#[derive(Clone, Copy, Debug)]
struct Run {
    first: usize,
    last: usize,
    mwh: i64,
}

fn runs(points: &[Point]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (place, point) in points.iter().enumerate() {
        match runs.last_mut() {
            Some(run) if run.mwh == point.mwh => run.last = place,
            _ => runs.push(Run { first: place, last: place, mwh: point.mwh }),
        }
    }
    runs
}

/// From left to right: behind an excursion the search goes on from the reading after it, else from the next run. With
/// an edge, behind which readings are to come, it stops where one of them can still end an excursion.
fn scan(
    points: &[Point],
    side: Side,
    settings: &Settings,
    edge_us: Option<i64>,
    found: &mut Vec<Excursion>,
) -> Scanned {
    let runs = runs(points);
    let mut kept = Vec::with_capacity(points.len());
    let mut at = 0;
    while let Some(run) = runs.get(at) {
        kept.extend_from_slice(&points[run.first..=run.last]);
        let Some(next) = end_of_excursion(points, &runs, at, side, settings) else {
            let later = &runs[at + 1..];
            let left_us = edge_us.map(|edge_us| edge_us - points[run.last].ts_us);
            if left_us.is_some_and(|us| is_open(side, run.mwh, later, us, settings)) {
                return Scanned { kept, open_us: later.first().map(|run| points[run.first].ts_us) };
            }
            at += 1;
            continue;
        };
        let ignored = &points[run.last + 1..runs[next].first];
        found.push(Excursion {
            side,
            before: points[run.last],
            after: points[runs[next].first],
            ignored: ignored.to_vec(),
            runs: next - at - 1,
        });
        at = next;
    }
    Scanned { kept, open_us: None }
}

/// Whether all that follows a reading may still turn out to be an excursion from it, `us` or more after it.
fn is_open(side: Side, before_mwh: i64, later: &[Run], us: i64, settings: &Settings) -> bool {
    let Some(first) = later.first() else { return false };
    let mut reach = Reach::new(first.mwh);
    later.iter().for_each(|run| reach.see(run.mwh));
    let is_outside = later.iter().all(|run| is_outside(side, run.mwh, before_mwh));
    let window_us = match later.len() {
        1 => window_us(1, first.mwh, settings).max(settings.excursion_us),
        _ => settings.excursion_us,
    };
    // At best the register comes back to where it was.
    let is_flat = is_back(side, before_mwh, reach, before_mwh);
    is_outside && later.len() <= settings.excursion_runs_max && is_flat && us <= window_us
}

/// The run in which the register is back, if what lies between `at` and it is an excursion.
fn end_of_excursion(
    points: &[Point],
    runs: &[Run],
    at: usize,
    side: Side,
    settings: &Settings,
) -> Option<usize> {
    let before = &runs[at];
    let mut reach = Reach::new(runs.get(at + 1)?.mwh);
    for next in at + 2..runs.len().min(at + 2 + settings.excursion_runs_max) {
        let inside = &runs[next - 1];
        if !is_outside(side, inside.mwh, before.mwh) {
            return None;
        }
        reach.see(inside.mwh);
        let window_us = window_us(next - at - 1, inside.mwh, settings);
        let is_late = points[runs[next].first].ts_us - points[before.last].ts_us > window_us;
        if is_back(side, before.mwh, reach, runs[next].mwh) && !is_late {
            return Some(next);
        }
    }
    None
}

/// Nothing that has not left the reading before it can be an excursion from it.
const fn is_outside(side: Side, mwh: i64, before_mwh: i64) -> bool {
    match side {
        Side::Dip => mwh < before_mwh,
        Side::Spike => mwh > before_mwh,
    }
}

/// Within which time it is over: the way from the reading before it to the one after it.
const fn window_us(runs: usize, mwh: i64, settings: &Settings) -> i64 {
    match (runs, mwh) {
        (1, 0) => settings.reach_us,
        (1, _) => settings.glitch_window_us,
        _ => settings.excursion_us,
    }
}

/// The values of an excursion.
#[derive(Clone, Copy, Debug)]
struct Reach {
    lowest: i64,
    highest: i64,
}

impl Reach {
    const fn new(mwh: i64) -> Self {
        Self { lowest: mwh, highest: mwh }
    }

    fn see(&mut self, mwh: i64) {
        self.lowest = self.lowest.min(mwh);
        self.highest = self.highest.max(mwh);
    }
}

/// Whether a register that went from `before` to `inside` is back at `after`: at most a tenth of the way beyond where
/// it was, and as flat meanwhile. A counter that began again and passed its old value by chance is not.
fn is_back(side: Side, before: i64, inside: Reach, after: i64) -> bool {
    let [before, after] = [before, after].map(i128::from);
    let (lowest, highest) = (i128::from(inside.lowest), i128::from(inside.highest));
    let depth = match side {
        Side::Dip => before - highest,
        Side::Spike => lowest - after,
    };
    depth > 0 && before <= after && 10 * (after - before) <= depth && 10 * (highest - lowest) <= depth
}
