//! A broker that is gone with its machine: no connection breaks, and no acknowledgement comes.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use wattline_loadtest::message::Message;
use wattline_loadtest::pace::Pace;
use wattline_loadtest::publish::{Broker, Progress, Publisher};
use wattline_loadtest::target::read_password;
use wattline_localstack::{ServerKind, Stack, StackOptions, poll_until};

const MESSAGES: usize = 20;
/// It is given up after 10 s.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_owes_acknowledgements_is_given_up_and_gets_the_messages_again() {
    let stack = Stack::start(StackOptions::new().servers(&[ServerKind::Mosquitto])).await.unwrap();
    let password = read_password(&stack.mqtt_password_file("meters")).unwrap();
    let broker = Broker::parse(&stack.mqtt_url(), Some(("meters".to_owned(), password)), None).unwrap();
    let progress = Arc::new(Progress::default());
    let mut publisher = Publisher::new(broker, "silent".to_owned(), Arc::clone(&progress));
    let message =
        Message { topic: "wattline/silent/reading".into(), payload: b"{}".to_vec(), first_of: None };
    let stop = CancellationToken::new();
    let mut first = std::iter::once(message.clone());
    publisher.publish(&mut first, Pace::unlimited(), &stop).await.unwrap();

    stack.mosquitto().freeze().await.unwrap();
    let rest = tokio::spawn(async move {
        let mut rest = std::iter::repeat_n(message, MESSAGES - 1);
        publisher.publish(&mut rest, Pace::unlimited(), &stop).await
    });
    let given_up = async || Ok((progress.reconnects.load(Ordering::Relaxed) > 0).then_some(()));
    poll_until("the broker to be given up", PATIENCE, Duration::from_millis(50), given_up).await.unwrap();
    stack.mosquitto().thaw().await.unwrap();
    rest.await.unwrap().unwrap();
    assert_eq!(progress.acknowledged.load(Ordering::Relaxed), MESSAGES as u64);
    assert_eq!(progress.resent.load(Ordering::Relaxed), MESSAGES as u64 - 1);
    stack.stop().await.unwrap();
}
