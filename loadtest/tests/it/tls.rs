//! Publishing by TLS, and what is said where the other side is not the one that is trusted.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio_util::sync::CancellationToken;
use wattline_loadtest::books::topic_ends;
use wattline_loadtest::message::Message;
use wattline_loadtest::pace::Pace;
use wattline_loadtest::publish::{Broker, Progress, Publisher};
use wattline_loadtest::target::read_password;
use wattline_localstack::{Authority, ServerKind, Stack, StackOptions};
use wattline_reading::topics;
use wattline_service::kafka::{KafkaSettings, Security};

/// More than one window of a connection and one buffer of TLS.
const MESSAGES: usize = 5000;

async fn broker() -> Stack {
    Stack::start(StackOptions::new().servers(&[ServerKind::Mosquitto]).mqtt_tls(true)).await.unwrap()
}

async fn publish(stack: &Stack, url: &str, authority: &Path) -> anyhow::Result<u64> {
    let password = read_password(&stack.mqtt_password_file("meters"))?;
    let broker = Broker::parse(url, Some(("meters".to_owned(), password)), Some(authority))?;
    let progress = Arc::new(Progress::default());
    let mut publisher = Publisher::new(broker, "tls".to_owned(), Arc::clone(&progress));
    let message = Message { topic: "wattline/tls/reading".into(), payload: vec![b'x'; 300], first_of: None };
    let mut messages = std::iter::repeat_n(message, MESSAGES);
    publisher.publish(&mut messages, Pace::unlimited(), &CancellationToken::new()).await?;
    publisher.close().await;
    Ok(progress.acknowledged.load(Ordering::Relaxed))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_is_acknowledged_by_tls_and_without() {
    let stack = broker().await;
    let authority = stack.mqtt_authority().unwrap().ca_file();
    for url in [stack.mqtts_url(), stack.mqtt_url()] {
        let acknowledged = publish(&stack, &url, &authority).await.unwrap();
        assert_eq!(acknowledged, MESSAGES as u64, "{url}");
    }
    stack.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_the_one_that_is_trusted_is_refused() {
    let stack = broker().await;
    let folder = tempfile::tempdir().unwrap();
    let own = stack.mqtt_authority().unwrap().ca_file();
    let foreign = Authority::open(folder.path()).unwrap().ca_file();
    let url = stack.mqtts_url();

    let kafka = KafkaSettings {
        // A certificate is shown before anything is said: this needs no Kafka.
        brokers: url.trim_start_matches("mqtts://").to_owned(),
        security: Security::Tls,
        ca_file: Some(foreign.clone()),
        ..KafkaSettings::default()
    };
    let named = url.replace("127.0.0.1", "localhost");
    let (of_another, for_another, by_kafka) = tokio::join!(
        publish(&stack, &url, &foreign),
        publish(&stack, &named, &own),
        topic_ends(&kafka, topics::READINGS)
    );
    for (outcome, words) in [
        (of_another.map(drop), ["is not trusted", "invalid peer certificate", "tls_root_file"]),
        (for_another.map(drop), ["is not trusted", "localhost", "tls_root_file"]),
        (by_kafka.map(drop), ["asking Kafka at", "certificate", "verify failed"]),
    ] {
        let error = format!("{:#}", outcome.unwrap_err());
        assert!(words.iter().all(|word| error.contains(word)), "{words:?}: {error}");
    }
    stack.stop().await.unwrap();
}
