//! Records straight into the readings topic, as mqtt-ingest makes them: what the sink alone is measured with.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::DefaultProducerContext;
use rdkafka::producer::{BaseRecord, Producer as _, ThreadedProducer};
use wattline_reading::{Reading, topics, wire};
use wattline_service::kafka::KafkaSettings;

use crate::fleet::samples;
use crate::plan::Plan;
use crate::sample::Sample;

const FLUSH_TIMEOUT: Duration = Duration::from_secs(60);
const QUEUE_FULL_PAUSE: Duration = Duration::from_millis(2);

/// Produces every reading of a plan and returns when Kafka has them all. Blocking.
///
/// # Errors
/// Where Kafka refuses them.
pub fn fill(kafka: &KafkaSettings, plan: &Plan) -> anyhow::Result<()> {
    let producer: ThreadedProducer<DefaultProducerContext> = kafka
        .client_config("wattline-loadtest")?
        .set("partitioner", topics::PARTITIONER)
        .set("compression.type", "lz4")
        .set("enable.idempotence", "true")
        .set("linger.ms", "5")
        .create()
        .context("making a Kafka producer")?;
    let mut value = Vec::with_capacity(256);
    let mut meters: Vec<(String, _)> =
        (0..plan.meters).map(|meter| (plan.meter_id(meter), samples(plan, meter))).collect();
    for _ in 0..plan.readings {
        for (meter_id, samples) in &mut meters {
            let Some(sample) = samples.next() else { continue };
            value.clear();
            wire::encode_reading(&reading(meter_id, &sample), &mut value);
            send(&producer, meter_id, &value)?;
        }
    }
    producer.flush(FLUSH_TIMEOUT).context("waiting until Kafka has all records")
}

fn send(producer: &ThreadedProducer<DefaultProducerContext>, key: &str, value: &[u8]) -> anyhow::Result<()> {
    let mut record = BaseRecord::to(topics::READINGS.name).key(key).payload(value);
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) => {
                std::thread::sleep(QUEUE_FULL_PAUSE);
                record = refused;
            }
            Err((error, _)) => return Err(anyhow!(error).context("producing to the readings topic")),
        }
    }
}

fn reading(meter_id: &str, sample: &Sample) -> Reading {
    Reading::new(meter_id, sample.ts, sample.measures())
}
