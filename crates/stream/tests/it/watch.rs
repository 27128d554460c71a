//! Promise: a topic that was made anew or has grown ends the watch, and with it the client that read the old one.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::JoinHandle;
use wattline_localstack::poll_until;
use wattline_service::kafka::ClientEnded;
use wattline_stream::watch::watch;

use crate::scene::{PATIENCE, Scene};

type Told = Arc<Mutex<Vec<Option<String>>>>;

/// A watch, and what it has told.
fn watched(scene: &Scene) -> (JoinHandle<ClientEnded>, Told) {
    let told = Told::default();
    let tell = Arc::clone(&told);
    let (consumer, topics) = (Arc::clone(&scene.consumer), scene.topics());
    let task = tokio::spawn(async move {
        watch(consumer, topics, Duration::from_millis(100), move |problem| tell.lock().push(problem)).await
    });
    (task, told)
}

async fn wait_told(told: &Told, what: &str, holds: impl Fn(&Option<String>) -> bool) {
    let wait = poll_until(what, PATIENCE, Duration::from_millis(20), async || {
        Ok(told.lock().last().is_some_and(&holds).then_some(()))
    });
    wait.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_was_made_anew_ends_it() {
    let scene = Scene::new("watch_anew", 1).await;
    let (task, told) = watched(&scene);
    wait_told(&told, "a first look", Option::is_none).await;
    scene.delete_topic().await;
    // While there is none, that is said, and nothing ends: it may be a broker that doesn't know it yet.
    wait_told(&told, "the absence", Option::is_some).await;
    assert!(!task.is_finished());
    scene.create_topic(1).await;
    let ended = tokio::time::timeout(PATIENCE, task).await.unwrap().unwrap();
    assert!(matches!(&ended, ClientEnded::TopicAnew(topic) if *topic == scene.topic), "{ended}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grown_partitions_end_it() {
    let scene = Scene::new("watch_grown", 2).await;
    let (task, told) = watched(&scene);
    wait_told(&told, "a first look", Option::is_none).await;
    scene.grow(3).await;
    let ended = tokio::time::timeout(PATIENCE, task).await.unwrap().unwrap();
    assert!(
        matches!(&ended, ClientEnded::Partitions(text) if text.contains("had 2 partitions and has 3")),
        "{ended}"
    );
}
