//! Kafka topics: created where they are missing, checked and set right where they exist.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, ConfigEntry, ConfigResource, ConfigSource, NewTopic,
    ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::metadata::MetadataTopic;
use rdkafka::types::RDKafkaErrorCode;
use wattline_reading::topics::{ALL, CLEANUP_POLICY, RECORD_BYTES_MAX, TIMESTAMP_TYPE, Topic};
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

/// Creates all topics that are missing, and gives the others the settings that they must have; gives a line for each. In the end all brokers know all topics.
///
/// # Errors
/// Where Kafka can't be reached or refuses, or an existing topic has another number of partitions.
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
        .set(TIMESTAMP_TYPE.0, TIMESTAMP_TYPE.1)
        .set(CLEANUP_POLICY.0, CLEANUP_POLICY.1);
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
    if let Some(wrong) = topic.wrong_partitions(partitions) {
        bail!(wrong);
    }
    let resources = admin.describe_configs(&[ResourceSpecifier::Topic(name)], &AdminOptions::new()).await;
    let mut resources = resources.context("cannot read the topic's configuration")?.into_iter();
    let exists = format!("topic {name} exists, with {partitions} partitions");
    let Some(Ok(settings)) = resources.next() else { return Ok(exists) };
    let wrong = wrong(&settings);
    if wrong.is_empty() {
        return Ok(exists);
    }
    set(admin, name, &settings, &wrong).await?;
    let changed: Vec<String> =
        wrong.iter().map(|(setting, value)| format!("{setting} is {value} now")).collect();
    Ok(format!("{exists}; {}", changed.join(", ")))
}

/// What must have another value, and which. A topic may take larger records than it must.
fn wrong(settings: &ConfigResource) -> Vec<(&'static str, String)> {
    let value = |name: &str| settings.get(name).and_then(|entry| entry.value.as_deref());
    let bytes_max = value("max.message.bytes").and_then(|value| value.parse::<usize>().ok());
    let too_small = bytes_max.filter(|bytes| *bytes < RECORD_BYTES_MAX);
    let bytes_max = too_small.map(|_| ("max.message.bytes", RECORD_BYTES_MAX.to_string()));
    let others = [TIMESTAMP_TYPE, CLEANUP_POLICY]
        .into_iter()
        .filter(|(setting, wanted)| value(setting).is_some_and(|found| found != *wanted))
        .map(|(setting, wanted)| (setting, wanted.to_owned()));
    bytes_max.into_iter().chain(others).collect()
}

/// Changes some settings. Kafka takes all of a topic's own settings at once, so the others are said again.
async fn set(
    admin: &AdminClient<DefaultClientContext>,
    topic: &str,
    settings: &ConfigResource,
    changes: &[(&'static str, String)],
) -> anyhow::Result<()> {
    let is_changed = |entry: &ConfigEntry| changes.iter().any(|(name, _)| *name == entry.name);
    let is_own = |entry: &&ConfigEntry| entry.source == ConfigSource::DynamicTopic && !is_changed(entry);
    let mut altered = AlterConfig::new(ResourceSpecifier::Topic(topic));
    for (name, value) in changes {
        altered = altered.set(name, value);
    }
    for entry in settings.entries.iter().filter(is_own) {
        if let Some(value) = &entry.value {
            altered = altered.set(&entry.name, value);
        }
    }
    let answers = admin.alter_configs(&[altered], &AdminOptions::new()).await;
    match answers.with_context(|| format!("cannot set {changes:?} of topic {topic}"))?.into_iter().next() {
        Some(Err((_, error))) => bail!("Kafka refuses to set {changes:?} of topic {topic}: {error}"),
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
