//! Does without records that Kafka holds and can't deliver.

use std::time::Duration;

use anyhow::{Context, bail};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::{Offset, TopicPartitionList};
use wattline_service::KafkaSettings;

use super::{Desk, Standing, readable};

const TIMEOUT: Duration = Duration::from_secs(30);

// === impl Desk ===

impl Desk {
    /// Deletes a partition's records before an offset from Kafka: where none is given, before the first that can be read again
    /// behind what can't be. A consumer that has not read them counts them as lost when it next takes the partition on, within
    /// a minute. A line for Kafka, and one for each such consumer.
    ///
    /// # Errors
    /// Where nobody reads such a partition, or the offset is none that Kafka holds, and what Kafka says.
    pub async fn skip(
        &self,
        kafka: &KafkaSettings,
        topic: &str,
        partition: i32,
        before: Option<i64>,
    ) -> anyhow::Result<Vec<String>> {
        let mut standings = self.show().await?;
        standings.retain(|Standing { row, .. }| row.topic == topic && row.partition == partition);
        let Some(first) = standings.first() else {
            bail!("no consumer has an offset there: `wattlinectl offsets show` lists them");
        };
        let (low, high) = first.kafka.context("Kafka does not say what the partition holds")?;
        let begin = standings.iter().map(|standing| standing.row.next_offset).min().unwrap_or(low).max(low);
        let before = match before {
            Some(before) => before,
            None => find(kafka, topic, partition, (begin, high)).await?,
        };
        if before <= low || before > high {
            bail!("--before {before}: partition {partition} of {topic} holds offsets {low} to {}", high - 1);
        }
        delete_before(kafka, topic, partition, before).await?;
        let mut lines =
            vec![format!("partition {partition} of {topic}: Kafka begins at offset {before} now")];
        for Standing { row, .. } in standings.iter().filter(|standing| standing.row.next_offset < before) {
            lines.push(format!(
                "partition {partition} of {topic}: {} is at {} and counts {} offsets as lost, within a minute",
                row.consumer,
                row.next_offset,
                before - row.next_offset.max(low)
            ));
        }
        Ok(lines)
    }
}

async fn find(
    kafka: &KafkaSettings,
    topic: &str,
    partition: i32,
    (begin, high): (i64, i64),
) -> anyhow::Result<i64> {
    let (kafka, name) = (kafka.clone(), topic.to_owned());
    let found = move || readable::first_again(&kafka, &name, partition, (begin, high));
    tokio::task::spawn_blocking(found).await??.with_context(|| {
        format!(
            "partition {partition} of {topic} can be read from offset {begin} to its end at {high}, or nothing is readable \
             behind what can't be: then say what to do without, --before {high} at most"
        )
    })
}

async fn delete_before(
    kafka: &KafkaSettings,
    topic: &str,
    partition: i32,
    offset: i64,
) -> anyhow::Result<()> {
    let admin: AdminClient<DefaultClientContext> =
        kafka.client_config("wattlinectl")?.create().context("cannot make a Kafka client")?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Offset(offset))?;
    let options = AdminOptions::new().operation_timeout(Some(TIMEOUT));
    let refused = || format!("Kafka does not delete records of {topic}: its user needs DELETE on that topic");
    let deleted = admin.delete_records(&list, &options).await.with_context(refused)?;
    deleted
        .elements()
        .iter()
        .try_for_each(rdkafka::topic_partition_list::TopicPartitionListElem::error)
        .with_context(refused)
}
