//! What always holds, whatever the readings are: I1 to I7, over random meters. I8 is with the homes.

use chrono::{Datelike, Days, NaiveDate};
use wattline_energy::calendar::{Calendar, Resolution, Tz};
use wattline_energy::meter::decision::Decision;
use wattline_energy::meter::{Cell, Meter, Reading, Settings};
use wattline_energy::total::{Total, part_edges_us, sum, totals};
use wattline_energy::{Energy, Flag, QUARTER_HOUR_US, Quality, Register};

use crate::series::{Dice, Month, S, month};

const START_US: i64 = (946_684_800 + 900 * 49) * S;

fn quarters(count: i64) -> Vec<i64> {
    (0..=count).map(|at| START_US + at * QUARTER_HOUR_US).collect()
}

fn meter(month: &Month) -> Meter {
    Meter::new(&month.readings, &month.events, &month.settings)
}

fn total_mwh(cells: &[Cell], register: Register) -> Option<i64> {
    cells.iter().map(|cell| cell.energy(register).mwh).fold(None, sum)
}

fn flags(cells: &[Cell], register: Register) -> Quality {
    cells.iter().map(|cell| cell.energy(register).quality).fold(Quality::NONE, Quality::union)
}

/// I1: without a reset, a rollover, a swap, a jump and a silence the buckets between two readings of the chain sum to
/// the register's difference, to the mWh.
#[test]
fn i1_buckets_sum_to_the_registers_difference() {
    let unknown = [Flag::Reset, Flag::Rollover, Flag::Swap, Flag::Implausible, Flag::Power, Flag::Spread];
    let mut compared = 0;
    for seed in 0..400 {
        let mut month = month(seed, 9_000);
        month.settings.is_net = false;
        month.readings.iter_mut().for_each(|reading| reading.power_mw = None);
        let meter = meter(&month);
        let mut dice = Dice::new(seed);
        for register in Register::BOTH {
            let chain = meter.track(register).chain();
            for _ in 0..20 {
                if chain.len() < 2 {
                    continue;
                }
                let last = i64::try_from(chain.len()).unwrap() - 1;
                let from = dice.within(0, last - 1);
                let to = dice.within(from + 1, last.min(from + 40));
                let [a, b] = [from, to].map(|at| chain[usize::try_from(at).unwrap()]);
                // Edges at the readings, and anywhere between.
                let mut edges: Vec<i64> = (0..6).map(|_| dice.within(a.ts_us, b.ts_us)).collect();
                edges.extend([a.ts_us, b.ts_us]);
                edges.sort_unstable();
                edges.dedup();
                let cells = meter.cells(&edges);
                let is_silent = meter.notes().iter().any(|note| {
                    matches!(note.decision, Decision::Silence { .. })
                        && note.register == Some(register)
                        && note.from_us < b.ts_us
                        && note.to_us > a.ts_us
                });
                if is_silent || unknown.iter().any(|flag| flags(&cells, register).has(*flag)) {
                    continue;
                }
                assert_eq!(total_mwh(&cells, register), Some(b.mwh - a.mwh), "seed {seed}");
                compared += 1;
            }
        }
    }
    assert!(compared > 2_000, "{compared} ranges");
}

/// I2: any order of arrival and any repetition gives the same buckets. A reading may come in parts, as telegrams over
/// several topics do; the store puts them together.
#[test]
fn i2_the_order_of_arrival_is_nothing() {
    for seed in 0..300 {
        let month = month(seed, 9_000);
        let mut dice = Dice::new(seed);
        let mut messages: Vec<Reading> = Vec::new();
        for reading in &month.readings {
            messages.push(Reading { power_mw: None, ..*reading });
            messages.push(Reading { import_mwh: None, export_mwh: None, ..*reading });
            messages.extend(dice.once_in(5).then_some(*reading));
        }
        for place in (1..messages.len()).rev() {
            messages.swap(place, usize::try_from(dice.within(0, i64::try_from(place).unwrap())).unwrap());
        }
        let mut turned = month.clone();
        turned.events.reverse();
        turned.readings = stored(&messages);
        assert_eq!(meter(&month).cells(&quarters(14)), meter(&turned).cells(&quarters(14)), "seed {seed}");
    }
}

fn stored(messages: &[Reading]) -> Vec<Reading> {
    let mut rows = std::collections::BTreeMap::new();
    for message in messages {
        let row: &mut Reading = rows.entry(message.ts_us).or_default();
        row.ts_us = message.ts_us;
        row.import_mwh = row.import_mwh.or(message.import_mwh);
        row.export_mwh = row.export_mwh.or(message.export_mwh);
        row.power_mw = row.power_mw.or(message.power_mw);
        row.epoch_us = row.epoch_us.or(message.epoch_us);
    }
    rows.into_values().collect()
}

/// I3: fifteen minutes are their quarter-hour: registers exactly, power within the rounding of each.
#[test]
fn i3_minutes_sum_to_their_quarter_hour() {
    for seed in 0..300 {
        let meter = meter(&month(seed, 9_000));
        let edges = quarters(14);
        let minutes: Vec<i64> = (0..=14 * 15).map(|at| START_US + at * 60 * S).collect();
        let (coarse, fine) = (meter.cells(&edges), meter.fine_cells(&minutes));
        for (quarter, minutes) in coarse.iter().zip(fine.chunks(15)) {
            for register in Register::BOTH {
                let energy = quarter.energy(register);
                let summed = total_mwh(minutes, register);
                let within = if energy.quality.has(Flag::Power) { 8 } else { 0 };
                let difference = energy.mwh.unwrap_or(0) - summed.unwrap_or(0);
                assert!(difference.abs() <= within, "seed {seed}: {energy:?} for {summed:?}");
                let known = |energy: &Energy| energy.coverage_ms.iter().sum::<i32>();
                let minutes_ms: i32 = minutes.iter().map(|cell| known(cell.energy(register))).sum();
                assert!((known(energy) - minutes_ms).abs() <= 15, "seed {seed}");
            }
        }
    }
}

/// I3: on every date of every zone the hours are the day, and the days are the week, the month and the year.
#[test]
fn i3_hours_sum_to_days_and_days_to_all_else_in_every_zone() {
    let first = NaiveDate::from_ymd_opt(2000, 1, 2).unwrap();
    for (number, zone) in chrono_tz::TZ_VARIANTS.into_iter().enumerate() {
        let calendar = Calendar { zone, billing_day: u32::try_from(number % 28).unwrap() + 1 };
        // Each zone in some years of its own, all of them over the list.
        let year = 2001 + i32::try_from(number % 36).unwrap();
        let from_us = calendar.first_instant_us(first.with_year(year).unwrap());
        let to_us = calendar.first_instant_us(first.with_year(year + 1).unwrap());
        let periods = |resolution| calendar.periods(from_us, to_us, resolution, 40_000).unwrap();
        let days = periods(Resolution::Day);
        let starts: Vec<i64> = days.iter().map(|day| day.start_us).collect();
        assert!(starts.iter().all(|us| us % QUARTER_HOUR_US == 0), "{zone} {year}");
        for resolution in [Resolution::HalfHour, Resolution::Hour] {
            let edges: Vec<i64> = periods(resolution).iter().map(|hour| hour.start_us).collect();
            assert!(
                starts.iter().all(|us| edges.binary_search(us).is_ok()),
                "{zone} {year}: a day cuts an hour"
            );
        }
        for resolution in [Resolution::Week, Resolution::Month, Resolution::Year] {
            let wide = periods(resolution);
            assert!(wide.windows(2).all(|pair| pair[0].end_us == pair[1].start_us), "{zone} {year}");
            let inside = wide.iter().map(|period| period.start_us).filter(|us| *us > from_us);
            assert!(
                inside.clone().all(|us| starts.binary_search(&us).is_ok()),
                "{zone} {year} {resolution:?}"
            );
        }
        assert!(days.windows(2).all(|pair| pair[0].end_us == pair[1].start_us), "{zone} {year}");
        assert!(
            days.iter()
                .all(|day| day.us() >= 20 * 4 * QUARTER_HOUR_US && day.us() <= 28 * 4 * QUARTER_HOUR_US)
        );
    }
    assert_eq!(first.checked_add_days(Days::new(1)).unwrap().day(), 3);
}

/// I3: coverage and flags of an hour and of a day from the classes of their quarter-hours are those of the hour
/// computed as one bucket.
#[test]
fn i3_classes_tell_what_a_wide_bucket_would() {
    for seed in 0..300 {
        let meter = meter(&month(seed, 18_000));
        let calendar = Calendar::new(Tz::UTC);
        let periods = calendar.periods(START_US, START_US + 20_000 * S, Resolution::Hour, 100).unwrap();
        let parts = meter.cells(&part_edges_us(&periods, Resolution::Hour));
        let mut edges: Vec<i64> = periods.iter().map(|hour| hour.start_us).collect();
        edges.push(periods[periods.len() - 1].end_us);
        let whole = meter.cells(&edges);
        for register in Register::BOTH {
            let summed = totals(&parts, register, &periods, Resolution::Hour);
            for (summed, whole) in summed.iter().zip(&whole) {
                let direct = Total::of(whole.energy(register), Resolution::Hour);
                let difference = summed.mwh.unwrap_or(0) - direct.mwh.unwrap_or(0);
                assert!(difference.abs() <= 4, "seed {seed}");
                assert!((summed.known_ms - direct.known_ms).abs() <= 16, "seed {seed}");
                assert_eq!(summed.quality, direct.quality, "seed {seed}");
            }
        }
    }
}

/// I4: no interval gives less than a dip may take; time is known once; nothing is known without an energy.
#[test]
fn i4_energies_and_coverage_are_bounded() {
    for seed in 0..500 {
        let month = month(seed, 9_000);
        let meter = meter(&month);
        for register in Register::BOTH {
            let dip_mwh = month.settings.dip_bound_mwh();
            let spans = meter.track(register).spans();
            assert!(spans.iter().filter_map(|span| span.mwh).all(|mwh| mwh >= -dip_mwh), "seed {seed}");
            for cell in meter.cells(&quarters(14)) {
                let energy = cell.energy(register);
                let known_ms: i32 = energy.coverage_ms.iter().sum();
                assert!((0..=900_000).contains(&known_ms), "seed {seed}: {energy:?}");
                assert!(energy.mwh.is_some() || known_ms == 0, "seed {seed}: {energy:?}");
            }
        }
    }
}

/// I5: a reading less in the middle of a clean run of readings moves energy, and makes or takes none.
#[test]
fn i5_a_reading_less_changes_no_sum() {
    let mut dice = Dice::new(5);
    for seed in 0..300 {
        let count = dice.within(5, 60);
        let mut mwh = 1_000_000;
        let readings: Vec<Reading> = (0..count)
            .map(|at| {
                mwh += dice.within(1, 80_000);
                Reading { ts_us: START_US + at * 30 * S, import_mwh: Some(mwh), ..Reading::default() }
            })
            .collect();
        let mut fewer = readings.clone();
        fewer.remove(usize::try_from(dice.within(2, count - 3)).unwrap());
        let sum = |readings: &[Reading]| {
            let meter = Meter::new(readings, &[], &Settings::default());
            total_mwh(&meter.cells(&quarters(14)), Register::Import)
        };
        assert_eq!(sum(&readings), sum(&fewer), "seed {seed}");
    }
}

/// I6: what stands still gives nothing, and all times k is all times k where no constant in Wh decides.
#[test]
fn i6_standstill_is_zero_and_energy_scales() {
    let mut dice = Dice::new(6);
    for seed in 0..300 {
        let count = dice.within(2, 60);
        let still = dice.within(0, 5_000_000);
        let at = |number: i64| START_US + number * 40 * S;
        let reading = |number: i64, mwh: i64, mw: i64| Reading {
            ts_us: at(number),
            import_mwh: Some(mwh),
            power_mw: Some(mw),
            ..Reading::default()
        };
        let standing: Vec<Reading> = (0..count).map(|number| reading(number, still, 0)).collect();
        let cells = Meter::new(&standing, &[], &Settings::default()).cells(&quarters(14));
        assert_eq!(total_mwh(&cells, Register::Import), Some(0), "seed {seed}");
        let k = dice.within(2, 9);
        let rises: Vec<(i64, i64)> =
            (0..count).map(|_| (dice.within(0, 5_000), dice.within(0, 400_000))).collect();
        let series = |k: i64| {
            let mut mwh = 0;
            let readings: Vec<Reading> = (0..count)
                .zip(&rises)
                .map(|(number, (rise, mw))| {
                    mwh += rise;
                    reading(number, k * mwh, k * mw)
                })
                .collect();
            let edges = [at(0), at(count - 1)];
            let cells = Meter::new(&readings, &[], &Settings::default()).cells(&edges);
            total_mwh(&cells, Register::Import).unwrap()
        };
        assert_eq!(k * series(1), series(k), "seed {seed}");
    }
}

/// I7: any range from the raw rows around it alone: twice the reach and 50 hours before it, the reach and 50 hours after
/// it. Of the 50 hours 26 are those of standing still and 24 those of a single wrong value.
#[test]
fn i7_a_part_is_computed_from_the_rows_around_it() {
    let mut fewer = 0;
    for seed in 0..1_000 {
        let month = month(seed, 40_000);
        let settings = &month.settings;
        let margin_us = settings.still_max_us + settings.glitch_window_us;
        let edges = quarters(46);
        let whole = meter(&month).cells(&edges);
        let mut dice = Dice::new(seed);
        for _ in 0..6 {
            let from = usize::try_from(dice.within(0, 44)).unwrap();
            let to = from + 1;
            let before_us = edges[from] - 2 * settings.reach_us - margin_us;
            let after_us = edges[to] + settings.reach_us + margin_us;
            let near = |reading: &&Reading| (before_us..=after_us).contains(&reading.ts_us);
            let readings: Vec<Reading> = month.readings.iter().filter(near).copied().collect();
            fewer += usize::from(readings.len() < month.readings.len());
            let part = Month { readings, ..month.clone() };
            assert_eq!(meter(&part).cells(&edges[from..=to]), whole[from..to], "seed {seed} quarter {from}");
        }
    }
    assert!(fewer > 4_000, "{fewer} parts had fewer rows");
}
