//! Several brokers: each on its own, whatever becomes of the others.

use serde_json::json;
use wattline_localstack::Stack;
use wattline_mqtt_ingest::Config;
use wattline_mqtt_ingest::config::BrokerSettings;

use crate::fixture::{Ingest, World, another_broker, payload, quiet};

const COUNT: u64 = 300;

/// One `[[broker]]`. Tests share a stack: a client id is a world's own.
fn broker(world: &World, name: &str, stack: &Stack, password_of: &str) -> BrokerSettings {
    let serde_json::Value::Object(mqtt) = json!({
        "url": stack.mqtt_url(),
        "client_id": format!("{}-{name}", world.name),
        "password_file": stack.mqtt_password_file(password_of),
        "connect_timeout_ms": 1000,
        "keep_alive_s": 5,
    }) else {
        panic!("an object")
    };
    BrokerSettings { name: name.to_owned(), families: None, routes: None, mqtt }
}

/// Two good ones, and one whose password is another user's.
fn three(world: &World, second: &Stack) -> Config {
    let first = world.stack;
    Config {
        broker: vec![
            broker(world, "first", first, "ingest"),
            broker(world, "second", second, "ingest"),
            broker(world, "refusing", first, "meters"),
        ],
        ..world.config()
    }
}

fn settled(ingest: &Ingest, name: &str) -> u64 {
    ingest.sum_of("forwarded_total", "broker", name)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_frozen_down_or_refuses_holds_up_no_other() {
    let world = quiet("brokers").await;
    let second = another_broker().await;
    let ingest = Ingest::begin(three(&world, &second));
    let connected = |name| ingest.sum_of("connected", "broker", name) == 1;
    ingest.until("two of them", || connected("first") && connected("second")).await;
    ingest.until("ready", || ingest.context.ready.is_ready()).await;
    let reduced = || ingest.context.ready.reduced().join("; ");
    let refused = || reduced().contains("refusing: ") && reduced().contains("mqtt.password_file");
    ingest.until("the third is named with its cause", refused).await;
    assert!(!reduced().contains("second"), "{}", reduced());

    let mut at_first = world.publisher().await;
    let mut at_second = world.publisher_at(&second).await;
    let message = |meter| (world.topic(meter), payload(meter));
    at_first.publish((0..COUNT).map(message)).await;
    at_second.publish((COUNT..2 * COUNT).map(message)).await;
    ingest.until_settled(2 * COUNT).await;
    assert_eq!((settled(&ingest, "first"), settled(&ingest, "second")), (COUNT, COUNT));

    second.mosquitto().freeze().await.unwrap();
    at_first.publish((2 * COUNT..3 * COUNT).map(message)).await;
    ingest.until("the first goes on beside a frozen one", || settled(&ingest, "first") == 2 * COUNT).await;
    second.mosquitto().kill().await.unwrap();
    at_first.publish((3 * COUNT..4 * COUNT).map(message)).await;
    ingest.until("the first goes on beside a dead one", || settled(&ingest, "first") == 3 * COUNT).await;
    ingest.until("the second is named", || reduced().contains("second: ")).await;
    assert!(ingest.context.ready.is_ready());
    ingest.assert_equation();

    second.mosquitto().start().await.unwrap();
    ingest.until("the second is back", || connected("second")).await;
    let mut at_second = world.publisher_at(&second).await;
    at_second.publish((4 * COUNT..5 * COUNT).map(message)).await;
    world.readings_of_all(5 * COUNT).await;
    ingest.until("all", || settled(&ingest, "second") >= 2 * COUNT && ingest.sum("in_flight") == 0).await;
    ingest.assert_equation();
    assert!(!connected("refusing") && ingest.sum_of("connections_lost_total", "cause", "refused") >= 1);
    ingest.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_has_its_own_routes() {
    let world = quiet("own-routes").await;
    let second = another_broker().await;
    let mut config = world.config();
    let mut other = config.routes[0].clone();
    other.meter_id = Some("{2}-second-{3}".to_owned());
    config.broker = vec![
        broker(&world, "first", world.stack, "ingest"),
        BrokerSettings { routes: Some(vec![other]), ..broker(&world, "second", &second, "ingest") },
    ];
    let ingest = world.start(config).await;
    let connected = || ingest.sum("connected") == 2;
    ingest.until("both", connected).await;
    world.publisher().await.publish([(world.topic("m"), payload(1))]).await;
    world.publisher_at(&second).await.publish([(world.topic("m"), payload(2))]).await;
    ingest.until_settled(2).await;
    ingest.stop().await.unwrap();
    let by_meter = world.readings_by_meter(2).await;
    let ids: Vec<_> = by_meter.keys().cloned().collect();
    assert_eq!(ids, [world.meter_id("m"), world.meter_id("second-m")]);
}
