//! Who is thrown out of the group comes back: a client for good, which is replaced by a new one, and one that was late
//! while its writer was busy. Nothing is lost or doubled.

use std::path::Path;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use wattline_localstack::{Port, poll_until};
use wattline_service::KafkaSettings;

use crate::world::{DEADLINE, Stream, World, meter, reading, start_process};

/// Without the new client the sink ended here: `FencedInstanceId` is fatal to the library's client. Kafka says it of
/// a member whose id another one has joined with, and after some restarts of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_was_thrown_out_comes_back_by_itself() {
    let world = World::new().await;
    let mut config = world.config();
    config.kafka.instance_id = Some(format!("{}-member", world.kafka.readings));
    let stream = Stream::start(&world, 1000);
    let sink = world.start(config.clone()).ready().await;
    let namesake = config.clone();
    tokio::task::spawn_blocking(move || join_as(&namesake)).await.unwrap();
    sink.not_ready("can't go on").await;
    let sink = sink.ready().await;
    let sent = stream.stop();
    world.wait_stored().await;
    world.check_stored_once(sent).await;
    sink.stop().await;
}

/// A batch is full and waits for its writer, so its partitions pause; then all of them are taken away, and the batch is
/// empty. The pause must end with it.
///
/// Seen to fail without the guard: with `Consuming::hand_over` going on only when a batch was handed over, nothing is
/// read any more and `wait_stored` gives up after its minute.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_ends_when_the_group_takes_the_partitions_away() {
    let world = World::new().await;
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut config = world.config();
    config.service.admin_listen = Port::choose(None).unwrap().address();
    config.batch.writers = 1;
    config.batch.rows_max = 1000;
    config.store.lock_timeout_ms = 60_000;
    let sink = start_process(&config, log.path());
    sink.wait_ready().await.unwrap();

    // A writer that is busy for long: its statement waits for this lock.
    world.owner.batch_execute("BEGIN; LOCK TABLE stream_offset IN SHARE MODE").await.unwrap();
    let readings: Vec<_> = (0..100)
        .flat_map(|second| (0..100).map(move |number| reading(&meter(number), second, 1.0)))
        .collect();
    world.kafka.send(&readings);
    // One batch is being written, one is ready, one is full; and after a second the partitions pause.
    tokio::time::sleep(Duration::from_secs(4)).await;
    sink.freeze().await.unwrap();
    tokio::time::sleep(Duration::from_millis(u64::from(config.input.session_timeout_ms) + 3000)).await;
    sink.thaw().await.unwrap();
    wait_line(log.path(), "the group takes").await;
    world.owner.batch_execute("COMMIT").await.unwrap();

    world.wait_stored().await;
    assert_eq!(world.count("SELECT count(*) FROM reading").await, 10_000);
    sink.stop().await.unwrap();
}

async fn wait_line(log: &Path, wanted: &str) {
    let what = format!("the log to say: {wanted}");
    poll_until(&what, DEADLINE, Duration::from_millis(50), async || {
        Ok(std::fs::read_to_string(log)?.contains(wanted).then_some(()))
    })
    .await
    .unwrap();
}

/// Joins the group under the first writer's id, until the group has given it something.
fn join_as(config: &wattline_timescale_sink::Config) {
    let settings = KafkaSettings { brokers: config.kafka.brokers.clone(), ..KafkaSettings::default() };
    let consumer: BaseConsumer = settings
        .client_config("namesake")
        .unwrap()
        .set("group.id", &config.input.group)
        .set("group.instance.id", format!("{}-0", config.kafka.instance_id.as_deref().unwrap()))
        .set("session.timeout.ms", config.input.session_timeout_ms.to_string())
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    consumer.subscribe(&[&config.input.readings_topic, &config.input.dead_letters_topic]).unwrap();
    let begun = Instant::now();
    while consumer.assignment().unwrap().count() == 0 {
        let _ = consumer.poll(Duration::from_millis(100));
        assert!(begun.elapsed() < Duration::from_secs(60), "the namesake was never let in");
    }
}
