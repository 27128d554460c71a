//! What Kafka holds is not what was written: it is not taken for readings, and not passed over. The cure is the one that the
//! error names.

use std::time::Duration;

use wattline_localstack::poll_until;
use wattline_localstack::segment;
use wattlinectl::offsets;

use crate::world::{DEADLINE, Totals, World, meter, reading};

/// The meter of all readings here: they are in one partition.
const METER: usize = 0;

/// A bit of a value falls over on the disk of the only replica. Without a look at the checksum it was stored as a reading; with
/// it the client fetches the batch for ever, and neither the lag nor anything else said so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_batch_stops_its_partition_until_a_person_decides() {
    let world = World::new().await;
    send_each(&world, 0, 5);
    damage(&world, 2, |length| length - 8, 0xff);
    let sink = world.start(world.config());
    stored(&world, 2).await;
    let said = "Kafka holds records from offset 2 on and has delivered none for 60 s";
    let missing = || sink.context.ready.missing().into_iter().find(|missing| missing.contains(said));
    let error = poll_until(said, Duration::from_secs(80), Duration::from_millis(100), async || Ok(missing()));
    let error = error.await.unwrap();
    assert_eq!(world.readings().await, Totals { stored: 2, ..Totals::default() });
    // To claim it anew is not to hear of it.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(missing().is_some(), "{:?}", sink.context.ready.missing());

    let done = world.obey(&error).await;
    assert!(done.contains("timescale-sink is at 2 and counts 1 offsets as lost"), "{done}");
    world.wait_stored().await;
    let sink = sink.ready().await;
    assert_eq!(world.readings().await, Totals { stored: 4, lost: 1, ..Totals::default() });
    sink.stop().await;
}

/// Nothing is deleted where everything can be read, however it is asked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_be_read_is_not_skipped() {
    let world = World::new().await;
    let sink = world.start(world.config()).ready().await;
    send_each(&world, 0, 5);
    world.wait_stored().await;
    sink.stop().await;
    send_each(&world, 5, 8);
    let url = world.stack.database_url_of(&world.database, "wattline_operator");
    let partition = world.kafka.ends(&world.kafka.readings).iter().position(|end| *end == 8).unwrap();
    let skip = format!("wattlinectl offsets skip --topic {} --partition {partition}", world.kafka.readings);
    for (more, expected) in [
        ("", "can be read from offset 5 to its end at 8"),
        (" --before 9", "holds offsets 0 to 7"),
        (" --before 0", "holds offsets 0 to 7"),
    ] {
        let refused = offsets::obey(&format!("`{skip}{more}`"), &world.stack.kafka_brokers(), &url).await;
        let refused = format!("{:#}", refused.unwrap_err());
        assert!(refused.contains(expected), "{more}: {refused}");
    }
    let sink = world.start(world.config()).ready().await;
    world.wait_stored().await;
    assert_eq!(world.readings().await, Totals { stored: 8, ..Totals::default() });
    sink.stop().await;
}

async fn stored(world: &World, count: i64) {
    poll_until("readings", DEADLINE, Duration::from_millis(50), async || {
        Ok((world.count("SELECT count(*) FROM reading").await == count).then_some(()))
    })
    .await
    .unwrap();
}

/// Each in a batch of its own.
fn send_each(world: &World, from: i64, to: i64) {
    for second in from..to {
        world.kafka.send(&[reading(&meter(METER), second, 1.0)]);
    }
}

/// Of the meter's partition, where Kafka has it on its disk.
fn damage(world: &World, batch: usize, place: impl Fn(usize) -> usize, bits: u8) {
    let partition = world.kafka.ends(&world.kafka.readings).iter().position(|end| *end == 5).unwrap();
    let partition = i32::try_from(partition).unwrap();
    let broker = world.stack.dir().join(world.stack.kafka().name());
    let file = segment::first_of(&broker, &world.kafka.readings, partition);
    segment::damage(&file, batch, place, bits).unwrap();
}
