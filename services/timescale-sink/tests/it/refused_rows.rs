//! A row that the database refuses for what is in it is dead-lettered, just it; many at once can't be the rows' fault.

use wattline_reading::Reading;

use crate::world::{Totals, World, meter, reading};

const REFUSE: &str = "ALTER TABLE reading ADD CONSTRAINT no_666 CHECK (power_w <> 666)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_rows_are_found_and_the_rest_is_stored() {
    let world = World::new().await;
    world.owner.batch_execute(REFUSE).await.unwrap();
    let readings: Vec<Reading> = (0..3000_u32)
        .map(|number| {
            let power_w = if number % 500 == 250 { 666.0 } else { f64::from(number % 500) };
            reading(&meter(usize::try_from(number % 30).unwrap()), i64::from(number), power_w)
        })
        .collect();
    world.kafka.send(&readings);
    let sink = world.start(world.config());
    world.wait_stored().await;
    let expected = Totals { stored: 2994, dead_lettered: 6, ..Totals::default() };
    assert_eq!(world.readings().await, expected);
    let refused = "SELECT count(*) FROM dead_letter WHERE reason = 'database_refused' AND detail LIKE '%no_666%23514%' \
        AND length(payload) > 0 AND record_key LIKE 'meter-%'";
    assert_eq!(world.count(refused).await, 6);
    // The ones behind them are known as the newest: what follows is stored as always.
    world.kafka.send(&[reading(&meter(0), 9000, 1.0)]);
    world.wait_stored().await;
    assert_eq!(world.readings().await.stored, 2995);
    sink.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_refused_rows_than_can_be_their_fault_stop_the_partition() {
    let world = World::new().await;
    world.owner.batch_execute(REFUSE).await.unwrap();
    let mut config = world.config();
    config.store.refused_rows_max = 20;
    // One partition has the bad ones, and others have good ones.
    let bad: Vec<Reading> = (0..200).map(|number| reading("bad", number, 666.0)).collect();
    let good: Vec<Reading> = (0..200).map(|number| reading(&meter(number), 0, 1.0)).collect();
    world.kafka.send(bad.iter().chain(&good));
    let sink = world.start(config);
    sink.not_ready("it isn't the rows that are wrong").await;
    assert_eq!(world.count("SELECT count(*) FROM dead_letter").await, 0);
    // The other partitions go on.
    let elsewhere = "SELECT least(count(*), 1) FROM sink_outcome WHERE topic LIKE 'readings%' AND stored > 0";
    world.wait_count(elsewhere, 1).await;
    world.owner.batch_execute("ALTER TABLE reading DROP CONSTRAINT no_666").await.unwrap();
    let sink = sink.ready().await;
    world.wait_stored().await;
    let expected = Totals { stored: 400, ..Totals::default() };
    assert_eq!(world.readings().await, expected);
    sink.stop().await;
}

/// A small batch has few rows, and most of them are refused: then it isn't the rows that are wrong either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_small_batch_few_refused_rows_are_too_many() {
    let world = World::new().await;
    let column = "ALTER TABLE reading ADD COLUMN newer integer NOT NULL DEFAULT 0; \
        ALTER TABLE reading ALTER COLUMN newer DROP DEFAULT";
    world.owner.batch_execute(column).await.unwrap();
    let readings: Vec<Reading> = (0..30).map(|number| reading("m", number, 1.0)).collect();
    world.kafka.send(&readings);
    let sink = world.start(world.config());
    sink.not_ready("it isn't the rows that are wrong").await;
    assert_eq!(world.count("SELECT count(*) FROM dead_letter").await, 0);
    world.owner.batch_execute("ALTER TABLE reading DROP COLUMN newer").await.unwrap();
    let sink = sink.ready().await;
    world.wait_stored().await;
    assert_eq!(world.readings().await, Totals { stored: 30, ..Totals::default() });
    sink.stop().await;
}

/// A database that is too slow for a whole batch within `statement_timeout` gets half of it, and half of that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_takes_too_long_is_halved() {
    let world = World::new().await;
    let slow = format!(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.01); RETURN NEW; END'; \
         CREATE TRIGGER slow BEFORE INSERT ON reading FOR EACH ROW EXECUTE FUNCTION slow(); \
         ALTER ROLE wattline_sink IN DATABASE {} SET statement_timeout = '1s'",
        world.database
    );
    world.owner.batch_execute(&slow).await.unwrap();
    let readings: Vec<Reading> = (0..400).map(|number| reading("m", number, 1.0)).collect();
    world.kafka.send(&readings);
    let sink = world.start(world.config()).ready().await;
    world.wait_stored().await;
    assert_eq!(world.readings().await, Totals { stored: 400, ..Totals::default() });
    sink.stop().await;
}
