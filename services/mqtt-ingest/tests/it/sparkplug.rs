//! Sparkplug: aliases come without their names after a restart, and the node is asked for them.

use rumqttc::{AsyncClient, Event, EventLoop, Incoming, MqttOptions, Publish, QoS};

use crate::fixture::{PATIENCE, World, quiet};

const NODE: &str = "edge";

/// A payload of `sparkplug_b.proto` with one metric: its name or none, its alias, its value.
fn payload(name: Option<&str>, alias: u8, power_w: f64) -> Vec<u8> {
    const DOUBLE: u8 = 10;
    let mut metric = Vec::new();
    if let Some(name) = name {
        metric.extend([0x0a, u8::try_from(name.len()).unwrap()]);
        metric.extend(name.bytes());
    }
    metric.extend([0x10, alias, 0x20, DOUBLE, 0x69]);
    metric.extend(power_w.to_le_bytes());
    let mut payload = vec![0x12, u8::try_from(metric.len()).unwrap()];
    payload.extend(metric);
    payload
}

fn topic(kind: &str) -> String {
    format!("spBv1.0/rebirth/{kind}/{NODE}")
}

/// The node's ear.
async fn listen(world: &World, filter: &str) -> (AsyncClient, EventLoop) {
    let address = world.stack.mosquitto().address();
    let password = std::fs::read_to_string(world.stack.mqtt_password_file("observer")).unwrap();
    let mut options = MqttOptions::new("rebirth-node", (address.ip().to_string(), address.port()));
    options.set_credentials("observer", password.trim_end().to_owned()).set_clean_start(true);
    let (client, mut eventloop) = AsyncClient::builder(options).capacity(10).build();
    client.try_subscribe(filter, QoS::AtLeastOnce).unwrap();
    while !matches!(eventloop.poll().await.unwrap(), Event::Incoming(Incoming::SubAck(_))) {}
    (client, eventloop)
}

async fn heard(eventloop: &mut EventLoop) -> Publish {
    let heard = tokio::time::timeout(PATIENCE, async {
        loop {
            if let Event::Incoming(Incoming::Publish(publish)) = eventloop.poll().await.unwrap() {
                return publish;
            }
        }
    });
    heard.await.expect("a command in time")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_aliases_are_not_known_is_asked_for_its_birth() {
    let world = quiet("rebirth").await;
    let mut config = world.config();
    config.families = vec!["sparkplug".to_owned()];
    config.mqtt.sparkplug_rebirth = true;
    let mut node = world.publisher().await;
    let (_ear, mut commands) = listen(&world, &topic("NCMD")).await;

    let ingest = world.start(config.clone()).await;
    node.publish([(topic("NBIRTH"), payload(Some("Active Power"), 7, 100.0))]).await;
    node.publish([(topic("NDATA"), payload(None, 7, 101.0))]).await;
    ingest.until_settled(2).await;
    assert_eq!(ingest.sum("dead_lettered_total"), 0, "{}", ingest.door());
    ingest.stop().await.unwrap();

    let ingest = world.start(config).await;
    for power_w in [102.0, 103.0] {
        node.publish([(topic("NDATA"), payload(None, 7, power_w))]).await;
    }
    let command = heard(&mut commands).await;
    assert_eq!(command.topic, topic("NCMD").as_bytes());
    let words = b"Node Control/Rebirth";
    assert!(command.payload.windows(words.len()).any(|part| part == words), "{command:?}");
    node.publish([(topic("NBIRTH"), payload(Some("Active Power"), 7, 104.0))]).await;
    node.publish([(topic("NDATA"), payload(None, 7, 105.0))]).await;
    ingest.until_settled(4).await;
    assert_eq!(ingest.sum("dead_lettered_total"), 2, "{}", ingest.door());
    assert_eq!(ingest.sum("rebirths_asked_total"), 1, "once a minute");
    ingest.stop().await.unwrap();
}
