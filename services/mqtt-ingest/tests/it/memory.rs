//! With Kafka away and a broker that goes on sending, memory stays within what `config/mqtt-ingest.toml` says.

use std::path::Path;
use std::time::Duration;

use rumqttc::QoS;
use wattline_localstack::{ServiceKind, poll_until, rss_bytes};

use crate::fixture::{PATIENCE, faulty, sum};

/// 60 MiB + 2 × 64 MiB + 100,000 × 0.6 KiB, with the default window.
const RSS_BYTES_MAX: u64 = (60 + 128 + 59) * 1024 * 1024;

/// QoS 0 has no flow control, and a dead letter costs its payload twice: the quickest way to fill its half of the window. The
/// other half is filled at QoS 1.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_without_kafka_stays_within_the_stated_memory() {
    let world = faulty("memory").await;
    let program = Path::new(env!("CARGO_BIN_EXE_wattline-mqtt-ingest"));
    let own = [("MQTT__GROUP", "memory"), ("MQTT__CLIENT_ID", "ingest-memory")]
        .map(|(name, value)| (format!("WATTLINE__{name}"), value.to_owned()));
    let process =
        world.stack.start_service(ServiceKind::MqttIngest, 0, program.parent().unwrap(), &own).unwrap();
    process.wait_ready().await.unwrap();
    world.stack.kafka().freeze().await.unwrap();
    let mut publisher = world.publisher().await;
    let garbage = vec![b'x'; 3000];
    let mut rss_max = 0;
    let mut text = String::new();
    for round in 0..40_000 {
        publisher
            .publish_one(format!("wattline/memory-{}/reading", round % 100), &garbage, QoS::AtMostOnce, false)
            .await;
        if round % 1000 == 0 {
            rss_max = rss_max.max(rss_bytes(process.pid().unwrap()));
            text = process.metrics().await.unwrap();
            if sum(&text, "shed_total") > 1000 {
                break;
            }
        }
    }
    // The broker may be far ahead of a service that gets little of the processor.
    let half = poll_until("a full half of the window", PATIENCE, Duration::from_millis(100), async || {
        rss_max = rss_max.max(rss_bytes(process.pid().unwrap()));
        text = process.metrics().await?;
        Ok((sum(&text, "shed_total") > 1000).then_some(()))
    });
    half.await.unwrap();
    let bytes = sum(&text, "in_flight_size");
    assert!((30_000_000..=32 * 1024 * 1024).contains(&bytes), "{bytes}");
    let full = poll_until("a full window", PATIENCE, Duration::from_millis(20), async || {
        let topic = |number| format!("wattline/memory-{number}/reading");
        publisher.publish((0..100).map(|number| (topic(number), garbage.clone()))).await;
        rss_max = rss_max.max(rss_bytes(process.pid().unwrap()));
        text = process.metrics().await?;
        Ok((sum(&text, "in_flight_size") >= 60_000_000).then_some(()))
    });
    full.await.unwrap();
    let bytes = sum(&text, "in_flight_size");
    assert!((60_000_000..=64 * 1024 * 1024).contains(&bytes), "{bytes}");
    assert!(rss_max <= RSS_BYTES_MAX, "{rss_max} bytes resident, at most {RSS_BYTES_MAX}");

    world.stack.kafka().thaw().await.unwrap();
    let settled = poll_until("an empty window", PATIENCE, Duration::from_millis(100), async || {
        Ok((sum(&process.metrics().await?, "in_flight") == 0).then_some(()))
    });
    settled.await.unwrap();
    process.stop().await.unwrap();
}
