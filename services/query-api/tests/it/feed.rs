//! Promise: a feed that is cut off says so, and a feed that begins anew tells every subscriber.

use serde_json::json;
use wattline_localstack::poll_until;

use crate::fixture::{Env, PATIENCE, minutes_ago, reading, run_alone};
use crate::socket::Socket;

#[test]
fn a_frozen_kafka_and_a_recreated_topic_are_seen() {
    run_alone(async {
        let env = Env::start().await;
        let meter = "alone";
        env.store(&[reading(meter, minutes_ago(2), 1.0)], None).await;
        let mut socket = Socket::open(&env.api).await;
        socket.follow("1", meter, 5, None).await;
        socket.expect("LiveSnapshot").await;
        beat_until(&mut socket, true).await;

        env.stack.kafka().freeze().await.unwrap();
        beat_until(&mut socket, false).await;
        let data = env.api.data("{ meter(id: \"alone\") { latest { powerW } } }", json!({})).await;
        assert_eq!(data["meter"]["latest"]["powerW"], 1.0, "queries go on");
        env.stack.kafka().thaw().await.unwrap();
        beat_until(&mut socket, true).await;
        env.publish(&reading(meter, minutes_ago(1), 2.0)).await;
        assert_eq!(socket.expect("LiveReading").await["reading"]["powerW"], 2.0);

        recreate_topic(&env).await;
        assert_eq!(socket.expect("LiveReset").await["resetReason"], "FEED_RESTARTED");
        socket.expect("LiveSnapshot").await;
        let offset = env.publish(&reading(meter, minutes_ago(0), 3.0)).await.1;
        assert_eq!(offset, 0, "a topic with offsets of its own");
        assert_eq!(socket.expect("LiveReading").await["reading"]["powerW"], 3.0);
    });
}

async fn beat_until(socket: &mut Socket, up_to_date: bool) {
    loop {
        let event = socket.any_event().await;
        if event["__typename"] == "LiveHeartbeat" && event["upToDate"] == up_to_date {
            return;
        }
    }
}

async fn recreate_topic(env: &Env) {
    use rdkafka::admin::{AdminClient, AdminOptions};
    use rdkafka::client::DefaultClientContext;
    use wattline_reading::topics::READINGS;
    let settings =
        wattline_service::KafkaSettings { brokers: env.stack.kafka_brokers(), ..Default::default() };
    let admin: AdminClient<DefaultClientContext> = settings.client_config("test").unwrap().create().unwrap();
    admin.delete_topics(&[READINGS.name], &AdminOptions::new()).await.unwrap();
    let (brokers, interval) = (env.stack.kafka_brokers(), std::time::Duration::from_millis(200));
    poll_until("the topic is there again", PATIENCE, interval, async || {
        Ok(wattlinectl::topics::create(&brokers, 1).await.ok())
    })
    .await
    .unwrap();
}
