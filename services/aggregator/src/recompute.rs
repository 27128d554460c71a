//! Raw rows to buckets: what changed → which buckets that touches → their rows → energy → what is other than stored.
//!
//! Everything is read and written in the caller's one snapshot. A register that no changed row has a reading of is not
//! touched: its part of a bucket stays as it is stored, and its neighbours, which may be weeks away, are not looked for.

use std::collections::BTreeMap;

use tokio_postgres::Transaction;
use wattline_energy::chain::{Link, chain};
use wattline_energy::reach::Neighbours;
use wattline_energy::{Bucket, BucketRange, Energy, QUARTER_HOUR_US, Register, Row, Rules, bucket};

use crate::failure::Outcome;
use crate::load::{self, Around, Job, Range};
use crate::statements::Statements;
use crate::store;

/// Buckets whose rows are in memory at once; a single range may be longer.
const BUCKETS_AT_ONCE: usize = 1_000;

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Done {
    /// Buckets recomputed.
    pub(crate) computed: usize,
    /// Of these, written or deleted.
    pub(crate) changed: usize,
    /// Jobs that lie below the line altogether.
    pub(crate) late_final: usize,
}

/// What one meter's changed rows touch.
#[derive(Clone, Debug)]
struct Plan {
    meter_key: i32,
    /// All touched buckets and those of the rows themselves.
    hull: BucketRange,
    import: Option<Part>,
    export: Option<Part>,
}

/// The buckets of which one register's energy is computed, and its readings at their edges.
#[derive(Clone, Copy, Debug)]
struct Part {
    range: BucketRange,
    before: Option<Link>,
    after: Option<Link>,
}

/// Recomputes what the jobs touch. Buckets that start before `line_us` are final and stay.
///
/// # Errors
/// Where the database refuses or is away.
pub(crate) async fn recompute(
    transaction: &Transaction<'_>,
    statements: &Statements,
    jobs: &[Job],
    line_us: i64,
) -> Outcome<Done> {
    let mut done = Done::default();
    let open: Vec<Job> = jobs.iter().filter(|job| job.changed.last_us >= line_us).copied().collect();
    done.late_final = jobs.len() - open.len();
    let (import, export) = tokio::try_join!(
        load::around(transaction, statements, Register::Import, &open),
        load::around(transaction, statements, Register::Export, &open),
    )?;
    let plans = open.iter().enumerate().map(|(place, job)| {
        let part = |found: &BTreeMap<usize, Around>| found.get(&place).map(|found| Part::of(job, found));
        Plan::of(job, part(&import), part(&export))
    });
    for batch in batches(merged(plans.collect())) {
        let ranges: Vec<Range> =
            batch.iter().map(|plan| Range { meter_key: plan.meter_key, buckets: plan.hull }).collect();
        let (rows, stored) = tokio::try_join!(
            load::rows(transaction, statements, &ranges),
            load::stored(transaction, statements, &ranges),
        )?;
        let mut changes = store::Changes::default();
        for ((plan, rows), stored) in batch.iter().zip(&rows).zip(&stored) {
            done.computed += plan.hull.len();
            compare(plan, rows, stored, line_us, &mut changes);
        }
        done.changed += changes.len();
        store::write(transaction, statements, &changes).await?;
    }
    Ok(done)
}

/// The plan's buckets as they should be against those stored.
fn compare(
    plan: &Plan,
    rows: &[Row],
    stored: &BTreeMap<i64, Bucket>,
    line_us: i64,
    changes: &mut store::Changes,
) {
    let rules = Rules::default();
    let import = plan.import.map(|part| part.energy(Register::Import, rows, &rules));
    let export = plan.export.map(|part| part.energy(Register::Export, rows, &rules));
    let statistics = bucket::statistics(rows, &plan.hull);
    for (index, (power, reading_count)) in statistics.into_iter().enumerate() {
        let start_us = plan.hull.start_of(index);
        if start_us < line_us {
            continue;
        }
        let old = stored.get(&start_us);
        let touched = |part: Option<Part>, energies: &Option<Vec<Energy>>, old: Option<Energy>| {
            let computed = part.zip(energies.as_ref()).and_then(|(part, energies)| {
                part.range.index_of(start_us).and_then(|index| energies.get(index).copied())
            });
            computed.or(old).unwrap_or_default()
        };
        let new = Bucket {
            start_us,
            import: touched(plan.import, &import, old.map(|old| old.import)),
            export: touched(plan.export, &export, old.map(|old| old.export)),
            power,
            reading_count,
        };
        match old {
            None if new.is_empty() => {}
            Some(_) if new.is_empty() => changes.delete(plan.meter_key, start_us),
            Some(old) if *old == new => {}
            _ => changes.write(plan.meter_key, new),
        }
    }
}

/// Plans of one meter that meet become one, so that no bucket is computed twice.
fn merged(mut plans: Vec<Plan>) -> Vec<Plan> {
    plans.sort_by_key(|plan| (plan.meter_key, plan.hull.start_us()));
    let mut merged: Vec<Plan> = Vec::with_capacity(plans.len());
    for plan in plans {
        match merged.last_mut() {
            Some(last) if last.meter_key == plan.meter_key && last.hull.end_us() > plan.hull.start_us() => {
                last.hull = last.hull.hull(&plan.hull);
                last.import = Part::both(last.import, plan.import);
                last.export = Part::both(last.export, plan.export);
            }
            _ => merged.push(plan),
        }
    }
    merged
}

fn batches(plans: Vec<Plan>) -> Vec<Vec<Plan>> {
    let mut batches: Vec<Vec<Plan>> = Vec::new();
    let mut buckets = usize::MAX;
    for plan in plans {
        buckets = buckets.saturating_add(plan.hull.len());
        match batches.last_mut() {
            Some(batch) if buckets <= BUCKETS_AT_ONCE => batch.push(plan),
            _ => {
                buckets = plan.hull.len();
                batches.push(vec![plan]);
            }
        }
    }
    batches
}

// === impl Plan ===

impl Plan {
    fn of(job: &Job, import: Option<Part>, export: Option<Part>) -> Self {
        let parts = [import, export].into_iter().flatten();
        let hull = parts.fold(job.changed.own_buckets(), |hull, part| hull.hull(&part.range));
        Self { meter_key: job.meter_key, hull, import, export }
    }
}

// === impl Part ===

impl Part {
    fn of(job: &Job, found: &Around) -> Self {
        let neighbours = Neighbours { before_us: found.before_us, after_us: found.after_us };
        Self {
            range: job.changed.touched_buckets(neighbours),
            before: found.edge_before,
            after: found.edge_after,
        }
    }

    /// From the earlier one's start to the later one's end; every row between is loaded with the hull.
    fn both(a: Option<Self>, b: Option<Self>) -> Option<Self> {
        let (Some(a), Some(b)) = (a, b) else { return a.or(b) };
        Some(Self {
            range: a.range.hull(&b.range),
            before: if a.range.start_us() <= b.range.start_us() { a.before } else { b.before },
            after: if a.range.end_us() >= b.range.end_us() { a.after } else { b.after },
        })
    }

    fn energy(&self, register: Register, rows: &[Row], rules: &Rules) -> Vec<Energy> {
        let inside = chain(rows, register).filter(|link| self.range.index_of(link.ts_us).is_some());
        let links = self.before.into_iter().chain(inside).chain(self.after);
        bucket::register_energy(links, &self.range, rules)
    }
}

/// The start of the first bucket that may still be written, for this border of the raw rows.
#[must_use]
pub(crate) const fn line_us(border_us: i64) -> i64 {
    let line_us = border_us + wattline_energy::reach::REACH_US;
    wattline_energy::grid::floor(line_us + QUARTER_HOUR_US - 1, QUARTER_HOUR_US)
}

#[cfg(test)]
#[path = "recompute_tests.rs"]
mod tests;
