//! Watches that the topics are still the ones that the offsets belong to: a topic that is deleted and made anew under
//! the same name would else be read as if it were the old one.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rdkafka::consumer::Consumer;
use tracing::{error, warn};
use wattline_service::TopicIdentity;
use wattline_service::kafka::topic_identity;

use crate::batch::Stream;
use crate::consume::KafkaConsumer;
use crate::health::Health;
use crate::offsets::TopicNames;

const TIMEOUT: Duration = Duration::from_secs(5);

/// Asks for the identity of both topics every `interval_ms`, and counts `changes` up when one has another.
pub async fn watch(
    consumer: Arc<KafkaConsumer>,
    names: TopicNames,
    interval_ms: u64,
    changes: Arc<AtomicU64>,
    health: Arc<Health>,
) {
    let mut known: HashMap<Stream, TopicIdentity> = HashMap::new();
    let mut interval = tokio::time::interval(Duration::from_millis(interval_ms));
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let mut problem = None;
        for stream in [Stream::Readings, Stream::DeadLetters] {
            let topic = names.of(stream).to_owned();
            match ask(&consumer, &topic).await {
                Ok(identity) => {
                    if known.insert(stream, identity.clone()).is_some_and(|before| before != identity) {
                        error!(topic, "the topic {topic} was deleted and made anew, or is another cluster's");
                        changes.fetch_add(1, Ordering::Relaxed);
                    }
                }
                Err(text) => {
                    warn!("{text}");
                    problem = Some(text);
                }
            }
        }
        health.kafka(problem);
    }
}

async fn ask(consumer: &Arc<KafkaConsumer>, topic: &str) -> Result<TopicIdentity, String> {
    let (consumer, topic) = (Arc::clone(consumer), topic.to_owned());
    tokio::task::spawn_blocking(move || topic_identity(consumer.client(), &topic, TIMEOUT))
        .await
        .map_err(|error| error.to_string())?
        .map_err(|error| error.to_string())
}
