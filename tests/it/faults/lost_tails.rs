//! A store comes back without what it had last: the database as a backup of a moment ago has it, Kafka without the last
//! batches of its partitions. Nothing is lost, nothing doubled, and rollups are right, with no restart of a service.

use wattline_tests::ops::Op;

use super::rounds;
use crate::fixture::system;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_restored_catches_up() {
    let exclusive = system().await;
    rounds(&exclusive.system, "restored", "the database restored from a backup of a moment ago", |_| {
        vec![Op::Flow(3000), Op::BackUp, Op::Flow(3000), Op::Restore, Op::Flow(3000)]
    })
    .await;
}

/// What operators run: `scripts/backup.sh dump` and `restore`, both while messages flow.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dump_that_is_put_back_catches_up() {
    let exclusive = system().await;
    rounds(&exclusive.system, "dumped", "the database put back from a dump of a moment ago", |_| {
        vec![Op::Flow(3000), Op::Dump, Op::Flow(3000), Op::RestoreDump, Op::Flow(3000)]
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_kafka_writes_after_it_lost_its_tail_is_stored() {
    let exclusive = system().await;
    rounds(&exclusive.system, "lost-tail", "Kafka without its last batches", |_| {
        vec![Op::Flow(3000), Op::LoseTail(3), Op::Flow(3000)]
    })
    .await;
}

/// No watermark tells it any more: a record that was stored is another one now.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_kafka_writes_beyond_a_tail_that_nobody_saw_it_lose_is_stored() {
    let exclusive = system().await;
    rounds(
        &exclusive.system,
        "lost-unseen",
        "Kafka without its last batches, written beyond them unseen",
        |_| vec![Op::Flow(3000), Op::LoseTailUnseen(3), Op::Flow(3000)],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_stores_lose_their_tails_one_after_the_other() {
    let exclusive = system().await;
    rounds(
        &exclusive.system,
        "lost-tails",
        "the database and Kafka without their tails, one after the other",
        |_| vec![Op::Flow(2000), Op::BackUp, Op::Flow(2000), Op::Restore, Op::LoseTail(2), Op::Flow(2000)],
    )
    .await;
}
