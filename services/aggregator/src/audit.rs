//! Are stored buckets equal to a recomputation from the raw rows?
//!
//! It shares the arithmetic with the recomputation and nothing else: not what is touched, not how rows are found.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use tokio_postgres::{Client, IsolationLevel, Transaction};
use wattline_energy::reach::REACH_US;
use wattline_energy::{Bucket, BucketRange, QUARTER_HOUR_US, Register, Row, Rules, buckets};
use wattline_reading::Timestamp;
use wattline_reading::register::from_wh;
use wattline_service::postgres::{read_column, read_rows};
use wattline_service::row;

use crate::failure::Outcome;
use crate::load::{self, Range, micros, time};
use crate::recompute::line_us;
use crate::statements::Statements;

/// What is in memory at once.
const DAY_US: i64 = 86_400_000_000;

row! {
    /// Of `audit_edges.sql`.
    struct EdgeRow {
        ts: DateTime<Utc>,
        wh: f64,
    }
}

/// A bucket that is not as a recomputation says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The meter.
    pub meter_key: i32,
    /// Where the bucket begins, µs since 1970.
    pub start_us: i64,
    /// As it is stored, if it is.
    pub stored: Option<Bucket>,
    /// As it should be, if there should be one.
    pub computed: Option<Bucket>,
}

/// Compares one meter's quarter-hours that meet `[from, to)` with a recomputation, all in one snapshot. Final buckets
/// are left out. The number of buckets compared, and those that differ.
///
/// What the aggregator hasn't worked off yet differs rightfully: see [`is_settled`].
///
/// # Errors
/// Where the database refuses or is away.
pub async fn audit(
    client: &mut Client,
    meter_key: i32,
    from_us: i64,
    to_us: i64,
) -> anyhow::Result<(usize, Vec<Mismatch>)> {
    let statements = Statements::prepare(client).await?;
    let transaction = snapshot(client).await?;
    let range = BucketRange::quarter_hours(from_us, to_us);
    compare(&transaction, &statements, meter_key, &range)
        .await
        .map_err(|failure| anyhow::anyhow!("{failure}"))
}

/// Whether the aggregator has worked off everything that the sink stored of this topic, and the table `recompute` is
/// empty.
///
/// # Errors
/// Where the database refuses or is away.
pub async fn is_settled(client: &Client, topic: &str) -> anyhow::Result<bool> {
    let row = client.query_one(include_str!("sql/audit_settled.sql"), &[&topic]).await?;
    Ok(read_column(&row, "settled")?)
}

/// A read-only snapshot.
///
/// # Errors
/// Where the database is away.
pub(crate) async fn snapshot(client: &mut Client) -> Result<Transaction<'_>, tokio_postgres::Error> {
    client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true).start().await
}

/// The same in the caller's transaction.
///
/// # Errors
/// Where the database refuses or is away.
pub(crate) async fn compare(
    transaction: &Transaction<'_>,
    statements: &Statements,
    meter_key: i32,
    range: &BucketRange,
) -> Outcome<(usize, Vec<Mismatch>)> {
    let border = transaction.query_one(&statements.border, &[]).await?;
    let mut from_us = range.start_us().max(line_us(micros(read_column(&border, "border")?)));
    let (mut compared, mut mismatches) = (0, Vec::new());
    while from_us < range.end_us() {
        let day = BucketRange::quarter_hours(from_us, range.end_us().min(from_us + DAY_US));
        let computed = recompute(transaction, statements, meter_key, &day).await?;
        let stored = load::stored(transaction, statements, &[Range { meter_key, buckets: day }]).await?;
        let stored = stored.into_iter().next().unwrap_or_default();
        for index in 0..day.len() {
            let start_us = day.start_of(index);
            let (stored, computed) = (stored.get(&start_us).copied(), computed.get(&start_us).copied());
            if stored != computed {
                mismatches.push(Mismatch { meter_key, start_us, stored, computed });
            }
        }
        compared += day.len();
        from_us = day.end_us();
    }
    Ok((compared, mismatches))
}

async fn recompute(
    transaction: &Transaction<'_>,
    statements: &Statements,
    meter_key: i32,
    range: &BucketRange,
) -> Outcome<BTreeMap<i64, Bucket>> {
    let loaded = load::rows(transaction, statements, &[Range { meter_key, buckets: *range }]).await?;
    let mut rows: BTreeMap<i64, Row> = loaded.into_iter().flatten().map(|row| (row.ts_us, row)).collect();
    for register in Register::BOTH {
        for (ts_us, mwh) in edges(transaction, statements, meter_key, register, range).await? {
            let row = rows.entry(ts_us).or_insert(Row { ts_us, ..Row::default() });
            match register {
                Register::Import => row.import_mwh = Some(mwh),
                Register::Export => row.export_mwh = Some(mwh),
            }
        }
    }
    let rows: Vec<Row> = rows.into_values().collect();
    let computed = buckets(&rows, range, &Rules::default());
    Ok(computed.into_iter().map(|bucket| (bucket.start_us, bucket)).collect())
}

/// The register's last reading before the range and its first one at or after its end.
async fn edges(
    transaction: &Transaction<'_>,
    statements: &Statements,
    meter_key: i32,
    register: Register,
    range: &BucketRange,
) -> Outcome<Vec<(i64, i64)>> {
    let (start_us, end_us) = (range.start_us(), range.end_us());
    let rows = transaction
        .query(
            statements.edges(register),
            &[
                &meter_key,
                &time(start_us),
                &time(start_us - REACH_US),
                &time(end_us),
                &time(end_us + REACH_US),
            ],
        )
        .await?;
    let rows: Vec<EdgeRow> = read_rows(&rows)?;
    Ok(rows.iter().map(|row| (micros(row.ts), from_wh(row.wh))).collect())
}

// === impl Mismatch ===

impl fmt::Display for Mismatch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = Timestamp::from_micros(self.start_us + QUARTER_HOUR_US);
        write!(out, "meter_key {}, {} to {end}: ", self.meter_key, Timestamp::from_micros(self.start_us))?;
        let say = |out: &mut fmt::Formatter<'_>, bucket: &Option<Bucket>| match bucket {
            None => write!(out, "nothing"),
            Some(bucket) => write!(
                out,
                "import {:?} mWh {:?}, export {:?} mWh {:?}, {} readings",
                bucket.import.mwh,
                bucket.import.quality,
                bucket.export.mwh,
                bucket.export.quality,
                bucket.reading_count
            ),
        };
        write!(out, "stored is ")?;
        say(out, &self.stored)?;
        write!(out, ", a recomputation gives ")?;
        say(out, &self.computed)
    }
}
