//! QoS 0 is taken while there is room, shed and counted when there is none, and never blocks QoS 1.

use rumqttc::QoS;

use crate::fixture::{faulty, payload};

#[tokio::test(flavor = "multi_thread")]
async fn qos_0_is_counted_apart_and_shed_when_its_half_of_the_window_is_full() {
    let world = faulty("qos0").await;
    let mut config = world.config();
    config.mqtt.receive_maximum = 16;
    config.window.messages_max = 16;
    let ingest = world.start(config).await;
    let mut publisher = world.publisher().await;
    publisher.publish_one(world.topic("zero"), payload(1).as_bytes(), QoS::AtMostOnce, false).await;
    ingest.until_settled(1).await;
    assert_eq!(ingest.sum("acknowledged_total"), 0, "QoS 0 has no ack");

    world.stack.kafka().freeze().await.unwrap();
    for number in 0..40 {
        let topic = world.topic(format!("shed-{number}"));
        publisher.publish_one(topic, payload(number).as_bytes(), QoS::AtMostOnce, false).await;
    }
    ingest.until("40 more received", || ingest.sum("received_total") == 41).await;
    assert_eq!((ingest.sum("in_flight"), ingest.sum("shed_total")), (8, 32), "{}", ingest.door());
    ingest.assert_equation();
    // QoS 1 has the other half, whatever comes at QoS 0 beside it.
    for number in 0..8 {
        publisher.publish_one(world.topic(number), payload(number).as_bytes(), QoS::AtLeastOnce, false).await;
        let topic = world.topic(format!("shed-{number}"));
        publisher.publish_one(topic, payload(number).as_bytes(), QoS::AtMostOnce, false).await;
    }
    ingest.until("16 more received", || ingest.sum("received_total") == 57).await;
    assert_eq!((ingest.sum("in_flight"), ingest.sum("shed_total")), (16, 40), "{}", ingest.door());
    world.stack.kafka().thaw().await.unwrap();
    ingest.until_settled(17).await;
    assert_eq!(ingest.sum("acknowledged_total"), 8);
    assert_eq!(ingest.sum("connections_lost_total"), 0, "{}", ingest.door());
    ingest.stop().await.unwrap();
}
