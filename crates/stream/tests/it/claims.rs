//! Promise: a partition's row has one owner; whoever lost it, or never had it, moves nothing.

use wattline_stream::{Error, Partition};

use crate::scene::{Scene, span};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_partition_begins_where_kafka_does() {
    let scene = Scene::new("begins", 1).await;
    scene.send(0, 10).await;
    scene.delete_records(0, 4).await;
    let present = scene.present(0).await.unwrap();
    assert_eq!((present.low, present.high, present.partitions), (4, 10, 1));
    let mut owner = scene.owner().await;
    let taken = owner.take(0, &present).await.unwrap();
    assert_eq!((taken.first_offset, taken.next_offset, taken.lost, taken.is_new), (4, 4, 0, true));
    owner.write(&[span(0, 4, 9)]).await.unwrap();
    // The same process again, and another one: the account goes on where it was.
    for taken in [owner.take(0, &present).await, scene.owner().await.take(0, &present).await] {
        let taken = taken.unwrap();
        assert_eq!((taken.first_offset, taken.next_offset, taken.lost, taken.is_new), (4, 9, 0, false));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_lost_the_row_writes_nothing() {
    let scene = Scene::new("zombie", 1).await;
    scene.send(0, 10).await;
    let present = scene.present(0).await.unwrap();
    let (mut zombie, mut heir) = (scene.owner().await, scene.owner().await);
    zombie.take(0, &present).await.unwrap();
    zombie.write(&[span(0, 0, 3)]).await.unwrap();
    let taken = heir.take(0, &present).await.unwrap();
    assert_eq!(taken.next_offset, 3, "the heir goes on where the zombie stopped");
    let fenced = zombie.write(&[span(0, 3, 5)]).await.unwrap_err();
    assert!(
        matches!(&fenced, Error::Fenced(partitions) if *partitions == [Partition::readings(0)]),
        "{fenced}"
    );
    assert_eq!(scene.row(0).await, (3, heir.offsets.owner));
    heir.write(&[span(0, 3, 5)]).await.unwrap();
    assert!(matches!(zombie.write(&[span(0, 5, 6)]).await, Err(Error::Fenced(_))));
    // Nor does it hold the row for others: it has none to share.
    let held = zombie.offsets.share(&zombie.client, &zombie.statements, &scene.topic, &[0]).await.unwrap();
    assert_eq!(held, []);
    let held = heir.offsets.share(&heir.client, &heir.statements, &scene.topic, &[0]).await.unwrap();
    assert_eq!(held, [(0, 5)]);
}

/// Of two that believe to own the partition, each record is written by one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_at_once_write_each_record_once() {
    let scene = Scene::new("two", 1).await;
    scene.send(0, 1).await;
    let present = scene.present(0).await.unwrap();
    let (mut first, mut second) = (scene.owner().await, scene.owner().await);
    first.take(0, &present).await.unwrap();
    second.take(0, &present).await.unwrap();
    // Both claim to be the one in the row: only the compared offset is left to tell them apart.
    first.offsets.owner = second.offsets.owner;
    for record in 0..50 {
        let each = [span(0, record, record + 1)];
        let (one, other) = tokio::join!(first.write(&each), second.write(&each));
        assert!(one.is_ok() != other.is_ok(), "record {record}: {one:?}, {other:?}");
        assert!(matches!(one.and(other), Err(Error::Fenced(_))));
    }
    assert_eq!(scene.row(0).await.0, 50);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_lost_partition_of_several_stops_the_whole_transaction() {
    let scene = Scene::new("several", 3).await;
    let (mut owner, mut other) = (scene.owner().await, scene.owner().await);
    for number in 0..3 {
        scene.send(number, 5).await;
        owner.take(number, &scene.present(number).await.unwrap()).await.unwrap();
    }
    owner.write(&[span(2, 0, 1), span(0, 0, 1), span(1, 0, 1)]).await.unwrap();
    other.take(1, &scene.present(1).await.unwrap()).await.unwrap();
    let fenced = owner.write(&[span(0, 1, 2), span(1, 1, 2), span(2, 1, 2)]).await.unwrap_err();
    assert!(matches!(&fenced, Error::Fenced(lost) if *lost == [Partition::readings(1)]), "{fenced}");
    assert_eq!((scene.row(0).await.0, scene.row(1).await.0, scene.row(2).await.0), (1, 1, 1));
    owner.write(&[span(0, 1, 2), span(2, 1, 2)]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_was_deleted_under_its_owner_is_not_made_anew() {
    let scene = Scene::new("deleted_row", 1).await;
    scene.send(0, 5).await;
    let mut owner = scene.owner().await;
    let present = scene.present(0).await.unwrap();
    owner.take(0, &present).await.unwrap();
    owner.write(&[span(0, 0, 2)]).await.unwrap();
    scene.client.batch_execute("DELETE FROM stream_offset").await.unwrap();
    assert!(matches!(owner.write(&[span(0, 2, 3)]).await, Err(Error::Fenced(_))));
    let rows: i64 = scene.client.query_one("SELECT count(*) FROM stream_offset", &[]).await.unwrap().get(0);
    assert_eq!(rows, 0);
    let taken = owner.take(0, &present).await.unwrap();
    assert!(taken.is_new && taken.next_offset == 0, "a claim begins anew: {taken:?}");
}

/// A claim waits for the transaction that is open, and begins behind what it commits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_waits_for_an_open_transaction() {
    let scene = Scene::new("waits", 1).await;
    scene.send(0, 9).await;
    let present = scene.present(0).await.unwrap();
    let (mut owner, mut heir) = (scene.owner().await, scene.owner().await);
    owner.take(0, &present).await.unwrap();
    owner.client.batch_execute("BEGIN").await.unwrap();
    owner.write_open(&[span(0, 0, 7)]).await.unwrap();
    let waiting = tokio::spawn(async move { (heir.take(0, &present).await.unwrap(), heir) });
    scene.wait_for_waiting_locks(1).await;
    assert!(!waiting.is_finished());
    owner.client.batch_execute("COMMIT").await.unwrap();
    let (taken, heir) = waiting.await.unwrap();
    assert_eq!(taken.next_offset, 7);
    assert_eq!(scene.row(0).await, (7, heir.offsets.owner));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_that_is_rolled_back_leaves_the_owner() {
    let scene = Scene::new("rolled_back", 1).await;
    scene.send(0, 5).await;
    let present = scene.present(0).await.unwrap();
    let (mut owner, mut other) = (scene.owner().await, scene.owner().await);
    owner.take(0, &present).await.unwrap();
    let transaction = other.client.transaction().await.unwrap();
    let claim = crate::scene::claim_of(0);
    other.offsets.take(&transaction, &other.statements, &other.consumer, claim, &present).await.unwrap();
    transaction.rollback().await.unwrap();
    owner.write(&[span(0, 0, 5)]).await.unwrap();
    assert_eq!(scene.row(0).await, (5, owner.offsets.owner));
}

/// Rows of one consumer are none of another's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consumers_do_not_meet() {
    let scene = Scene::new("consumers", 1).await;
    scene.send(0, 5).await;
    let present = scene.present(0).await.unwrap();
    let (mut owner, mut lake) = (scene.owner().await, scene.owner().await);
    lake.offsets.consumer = "lake";
    owner.take(0, &present).await.unwrap();
    lake.take(0, &present).await.unwrap();
    owner.write(&[span(0, 0, 4)]).await.unwrap();
    lake.write(&[span(0, 0, 2)]).await.unwrap();
    let seen = async |identity: &wattline_service::TopicIdentity| {
        let place = (scene.topic.as_str(), identity);
        wattline_stream::offsets::seen(&owner.client, &owner.statements, "lake", place, &[0, 1])
            .await
            .unwrap()
    };
    assert_eq!(seen(&present.identity).await, [(0, 2)]);
    let mut anew = present.identity.clone();
    anew.topic_id = "another".to_owned();
    assert_eq!(seen(&anew).await, [], "it has not begun with that topic");
}
