//! Promise: what the group gives comes paused and under a new assignment; what it takes is told before anybody else gets it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use wattline_localstack::poll_until;
use wattline_stream::{Assignments, Listener, Partition, Rebalances};

use crate::scene::{PATIENCE, Scene};

/// Partitions that more than one member held at once, of all members of a group.
#[derive(Default)]
struct Group {
    held: Mutex<BTreeSet<i32>>,
    doubles: AtomicU32,
}

struct Given {
    group: Arc<Group>,
    assignments: Arc<Assignments>,
}

// === impl Given ===

impl Listener for Given {
    fn assigned(&self, partitions: Vec<Partition>) {
        for partition in partitions {
            self.assignments.take(partition);
            if !self.group.held.lock().insert(partition.number) {
                self.group.doubles.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn revoked(&self, partitions: Vec<Partition>) {
        for partition in partitions {
            self.group.held.lock().remove(&partition.number);
            self.assignments.release(partition);
        }
    }
}

/// A member of the group, polled by a thread of its own.
struct Member {
    assignments: Arc<Assignments>,
    records: Arc<AtomicU32>,
    stop: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
}

// === impl Member ===

impl Member {
    fn join(scene: &Scene, group: &Arc<Group>) -> Self {
        let assignments = Arc::new(Assignments::default());
        let given = Given { group: Arc::clone(group), assignments: Arc::clone(&assignments) };
        let consumer: BaseConsumer<Rebalances<Given>> = ClientConfig::new()
            .set("bootstrap.servers", scene.stack.kafka_brokers())
            .set("group.id", format!("group.{}", scene.topic))
            .set("session.timeout.ms", "6000")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .create_with_context(Rebalances::new(scene.topics(), given))
            .unwrap();
        consumer.subscribe(&[&scene.topic]).unwrap();
        let (records, stop) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
        let (counted, stopped) = (Arc::clone(&records), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                if let Some(Ok(_)) = consumer.poll(Duration::from_millis(50)) {
                    counted.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Self { assignments, records, stop, thread }
    }

    async fn wait_held(&self, count: usize) {
        let held = poll_until("the group's partitions", PATIENCE, Duration::from_millis(50), async || {
            Ok((self.assignments.held().len() == count).then_some(()))
        });
        held.await.unwrap();
    }

    async fn leave(self) {
        self.stop.store(true, Ordering::Relaxed);
        tokio::task::spawn_blocking(|| self.thread.join().unwrap()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_move_between_members_and_are_held_by_one() {
    let scene = Scene::new("members", 4).await;
    for number in 0..4 {
        scene.send(number, 3).await;
    }
    let group = Arc::new(Group::default());
    let first = Member::join(&scene, &group);
    first.wait_held(4).await;
    let before = first.assignments.held();
    assert_eq!(before.iter().map(|(_, assignment)| *assignment).collect::<BTreeSet<_>>().len(), 4);

    let second = Member::join(&scene, &group);
    second.wait_held(2).await;
    first.wait_held(2).await;
    for (partition, assignment) in &before {
        assert!(
            !first.assignments.holds(*partition, *assignment),
            "{partition:?} was given anew, or away: what was read before is no longer owned"
        );
    }
    second.leave().await;
    first.wait_held(4).await;
    assert_eq!(group.doubles.load(Ordering::Relaxed), 0, "two members held one partition");
    // Nothing comes before the database has said where to begin: what is assigned is paused.
    assert_eq!(first.records.load(Ordering::Relaxed), 0);
    first.leave().await;
    assert!(group.held.lock().is_empty(), "whoever leaves is told that nothing is its own");
}

/// Partitions of topics that are none of ours are nobody's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_topics_are_left_out() {
    let scene = Scene::new("unknown", 1).await;
    let group = Arc::new(Group::default());
    let given = Given { group: Arc::clone(&group), assignments: Arc::default() };
    let topics = wattline_stream::Topics::new([(wattline_stream::Stream::Readings, "another".to_owned())]);
    let consumer: BaseConsumer<Rebalances<Given>> = ClientConfig::new()
        .set("bootstrap.servers", scene.stack.kafka_brokers())
        .set("group.id", format!("group.{}", scene.topic))
        .create_with_context(Rebalances::new(topics, given))
        .unwrap();
    consumer.subscribe(&[&scene.topic]).unwrap();
    let assigned = poll_until("an assignment", PATIENCE, Duration::from_millis(10), async || {
        consumer.poll(Duration::from_millis(50));
        Ok((consumer.assignment()?.count() == 1).then_some(()))
    });
    assigned.await.unwrap();
    assert!(group.held.lock().is_empty());
    assert_eq!(consumer.context().listener().assignments.held(), []);
}
