//! Promise: whatever clock is wrong beside the readings' own, a client sees what is: Kafka's, and that of its own device.

use chrono::TimeDelta;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use serde_json::{Value, json};
use wattline_reading::{Timestamp, topics};

use crate::browser::Browser;
use crate::fixture::{Env, minutes_ago, reading, run, run_alone};
use crate::socket::Socket;

const HOURS_MS: i64 = 7_200_000;

fn power(reading: &Value) -> f64 {
    reading["powerW"].as_f64().unwrap()
}

/// Records carry whatever time their producer says, as if Kafka's clock were there.
async fn stamped_by_producers(env: &Env) {
    let brokers = env.stack.kafka_brokers();
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", brokers).create().unwrap();
    let topic = AlterConfig::new(ResourceSpecifier::Topic(topics::READINGS.name))
        .set("message.timestamp.type", "CreateTime")
        .set("message.timestamp.after.max.ms", "86400000");
    let answers = admin.alter_configs(&[topic], &AdminOptions::new()).await.unwrap();
    answers[0].as_ref().unwrap();
    // Brokers learn of it a little later.
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
}

#[test]
fn a_kafka_whose_clock_is_hours_off_brings_every_reading_once() {
    run_alone(async {
        let env = Env::start().await;
        stamped_by_producers(&env).await;
        for (meter, off_ms) in [("kafka-behind", -HOURS_MS), ("kafka-ahead", HOURS_MS)] {
            let rows = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
            let rows: Vec<_> = (1..)
                .zip(rows)
                .map(|(minute, power_w)| reading(meter, minutes_ago(7 - minute), power_w))
                .collect();
            let record_ms = Some(Timestamp::now().micros() / 1000 + off_ms);
            let mut places = Vec::new();
            for row in &rows[..5] {
                places.push(env.publish_stamped(row, record_ms).await);
            }
            // The sink is two readings behind.
            let (partition, offset) = places[2];
            env.store(&rows[..3], Some((partition, offset + 1))).await;
            // One that begins now looks in Kafka for the last minutes.
            let api = env.api(|_| {}).await;
            let mut socket = Socket::open(&api).await;
            socket.follow("1", meter, 100, None).await;
            let snapshot = socket.expect("LiveSnapshot").await;
            let mut seen: Vec<f64> = snapshot["readings"].as_array().unwrap().iter().map(power).collect();
            env.publish_stamped(&rows[5], record_ms).await;
            while seen.len() < 6 {
                seen.push(power(&socket.expect("LiveReading").await["reading"]));
            }
            assert_eq!(seen, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0], "{meter}");
        }
    });
}

#[test]
fn the_page_goes_by_the_servers_clock_whatever_its_device_believes() {
    run(async |env| {
        let now = Timestamp::now().to_chrono();
        env.store(&[reading("device-fresh", now, 321.0)], None).await;
        env.store(&[reading("device-gone", now - TimeDelta::minutes(50), 321.0)], None).await;
        let state = "document.getElementById('power-flow').dataset.meter";
        for off_ms in [HOURS_MS, -HOURS_MS] {
            let mut browser = Browser::start().await;
            let wrong = format!("{{ const right = Date.now; Date.now = () => right() + {off_ms}; }}");
            browser.call("Page.addScriptToEvaluateOnNewDocument", json!({"source": wrong})).await;
            browser.open(&env.api.url("/?meter=device-fresh")).await;
            browser.wait(&format!("{state} === 'live'")).await;
            let age = "document.getElementById('power-age').textContent";
            browser.wait(&format!("/^(just now|[0-9]+ s ago|[0-9] min ago)/.test({age})")).await;
            browser.open(&env.api.url("/?meter=device-gone")).await;
            browser.wait(&format!("{state} === 'silent'")).await;
            assert!(browser.errors.is_empty(), "{:?}", browser.errors);
        }
    });
}
