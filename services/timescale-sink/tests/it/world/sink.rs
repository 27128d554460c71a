//! A sink that runs in the test's own process.

use std::time::Duration;

use tokio::task::JoinHandle;
use wattline_localstack::poll_until;
use wattline_service::Context;
use wattline_timescale_sink::Config;

use super::DEADLINE;

/// A running sink.
pub(crate) struct Running {
    pub(crate) context: Context,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    pub(crate) fn start(config: Config) -> Self {
        let context = Context::new("timescale-sink");
        let task = tokio::spawn(wattline_timescale_sink::run(config, context.clone()));
        Self { context, task }
    }

    /// Waits until it is ready.
    pub(crate) async fn ready(self) -> Self {
        poll_until("the sink to be ready", DEADLINE, Duration::from_millis(20), async || {
            assert!(!self.task.is_finished(), "the sink has ended");
            Ok(self.context.ready.is_ready().then_some(()))
        })
        .await
        .unwrap_or_else(|error| panic!("{error}: {:?}", self.context.ready.missing()));
        self
    }

    /// Waits until it says that this is missing.
    pub(crate) async fn not_ready(&self, why: &str) {
        let what = format!("the sink to miss {why}");
        poll_until(&what, DEADLINE, Duration::from_millis(20), async || {
            Ok(self.context.ready.missing().iter().any(|missing| missing.contains(why)).then_some(()))
        })
        .await
        .unwrap_or_else(|error| panic!("{error}: {:?}", self.context.ready.missing()));
    }

    /// Stops it as SIGTERM does.
    pub(crate) async fn stop(self) {
        self.context.shutdown.cancel();
        tokio::time::timeout(DEADLINE, self.task).await.unwrap().unwrap().unwrap();
    }

    /// Ends it at whatever it is doing, without a word.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    /// The value of a metric, with its labels as they are written.
    pub(crate) fn metric(&self, name: &str) -> Option<f64> {
        let text = self.context.metrics.encode().unwrap();
        let line =
            text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')))?;
        line.rsplit(' ').next()?.parse().ok()
    }
}
