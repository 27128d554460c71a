//! Offsets without a record: markers of transactions, records of aborted ones, what compaction took. They are counted,
//! nothing waits for them, and what Kafka deleted is told apart.

use std::time::Duration;

use wattline_localstack::poll_until;
use wattline_reading::Reading;

use crate::world::{DEADLINE, Running, Totals, World, reading};

/// 20 transactions of 50 records, a fifth of them given up: each ends with a marker in each partition that it wrote to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transactions_leave_markers_and_aborted_ones_records() {
    let world = World::new().await;
    let sink = world.start(world.config()).ready().await;
    let producer = world.kafka.transactional("holes");
    for transaction in 0..20 {
        let readings: Vec<Reading> =
            (0..50).map(|index| reading("a", transaction * 50 + index, 1.0)).collect();
        producer.send(&world.kafka.readings, &readings, transaction % 5 != 4);
    }
    wait_readings(&world, 800).await;
    // Behind the last record is one marker more, which nothing follows.
    let expected = Totals { stored: 800, absent: 3 * 51 + 15, ..Totals::default() };
    assert_eq!(world.readings().await, expected);
    world.check_equation(&world.kafka.readings).await;
    lags_nothing(&sink).await;
    // It goes on there after a restart, and counts that marker with the next record.
    sink.stop().await;
    let sink = world.start(world.config()).ready().await;
    lags_nothing(&sink).await;
    world.kafka.send(&[reading("a", 10_000, 1.0)]);
    wait_readings(&world, 801).await;
    assert_eq!(world.readings().await.absent, 4 * 51 + 16);
    sink.stop().await;
}

/// Killed again and again in the middle of transactions, and started anew: each reading once, each offset accounted for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_between_holes_lose_and_double_nothing() {
    let world = World::new().await;
    let producer = world.kafka.transactional("kills");
    let mut sent = 0;
    for round in 0..5_i64 {
        let sink = world.start(world.config()).ready().await;
        for transaction in 0..10 {
            let meters: Vec<Reading> =
                (0..20).map(|meter| reading(&format!("m-{meter}"), round * 100 + transaction, 1.0)).collect();
            let committed = transaction % 3 != 2;
            producer.send(&world.kafka.readings, &meters, committed);
            sent += if committed { 20 } else { 0 };
        }
        tokio::time::sleep(Duration::from_millis(u64::try_from(40 * round).unwrap())).await;
        sink.kill().await;
    }
    let sink = world.start(world.config()).ready().await;
    wait_readings(&world, sent).await;
    world.check_equation(&world.kafka.readings).await;
    let totals = world.readings().await;
    assert_eq!((totals.stored, totals.duplicate, totals.conflict, totals.lost), (sent, 0, 0, 0));
    sink.stop().await;
}

/// A compacted topic is a wrong setting, and still nothing stops.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_compaction_took_is_no_loss() {
    let world = World::new().await;
    world.kafka.compact(&world.kafka.readings).await;
    let readings: Vec<Reading> = (0..200).map(|second| reading("a", second, 1.0)).collect();
    for some in readings.chunks(20) {
        world.kafka.send(some);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The cleaner leaves the newest of a key in what is closed, and all of the open segment.
    poll_until("Kafka to compact", DEADLINE, Duration::from_millis(200), async || {
        Ok((world.kafka.count_records(&world.kafka.readings) < 150).then_some(()))
    })
    .await
    .unwrap();
    let kept = world.kafka.count_records(&world.kafka.readings);
    let sink = world.start(world.config()).ready().await;
    world.wait_stored().await;
    let totals = world.readings().await;
    // It may go on between the two looks.
    assert!(totals.stored <= kept && totals.stored > 0, "{totals:?} of {kept}");
    assert_eq!((totals.stored + totals.absent, totals.lost), (200, 0));
    sink.stop().await;
}

/// Records that Kafka deletes while the sink is running, but before it has read them, are lost, not absent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_kafka_deleted_behind_a_marker_is_lost() {
    let world = World::new().await;
    let sink = world.start(world.config()).ready().await;
    let producer = world.kafka.transactional("deleted");
    // The table is taken: a batch waits for it, and the next, with a hole, waits behind.
    world.owner.batch_execute("BEGIN; LOCK TABLE reading IN ACCESS EXCLUSIVE MODE").await.unwrap();
    producer.send(&world.kafka.readings, &[reading("a", 0, 1.0)], true);
    sink.not_ready("database").await;
    producer.send(&world.kafka.readings, &[reading("a", 1, 1.0)], true);
    producer.send(&world.kafka.readings, &[reading("a", 2, 1.0)], true);
    tokio::time::sleep(Duration::from_secs(2)).await;
    // 0, marker, 2, marker, 4, marker: Kafka keeps the last record and its marker.
    let number = world.kafka.ends(&world.kafka.readings).iter().position(|end| *end == 6).unwrap();
    let number = i32::try_from(number).unwrap();
    world.kafka.delete_below(&world.kafka.readings, number, 4).await;
    world.owner.batch_execute("ROLLBACK").await.unwrap();
    wait_readings(&world, 2).await;
    let expected = Totals { stored: 2, lost: 3, ..Totals::default() };
    assert_eq!(world.readings().await, expected, "the first, and what Kafka has");
    world.check_equation(&world.kafka.readings).await;
    sink.stop().await;
}

async fn wait_readings(world: &World, count: i64) {
    poll_until(&format!("{count} readings"), DEADLINE, Duration::from_millis(50), async || {
        Ok((world.count("SELECT count(*) FROM reading").await == count).then_some(()))
    })
    .await
    .unwrap_or_else(|error| panic!("{error}"));
}

async fn lags_nothing(sink: &Running) {
    for number in 0..crate::world::PARTITIONS {
        for name in ["lag_records", "lag_seconds"] {
            let metric =
                format!("wattline_timescale_sink_{name}{{stream=\"readings\",partition=\"{number}\"}}");
            sink.wait_metric(&metric, 0.0).await;
        }
    }
}
