//! Kafka topics: created where they are missing, checked where they exist.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, ConfigEntry, ConfigResource, ConfigSource, NewTopic,
    ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::metadata::MetadataTopic;
use rdkafka::types::RDKafkaErrorCode;
use wattline_reading::topics::{ALL, RECORD_BYTES_MAX, TIMESTAMP_TYPE, Topic};
use wattline_service::KafkaSettings;

const TIMEOUT: Duration = Duration::from_secs(15);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Creates all topics on `brokers`, without security.
///
/// # Errors
/// As [`create_with`].
pub async fn create(brokers: &str, replication_factor: i32) -> anyhow::Result<()> {
    let settings = KafkaSettings { brokers: brokers.to_owned(), ..KafkaSettings::default() };
    create_with(&settings, replication_factor).await.map(drop)
}

/// Creates all topics that are missing, and checks the others, whose records the broker's clock stamps from now on; gives a line for each. In the end all brokers know all topics.
///
/// # Errors
/// Where Kafka can't be reached or refuses, or an existing topic has other partitions or takes too small records.
pub async fn create_with(settings: &KafkaSettings, replication_factor: i32) -> anyhow::Result<Vec<String>> {
    let admin: AdminClient<DefaultClientContext> =
        settings.client_config("wattlinectl")?.create().context("cannot make a Kafka client")?;
    let mut lines = Vec::new();
    for topic in ALL {
        lines.push(create_one(&admin, topic, replication_factor, &settings.brokers).await?);
    }
    lines.extend(known_to_all_brokers(&admin, settings).await?);
    Ok(lines)
}

/// A broker learns a moment later what another one made; a service that asks it meanwhile finds no topic. Gives a line
/// for each broker that doesn't answer: it learns of them when it is back.
async fn known_to_all_brokers(
    admin: &AdminClient<DefaultClientContext>,
    settings: &KafkaSettings,
) -> anyhow::Result<Vec<String>> {
    let metadata = admin.inner().fetch_metadata(None, TIMEOUT).context("cannot read the list of brokers")?;
    let deadline = Instant::now() + TIMEOUT;
    let mut lines = Vec::new();
    for broker in metadata.brokers() {
        let address = format!("{}:{}", broker.host(), broker.port());
        loop {
            match missing_at(settings, &address) {
                Ok(None) => break,
                Ok(Some(_)) if Instant::now() < deadline => tokio::time::sleep(LOOK_AGAIN).await,
                Ok(Some(missing)) => {
                    bail!(
                        "the broker {address} does not know the topic {missing}: is it one of this cluster?"
                    )
                }
                Err(error) => {
                    lines.push(format!("the broker {address} does not answer: {error:#}"));
                    break;
                }
            }
        }
    }
    Ok(lines)
}

/// The first topic that this broker names no leader for. A client's first question goes to the broker it was told.
fn missing_at(settings: &KafkaSettings, address: &str) -> anyhow::Result<Option<&'static str>> {
    let settings = KafkaSettings { brokers: address.to_owned(), ..settings.clone() };
    let client: AdminClient<DefaultClientContext> = settings.client_config("wattlinectl")?.create()?;
    for topic in ALL {
        let metadata = client.inner().fetch_metadata(Some(topic.name), TIMEOUT)?;
        let partitions = metadata.topics().first().map(MetadataTopic::partitions).unwrap_or_default();
        if partitions.is_empty() || partitions.iter().any(|partition| partition.leader() < 0) {
            return Ok(Some(topic.name));
        }
    }
    Ok(None)
}

async fn create_one(
    admin: &AdminClient<DefaultClientContext>,
    topic: Topic,
    replication_factor: i32,
    brokers: &str,
) -> anyhow::Result<String> {
    let (retention, bytes_max) = (topic.retention_ms.to_string(), RECORD_BYTES_MAX.to_string());
    let in_sync = (replication_factor - 1).max(1).to_string();
    let new = NewTopic::new(topic.name, topic.partitions, TopicReplication::Fixed(replication_factor))
        .set("retention.ms", &retention)
        .set("max.message.bytes", &bytes_max)
        .set("min.insync.replicas", &in_sync)
        .set(TIMESTAMP_TYPE.0, TIMESTAMP_TYPE.1);
    let options = AdminOptions::new().request_timeout(Some(TIMEOUT)).operation_timeout(Some(TIMEOUT));
    let outcome = admin.create_topics([&new], &options).await.with_context(|| {
        format!("Kafka at {brokers} did not answer: is it running, and is --brokers right?")
    })?;
    match outcome.into_iter().next() {
        Some(Ok(name)) => Ok(format!("created topic {name} with {} partitions", topic.partitions)),
        Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => check(admin, topic).await,
        Some(Err((name, error))) => bail!("Kafka at {brokers} refuses to create topic {name}: {error}"),
        None => bail!("Kafka at {brokers} gave no answer for topic {}", topic.name),
    }
}

async fn check(admin: &AdminClient<DefaultClientContext>, topic: Topic) -> anyhow::Result<String> {
    let name = topic.name;
    let partitions = partitions(admin, name).await?;
    if i32::try_from(partitions) != Ok(topic.partitions) {
        bail!(
            "topic {name} has {partitions} partitions, must have {}: its keys would move; delete it if it is \
             empty, else write to the next version of the topic",
            topic.partitions
        );
    }
    let resources = admin.describe_configs(&[ResourceSpecifier::Topic(name)], &AdminOptions::new()).await;
    let mut resources = resources.context("cannot read the topic's configuration")?.into_iter();
    let exists = format!("topic {name} exists, with {partitions} partitions");
    let Some(Ok(settings)) = resources.next() else { return Ok(exists) };
    let value = |name: &str| settings.get(name).and_then(|entry| entry.value.as_deref());
    let bytes_max = value("max.message.bytes").and_then(|value| value.parse::<usize>().ok());
    if let Some(bytes) = bytes_max.filter(|bytes| *bytes < RECORD_BYTES_MAX) {
        bail!(
            "topic {name} takes records up to {bytes} bytes only: set its max.message.bytes to {RECORD_BYTES_MAX}"
        );
    }
    let (setting, wanted) = TIMESTAMP_TYPE;
    if value(setting).is_none_or(|value| value == wanted) {
        return Ok(exists);
    }
    set(admin, name, &settings, TIMESTAMP_TYPE).await?;
    Ok(format!("{exists}; {setting} is {wanted} now"))
}

/// Changes one setting. Kafka takes all of a topic's own settings at once, so the others are said again.
async fn set(
    admin: &AdminClient<DefaultClientContext>,
    topic: &str,
    settings: &ConfigResource,
    (name, value): (&str, &str),
) -> anyhow::Result<()> {
    let is_own = |entry: &&ConfigEntry| entry.source == ConfigSource::DynamicTopic && entry.name != name;
    let mut altered = AlterConfig::new(ResourceSpecifier::Topic(topic)).set(name, value);
    for entry in settings.entries.iter().filter(is_own) {
        if let Some(value) = &entry.value {
            altered = altered.set(&entry.name, value);
        }
    }
    let answers = admin.alter_configs(&[altered], &AdminOptions::new()).await;
    match answers.with_context(|| format!("cannot set {name} of topic {topic}"))?.into_iter().next() {
        Some(Err((_, error))) => bail!("Kafka refuses to set {name} of topic {topic} to {value}: {error}"),
        _ => Ok(()),
    }
}

/// A broker may not know yet of a topic that another made a moment ago.
async fn partitions(admin: &AdminClient<DefaultClientContext>, name: &str) -> anyhow::Result<usize> {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let metadata = admin.inner().fetch_metadata(Some(name), TIMEOUT).context("cannot read the topic")?;
        let partitions = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
        if partitions > 0 || Instant::now() > deadline {
            return Ok(partitions);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
