//! Promise: an offset that means nothing for the topic, or would silently pass records over, stops the partition; the error
//! names a cure, and the cure works as it stands there.

use wattline_service::TopicIdentity;
use wattline_stream::Error;

use crate::scene::{Owner, Scene, span};

fn refusal(result: Result<wattline_stream::Taken, Error>) -> String {
    match result {
        Err(Error::Refused(text)) => text,
        other => panic!("{other:?}"),
    }
}

/// What `wattlinectl offsets` does, which the texts name; that it does so is shown where it is.
async fn decide(scene: &Scene, refusal: &str, command: &str, statement: &str) {
    assert!(
        refusal.contains(&format!("`wattlinectl offsets {command} --topic {}", scene.topic)),
        "{refusal}"
    );
    scene.client.batch_execute(statement).await.unwrap();
}

/// A partition of which the first `stored` of 10 records are stored.
async fn stored(scene: &Scene, stored: i64) -> Owner {
    scene.send(0, 10).await;
    let mut owner = scene.owner().await;
    owner.take(0, &scene.present(0).await.unwrap()).await.unwrap();
    owner.write(&[span(0, 0, stored)]).await.unwrap();
    owner
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_kafka_deleted_are_lost_and_counted() {
    let scene = Scene::new("retention", 1).await;
    let mut owner = stored(&scene, 3).await;
    scene.delete_records(0, 7).await;
    let taken = owner.take(0, &scene.present(0).await.unwrap()).await.unwrap();
    assert_eq!((taken.first_offset, taken.next_offset, taken.lost), (0, 7, 4));
    let taken = owner.take(0, &scene.present(0).await.unwrap()).await.unwrap();
    assert_eq!((taken.next_offset, taken.lost), (7, 0), "counted once");
    // What was stored already is no loss.
    owner.write(&[span(0, 7, 10)]).await.unwrap();
    scene.delete_records(0, 9).await;
    assert_eq!(owner.take(0, &scene.present(0).await.unwrap()).await.unwrap().lost, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_was_made_anew_is_refused_until_its_offsets_are_reset() {
    let scene = Scene::new("anew", 1).await;
    let mut owner = stored(&scene, 3).await;
    let before = scene.present(0).await.unwrap().identity;
    scene.delete_topic().await;
    scene.create_topic(1).await;
    scene.send(0, 10).await;
    let present = scene.present(0).await.unwrap();
    assert_ne!(present.identity.topic_id, before.topic_id);
    assert_eq!(present.identity.cluster_id, before.cluster_id);
    let text = refusal(owner.take(0, &present).await);
    for part in [&before.topic_id, &present.identity.topic_id, &before.cluster_id] {
        assert!(text.contains(part.as_str()), "{text}");
    }
    // The old owner's transactions fail no more than before: it is the claim that is refused.
    decide(&scene, &text, "reset", "DELETE FROM stream_offset").await;
    let taken = owner.take(0, &present).await.unwrap();
    assert!(taken.is_new && taken.next_offset == 0, "{taken:?}");
}

/// A person may also say that it is the same topic: the offsets of another cluster are adopted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_identity_is_adopted_by_a_person() {
    let scene = Scene::new("adopted", 1).await;
    let mut owner = stored(&scene, 3).await;
    let present = scene.present(0).await.unwrap();
    let foreign = "UPDATE stream_offset SET cluster_id = 'old-cluster'";
    scene.client.batch_execute(foreign).await.unwrap();
    assert!(refusal(owner.take(0, &present).await).contains("old-cluster"));
    let TopicIdentity { cluster_id, .. } = &present.identity;
    scene.client.execute("UPDATE stream_offset SET cluster_id = $1", &[cluster_id]).await.unwrap();
    assert_eq!(owner.take(0, &present).await.unwrap().next_offset, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grown_partitions_stop_old_and_new_ones_alike() {
    let scene = Scene::new("grown", 1).await;
    let mut owner = stored(&scene, 3).await;
    scene.grow(2).await;
    for number in 0..2 {
        let text = refusal(owner.take(number, &scene.present(number).await.unwrap()).await);
        assert!(text.contains("had 1 partitions and has 2"), "{text}");
    }
    let text = refusal(owner.take(0, &scene.present(0).await.unwrap()).await);
    decide(&scene, &text, "adopt", "UPDATE stream_offset SET partitions = 2").await;
    assert_eq!(owner.take(0, &scene.present(0).await.unwrap()).await.unwrap().next_offset, 3);
    let taken = owner.take(1, &scene.present(1).await.unwrap()).await.unwrap();
    assert!(taken.is_new, "{taken:?}");
}

/// Kafka ends before what was stored: what it writes from then on has offsets that were stored once already.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_tail_is_kept_however_far_kafka_goes_on() {
    let scene = Scene::new("tail", 1).await;
    let mut owner = stored(&scene, 10).await;
    // As after a restore of Kafka from an older copy: the row is ahead.
    scene.client.batch_execute("UPDATE stream_offset SET next_offset = 15").await.unwrap();
    let text = refusal(owner.take(0, &scene.present(0).await.unwrap()).await);
    assert!(text.contains("had come to offset 15, but Kafka ends at 10"), "{text}");
    scene.send(0, 10).await;
    let again = refusal(owner.take(0, &scene.present(0).await.unwrap()).await);
    assert_eq!(again, text, "Kafka ends at 20 now, and offset 15 is still another record");
    let kept = "SELECT refused_end FROM stream_offset";
    let kept: Option<i64> = scene.client.query_one(kept, &[]).await.unwrap().get(0);
    assert_eq!(kept, Some(10), "where Kafka ended when it was found");
    let adopted = "UPDATE stream_offset SET next_offset = refused_end, refused = NULL, refused_end = NULL";
    decide(&scene, &text, "adopt", adopted).await;
    let taken = owner.take(0, &scene.present(0).await.unwrap()).await.unwrap();
    assert_eq!((taken.next_offset, taken.lost), (10, 0));
}

/// Kafka was asked before the former owner's last transaction: no lost tail.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_older_than_the_row_is_asked_for_again() {
    let scene = Scene::new("older", 1).await;
    let owner = stored(&scene, 10).await;
    let old = scene.present(0).await.unwrap();
    scene.send(0, 5).await;
    owner.write(&[span(0, 10, 15)]).await.unwrap();
    let taken = scene.owner().await.take(0, &old).await.unwrap();
    assert_eq!((taken.next_offset, taken.lost), (15, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_kafka_does_not_have_is_said_in_words() {
    let scene = Scene::new("absent", 1).await;
    let text = scene.present(7).await.unwrap_err();
    assert!(text.contains("partition 7 of stream.absent"), "{text}");
    scene.delete_topic().await;
    assert!(!scene.present(0).await.unwrap_err().is_empty());
}

/// A row of a version that did not know the number of partitions learns it with the next claim.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_versions_row_learns_the_number_of_partitions() {
    let scene = Scene::new("learns", 1).await;
    let mut owner = stored(&scene, 3).await;
    scene.client.batch_execute("UPDATE stream_offset SET partitions = NULL").await.unwrap();
    owner.take(0, &scene.present(0).await.unwrap()).await.unwrap();
    let row = scene.client.query_one("SELECT partitions FROM stream_offset", &[]).await.unwrap();
    assert_eq!(row.get::<_, Option<i32>>(0), Some(1));
}
