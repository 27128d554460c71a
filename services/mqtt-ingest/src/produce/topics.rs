//! What must be right with Kafka's topics before the first message is taken.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaResult, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;
use tracing::warn;
use wattline_reading::topics::{ALL, CLEANUP_POLICY, RECORD_BYTES_MAX, TIMESTAMP_TYPE};
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
            if let Some(wrong) = topic.wrong_partitions(found.partitions().len()) {
                bail!(wrong);
            }
        }
        Ok(admin)
    });
    let admin = look.await.context("the look at Kafka's topics was broken off")??;
    check_settings(&admin).await?;
    // Its destructor waits for the client's threads.
    drop(tokio::task::spawn_blocking(move || drop(admin)));
    Ok(())
}

/// Waits until a topic has another number of partitions than it must have, and says what to do; `look` is tried `every`
/// so often. What Kafka doesn't tell is found by whoever writes to it.
pub async fn grown_topic(
    look: impl Fn() -> KafkaResult<Metadata> + Clone + Send + 'static,
    every: Duration,
) -> String {
    loop {
        tokio::time::sleep(every).await;
        let Ok(Ok(metadata)) = tokio::task::spawn_blocking(look.clone()).await else { continue };
        let wrong = ALL.iter().find_map(|topic| {
            let mut known = metadata.topics().iter().filter(|found| found.error().is_none());
            topic.wrong_partitions(known.find(|found| found.name() == topic.name)?.partitions().len())
        });
        if let Some(wrong) = wrong {
            return wrong;
        }
    }
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
                     {RECORD_BYTES_MAX}, and its {} {}, which can't be checked",
                    topic.name,
                    CLEANUP_POLICY.0,
                    CLEANUP_POLICY.1
                );
                continue;
            }
            Err(error) => bail!("Kafka does not describe the topic {}: {error}", topic.name),
        };
        let value = |setting: &str| described.get(setting).and_then(|entry| entry.value.as_deref());
        if let Some(bytes_max) = value("max.message.bytes").and_then(|value| value.parse::<usize>().ok()) {
            ensure!(
                bytes_max >= RECORD_BYTES_MAX,
                "the topic {} takes records up to {bytes_max} bytes only, a dead letter may have \
                 {RECORD_BYTES_MAX}: set its max.message.bytes to that with `wattlinectl topics`",
                topic.name
            );
        }
        let (setting, wanted) = CLEANUP_POLICY;
        if let Some(found) = value(setting).filter(|found| *found != wanted) {
            bail!(
                "the {setting} of the topic {} is {found}: Kafka would keep the last reading of each meter only, and \
                 delete others before they are stored. `wattlinectl topics` sets it to {wanted}",
                topic.name
            );
        }
        let (setting, wanted) = TIMESTAMP_TYPE;
        if let Some(found) = value(setting).filter(|found| *found != wanted) {
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
