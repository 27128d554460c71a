//! What can't become readings goes to the dead letters whole, and blocks nothing behind it.

use std::sync::Arc;

use rumqttc::QoS;
use wattline_mqtt_ingest::produce::{Deliveries, Producer};
use wattline_reading::dead_letter::TEXT_BYTES_MAX;
use wattline_reading::topics::PACKET_BYTES_MAX;
use wattline_reading::wire::encode_dead_letter;
use wattline_reading::{DeadLetter, Timestamp};

use crate::fixture::{PATIENCE, payload, quiet};

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_message_is_kept_whole_with_its_reason() {
    let world = quiet("letters").await;
    let mut config = world.config();
    // Wider than the routes: what no route takes must be seen, too.
    config.mqtt.filters = vec!["wattline/letters/#".to_owned()];
    let ingest = world.start(config).await;
    let mut publisher = world.publisher().await;
    let large = vec![b'x'; 100 * 1024];
    let cases: [(String, &[u8], &str); 5] = [
        (world.topic("garbage"), b"\xff\x00 garbage", "malformed"),
        (world.topic("large"), &large, "payload_too_large"),
        (world.topic("implausible"), br#"{"power_w":1e9}"#, "power_implausible"),
        (world.topic("late"), br#"{"ts":"yesterday","power_w":1}"#, "ts_unreadable"),
        ("wattline/letters/elsewhere".to_owned(), b"{}", "no_route"),
    ];
    for (topic, payload, _) in &cases {
        publisher.publish([(topic.clone(), *payload)]).await;
    }
    publisher.publish([(world.topic("good"), payload(1))]).await;
    ingest.until_settled(6).await;
    assert_eq!(ingest.sum("dead_lettered_total"), 5, "{}", ingest.door());
    assert_eq!(ingest.sum("acknowledged_total"), 6, "a dead letter is acknowledged");
    ingest.stop().await.unwrap();

    let letters = world.dead_letters(5).await;
    assert_eq!(letters.len(), 5);
    for (topic, payload, reason) in &cases {
        let letter = letters.iter().find(|letter| letter.mqtt_topic == *topic).unwrap();
        assert_eq!(letter.payload, *payload, "{topic}");
        assert_eq!(letter.reason, *reason, "{topic}: {}", letter.detail);
        assert!(!letter.detail.is_empty() && !letter.retained, "{topic}");
        let route = (*reason != "no_route").then(|| "wattline/letters/+/reading".to_owned());
        assert_eq!((letter.route.clone(), letter.broker.as_deref()), (route, Some("mqtt")), "{topic}");
    }
    assert_eq!(world.readings_by_meter(1).await.len(), 1);
}

/// One publisher of garbage fills no disk, and takes nothing from the letters of others.
#[tokio::test(flavor = "multi_thread")]
async fn letters_of_one_prefix_have_a_quota() {
    let world = quiet("quota").await;
    let mut config = world.config();
    // A quarter of it for each prefix: seven letters of a mebibyte.
    config.dead_letters.bytes_per_hour_max = 32 << 20;
    let ingest = world.start(config).await;
    let mut publisher = world.publisher().await;
    let garbage = vec![b'x'; 1 << 20];
    for _ in 0..10 {
        publisher.publish([(world.topic("evil"), garbage.clone())]).await;
    }
    publisher.publish([(world.topic("other"), b"garbage".to_vec())]).await;
    publisher.publish([(world.topic("good"), payload(1))]).await;
    ingest.until("12 acknowledged", || ingest.sum("acknowledged_total") == 12).await;
    ingest.assert_equation();
    assert_eq!(ingest.sum("dead_lettered_total"), 8, "{}", ingest.door());
    assert_eq!(ingest.sum_of("shed_total", "cause", "letter_quota"), 3, "{}", ingest.door());
    ingest.stop().await.unwrap();
    let letters = world.dead_letters(8).await;
    assert_eq!(letters.iter().filter(|letter| letter.mqtt_topic == world.topic("other")).count(), 1);
    assert_eq!(world.readings_by_meter(1).await.len(), 1);
}

/// Mosquitto of the stack takes packets up to 3 MiB, so this is the largest that can come.
#[tokio::test(flavor = "multi_thread")]
async fn the_largest_packet_of_the_broker_is_a_dead_letter_too() {
    let world = quiet("largest").await;
    let ingest = world.start(world.config()).await;
    let mut publisher = world.publisher().await;
    let largest = vec![b' '; 3_145_000];
    publisher.publish([(world.topic("m"), largest.clone())]).await;
    ingest.until_settled(1).await;
    ingest.stop().await.unwrap();
    assert_eq!(world.dead_letters(1).await[0].payload, largest);
}

/// Another broker may let more through, up to what the service tells it: Kafka takes that, too.
#[tokio::test(flavor = "multi_thread")]
async fn kafka_takes_the_largest_dead_letter_that_can_be() {
    let world = quiet("huge").await;
    let config = world.config();
    let deliveries = Arc::new(Deliveries::default());
    let producer =
        Producer::new(&config.kafka, &config.produce, &config.window, Arc::clone(&deliveries)).unwrap();
    // A topic has up to 65,535 bytes, and is a part of the packet.
    let topics = [world.topic("huge"), world.topic("huge"), "x/".to_owned() + &"€".repeat(21_600)];
    for (sequence, topic) in (0..).zip(&topics) {
        let bytes = [2 * 1024 * 1024, PACKET_BYTES_MAX + 1024, PACKET_BYTES_MAX - topic.len()][sequence];
        let sequence = sequence as u64;
        let text = "x".repeat(TEXT_BYTES_MAX);
        let letter = DeadLetter {
            mqtt_topic: topic.clone(),
            // Random: Kafka's limit counts what is left after compression.
            payload: std::iter::repeat_with(rand::random).take(bytes).collect(),
            reason: "payload_too_large".to_owned(),
            detail: text.clone(),
            received_at: Timestamp::now(),
            retained: false,
            route: Some(text.clone()),
            broker: Some(text),
        };
        let mut value = Vec::new();
        encode_dead_letter(&letter, &mut value);
        producer.send_dead_letter(sequence, topic.as_bytes(), &value);
        tokio::time::timeout(PATIENCE, deliveries.wait()).await.expect("an answer of Kafka");
        let mut answers = Vec::new();
        deliveries.take(&mut answers);
        assert_eq!(answers.len(), 1);
        assert_eq!((answers[0].tag.sequence, answers[0].error), (sequence, None), "{bytes} bytes");
    }
    tokio::task::spawn_blocking(move || drop(producer)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_payload_is_no_error() {
    let world = quiet("empty").await;
    let ingest = world.start(world.config()).await;
    let mut publisher = world.publisher().await;
    publisher.publish_one(world.topic("m"), b"", QoS::AtLeastOnce, false).await;
    publisher.publish([(world.topic("m"), payload(1))]).await;
    ingest.until_settled(2).await;
    assert_eq!(ingest.sum("ignored_total"), 1);
    assert_eq!(ingest.sum("acknowledged_total"), 2);
    ingest.stop().await.unwrap();
}
