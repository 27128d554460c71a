//! Rollups equal a recomputation: the raw rows of each meter of a plan, through the pure arithmetic, against the
//! table of quarter-hours.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use chrono::{DateTime, Utc};
use tokio_postgres::{Client, Row as DatabaseRow};
use wattline_energy::{Bucket, BucketRange, Energy, Row, Rules, buckets, power};
use wattline_loadtest::plan::Plan;
use wattline_loadtest::target::Target;
use wattline_reading::register;

const RAW: &str =
    "SELECT ts, energy_import_wh, energy_export_wh, power_w FROM reading JOIN meter USING (meter_key)
    WHERE meter_id = $1 ORDER BY ts";
const ROLLUP: &str =
    "SELECT bucket, import_wh, export_wh, import_coverage_ms, export_coverage_ms, import_quality,
    export_quality, power_min_w, power_avg_w, power_max_w, reading_count
    FROM energy_15m JOIN meter USING (meter_key) WHERE meter_id = $1 ORDER BY bucket";
const BEHIND: &str = "SELECT coalesce(sum(sink.next_offset - coalesce(own.next_offset, 0)), 0)::bigint
      + (SELECT count(*) FROM recompute)
    FROM stream_offset sink LEFT JOIN stream_offset own
      ON own.consumer = 'aggregator' AND own.topic = sink.topic AND own.partition = sink.partition
    WHERE sink.consumer = 'timescale-sink' AND sink.topic = 'wattline.readings.v1'";

/// How long the aggregator may take to catch up and to refresh what is open.
const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until the aggregator has caught up, and then for every bucket of every meter of the plan to be what the raw
/// rows say.
///
/// # Errors
/// Names the first bucket that differs.
pub async fn rollups_equal_a_recomputation(target: &Target, plan: &Plan) -> anyhow::Result<()> {
    let client = target.connect().await?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let behind: i64 =
            client.query_one(BEHIND, &[]).await.context("asking how far the aggregator is")?.get(0);
        let compared = if behind == 0 {
            compare_all(&client, plan).await
        } else {
            Err(anyhow::anyhow!("the aggregator is {behind} records and ranges behind"))
        };
        match compared {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => tokio::time::sleep(Duration::from_millis(500)).await,
        }
    }
}

async fn compare_all(client: &Client, plan: &Plan) -> anyhow::Result<()> {
    let raw = client.prepare(RAW).await?;
    let rollup = client.prepare(ROLLUP).await?;
    for meter in 0..plan.meters {
        let id = plan.meter_id(meter);
        let rows: Vec<Row> = client.query(&raw, &[&id]).await?.iter().map(row).collect();
        let stored = client.query(&rollup, &[&id]).await?;
        let computed = recompute(&rows);
        ensure!(
            stored.len() == computed.len(),
            "meter {id} has {} buckets, its rows make {}",
            stored.len(),
            computed.len()
        );
        for (stored, computed) in stored.iter().zip(&computed) {
            let (stored, computed) = (stored_text(stored), computed_text(computed));
            ensure!(stored == computed, "meter {id} has {stored}; its rows make {computed}");
        }
    }
    Ok(())
}

fn recompute(rows: &[Row]) -> Vec<Bucket> {
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
        return Vec::new();
    };
    buckets(rows, &BucketRange::quarter_hours(first.ts_us, last.ts_us + 1), &Rules::default())
}

fn row(row: &DatabaseRow) -> Row {
    let mwh = |column| row.get::<_, Option<f64>>(column).map(register::from_wh);
    Row {
        ts_us: row.get::<_, DateTime<Utc>>(0).timestamp_micros(),
        import_mwh: mwh(1),
        export_mwh: mwh(2),
        power_mw: row.get::<_, Option<f64>>(3).map(power::from_w),
    }
}

/// Both sides as text in whole mWh, ms and mW: compared and shown alike.
fn stored_text(row: &DatabaseRow) -> String {
    let start_us = row.get::<_, DateTime<Utc>>(0).timestamp_micros();
    let mwh = |column| row.get::<_, Option<f64>>(column).map(register::from_wh);
    let energy = |wh, coverage, quality| {
        let mut flags = row.get::<_, Vec<String>>(quality);
        flags.sort();
        format!("{:?} {:?} {flags:?}", mwh(wh), row.get::<_, Vec<i32>>(coverage))
    };
    let count: i32 = row.get(10);
    format!(
        "bucket {start_us}: import {}; export {}; power {:?}; {count} readings",
        energy(1, 3, 5),
        energy(2, 4, 6),
        [mwh(7), mwh(8), mwh(9)],
    )
}

fn computed_text(bucket: &Bucket) -> String {
    let energy = |energy: &Energy| {
        let mut flags: Vec<String> = energy.quality.flags().map(|flag| flag.as_str().to_owned()).collect();
        flags.sort();
        format!("{:?} {:?} {flags:?}", energy.mwh, energy.coverage_ms.to_vec())
    };
    let power = bucket.power;
    format!(
        "bucket {}: import {}; export {}; power {:?}; {} readings",
        bucket.start_us,
        energy(&bucket.import),
        energy(&bucket.export),
        [power.map(|p| p.min_mw), power.map(|p| p.avg_mw), power.map(|p| p.max_mw)],
        bucket.reading_count
    )
}
