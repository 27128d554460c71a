//! Raw rows and stored buckets out of the database, for many ranges in one statement each.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use tokio_postgres::{Row as SqlRow, Transaction};
use wattline_energy::chain::Link;
use wattline_energy::reach::{Changed, REACH_US};
use wattline_energy::{Bucket, BucketRange, Energy, Flag, PowerStatistics, Register, Row, power};
use wattline_reading::register::from_wh;
use wattline_reading::{Timestamp, timestamp};

use crate::failure::Outcome;
use crate::statements::Statements;

/// Most predecessors are minutes away; only for the others the whole reach is searched. In µs.
const NEAR_US: i64 = 6 * 3_600_000_000;

/// One range of changed rows of one meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    /// The meter.
    pub meter_key: i32,
    /// The changed rows.
    pub changed: Changed,
    /// A register is touched even if no reading of it is among the rows: it may have been deleted.
    pub always: bool,
}

/// The readings of one register around changed rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Around {
    /// The last one before the changed rows.
    pub before_us: Option<i64>,
    /// The first one after them.
    pub after_us: Option<i64>,
    /// The last one before the touched buckets.
    pub edge_before: Option<Link>,
    /// The first one at or after their end.
    pub edge_after: Option<Link>,
}

/// Buckets of one meter to load.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    /// The meter.
    pub meter_key: i32,
    /// The buckets.
    pub buckets: BucketRange,
}

/// The readings around each job whose rows touch the register, by the job's place.
///
/// # Errors
/// Where the database refuses or is away.
pub async fn around(
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
    let firsts: Vec<DateTime<Utc>> = asked.iter().map(|job| time(job.changed.first_us)).collect();
    let lasts: Vec<DateTime<Utc>> = asked.iter().map(|job| time(job.changed.last_us)).collect();
    let always: Vec<bool> = asked.iter().map(|job| job.always).collect();
    // A bound that is known when the statement starts leaves out whole chunks.
    let earliest = asked.iter().map(|job| job.changed.first_us).min().unwrap_or(0);
    let low = time(earliest - 2 * back_us - wattline_energy::QUARTER_HOUR_US);
    let back_s = timestamp::seconds(back_us);
    let rows = transaction
        .query(statements.around(register), &[&numbers, &keys, &firsts, &lasts, &always, &back_s, &low])
        .await?;
    let found = rows.iter().filter_map(|row| {
        let around = Around {
            before_us: row.get::<_, Option<DateTime<Utc>>>(1).map(micros),
            after_us: row.get::<_, Option<DateTime<Utc>>>(2).map(micros),
            edge_before: link(row, 3),
            edge_after: link(row, 5),
        };
        Some((*places.get(place(row))?, around))
    });
    Ok(found.collect())
}

/// The raw rows of each range, in order of time.
///
/// # Errors
/// Where the database refuses or is away.
pub async fn rows(
    transaction: &Transaction<'_>,
    statements: &Statements,
    ranges: &[Range],
) -> Outcome<Vec<Vec<Row>>> {
    let parameters = Parameters::of(ranges);
    let found = transaction.query(&statements.rows, &parameters.as_sql()).await?;
    let mut rows: Vec<Vec<Row>> = vec![Vec::new(); ranges.len()];
    for row in &found {
        let Some(rows) = rows.get_mut(place(row)) else { continue };
        rows.push(Row {
            ts_us: micros(row.get(1)),
            import_mwh: row.get::<_, Option<f64>>(2).map(from_wh),
            export_mwh: row.get::<_, Option<f64>>(3).map(from_wh),
            power_mw: row.get::<_, Option<f64>>(4).map(power::from_w),
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
pub async fn stored(
    transaction: &Transaction<'_>,
    statements: &Statements,
    ranges: &[Range],
) -> Outcome<Vec<BTreeMap<i64, Bucket>>> {
    let parameters = Parameters::of(ranges);
    let found = transaction.query(&statements.stored, &parameters.as_sql()).await?;
    let mut stored: Vec<BTreeMap<i64, Bucket>> = vec![BTreeMap::new(); ranges.len()];
    for row in &found {
        let bucket = bucket(row);
        if let Some(stored) = stored.get_mut(place(row)) {
            stored.insert(bucket.start_us, bucket);
        }
    }
    Ok(stored)
}

fn bucket(row: &SqlRow) -> Bucket {
    let energy = |wh: usize, coverage: usize, quality: usize| {
        let coverage: Vec<i32> = row.get(coverage);
        let words: Vec<&str> = row.get(quality);
        Energy {
            mwh: row.get::<_, Option<f64>>(wh).map(from_wh),
            coverage_ms: coverage.try_into().unwrap_or_default(),
            quality: words.into_iter().filter_map(Flag::from_word).collect(),
        }
    };
    let watts = |at: usize| row.get::<_, Option<f64>>(at).map(power::from_w);
    let power = watts(8).zip(watts(9)).zip(watts(10));
    Bucket {
        start_us: micros(row.get(1)),
        import: energy(2, 4, 6),
        export: energy(3, 5, 7),
        power: power.map(|((min_mw, avg_mw), max_mw)| PowerStatistics { min_mw, avg_mw, max_mw }),
        reading_count: row.get(11),
    }
}

/// The columns that both statements take.
struct Parameters {
    places: Vec<i32>,
    keys: Vec<i32>,
    from: Vec<DateTime<Utc>>,
    to: Vec<DateTime<Utc>>,
    low: DateTime<Utc>,
    high: DateTime<Utc>,
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
pub fn time(us: i64) -> DateTime<Utc> {
    Timestamp::from_micros(us).to_chrono()
}

/// A time of the database as µs since 1970.
#[must_use]
pub fn micros(time: DateTime<Utc>) -> i64 {
    time.timestamp_micros()
}

fn place(row: &SqlRow) -> usize {
    usize::try_from(row.get::<_, i32>(0)).unwrap_or(usize::MAX)
}

fn link(row: &SqlRow, at: usize) -> Option<Link> {
    let (ts, wh): (Option<DateTime<Utc>>, Option<f64>) = (row.get(at), row.get(at + 1));
    Some(Link { ts_us: micros(ts?), mwh: from_wh(wh?) })
}
