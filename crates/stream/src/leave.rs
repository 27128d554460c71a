//! The end of a group's member, which nobody waits for in vain.

use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use tracing::warn;

/// How long a client may take to leave.
const PATIENCE: Duration = Duration::from_secs(10);

/// Drops a client, or the last handle of one, on a thread of its own, and waits until it has left its group; after 10 s it is
/// left behind.
///
/// librdkafka can take for ever. Seen with 2.12.1: Kafka was frozen for a minute, and a member with a `group.instance.id` was
/// thrown out by its own second attempt to join. What it then still had to tell the coordinator stayed queued for good
/// ("GroupCoordinator: Timed out 0 in-flight, 0 retry-queued, 2 out-queue", each minute), and its end waited for that: no new
/// client took its place. Such a client polls nothing and holds no partition, so the new one has only its memory beside it.
pub async fn leave<M: Send + 'static>(member: M) {
    leave_within(PATIENCE, member).await;
}

async fn leave_within<M: Send + 'static>(patience: Duration, member: M) {
    let (left, leaving) = oneshot::channel();
    let spawned = thread::Builder::new().name("leave".to_owned()).spawn(move || {
        drop(member);
        // Who waits may have given up.
        let _ = left.send(());
    });
    // Without a thread the member has ended here.
    if spawned.is_ok() && tokio::time::timeout(patience, leaving).await.is_err() {
        warn!("the old Kafka client does not end within {} s and is left behind", patience.as_secs());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Ends when it is told to.
    struct Slow(mpsc::Receiver<()>, mpsc::SyncSender<()>);

    impl Drop for Slow {
        fn drop(&mut self) {
            let _ = self.0.recv();
            let _ = self.1.send(());
        }
    }

    #[tokio::test]
    async fn who_does_not_end_is_left_behind() {
        let ((end, wait), (gone, has_gone)) = (mpsc::sync_channel(1), mpsc::sync_channel(1));
        leave_within(Duration::from_millis(20), Slow(wait, gone)).await;
        assert!(has_gone.try_recv().is_err(), "it has not ended yet");
        end.send(()).unwrap();
        has_gone.recv().unwrap();
    }

    #[tokio::test]
    async fn who_ends_is_waited_for() {
        let ((end, wait), (gone, has_gone)) = (mpsc::sync_channel(1), mpsc::sync_channel(1));
        end.send(()).unwrap();
        leave(Slow(wait, gone)).await;
        has_gone.try_recv().unwrap();
    }
}
