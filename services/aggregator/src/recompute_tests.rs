//! What is recomputed step by step is what a computation of all rows at once gives, whatever the order in which rows come.

use proptest::prelude::*;
use wattline_energy::buckets;
use wattline_energy::reach::{Changed, REACH_US};

use super::*;

const METER: i32 = 7;
const MINUTE_US: i64 = 60_000_000;
/// A midnight.
const EPOCH_US: i64 = 20_000 * 86_400 * 1_000_000;

/// One meter's rows and buckets, as the tables have them.
#[derive(Default)]
struct Tables {
    rows: BTreeMap<i64, Row>,
    stored: BTreeMap<i64, Bucket>,
}

// === impl Tables ===

impl Tables {
    fn rows(&self) -> Vec<Row> {
        self.rows.values().copied().collect()
    }

    /// What the statements `around` find, by looking at each row.
    fn around(&self, register: Register, job: &Job) -> Option<Around> {
        let Changed { first_us, last_us } = job.changed;
        let rows = self.rows();
        let links: Vec<Link> = chain(&rows, register).collect();
        let touched = links.iter().any(|link| (first_us..=last_us).contains(&link.ts_us));
        if !touched && !job.always {
            return None;
        }
        let before = links.iter().rev().find(|link| link.ts_us < first_us);
        let after = links.iter().find(|link| link.ts_us > last_us);
        let near =
            |link: &Link, from_us: i64| ((link.ts_us - from_us).abs() <= REACH_US).then_some(link.ts_us);
        let before_us = before.and_then(|link| near(link, first_us));
        let after_us = after.and_then(|link| near(link, last_us));
        let range = job.changed.touched_buckets(Neighbours { before_us, after_us });
        let edge_before = links.iter().rev().find(|link| link.ts_us < range.start_us()).copied();
        let edge_after = links.iter().find(|link| link.ts_us >= range.end_us()).copied();
        Some(Around { before_us, after_us, edge_before, edge_after })
    }

    /// New or changed rows, and the recomputation of what they touch; says how many buckets were other than stored.
    fn put(&mut self, rows: &[Row], as_one: bool, line_us: i64) -> usize {
        self.rows.extend(rows.iter().map(|row| (row.ts_us, *row)));
        let each = rows.iter().map(|row| (row.ts_us, row.ts_us));
        let hull = each.clone().reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        let ranges: Vec<(i64, i64)> = if as_one { hull.into_iter().collect() } else { each.collect() };
        self.recompute(&ranges, false, line_us)
    }

    fn recompute(&mut self, ranges: &[(i64, i64)], always: bool, line_us: i64) -> usize {
        let plans = ranges.iter().map(|(first_us, last_us)| {
            let changed = Changed { first_us: *first_us, last_us: *last_us };
            let job = Job { meter_key: METER, changed, always };
            let part = |register| self.around(register, &job).map(|found| Part::of(&job, &found));
            Plan::of(&job, part(Register::Import), part(Register::Export))
        });
        let merged = merged(plans.collect());
        let mut changes = store::Changes::default();
        for plan in batches(merged).iter().flatten() {
            let (start_us, end_us) = (plan.hull.start_us(), plan.hull.end_us());
            let rows: Vec<Row> = self.rows.range(start_us..end_us).map(|(_, row)| *row).collect();
            let stored = self.stored.range(start_us..end_us).map(|(at, bucket)| (*at, *bucket)).collect();
            compare(plan, &rows, &stored, line_us, &mut changes);
        }
        let count = changes.len();
        for (_, start_us) in &changes.deleted {
            assert!(self.stored.remove(start_us).is_some(), "a bucket that is not there is deleted");
        }
        self.stored.extend(changes.written.iter().map(|(_, bucket)| (bucket.start_us, *bucket)));
        count
    }

    /// All buckets at once, from all rows.
    fn oracle(&self) -> Vec<Bucket> {
        let (Some(first), Some(last)) = (self.rows.keys().next(), self.rows.keys().next_back()) else {
            return Vec::new();
        };
        let range = BucketRange::quarter_hours(*first, *last + 1);
        buckets(&self.rows(), &range, &Rules::default())
    }

    fn assert_equal(&self) {
        let stored: Vec<Bucket> = self.stored.values().copied().collect();
        assert_eq!(stored, self.oracle());
    }
}

fn row(minute: i64, import_mwh: Option<i64>, export_mwh: Option<i64>, power_mw: Option<i64>) -> Row {
    Row { ts_us: EPOCH_US + minute * MINUTE_US, import_mwh, export_mwh, power_mw }
}

/// Minutes of some days, with registers that mostly rise, at times fall, and are often missing.
fn rows() -> impl Strategy<Value = Vec<Row>> {
    let value = |max: i64| prop::option::of(0..max);
    let one = (0..4_000_i64, value(50_000), value(9_000), value(3_000_000)).prop_map(
        |(minute, noise, export, power)| {
            let import = noise.map(|noise| minute * 1_000 + noise);
            row(minute, import, export.map(|export| export + minute * 50), power)
        },
    );
    prop::collection::vec(one, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn step_by_step_is_all_at_once(
        rows in rows(),
        cuts in prop::collection::vec(1..6_usize, 1..12),
        as_one in any::<bool>(),
    ) {
        let mut tables = Tables::default();
        let mut rest = rows.as_slice();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (step, behind) = rest.split_at((*cut).min(rest.len()));
            // Two rows of one instant are one row in the table: the first stays.
            let fresh: Vec<Row> = step.iter().filter(|row| !tables.rows.contains_key(&row.ts_us)).copied().collect();
            tables.put(&fresh, as_one, i64::MIN);
            tables.assert_equal();
            rest = behind;
        }
    }

    #[test]
    fn what_is_recomputed_again_is_as_it_was(rows in rows()) {
        let mut tables = Tables::default();
        tables.put(&rows, true, i64::MIN);
        let ranges: Vec<_> = rows.iter().map(|row| (row.ts_us, row.ts_us)).collect();
        prop_assert_eq!(tables.recompute(&ranges, true, i64::MIN), 0);
    }

    /// Readings that are deleted from the table, as an operator may do, are made up for by a job that looks always.
    #[test]
    fn deleted_rows_leave_nothing_behind(rows in rows(), at in any::<prop::sample::Index>()) {
        let mut tables = Tables::default();
        tables.put(&rows, true, i64::MIN);
        let gone = rows[at.index(rows.len())].ts_us;
        tables.rows.remove(&gone);
        tables.recompute(&[(gone, gone)], true, i64::MIN);
        let stored: Vec<Bucket> = tables.stored.values().copied().collect();
        prop_assert_eq!(stored, tables.oracle());
    }
}

#[test]
fn a_late_row_changes_both_of_its_neighbours_spans() {
    let mut tables = Tables::default();
    tables.put(&[row(0, Some(0), None, None)], true, i64::MIN);
    tables.put(&[row(60, Some(4_000), None, None)], true, i64::MIN);
    let of = |tables: &Tables| -> Vec<i64> {
        tables.stored.values().filter_map(|bucket| bucket.import.mwh).collect()
    };
    assert_eq!(of(&tables), [1_000; 4], "shared out evenly");
    tables.put(&[row(30, Some(3_000), None, None)], true, i64::MIN);
    assert_eq!(of(&tables), [1_500, 1_500, 500, 500]);
    tables.assert_equal();
}

#[test]
fn a_register_that_no_row_has_stays_as_it_is_stored() {
    let mut tables = Tables::default();
    tables.put(&[row(0, Some(0), Some(0), None), row(60, Some(4_000), Some(400), None)], true, i64::MIN);
    let before = tables.stored.clone();
    // Power alone: its own bucket, and no energy.
    assert_eq!(tables.put(&[row(20, None, None, Some(5_000))], true, i64::MIN), 1);
    for (start_us, bucket) in &tables.stored {
        let old = before.get(start_us).unwrap();
        assert_eq!((bucket.import, bucket.export), (old.import, old.export));
    }
    tables.assert_equal();
}

#[test]
fn what_is_below_the_line_is_final() {
    let mut tables = Tables::default();
    tables.put(&[row(0, Some(0), None, None), row(60, Some(4_000), None, None)], true, i64::MIN);
    let line_us = EPOCH_US + 30 * MINUTE_US;
    tables.put(&[row(40, Some(1_000), None, None)], true, line_us);
    let energies: Vec<_> = tables.stored.values().filter_map(|bucket| bucket.import.mwh).collect();
    assert_eq!(energies[..2], [1_000, 1_000], "as they were");
    assert_ne!(energies[2..], [1_000, 1_000]);
}

#[test]
fn the_line_is_the_first_whole_bucket_that_can_be_written() {
    for border_us in [EPOCH_US, EPOCH_US + 1, EPOCH_US + QUARTER_HOUR_US - 1] {
        let line = line_us(border_us);
        assert_eq!(line.rem_euclid(QUARTER_HOUR_US), 0);
        assert!(line - border_us >= REACH_US && line - border_us < REACH_US + QUARTER_HOUR_US, "{border_us}");
    }
}

#[test]
fn plans_of_one_meter_that_meet_are_one() {
    let plan = |meter_key: i32, from: i64, to: i64| {
        let (first_us, last_us) = (EPOCH_US + from * MINUTE_US, EPOCH_US + to * MINUTE_US - 1);
        Plan::of(&Job { meter_key, changed: Changed { first_us, last_us }, always: false }, None, None)
    };
    let hulls = |plans: Vec<Plan>| -> Vec<(i32, usize)> {
        merged(plans).iter().map(|plan| (plan.meter_key, plan.hull.len())).collect()
    };
    assert_eq!(hulls(vec![plan(1, 30, 60), plan(1, 0, 31)]), [(1, 4)]);
    assert_eq!(
        hulls(vec![plan(1, 0, 15), plan(1, 15, 30)]),
        [(1, 1), (1, 1)],
        "side by side is not the same bucket"
    );
    assert_eq!(hulls(vec![plan(2, 0, 30), plan(1, 0, 30)]), [(1, 2), (2, 2)], "of other meters");
    assert_eq!(hulls(vec![plan(1, 0, 120), plan(1, 30, 45)]), [(1, 8)], "one within the other");
}

#[test]
fn batches_are_bounded_and_none_is_empty() {
    let plan = |buckets: i64| {
        let changed = Changed { first_us: EPOCH_US, last_us: EPOCH_US + buckets * QUARTER_HOUR_US - 1 };
        Plan::of(&Job { meter_key: METER, changed, always: false }, None, None)
    };
    let sizes = |plans: &[i64]| -> Vec<usize> {
        batches(plans.iter().map(|buckets| plan(*buckets)).collect()).iter().map(Vec::len).collect()
    };
    assert_eq!(sizes(&[]), [] as [usize; 0]);
    assert_eq!(sizes(&[5_000]), [1], "a single one may be longer");
    assert_eq!(sizes(&[400, 400, 400]), [2, 1]);
    assert_eq!(sizes(&[400, 5_000, 400, 600]), [1, 1, 2]);
}
