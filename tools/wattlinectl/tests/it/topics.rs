//! Promise: any number of `topics` at once and again leave the same topics, and a wrong one is named.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use wattline_localstack::{ServerKind, Stack, StackOptions, poll_until};
use wattline_reading::topics::{ALL, DEAD_LETTERS, READINGS};
use wattline_service::KafkaSettings;
use wattline_service::kafka::topic_identity;
use wattlinectl::topics;

const TIMEOUT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn two_at_once_and_again_leave_the_same_topics() {
    let stack = Stack::start(StackOptions::new().servers(&[ServerKind::Kafka])).await.unwrap();
    let settings = KafkaSettings { brokers: stack.kafka_brokers(), ..KafkaSettings::default() };
    let admin: AdminClient<DefaultClientContext> = settings.client_config("test").unwrap().create().unwrap();
    let options = AdminOptions::new().operation_timeout(Some(TIMEOUT));

    let wrong = NewTopic::new(DEAD_LETTERS.name, 1, TopicReplication::Fixed(1));
    admin.create_topics([&wrong], &options).await.unwrap();
    let error = topics::create(&settings.brokers, 1).await.unwrap_err().to_string();
    assert!(error.contains("has 1 partitions, must have 3"), "{error}");
    let before = topic_identity(admin.inner(), DEAD_LETTERS.name, TIMEOUT).unwrap();
    admin.delete_topics(&[DEAD_LETTERS.name], &options).await.unwrap();
    poll_until("the topic to be gone", TIMEOUT, Duration::from_millis(50), async || {
        Ok(topic_identity(admin.inner(), DEAD_LETTERS.name, TIMEOUT).is_err().then_some(()))
    })
    .await
    .unwrap();

    let (first, second) =
        tokio::join!(topics::create(&settings.brokers, 1), topics::create(&settings.brokers, 1));
    first.unwrap();
    second.unwrap();
    let lines = topics::create_with(&settings, 1).await.unwrap();
    assert!(lines.iter().all(|line| line.contains("exists")), "{lines:?}");
    for topic in ALL {
        let metadata = admin.inner().fetch_metadata(Some(topic.name), TIMEOUT).unwrap();
        assert_eq!(metadata.topics()[0].partitions().len(), usize::try_from(topic.partitions).unwrap());
    }

    let after = topic_identity(admin.inner(), DEAD_LETTERS.name, TIMEOUT).unwrap();
    assert_eq!(before.cluster_id, after.cluster_id);
    assert_ne!(before.topic_id, after.topic_id, "a topic made anew under its name is another one");
    let readings = topic_identity(admin.inner(), READINGS.name, TIMEOUT).unwrap();
    assert_ne!(readings.topic_id, after.topic_id);
    let error = topic_identity(admin.inner(), "no.such.topic", TIMEOUT).unwrap_err().to_string();
    assert!(error.contains("wattlinectl topics"), "{error}");
}

#[tokio::test]
async fn an_unreachable_broker_says_what_to_look_at() {
    let error = format!("{:#}", topics::create("127.0.0.1:1", 1).await.unwrap_err());
    assert!(error.contains("127.0.0.1:1") && error.contains("--brokers"), "{error}");
}
