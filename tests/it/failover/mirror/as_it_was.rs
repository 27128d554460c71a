//! What a MirrorMaker makes of a record: partition, key, value and headers stay, the largest dead letter included.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Header, Headers as _, Message as _, OwnedHeaders, OwnedMessage};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use wattline_reading::topics::{self, Topic};
use wattline_reading::{DeadLetter, Measures, Reading, Timestamp, partition, wire};
use wattline_tests::sites::Sites;

/// A MirrorMaker on a busy machine takes its time to begin.
const WAIT: Duration = Duration::from_secs(180);
const METERS: usize = 50;
const TRACE: Header<'_, &str> =
    Header { key: "traceparent", value: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01") };

/// Writes into the first site's Kafka, and reads the central one.
pub(super) async fn records_arrive_as_they_were(sites: &Sites) -> anyhow::Result<()> {
    let (from, to) = (sites.sites[0].stack.kafka_brokers(), sites.central.stack.kafka_brokers());
    tokio::task::spawn_blocking(move || -> anyhow::Result<()> {
        write(&from)?;
        let readings = read(&to, topics::READINGS, METERS)?;
        for record in &readings {
            let key = record.key().context("a record without its key")?;
            let own = partition::of_key(key, topics::READINGS.partitions);
            ensure!(record.partition() == own, "{key:?} is in partition {}", record.partition());
            let reading = wire::decode_reading(record.key(), record.payload().unwrap_or_default())?;
            ensure!(reading == reading_of(&reading.meter_id), "{reading:?}");
            let headers = record.headers().context("a record without its headers")?;
            let same = headers.count() == 1 && headers.get_as::<str>(0) == Ok(TRACE);
            ensure!(same, "other headers: {headers:?}");
        }
        let letters = read(&to, topics::DEAD_LETTERS, 1)?;
        let letter = wire::decode_dead_letter(letters[0].payload().unwrap_or_default())?;
        ensure!(letter == largest_letter(), "the dead letter is another one");
        Ok(())
    })
    .await??;
    stored(sites).await
}

/// So that nobody counts them later.
async fn stored(sites: &Sites) -> anyhow::Result<()> {
    let client = sites.target(&sites.sites[0])?.connect().await?;
    let sql = "SELECT (SELECT count(*) FROM reading) + (SELECT count(*) FROM dead_letter)";
    let wanted = i64::try_from(METERS)? + 1;
    sites
        .central
        .wait_for("these to be stored", async || {
            Ok(client.query_one(sql, &[]).await?.get::<_, i64>(0) == wanted)
        })
        .await
}

fn reading_of(meter_id: &str) -> Reading {
    let measures = Measures { power_w: Some(1.0), ..Measures::default() };
    let at = Timestamp::from_micros(1_795_168_800_000_000);
    Reading { received_at: at, ..Reading::new(meter_id, at, measures) }
}

/// Of a message as large as a broker may send, which no compression makes smaller.
fn largest_letter() -> DeadLetter {
    let mut state = 1_u32;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    });
    DeadLetter {
        mqtt_topic: "wattline/largest/reading".to_owned(),
        payload: noise.take(topics::PACKET_BYTES_MAX).collect(),
        reason: "malformed".to_owned(),
        detail: "the largest".to_owned(),
        received_at: Timestamp::from_micros(1_795_168_800_000_000),
        retained: false,
        route: None,
        broker: None,
    }
}

fn write(brokers: &str) -> anyhow::Result<()> {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("partitioner", topics::PARTITIONER)
        .set("message.max.bytes", topics::RECORD_BYTES_MAX.to_string())
        .create()?;
    let mut value = Vec::new();
    for meter in 0..METERS {
        let reading = reading_of(&format!("as-it-was-{meter}"));
        value.clear();
        wire::encode_reading(&reading, &mut value);
        let headers = OwnedHeaders::new_with_capacity(1).insert(TRACE);
        let record = BaseRecord::to(topics::READINGS.name).key(&reading.meter_id).payload(&value);
        producer.send(record.headers(headers)).map_err(|(error, _)| error)?;
    }
    let letter = largest_letter();
    value.clear();
    wire::encode_dead_letter(&letter, &mut value);
    let record = BaseRecord::to(topics::DEAD_LETTERS.name).key(&letter.mqtt_topic).payload(&value);
    producer.send(record).map_err(|(error, _)| error)?;
    producer.flush(WAIT).context("writing into the site's Kafka")
}

/// The first records of a topic.
fn read(brokers: &str, topic: Topic, count: usize) -> anyhow::Result<Vec<OwnedMessage>> {
    let consumer: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", brokers).set("group.id", "as-it-was").create()?;
    let mut list = TopicPartitionList::new();
    for partition in 0..topic.partitions {
        list.add_partition_offset(topic.name, partition, Offset::Beginning)?;
    }
    consumer.assign(&list)?;
    let mut records = Vec::new();
    while records.len() < count {
        let record = consumer.poll(WAIT).with_context(|| {
            format!("{} of {count} records of {} have come over", records.len(), topic.name)
        })?;
        records.push(record?.detach());
    }
    Ok(records)
}
