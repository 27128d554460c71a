//! The data folders of one stack belong together.

use std::fs;

use wattline_localstack::{ServerKind, Stack, StackOptions};

use crate::clients::folder;

const TWO: [ServerKind; 2] = [ServerKind::Mosquitto, ServerKind::Timescale];

async fn refusal(options: StackOptions) -> String {
    format!("{:#}", Stack::start(options).await.expect_err("a refusal"))
}

#[tokio::test]
async fn a_stack_with_a_foreign_or_missing_folder_refuses_to_start() {
    let (one, two) = (folder(), folder());
    let options = |dir: &tempfile::TempDir| StackOptions::new().dir(dir.path()).servers(&TWO);
    let mut ids = Vec::new();
    for dir in [&one, &two] {
        let stack = Stack::start(options(dir)).await.unwrap();
        ids.push(stack.id().to_string());
        stack.stop().await.unwrap();
    }
    assert_ne!(ids[0], ids[1]);

    fs::rename(one.path().join("timescale"), one.path().join("aside")).unwrap();
    let missing = refusal(options(&one)).await;
    assert!(missing.contains("mixed stack") && missing.contains("rm -rf"), "{missing}");

    fs::rename(two.path().join("timescale"), one.path().join("timescale")).unwrap();
    let foreign = refusal(options(&one)).await;
    assert!(foreign.contains(&ids[0]) && foreign.contains(&ids[1]), "{foreign}");

    fs::remove_dir_all(one.path().join("timescale")).unwrap();
    fs::rename(one.path().join("aside"), one.path().join("timescale")).unwrap();
    let whole = Stack::start(options(&one)).await.unwrap();
    assert_eq!(whole.id().to_string(), ids[0]);
}

#[tokio::test]
async fn two_stacks_in_one_folder_refuse_each_other() {
    let dir = folder();
    let options = || StackOptions::new().dir(dir.path()).servers(&[ServerKind::Mosquitto]);
    let first = Stack::start(options()).await.unwrap();
    let second = refusal(options()).await;
    assert!(second.contains("already runs"), "{second}");
    drop(first);
    Stack::start(options()).await.unwrap();
}

#[tokio::test]
async fn a_quorum_is_not_resized() {
    let dir = folder();
    let options =
        |brokers| StackOptions::new().dir(dir.path()).servers(&[ServerKind::Kafka]).kafka_brokers(brokers);
    Stack::start(options(1)).await.unwrap().stop().await.unwrap();
    let resized = refusal(options(3)).await;
    assert!(resized.contains("has 1 Kafka brokers, 3 were asked for"), "{resized}");
}
