//! Promise: rollups equal a recomputation from the raw table, after late, duplicate and out-of-order data, after a row
//! was deleted, for meters with registers every hour or none at all; and their energies add up to the register's own
//! difference, to the milliwatt-hour.

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use wattline_reading::{Measures, Reading};

use crate::scene::{Scene, days_ago, reading};

const MINUTE_US: i64 = 60_000_000;

/// One reading a minute for `hours`, from this time on; the register rises by odd amounts.
fn steady(meter: &str, from_us: i64, hours: i64, random: &mut StdRng) -> Vec<Reading> {
    let mut mwh = 1_000_000_007;
    let minutes = 0..hours * 60;
    let rows = minutes.map(|minute| {
        mwh += random.random_range(0..100_000);
        reading(meter, from_us + minute * MINUTE_US + random.random_range(0..20_000_000), mwh, 1_500.0)
    });
    rows.collect()
}

/// Power every 20 s, registers only each hour: a span covers buckets without any register reading.
fn hourly(meter: &str, from_us: i64, hours: i64) -> Vec<Reading> {
    let rows = (0..hours * 180).map(|step| {
        let mut row = reading(meter, from_us + step * MINUTE_US / 3, 5_000_000 + step * 1_111, 700.5);
        if step % 180 != 7 {
            row.measures = Measures { power_w: row.measures.power_w, ..Measures::default() };
        }
        row
    });
    rows.collect()
}

/// Gaps, falls, dips, impossible jumps and a silence.
fn hostile(meter: &str, from_us: i64, random: &mut StdRng) -> Vec<Reading> {
    let (mut ts_us, mut mwh) = (from_us, 900_000_000);
    let rows = (0..300).map(|_| {
        ts_us += MINUTE_US * [1, 1, 5, 20, 200, 1_600][random.random_range(0..6)];
        mwh = match random.random_range(0..20) {
            0 => 0,
            1 => mwh + 500_000_000,
            2 => mwh - 50_000,
            3 => mwh - 5_000_000,
            _ => mwh + 30_000,
        };
        mwh = mwh.max(0);
        reading(meter, ts_us, mwh, -20.0)
    });
    rows.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_duplicate_and_out_of_order_readings() {
    let mut random = StdRng::seed_from_u64(3);
    let mut scene = Scene::new("equals", 4).await;
    let aggregator = scene.start(scene.config());

    let steady = steady("home/steady", days_ago(4), 60, &mut random);
    let (hourly, hostile) =
        (hourly("home/hourly", days_ago(3), 30), hostile("home/hostile", days_ago(60), &mut random));
    let mut power_only = reading("plug", days_ago(2), 0, 12.0);
    power_only.measures = Measures { power_w: Some(3.25), ..Measures::default() };

    let mut all: Vec<Reading> = steady.iter().chain(&hourly).chain(&hostile).cloned().collect();
    all.push(power_only);
    // One in ten is late by far, one in twenty comes twice, and what comes together is in no order.
    let (late, mut in_time): (Vec<_>, Vec<_>) = all.into_iter().partition(|_| random.random_ratio(1, 10));
    for at in 0..in_time.len() / 20 {
        let again = in_time[at * 20].clone();
        in_time.push(again);
    }
    for batch in in_time.chunks_mut(900) {
        batch.shuffle(&mut random);
        scene.send_and_store(batch).await;
    }
    scene.settle().await;
    let compared = scene.assert_equals_recomputation().await;
    assert!(compared > 3_000, "{compared} buckets");

    for batch in late.chunks(200) {
        scene.send_and_store(batch).await;
    }
    scene.settle().await;
    scene.assert_equals_recomputation().await;
    let difference = |rows: &[Reading]| {
        let mut registers = rows.iter().filter_map(|row| row.measures.energy_import_mwh);
        let first = registers.next().unwrap();
        registers.next_back().unwrap() - first
    };
    assert_eq!(scene.total_import_mwh("home/steady").await, difference(&steady));
    assert_eq!(scene.total_import_mwh("home/hourly").await, difference(&hourly));

    a_deleted_row_is_recomputed(&mut scene).await;
    assert_eq!(aggregator.metric("wattline_rollup_mismatch_total"), 0);
    aggregator.stop().await;
}

/// Whoever deletes rows writes the range to the table `recompute` in the same transaction.
async fn a_deleted_row_is_recomputed(scene: &mut Scene) {
    let hours = "SELECT count(*) FROM energy_15m JOIN meter USING (meter_key) WHERE meter_id = 'home/steady'";
    let before = scene.number(hours).await;
    let transaction = scene.client.transaction().await.unwrap();
    transaction
        .batch_execute(
            "CREATE TEMP TABLE gone AS SELECT meter_key, min(ts) AS first, min(ts) + interval '5 hours' AS last \
             FROM reading JOIN meter USING (meter_key) WHERE meter_id = 'home/steady' GROUP BY 1;
             DELETE FROM reading r USING gone g WHERE r.meter_key = g.meter_key AND r.ts BETWEEN g.first AND g.last;
             INSERT INTO recompute (meter_key, from_ts, to_ts, reason) SELECT meter_key, first, last, 'test' FROM gone",
        )
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    scene.settle().await;
    scene.assert_equals_recomputation().await;
    let after = scene.number(hours).await;
    assert!(after <= before - 18, "buckets without rows are deleted: {before} before, {after} after");
}
