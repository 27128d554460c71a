//! One system for all stories, which have it one after the other. It ends with the process.

use std::sync::Arc;

use tokio::sync::{Mutex, MutexGuard};
use wattline_localstack::ServiceKind;
use wattline_tests::system::{Shape, System};

static SYSTEM: Mutex<Option<Arc<System>>> = Mutex::const_new(None);

/// The system, and nobody else has it.
pub(crate) struct Exclusive {
    pub(crate) system: Arc<System>,
    guard: MutexGuard<'static, Option<Arc<System>>>,
}

impl Drop for Exclusive {
    /// What a failed story left behind, messages on their way included, is not for the next one.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.guard.take();
        }
    }
}

/// Two replicas of each service; whatever the story before took away is back.
pub(crate) async fn system() -> Exclusive {
    let mut guard = SYSTEM.lock().await;
    let system = match guard.as_ref() {
        Some(system) => Arc::clone(system),
        None => {
            let started =
                Arc::new(System::start(two_of_each()).await.unwrap_or_else(|error| panic!("{error:#}")));
            Arc::clone(guard.insert(started))
        }
    };
    system.heal().await.unwrap_or_else(|error| panic!("after the story before: {error:#}"));
    Exclusive { system, guard }
}

/// Two replicas of each service, which notice soon what happens.
pub(crate) fn two_of_each() -> Shape {
    let mut shape = Shape { ingests: 2, sinks: 2, aggregators: 2, ..Shape::default() };
    // The shortest that Kafka allows: whoever is frozen loses its partitions soon.
    for kind in [ServiceKind::TimescaleSink, ServiceKind::Aggregator] {
        shape.settings.push((kind, "WATTLINE__INPUT__SESSION_TIMEOUT_MS", "6000".to_owned()));
    }
    // A partition that waits for a person looks soon whether there was one.
    for (kind, name) in [
        (ServiceKind::TimescaleSink, "WATTLINE__STORE__RETRY_STOPPED_MS"),
        (ServiceKind::Aggregator, "WATTLINE__RECOMPUTE__RETRY_STOPPED_MS"),
    ] {
        shape.settings.push((kind, name, "1000".to_owned()));
    }
    shape
}

/// A story's end: the whole chain of causes on failure.
pub(crate) fn assert_ok<T>(result: anyhow::Result<T>) -> T {
    result.unwrap_or_else(|error| panic!("{error:#}"))
}
