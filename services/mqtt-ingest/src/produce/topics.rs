//! What must be right with Kafka's topics before the first message is taken.

use anyhow::{Context, bail, ensure};
use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::RDKafkaErrorCode;
use tracing::warn;
use wattline_reading::topics::{ALL, RECORD_BYTES_MAX, TIMESTAMP_TYPE};
use wattline_service::KafkaSettings;

use super::METADATA_TIMEOUT;

/// Looks whether the topics exist, with their number of partitions and room for the largest record.
///
/// # Errors
/// What is wrong and what to do.
pub async fn check_topics(settings: &KafkaSettings) -> anyhow::Result<()> {
    let config = settings.client_config("wattline-mqtt-ingest-check")?;
    let brokers = settings.brokers.clone();
    let look = tokio::task::spawn_blocking(move || {
        let admin: AdminClient<DefaultClientContext> =
            config.create().context("cannot make a Kafka client")?;
        // Of all topics: asking for one by name may create it.
        let metadata = admin.inner().fetch_metadata(None, METADATA_TIMEOUT).with_context(|| {
            format!("Kafka does not answer at {brokers}: is it running, and is kafka.brokers right?")
        })?;
        for topic in &ALL {
            let found = metadata.topics().iter().find(|found| found.name() == topic.name);
            let Some(found) = found else {
                bail!("the topic {} doesn't exist: create it with `wattlinectl topics`", topic.name);
            };
            let partitions = i32::try_from(found.partitions().len()).unwrap_or(i32::MAX);
            ensure!(
                partitions == topic.partitions,
                "the topic {} has {partitions} partitions, must have {}: a meter's readings would be spread \
                 over partitions. When nothing lags any more, delete it, make it anew with `wattlinectl topics`, and \
                 `wattlinectl offsets reset --topic {}`: what meters send meanwhile waits in the broker",
                topic.name,
                topic.partitions,
                topic.name
            );
        }
        Ok(admin)
    });
    let admin = look.await.context("the look at Kafka's topics was broken off")??;
    check_settings(&admin).await?;
    // Its destructor waits for the client's threads.
    drop(tokio::task::spawn_blocking(move || drop(admin)));
    Ok(())
}

async fn check_settings(admin: &AdminClient<DefaultClientContext>) -> anyhow::Result<()> {
    let topics = ALL.map(|topic| ResourceSpecifier::Topic(topic.name));
    let options = AdminOptions::new().request_timeout(Some(METADATA_TIMEOUT));
    let described =
        admin.describe_configs(&topics, &options).await.context("Kafka does not describe its topics")?;
    for (topic, described) in ALL.iter().zip(described) {
        let described = match described {
            Ok(described) => described,
            Err(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                warn!(
                    topic = topic.name,
                    "the user may not describe the settings of {}: its max.message.bytes must be at least \
                     {RECORD_BYTES_MAX}, which can't be checked",
                    topic.name
                );
                continue;
            }
            Err(error) => bail!("Kafka does not describe the topic {}: {error}", topic.name),
        };
        let bytes_max = described
            .get("max.message.bytes")
            .and_then(|entry| entry.value.as_deref())
            .and_then(|value| value.parse::<usize>().ok());
        if let Some(bytes_max) = bytes_max {
            ensure!(
                bytes_max >= RECORD_BYTES_MAX,
                "the topic {} takes records up to {bytes_max} bytes only, a dead letter may have \
                 {RECORD_BYTES_MAX}: set its max.message.bytes to that with `wattlinectl topics`",
                topic.name
            );
        }
        let (setting, wanted) = TIMESTAMP_TYPE;
        let found = described.get(setting).and_then(|entry| entry.value.as_deref());
        if let Some(found) = found.filter(|found| *found != wanted) {
            warn!(
                topic = topic.name,
                "{setting} of the topic {} is {found}: Kafka will refuse all records if the clock of this host is an hour \
                 ahead. `wattlinectl topics` sets it to {wanted}",
                topic.name
            );
        }
    }
    Ok(())
}
