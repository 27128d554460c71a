use proptest::prelude::*;

use super::*;
use crate::QUARTER_HOUR_US as QUARTER;

const SECOND: i64 = 1_000_000;

fn row(seconds: i64, import_mwh: i64) -> Row {
    Row { ts_us: seconds * SECOND, import_mwh: Some(import_mwh), ..Row::default() }
}

fn all_of(rows: &[Row], width_us: i64) -> BucketRange {
    let first = rows.first().map_or(0, |row| row.ts_us);
    let last = rows.last().map_or(0, |row| row.ts_us);
    BucketRange::meeting(first, last + 1, width_us)
}

#[test]
fn an_edge_is_interpolated() {
    // 10 min before and 5 min after the edge at 900 s: two thirds and one third of 300 mWh.
    let rows = [row(300, 1_000), row(1_200, 1_300)];
    let found = buckets(&rows, &all_of(&rows, QUARTER), &Rules::default());
    let energies: Vec<_> = found.iter().map(|bucket| (bucket.start_us, bucket.import.mwh)).collect();
    assert_eq!(energies, [(0, Some(200)), (QUARTER, Some(100))]);
    assert_eq!(found[0].import.coverage_ms, [600_000, 0, 0, 0]);
    assert_eq!(found[1].import.coverage_ms, [300_000, 0, 0, 0]);
    assert_eq!(found[0].export, Energy::default());
    assert_eq!(found[1].reading_count, 1);
}

#[test]
fn a_long_interval_is_shared_evenly_and_marked() {
    let rows = [row(0, 0), row(3_600, 400)];
    let found = buckets(&rows, &all_of(&rows, QUARTER), &Rules::default());
    assert_eq!(found.len(), 5, "the last one holds a reading and no known time");
    for bucket in &found[..4] {
        assert_eq!(bucket.import.mwh, Some(100));
        assert_eq!(bucket.import.quality, Quality::NONE.with(Flag::Gap));
        assert_eq!(bucket.import.coverage_ms, [0, 900_000, 0, 0]);
        assert_eq!(bucket.import.covered_ms(QUARTER), 0);
        assert_eq!(bucket.import.covered_ms(4 * QUARTER), 900_000);
    }
    assert_eq!(found[4].import.mwh, None);
    let hours = buckets(&rows, &all_of(&rows, 4 * QUARTER), &Rules::default());
    assert_eq!((hours[0].import.mwh, hours[0].import.quality), (Some(400), Quality::NONE));
}

#[test]
fn a_swap_is_unknown_and_says_so() {
    let rows = [row(0, 900_000_000), row(600, 900_001_000), row(1_500, 5_000), row(2_100, 6_000)];
    let found = buckets(&rows, &all_of(&rows, QUARTER), &Rules::default());
    let import: Vec<_> = found.iter().map(|bucket| bucket.import).collect();
    assert_eq!(import[0].mwh, Some(1_000));
    assert_eq!(import[0].quality, Quality::NONE.with(Flag::Swap));
    assert_eq!(import[0].coverage_ms, [600_000, 0, 0, 0]);
    assert_eq!(import[1].mwh, Some(500), "what came after the fall");
    assert_eq!(import[2].mwh, Some(500));
    assert_eq!(import[2].quality, Quality::NONE);
}

#[test]
fn power_is_summed_up_per_bucket() {
    let rows = [(0, -5_000), (100, 20_000), (900, 7_000)].map(|(seconds, power_mw)| Row {
        ts_us: seconds * SECOND,
        power_mw: Some(power_mw),
        ..Row::default()
    });
    let found = buckets(&rows, &all_of(&rows, QUARTER), &Rules::default());
    let first = found[0].power.expect("power");
    assert_eq!((first.min_mw, first.avg_mw, first.max_mw), (-5_000, 7_500, 20_000));
    assert_eq!(found[1].power.map(|power| power.avg_mw), Some(7_000));
}

// === Properties ===

/// A step of a hostile series: seconds to wait, and what the registers and power do.
#[derive(Clone, Debug)]
struct Step {
    wait_us: i64,
    import: Option<i64>,
    export: Option<i64>,
    power_mw: Option<i64>,
}

/// Rises, standstill, dips, falls, zeros; now and then a silence. `reach` is scaled down to 40 quarter-hours.
fn rules() -> Rules {
    Rules { reach_us: 40 * QUARTER, ..Rules::default() }
}

fn change() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![
        3 => Just(None),
        4 => (0_i64..400_000).prop_map(Some),
        2 => Just(Some(0)),
        1 => (-90_000_i64..0).prop_map(Some),
        1 => Just(Some(i64::MIN)),
        1 => (50_000_000_i64..200_000_000).prop_map(Some),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let wait = prop_oneof![6 => 1..30 * SECOND, 4 => SECOND..QUARTER, 2 => QUARTER..9 * QUARTER, 1 => 35 * QUARTER..60 * QUARTER];
    let power = prop::option::of(-5_000_000_i64..5_000_000);
    (wait, change(), change(), power).prop_map(|(wait_us, import, export, power_mw)| Step {
        wait_us,
        import,
        export,
        power_mw,
    })
}

fn series() -> impl Strategy<Value = Vec<Row>> {
    (prop::collection::vec(step(), 2..60), -3 * QUARTER..3 * QUARTER).prop_map(|(steps, begin)| {
        let (mut ts_us, mut import, mut export) = (begin, 5_000_000_i64, 0_i64);
        let next = |register: &mut i64, change: Option<i64>| {
            let change = change?;
            // The least number stands for a fall to zero.
            *register = if change == i64::MIN { 0 } else { (*register + change).max(0) };
            Some(*register)
        };
        let rows = steps.into_iter().map(|step| {
            ts_us += step.wait_us;
            Row {
                ts_us,
                import_mwh: next(&mut import, step.import),
                export_mwh: next(&mut export, step.export),
                power_mw: step.power_mw,
            }
        });
        rows.collect()
    })
}

/// Only rises that can have flowed, in every row.
fn clean_series() -> impl Strategy<Value = Vec<Row>> {
    prop::collection::vec((1..20 * QUARTER, 0_i64..900_000), 2..60).prop_map(|steps| {
        let (mut ts_us, mut import) = (0, 1_000);
        let rows = steps.into_iter().map(|(wait_us, rise)| {
            ts_us += wait_us;
            import += rise;
            Row { ts_us, import_mwh: Some(import), ..Row::default() }
        });
        rows.collect()
    })
}

/// What a loader gives for a part: its rows, and each register's readings next to it.
fn window(rows: &[Row], range: &BucketRange) -> Vec<Row> {
    let before = |register: Register| {
        let mut earlier = rows.iter().filter(|row| row.ts_us < range.start_us());
        earlier.rfind(|row| register.of(row).is_some()).copied()
    };
    let after = |register: Register| {
        let mut later = rows.iter().filter(|row| row.ts_us >= range.end_us());
        later.find(|row| register.of(row).is_some()).copied()
    };
    let mut window: Vec<Row> =
        rows.iter().filter(|row| range.index_of(row.ts_us).is_some()).copied().collect();
    window.extend(Register::BOTH.into_iter().filter_map(before));
    window.extend(Register::BOTH.into_iter().filter_map(after));
    window.sort_by_key(|row| row.ts_us);
    window.dedup();
    window
}

proptest! {
    /// I1: between any two readings of a clean chain the energies add up to the register's difference, exactly; cut at
    /// the readings by buckets of 1 s when these fall on whole seconds, else by all buckets there are.
    #[test]
    fn energies_telescope_to_the_registers_difference(rows in clean_series()) {
        let total: i64 = buckets(&rows, &all_of(&rows, QUARTER), &Rules::default())
            .iter()
            .filter_map(|bucket| bucket.import.mwh)
            .sum();
        let ends = rows.first().zip(rows.last()).and_then(|(a, b)| Some(b.import_mwh? - a.import_mwh?));
        prop_assert_eq!(Some(total), ends);
    }

    /// I1 for every part of the time: cut anywhere on the grid, the two sides add up.
    #[test]
    fn a_cut_anywhere_loses_nothing(rows in clean_series(), cut in 0.0..1.0_f64) {
        let range = all_of(&rows, QUARTER);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss,
            reason = "a place in a short list")]
        let at = range.start_of((range.len() as f64 * cut) as usize);
        let sum = |from: i64, to: i64| -> i64 {
            if from >= to { return 0; }
            let part = BucketRange::quarter_hours(from, to);
            buckets(&window(&rows, &part), &part, &Rules::default()).iter().filter_map(|b| b.import.mwh).sum()
        };
        prop_assert_eq!(
            sum(range.start_us(), at) + sum(at, range.end_us()),
            sum(range.start_us(), range.end_us())
        );
    }

    /// I2: rows kept once per instant give the same buckets whatever the order in which they came, and how often.
    #[test]
    fn order_and_repetition_change_nothing(rows in series(), order in prop::collection::vec(any::<prop::sample::Index>(), 0..200)) {
        let mut stored = std::collections::BTreeMap::new();
        for index in order {
            let row = index.get(&rows);
            stored.entry(row.ts_us).or_insert(*row);
        }
        for row in rows.iter().rev() {
            stored.entry(row.ts_us).or_insert(*row);
        }
        let stored: Vec<Row> = stored.into_values().collect();
        let range = all_of(&rows, QUARTER);
        prop_assert_eq!(buckets(&stored, &range, &rules()), buckets(&rows, &range, &rules()));
    }

    /// I3: fifteen one-minute buckets sum to their quarter-hour.
    #[test]
    fn finer_buckets_sum_to_the_stored_ones(rows in series()) {
        let quarters = buckets(&rows, &all_of(&rows, QUARTER), &rules());
        let minutes = buckets(&rows, &all_of(&rows, QUARTER / 15), &rules());
        for quarter in quarters {
            let inside = || {
                let quarter = quarter.start_us..quarter.start_us + QUARTER;
                minutes.iter().filter(move |minute| quarter.contains(&minute.start_us))
            };
            let mwh: Option<i64> = inside().filter_map(|minute| minute.import.mwh).reduce(|a, b| a + b);
            prop_assert_eq!(mwh, quarter.import.mwh);
            prop_assert_eq!(inside().map(|minute| minute.reading_count).sum::<i32>(), quarter.reading_count);
            for class in 0..4 {
                let fine: i32 = inside().map(|minute| minute.import.coverage_ms[class]).sum();
                let whole = quarter.import.coverage_ms[class];
                prop_assert!((whole - fine).abs() <= 15, "each minute is cut to whole ms");
            }
        }
    }

    /// I4: no energy is below the dip bound, coverage is a share, and nothing known means nothing covered.
    #[test]
    fn coverage_is_a_share_and_dips_are_bounded(rows in series()) {
        for bucket in buckets(&rows, &all_of(&rows, QUARTER), &rules()) {
            for energy in [bucket.import, bucket.export] {
                let covered: i32 = energy.coverage_ms.iter().sum();
                prop_assert!((0..=900_000).contains(&covered));
                prop_assert!(energy.mwh.is_some() || covered == 0);
            }
        }
        for span in spans(chain(&rows, Register::Import), &rules()) {
            prop_assert!(span.mwh.is_none_or(|mwh| mwh >= -rules().dip_mwh));
        }
    }

    /// I7: any part, from its own rows and each register's neighbours, gives the same bytes as the whole.
    #[test]
    fn a_part_equals_the_whole(rows in series(), from in any::<prop::sample::Index>(), length in 1_usize..30) {
        let range = all_of(&rows, QUARTER);
        let from_us = range.start_of(from.index(range.len()));
        let to_us = range.end_us().min(from_us + i64::try_from(length).unwrap_or(1) * QUARTER);
        let part = BucketRange::quarter_hours(from_us, to_us);
        let whole = buckets(&rows, &range, &rules());
        let expected: Vec<Bucket> = whole.into_iter().filter(|b| part.index_of(b.start_us).is_some()).collect();
        prop_assert_eq!(buckets(&window(&rows, &part), &part, &rules()), expected);
    }

    /// What a row touches: with one row more, no bucket outside of the touched ones is another.
    #[test]
    fn a_row_changes_only_what_it_touches(rows in series(), which in any::<prop::sample::Index>()) {
        use crate::reach::{Changed, Neighbours};
        let which = which.index(rows.len());
        let row = rows[which];
        let mut without = rows.clone();
        without.remove(which);
        let range = all_of(&rows, QUARTER);
        let (old, new) = (buckets(&without, &range, &rules()), buckets(&rows, &range, &rules()));
        let changed = Changed { first_us: row.ts_us, last_us: row.ts_us };
        for register in Register::BOTH {
            let neighbours = Neighbours {
                before_us: rows[..which].iter().rfind(|row| register.of(row).is_some()).map(|row| row.ts_us),
                after_us: rows[which + 1..].iter().find(|row| register.of(row).is_some()).map(|row| row.ts_us),
            };
            let touched = register.of(&row).map(|_| changed.touched_buckets(neighbours));
            let energy = |buckets: &[Bucket], start_us: i64| {
                let bucket = buckets.iter().find(|bucket| bucket.start_us == start_us);
                bucket.map_or_else(Energy::default, |bucket| match register {
                    Register::Import => bucket.import,
                    Register::Export => bucket.export,
                })
            };
            for index in 0..range.len() {
                let start_us = range.start_of(index);
                if touched.is_none_or(|touched| touched.index_of(start_us).is_none()) {
                    prop_assert_eq!(energy(&old, start_us), energy(&new, start_us));
                }
            }
        }
    }
}
