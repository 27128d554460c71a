//! Two processes with one client id don't take the session from each other for ever.

use std::time::Duration;

use crate::fixture::{Ingest, quiet};

#[tokio::test(flavor = "multi_thread")]
async fn the_one_that_lost_the_session_names_the_cause_and_stays_away() {
    let world = quiet("taken").await;
    let first = world.start(world.config()).await;
    let second = world.start(world.config()).await;
    // Mosquitto only closes the connection, so it takes a few rounds until one of them knows, maybe both.
    let named = |ingest: &Ingest| ingest.missing().contains("mqtt.client_id");
    first.until("the cause is named", || named(&first) || named(&second)).await;
    let connections = || first.sum("connections_total") + second.sum("connections_total");
    let rounds = connections();
    assert!(rounds <= 12, "{rounds}");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(connections() <= rounds + 1, "they stay away");
    first.stop().await.unwrap();
    second.stop().await.unwrap();
}
