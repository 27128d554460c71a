//! Promise: a twin that was frozen with a row in its hands is ended by the row's owner, and nobody else is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use wattline_localstack::poll_until;
use wattline_stream::{Assignment, Assignments, Blockers, Error, Partition};

use crate::scene::{Owner, PATIENCE, Scene, span};

/// An owner with the means to end who blocks it.
struct Heir {
    owner: Owner,
    assignments: Arc<Assignments>,
    wanted: (Partition, Assignment),
    blockers: Blockers,
    ended: Arc<AtomicU32>,
    pid: i32,
}

async fn heir(scene: &Scene) -> Heir {
    let owner = scene.owner().await;
    owner.client.batch_execute("SET lock_timeout = '1s'").await.unwrap();
    let assignments = Arc::new(Assignments::default());
    let partition = Partition::readings(0);
    let wanted = (partition, assignments.take(partition));
    let ended = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&ended);
    let count = move || {
        counted.fetch_add(1, Ordering::Relaxed);
    };
    let blockers = Blockers::new(scene.database(), "heir-looks".to_owned(), Arc::clone(&assignments), count);
    let pid = owner.pid().await;
    Heir { owner, assignments, wanted, blockers, ended, pid }
}

// === impl Heir ===

impl Heir {
    /// One try to write records 0 to 5.
    async fn try_write(&mut self) -> Result<(), Error> {
        let spans = [span(0, 0, 5)];
        let write = self.owner.write(&spans);
        self.blockers.freed(self.pid, &[self.wanted], write, Error::database).await
    }

    fn ended(&self) -> u32 {
        self.ended.load(Ordering::Relaxed)
    }
}

/// A twin of the heir's, by its own word, with the row locked in an open transaction.
async fn frozen_twin(scene: &Scene, heir: &mut Heir) -> Owner {
    scene.send(0, 5).await;
    heir.owner.take(0, &scene.present(0).await.unwrap()).await.unwrap();
    let mut twin = scene.owner().await;
    twin.offsets.owner = heir.owner.offsets.owner;
    twin.client.batch_execute("BEGIN").await.unwrap();
    twin.write_open(&[span(0, 0, 3)]).await.unwrap();
    twin
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_twin_is_ended_and_changes_nothing() {
    let scene = Scene::new("frozen", 1).await;
    let mut heir = heir(&scene).await;
    let twin = frozen_twin(&scene, &mut heir).await;
    assert!(heir.try_write().await.is_err(), "the first try waits in vain");
    assert!(heir.blockers.held());
    assert_eq!(heir.ended(), 0, "a first wait ends nobody");
    heir.try_write().await.unwrap();
    assert!(!heir.blockers.held());
    // The row is free before it is told who held it.
    let told = poll_until("the ended connection", PATIENCE, Duration::from_millis(10), async || {
        Ok((heir.ended() == 1).then_some(()))
    });
    told.await.unwrap();
    assert_eq!(scene.row(0).await.0, 5, "what the twin had not committed is gone");
    assert!(twin.client.batch_execute("COMMIT").await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_lost_the_assignment_ends_nobody() {
    let scene = Scene::new("unassigned", 1).await;
    let mut heir = heir(&scene).await;
    let twin = frozen_twin(&scene, &mut heir).await;
    assert!(heir.try_write().await.is_err());
    // The group has given the partition away, or again and under another assignment.
    heir.assignments.take(heir.wanted.0);
    assert!(heir.try_write().await.is_err());
    heir.assignments.release(heir.wanted.0);
    assert!(heir.try_write().await.is_err());
    assert_eq!(heir.ended(), 0);
    twin.client.batch_execute("COMMIT").await.unwrap();
    assert_eq!(scene.row(0).await.0, 3);
}

/// A migration or a person who holds the whole table is none of ours to end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_holds_the_table_is_left_alone() {
    let scene = Scene::new("table", 1).await;
    let mut heir = heir(&scene).await;
    scene.send(0, 5).await;
    heir.owner.take(0, &scene.present(0).await.unwrap()).await.unwrap();
    let person = scene.owner().await;
    person.client.batch_execute("BEGIN; LOCK TABLE stream_offset").await.unwrap();
    for _ in 0..2 {
        assert!(heir.try_write().await.is_err());
        assert!(heir.blockers.held());
    }
    assert_eq!(heir.ended(), 0);
    person.client.batch_execute("COMMIT").await.unwrap();
    heir.try_write().await.unwrap();
}

/// Nothing is looked for while nobody was in the way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_errors_are_no_lock() {
    let scene = Scene::new("no_lock", 1).await;
    let mut heir = heir(&scene).await;
    assert!(matches!(heir.try_write().await, Err(Error::Fenced(_))), "it has no row");
    assert!(!heir.blockers.held());
    scene.client.batch_execute("DROP TABLE stream_offset CASCADE").await.unwrap();
    assert!(matches!(heir.try_write().await, Err(Error::Database(_))));
    assert!(!heir.blockers.held());
    let none = poll_until("no looks", PATIENCE, Duration::from_millis(10), async || {
        let query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'heir-looks'";
        Ok((scene.client.query_one(query, &[]).await?.get::<_, i64>(0) == 0).then_some(()))
    });
    none.await.unwrap();
}
