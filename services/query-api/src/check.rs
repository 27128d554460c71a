//! `--check`: each connection once, and what is read from files.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use wattline_reading::topics;
use wattline_service::kafka::topic_identity;
use wattline_service::{ConnectionCheck, KafkaSettings, ServiceConfig, ServiceSettings, TraceSettings};

use crate::auth::Access;
use crate::config::Config;
use crate::store::Store;

/// How long Kafka may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

// Here and not beside `Config`: it needs everything that needs a configuration.
impl ServiceConfig for Config {
    fn service(&self) -> &ServiceSettings {
        &self.service
    }

    fn traces(&self) -> &TraceSettings {
        &self.traces
    }

    fn check_connections(&self) -> impl Future<Output = Vec<ConnectionCheck>> {
        connections(self)
    }

    fn validate(&self) -> anyhow::Result<()> {
        self.check()
    }
}

/// Tries what the configuration names.
async fn connections(config: &Config) -> Vec<ConnectionCheck> {
    let mut checks = vec![
        ConnectionCheck::of("database".to_owned(), try_database(config).await),
        ConnectionCheck::of(format!("kafka {}", config.kafka.brokers), try_kafka(config.kafka.clone()).await),
    ];
    if let Some(file) = &config.http.token_file {
        let token = Access::load(Some(file)).map(|_| format!("read from {}", file.display()));
        checks.push(ConnectionCheck::of("token".to_owned(), token));
    }
    checks
}

async fn try_database(config: &Config) -> anyhow::Result<String> {
    let store = Store::new(config.database.pool("wattline-query-api-check", 1)?, 1);
    store.probe().await?;
    Ok("it answers, and has the tables".to_owned())
}

async fn try_kafka(settings: KafkaSettings) -> anyhow::Result<String> {
    let topic = topics::READINGS;
    let trial = move || -> anyhow::Result<usize> {
        let consumer: BaseConsumer = settings.client_config("query-api-check")?.create()?;
        topic_identity(consumer.client(), topic.name, ANSWER)?;
        let metadata = consumer.fetch_metadata(Some(topic.name), ANSWER).context("Kafka does not answer")?;
        Ok(metadata.topics().first().map_or(0, |found| found.partitions().len()))
    };
    let partitions = tokio::task::spawn_blocking(trial).await.context("the trial of Kafka ended early")??;
    ensure!(
        i32::try_from(partitions) == Ok(topic.partitions),
        "the topic {} has {partitions} partitions in place of {}: create it with `wattlinectl topics`",
        topic.name,
        topic.partitions
    );
    Ok(format!("the topic {} is there and as it must be", topic.name))
}
