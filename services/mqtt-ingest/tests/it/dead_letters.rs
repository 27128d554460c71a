//! What can't become readings goes to the dead letters whole, and blocks nothing behind it.

use rumqttc::QoS;

use crate::fixture::{payload, quiet};

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
        assert_eq!(letter.route, route, "{topic}");
    }
    assert_eq!(world.readings_by_meter(1).await.len(), 1);
}

/// Mosquitto of the stack takes packets up to 256 KiB, so this is the largest that can come.
#[tokio::test(flavor = "multi_thread")]
async fn the_largest_packet_of_the_broker_is_a_dead_letter_too() {
    let world = quiet("largest").await;
    let ingest = world.start(world.config()).await;
    let mut publisher = world.publisher().await;
    let largest = vec![b' '; 261_000];
    publisher.publish([(world.topic("m"), largest.clone())]).await;
    ingest.until_settled(1).await;
    ingest.stop().await.unwrap();
    assert_eq!(world.dead_letters(1).await[0].payload, largest);
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
