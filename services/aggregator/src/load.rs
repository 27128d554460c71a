//! Raw rows and stored buckets out of the database, for many ranges in one statement each.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use tokio_postgres::Transaction;
use wattline_energy::chain::Link;
use wattline_energy::reach::{Changed, REACH_US};
use wattline_energy::{Bucket, BucketRange, Energy, Flag, PowerStatistics, Register, Row, power};
use wattline_reading::register::from_wh;
use wattline_reading::{Timestamp, timestamp};
use wattline_service::postgres::{FromRow as _, read_rows};
use wattline_service::row;

use crate::failure::Outcome;
use crate::statements::Statements;

/// Most predecessors are minutes away; only for the others the whole reach is searched. In µs.
const NEAR_US: i64 = 6 * 3_600_000_000;

type Time = DateTime<Utc>;

row! {
    /// Of `around.sql`.
    struct AroundRow {
        place: i32,
        before: Option<Time>,
        after: Option<Time>,
        edge_before: Option<Time>,
        edge_before_wh: Option<f64>,
        edge_after: Option<Time>,
        edge_after_wh: Option<f64>,
    }
}

row! {
    /// Of `raw_rows.sql`.
    struct RawRow {
        place: i32,
        ts: Time,
        import_wh: Option<f64>,
        export_wh: Option<f64>,
        power_w: Option<f64>,
    }
}

row! {
    /// Of `bucket_stored.sql`.
    struct BucketRow<'row> {
        place: i32,
        bucket: Time,
        import_wh: Option<f64>,
        export_wh: Option<f64>,
        import_coverage_ms: Vec<i32>,
        export_coverage_ms: Vec<i32>,
        import_quality: Vec<&'row str>,
        export_quality: Vec<&'row str>,
        power_min_w: Option<f64>,
        power_avg_w: Option<f64>,
        power_max_w: Option<f64>,
        reading_count: i32,
    }
}

/// One range of changed rows of one meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    /// The meter.
    pub(crate) meter_key: i32,
    /// The changed rows.
    pub(crate) changed: Changed,
    /// A register is touched even if no reading of it is among the rows: it may have been deleted.
    pub(crate) always: bool,
}

/// The readings of one register around changed rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Around {
    /// The last one before the changed rows.
    pub(crate) before_us: Option<i64>,
    /// The first one after them.
    pub(crate) after_us: Option<i64>,
    /// The last one before the touched buckets.
    pub(crate) edge_before: Option<Link>,
    /// The first one at or after their end.
    pub(crate) edge_after: Option<Link>,
}

/// Buckets of one meter to load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range {
    /// The meter.
    pub(crate) meter_key: i32,
    /// The buckets.
    pub(crate) buckets: BucketRange,
}

/// The readings around each job whose rows touch the register, by the job's place.
///
/// # Errors
/// Where the database refuses or is away.
pub(crate) async fn around(
    transaction: &Transaction<'_>,
    statements: &Statements,
    register: Register,
    jobs: &[Job],
) -> Outcome<BTreeMap<usize, Around>> {
    let places: Vec<usize> = (0..jobs.len()).collect();
    let mut found = search(transaction, statements, register, jobs, &places, NEAR_US).await?;
    let lacking = found.iter().filter(|(_, found)| found.before_us.is_none() || found.edge_before.is_none());
    let far: Vec<usize> = lacking.map(|(place, _)| *place).collect();
    if !far.is_empty() {
        found.extend(search(transaction, statements, register, jobs, &far, REACH_US).await?);
    }
    Ok(found)
}

async fn search(
    transaction: &Transaction<'_>,
    statements: &Statements,
    register: Register,
    jobs: &[Job],
    places: &[usize],
    back_us: i64,
) -> Outcome<BTreeMap<usize, Around>> {
    let asked: Vec<Job> = places.iter().map(|place| jobs[*place]).collect();
    let numbers: Vec<i32> = (0..).take(places.len()).collect();
    let keys: Vec<i32> = asked.iter().map(|job| job.meter_key).collect();
    let firsts: Vec<Time> = asked.iter().map(|job| time(job.changed.first_us)).collect();
    let lasts: Vec<Time> = asked.iter().map(|job| time(job.changed.last_us)).collect();
    let always: Vec<bool> = asked.iter().map(|job| job.always).collect();
    // A bound that is known when the statement starts leaves out whole chunks.
    let earliest = asked.iter().map(|job| job.changed.first_us).min().unwrap_or(0);
    let low = time(earliest - 2 * back_us - wattline_energy::QUARTER_HOUR_US);
    let back_s = timestamp::seconds(back_us);
    let rows = transaction
        .query(statements.around(register), &[&numbers, &keys, &firsts, &lasts, &always, &back_s, &low])
        .await?;
    let mut found = BTreeMap::new();
    for row in read_rows::<AroundRow>(&rows)? {
        let Some(asked) = places.get(place(row.place)) else { continue };
        let around = Around {
            before_us: row.before.map(micros),
            after_us: row.after.map(micros),
            edge_before: link(row.edge_before, row.edge_before_wh),
            edge_after: link(row.edge_after, row.edge_after_wh),
        };
        found.insert(*asked, around);
    }
    Ok(found)
}

/// The raw rows of each range, in order of time.
///
/// # Errors
/// Where the database refuses or is away.
pub(crate) async fn rows(
    transaction: &Transaction<'_>,
    statements: &Statements,
    ranges: &[Range],
) -> Outcome<Vec<Vec<Row>>> {
    let parameters = Parameters::of(ranges);
    let found = transaction.query(&statements.rows, &parameters.as_sql()).await?;
    let mut rows: Vec<Vec<Row>> = vec![Vec::new(); ranges.len()];
    for row in &found {
        let row = RawRow::from_row(row)?;
        let Some(rows) = rows.get_mut(place(row.place)) else { continue };
        rows.push(Row {
            ts_us: micros(row.ts),
            import_mwh: row.import_wh.map(from_wh),
            export_mwh: row.export_wh.map(from_wh),
            power_mw: row.power_w.map(power::from_w),
        });
    }
    // The plan keeps the order, but nothing promises it.
    rows.iter_mut().for_each(|rows| rows.sort_by_key(|row| row.ts_us));
    Ok(rows)
}

/// The stored buckets of each range, by their start.
///
/// # Errors
/// Where the database refuses or is away.
pub(crate) async fn stored(
    transaction: &Transaction<'_>,
    statements: &Statements,
    ranges: &[Range],
) -> Outcome<Vec<BTreeMap<i64, Bucket>>> {
    let parameters = Parameters::of(ranges);
    let found = transaction.query(&statements.stored, &parameters.as_sql()).await?;
    let mut stored: Vec<BTreeMap<i64, Bucket>> = vec![BTreeMap::new(); ranges.len()];
    for row in read_rows::<BucketRow<'_>>(&found)? {
        if let Some(stored) = stored.get_mut(place(row.place)) {
            stored.insert(micros(row.bucket), row.bucket());
        }
    }
    Ok(stored)
}

// === impl BucketRow ===

impl BucketRow<'_> {
    fn bucket(&self) -> Bucket {
        let energy = |wh: Option<f64>, coverage: &[i32], quality: &[&str]| Energy {
            mwh: wh.map(from_wh),
            coverage_ms: coverage.try_into().unwrap_or_default(),
            quality: quality.iter().filter_map(|word| Flag::from_word(word)).collect(),
        };
        let power = self.power_min_w.zip(self.power_avg_w).zip(self.power_max_w);
        Bucket {
            start_us: micros(self.bucket),
            import: energy(self.import_wh, &self.import_coverage_ms, &self.import_quality),
            export: energy(self.export_wh, &self.export_coverage_ms, &self.export_quality),
            power: power.map(|((min_w, avg_w), max_w)| PowerStatistics {
                min_mw: power::from_w(min_w),
                avg_mw: power::from_w(avg_w),
                max_mw: power::from_w(max_w),
            }),
            reading_count: self.reading_count,
        }
    }
}

/// The columns that both statements take.
struct Parameters {
    places: Vec<i32>,
    keys: Vec<i32>,
    from: Vec<Time>,
    to: Vec<Time>,
    low: Time,
    high: Time,
}

// === impl Parameters ===

impl Parameters {
    fn of(ranges: &[Range]) -> Self {
        let start = |range: &Range| range.buckets.start_us();
        let end = |range: &Range| range.buckets.end_us();
        Self {
            places: (0..).take(ranges.len()).collect(),
            keys: ranges.iter().map(|range| range.meter_key).collect(),
            from: ranges.iter().map(|range| time(start(range))).collect(),
            to: ranges.iter().map(|range| time(end(range))).collect(),
            low: time(ranges.iter().map(start).min().unwrap_or(0)),
            high: time(ranges.iter().map(end).max().unwrap_or(0)),
        }
    }

    fn as_sql(&self) -> [&(dyn tokio_postgres::types::ToSql + Sync); 6] {
        [&self.places, &self.keys, &self.from, &self.to, &self.low, &self.high]
    }
}

/// µs since 1970 for the database.
#[must_use]
pub(crate) fn time(us: i64) -> Time {
    Timestamp::from_micros(us).to_chrono()
}

/// A time of the database as µs since 1970.
#[must_use]
pub(crate) fn micros(time: Time) -> i64 {
    time.timestamp_micros()
}

fn place(number: i32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn link(ts: Option<Time>, wh: Option<f64>) -> Option<Link> {
    Some(Link { ts_us: micros(ts?), mwh: from_wh(wh?) })
}
